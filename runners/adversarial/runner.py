"""Adversarial: an invertible encoder of a view hides the labels from a linear classifier of its
codes.

R copies, B batch, D features.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.datasets.interfaces import Views
from infobound.errors import SettingError
from infobound.models.encoders.networks import Invertible
from infobound.runners.adversarial.task import Hiding
from infobound.runners.adversarial.view_with_label import ViewWithLabel
from infobound.runners.encoders import figures, reading
from infobound.runners.encoders.examiner import Examiner
from infobound.runners.encoders.reading import EncoderReader
from infobound.runners.encoders.settings import Examinations, check_views
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Adversarial(Runner[Hiding]):
    """Trains encoders `model` of the first view of `dataset` against a linear classifier that
    learns the labels from their codes. The encoders learn to make its predictions uniform, and are
    probed during training.

    Only the classifier is trained in the first `warm_up` steps. Each later step has
    `classifier_steps` steps of the classifier, on their own batches, and one of the encoder, which
    minimises the cross-entropy to equal probabilities. The classifier's learning rate is
    `classifier_speed` times that of `optimizer`.

    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625
    """

    dataset: Views
    model: Callable[[int], nn.Module] | None
    warm_up: int
    classifier_steps: int
    classifier_speed: float
    examinations: Examinations

    def __post_init__(self) -> None:
        check_views(self.dataset)
        limits.encoders(self.model)
        self.examinations.check(self.cadence)
        _ = self.steps
        if self.warm_up < 0:
            raise SettingError("warm_up", "must be 0 or more", self.warm_up)
        limits.positive(self, "classifier_steps")
        if not self.classifier_speed > 0:
            raise SettingError("classifier_speed", "must be positive", self.classifier_speed)

    @property
    def score(self) -> str:
        return "accuracy"

    def sentence(self, metrics: Written) -> str:
        return reading.sentence(metrics)

    def figures(self, task: Hiding, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        return figures.of_encoders(record.history(), task.examiner.reader.pixels)

    def task(self) -> Hiding:
        """Encoders and classifiers before the first step.

        Raises ValueError if the encoder has no inverse.
        """
        model, (x, _, labels) = limits.encoders(self.model), self.dataset.train_examples
        execution, optimisation = self.execution, self.optimisation
        features, classes = x.shape[1], int(labels.max()) + 1
        encoders = execution.ensemble(lambda _: model(features), average=optimisation.average)
        if not isinstance(encoder := encoders.copy(0), Invertible):
            raise SettingError(
                "model",
                "must be an encoder with an inverse",
                type(encoder).__name__,
                "use model=realnvp",
            )
        shape = execution.replicates, optimisation.batch_size, features
        encoders.check(torch.zeros(shape, device=execution.place))
        classifiers = execution.ensemble(
            lambda _: nn.Linear(features, classes), average=optimisation.average
        )
        batches = SeenBatches(
            ViewWithLabel(self.dataset),
            batch_size=optimisation.batch_size,
            seed=execution.seed,
            replicates=execution.replicates,
            device=execution.place,
        )
        hiding = max(0, self.steps - self.warm_up)
        learning = self.steps + hiding * (self.classifier_steps - 1)
        fast = replace(optimisation, optimizer=self._fast)
        reader = EncoderReader(
            self.dataset,
            lambda copy: encoders.copy(copy).eval(),
            self.examinations,
            execution,
        )
        return Hiding(
            batches,
            fast.player(classifiers, steps=learning),
            optimisation.player(encoders, steps=hiding),
            Examiner(reader),
            warm_up=self.warm_up,
            classifier_steps=self.classifier_steps,
        )

    def _fast(self, parameters: list[Tensor]) -> Optimizer:
        """The optimiser of the classifiers, with their faster learning rate."""
        optimizer = self.optimisation.optimizer(parameters)
        for group in optimizer.param_groups:
            group["lr"] *= self.classifier_speed
        return optimizer
