"""Represent: encoders of two views that maximise a bound of the information between their
representations.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from infobound.datasets.interfaces import Rows, Views
from infobound.estimators.measurement import Critics
from infobound.models.critics.encoded import Encoded
from infobound.runners.critics import feeds
from infobound.runners.critics.task import CriticTraining
from infobound.runners.critics.trained_critics import TrainedCritics
from infobound.runners.encoders import figures, reading
from infobound.runners.encoders.examiner import Examiner
from infobound.runners.encoders.reading import EncoderReader
from infobound.runners.encoders.settings import Examinations, check_views
from infobound.runners.represent.aim import Aim
from infobound.runners.represent.encoded_rows import EncodedRows
from infobound.runners.represent.task import Representing, encoded_critic
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Represent(Runner[Representing]):
    """Trains `replicates` pairs of encoders `model` of the views of `dataset`, and probes their
    codes of the first view. Loaded encoders can also encode all rows of a table of pairs, which are
    then the views.

    With `shared`, both views have the same encoder. The estimate is read on the pairs of all test
    examples, in blocks of `eval_batch_size`; if the estimator is a loss, the reading is a loss.

    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625
    """

    dataset: Views | Rows
    model: Callable[[int], nn.Module] | None
    shared: bool
    aim: Aim
    eval_batch_size: int
    examinations: Examinations

    def __post_init__(self) -> None:
        if self.start.trains or not isinstance(self.dataset, Rows):
            check_views(self.dataset)
        limits.encoders(self.model)
        limits.at_least(self, eval_batch_size=4)
        self.examinations.check(self.cadence)
        _ = self.steps

    @property
    def score(self) -> str:
        return "accuracy"

    def sentence(self, metrics: Written) -> str:
        return reading.sentence(metrics)

    def figures(
        self, task: Representing, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        return figures.of_encoders(record.history(), task.examiner.reader.pixels)

    def prepare(self) -> Callable[[Record], Outcome]:
        if self.earlier is None or isinstance(self.dataset, Views):
            return super().prepare()
        _, estimator = self.aim.trained
        with self.earlier.fitting():
            reader = TrainedCritics.of(self.earlier.within("training")).reader(
                self.dataset,
                self._critic,
                estimator,
                partial(self.execution.ensemble, average=self.optimisation.average),
                self.eval_batch_size,
                self.execution.place,
            )
        return EncodedRows(self.dataset, reader)

    @property
    def _critic(self) -> Critics:
        """Encoders with a critic of their representations."""
        model, (critic, _) = limits.encoders(self.model), self.aim.trained
        return partial(Encoded, model=model, critic=critic, shared=self.shared)

    def task(self) -> Representing:
        if not isinstance(self.dataset, Views):
            raise TypeError(f"dataset must be one of views, got {type(self.dataset).__name__}")
        _, estimator = self.aim.trained
        feed = feeds.viewed(
            self.dataset,
            batch_size=self.optimisation.batch_size,
            eval_batch_size=self.eval_batch_size,
            seed=self.execution.seed,
            replicates=self.execution.replicates,
            device=self.execution.place,
        )
        training = CriticTraining(
            feed,
            self._critic,
            estimator,
            self.optimisation,
            self.execution,
            stop_early=False,
            patience=None,
            folds=None,
            loss=self.aim.loss,
        )
        reader = EncoderReader(
            self.dataset,
            lambda copy: encoded_critic(training, copy).encoder_x,
            self.examinations,
            self.execution,
        )
        return Representing(training, Examiner(reader), loss=estimator.kind == "loss")
