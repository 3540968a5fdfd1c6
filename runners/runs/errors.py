"""The errors that end a run early; endings.py gives each its exit code."""

LESS = "lower runner.batch_size, runner.eval_batch_size or replicates, or set critic.negatives"
"""The way out if something does not fit into memory."""


class ConfigError(ValueError):
    """The configuration or a data file is wrong; nothing was sampled or overwritten."""


class Unanswerable(ConfigError):
    """The question has no answer, as with a column against itself. A sweep that asks it among
    others has not failed.
    """


class Occupied(ConfigError):
    """The run's folder has another run, which stays unchanged."""


class Busy(Occupied):
    """Another process is working in the run's folder."""


class Damaged(Occupied):
    """A file in the run's folder is not what a run writes there."""


class RunFailed(RuntimeError):
    """The run cannot continue: a value is not finite, the disk is full, or a checkpoint is
    damaged.
    """


class DamagedState(RunFailed):
    """A checkpoint is damaged, or counts lines that are lost."""


class Interrupted(Exception):
    """A signal asked the run to stop; its checkpoint was written."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}")
        self.signal_number = signal_number


class JobDied(RuntimeError):
    """The process of a sweep's job ended, or was killed, before it could say why."""


class SweepFailed(Exception):
    """Some jobs of a sweep failed; the others have their results."""


SCREEN = 1000
"""Characters of a message that fits a screen."""


def fitting(message: str) -> str:
    """The message, without the middle of long values such as a list of 100,000 columns."""
    if len(message) <= SCREEN:
        return message
    half = SCREEN // 2
    return f"{message[:half]} ... {message[-half:]}"


NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory")


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed: on a GPU, PyTorch has an exception class for it; on the CPU,
    only the message shows it.
    """
    by_words = isinstance(error, RuntimeError) and any(each in str(error) for each in NO_MEMORY)
    return isinstance(error, MemoryError) or by_words


def without_memory(error: BaseException) -> str:
    """A line about an allocation that failed, with its size and the way out."""
    first, _, _ = str(error).partition("\n")
    return f"out of memory ({first}); {LESS}"
