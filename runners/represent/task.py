"""The task of training encoders of two views with their critic, R at once."""

from torch import Tensor

from infobound.models.critics.encoded import Encoded
from infobound.runners.critics.task import CriticTraining
from infobound.runners.encoders.examiner import Examiner
from infobound.runners.runs.metrics import Metrics, Quantity
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import Written
from infobound.runners.training.task import Task


class Representing(Task):
    """A training of critics that start with encoders, which are examined at the set steps.

    The reading of a `loss` is reported as a loss, not in nats: without a cap, a truth or a standard
    error.
    """

    def __init__(self, training: CriticTraining, examiner: Examiner, *, loss: bool) -> None:
        self.training, self.examiner, self._loss = training, examiner, loss
        self.parts = {"training": training, "examiner": examiner}
        self._loaded = False

    def step(self) -> dict[str, Tensor]:
        quantities = self.training.step()
        return {"loss": quantities["loss"]} if self._loss else quantities

    def evaluate(self, step: int) -> Metrics:
        found = self.training.evaluate(step)
        if self._loss:
            found = {"loss": Quantity([-value for value in found["mi"].copies])}
        return {**found, **self.examiner.evaluate(step)}

    def read(self, step: int) -> Written:
        """The quality of the encoders, and the estimate, or the loss, on the test pairs."""
        reading, examined = self.training.reading(step), self.examiner.read(step)
        if self._loss:
            loss = Quantity([-value for value in reading.values])
            return {**examined, "loss": loss, "kind": reading.kind}
        over = {"stderr_of": reading.error.of}  # refers to the estimate, not the accuracy
        return {**examined, **reading.metrics(None), **over}

    def take_over(self, run: TrainedRun) -> None:
        self.training.take_over(run.within("training"))
        self._loaded = True

    @property
    def rows(self) -> dict[str, dict[str, Tensor]]:
        """The loaded encoders' codes of the test examples."""
        return self.examiner.codes if self._loaded else {}

    @property
    def finished(self) -> bool:
        return self.training.finished

    @property
    def constants(self) -> dict[str, float | None]:
        return self.examiner.constants


def encoded_critic(training: CriticTraining, index: int) -> Encoded:
    """The critic of a copy with its encoders, in evaluation mode."""
    critic = training.critic(index)
    if not isinstance(critic, Encoded):
        raise TypeError(f"the critics must start with encoders, got {type(critic).__name__}")
    return critic
