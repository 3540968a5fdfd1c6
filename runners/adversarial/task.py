"""The game of classifiers, which learn labels from representations, against encoders, which hide
them, R at once.

R copies, B batch, C classes.
"""

import torch
from torch import Tensor

from infobound.runners.encoders.examiner import Examiner
from infobound.runners.runs.metrics import Metrics
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.player import Player
from infobound.runners.training.task import Task


class Hiding(Task):
    """Classifiers learn the labels for `warm_up` steps; then the encoders take one step after
    several of theirs.
    """

    def __init__(
        self,
        batches: SeenBatches,
        classifiers: Player,
        encoders: Player,
        examiner: Examiner,
        *,
        warm_up: int,
        classifier_steps: int,
    ) -> None:
        self.batches, self.classifiers, self.encoders = batches, classifiers, encoders
        self.examiner = examiner
        self._warm_up, self._classifier_steps = warm_up, classifier_steps
        self.parts = {
            "classifiers": classifiers,
            "encoders": encoders,
            "batches": batches,
            "examiner": examiner,
        }
        self.read_again, self._loaded = ["encoders"], False

    def step(self) -> dict[str, Tensor]:
        if self.classifiers.networks.steps < self._warm_up:
            return self.learn()
        for _ in range(self._classifier_steps - 1):
            self.learn()
        learned = self.learn()
        self.hide()
        return learned

    def evaluate(self, step: int) -> Metrics:
        return self.examiner.evaluate(step)

    def read(self, step: int) -> Metrics:
        """The quality of the encoders, without values of the game, which are from training
        examples.
        """
        return self.examiner.read(step)

    def take_over(self, run: TrainedRun) -> None:
        super().take_over(run)
        self._loaded = True

    @property
    def rows(self) -> dict[str, dict[str, Tensor]]:
        """The loaded encoders' codes of the test examples."""
        return self.examiner.codes if self._loaded else {}

    @property
    def constants(self) -> dict[str, float | None]:
        return self.examiner.constants

    def learn(self) -> dict[str, Tensor]:
        """Train the classifiers by one step."""
        x, labels = self.batches.draw()
        with torch.no_grad():
            z = self.encoders(x)
        logits = self.classifiers(z)
        loss = -logits.log_softmax(-1).gather(-1, labels).mean((-2, -1))
        self.classifiers.descend(loss)
        return {"loss": loss.detach(), "unevenness": unevenness(logits).detach()}

    def hide(self) -> None:
        """Train the encoders by one step."""
        x, _ = self.batches.draw()
        self.encoders.descend(unevenness(self.classifiers(self.encoders(x))))


def unevenness(logits: Tensor) -> Tensor:
    """The cross-entropy (R,) in nats of logits (R, B, C) to equal probabilities, at least log C."""
    return -logits.log_softmax(-1).mean((-2, -1))
