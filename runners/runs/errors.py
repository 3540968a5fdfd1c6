"""How a run can end early, each with an exit code of its own in endings.py."""

LESS = "lower runner.batch_size, runner.eval_batch_size or replicates, or set critic.negatives"
"""The way out of what does not fit into memory."""


class ConfigError(ValueError):
    """The configuration or a data file is wrong; nothing was sampled or written over."""


class Occupied(ConfigError):
    """The run's folder holds another run, which stays as it is."""


class Busy(Occupied):
    """Another process is at work in the run's folder."""


class RunFailed(RuntimeError):
    """The run cannot go on: a value is not finite, the disk is full, a checkpoint is torn."""


class Interrupted(Exception):
    """A signal asked the run to stop; its checkpoint was written."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.signal_number = signal_number


class JobDied(RuntimeError):
    """The process of a sweep's job ended, or was ended, before it could say why."""


class SweepFailed(Exception):
    """Some jobs of a sweep came to nothing; the others have their results."""


NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory")


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: PyTorch says so by a class of its own on a GPU, by words alone
    on the CPU.
    """
    by_words = isinstance(error, RuntimeError) and any(each in str(error) for each in NO_MEMORY)
    return isinstance(error, MemoryError) or by_words
