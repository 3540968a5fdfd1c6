"""Invariant: classifiers of rows whose scores should not depend on a pivot."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from infobound.datasets.labelled.rows import LabelledPopulation, LabelledTable
from infobound.errors import SettingError
from infobound.models.classifiers.interface import Classifier
from infobound.models.layers.standardised import Standardised
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant import checks, feeds
from infobound.runners.invariant.feeds import LabelledFeed
from infobound.runners.invariant.known import Known, Scored, scored
from infobound.runners.invariant.measures import Judging, Measures
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.reading import InvarianceReader, Settled
from infobound.runners.invariant.significance import Significance
from infobound.runners.invariant.task import Invariance, Phases
from infobound.runners.runs.metrics import stderr_key
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import stream
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TabularModel = Callable[[int, int], nn.Module]
"""Creates a classifier for a number of features and of logits, which are those of all classes
except the first, relative to the first.
"""


@dataclass(frozen=True, kw_only=True)
class Invariant(Runner[Invariance]):
    """Trains `replicates` classifiers `model` of the rows of `dataset` with cross-entropy and a
    penalty, and tests them.

    The model gets standardised features. First, only the classifier is trained for `pretrain`
    steps, then only the penalty's critic or adversary for `pretrain_critic` steps, then both. With
    `background_only` the penalty applies only to rows of class `background`: its batches consist of
    these rows, and its means are over them. Tests use moving averages of the weights with decay
    `average`. The weights of rows count in the classifier's loss and in measures of cuts and
    answers; penalties and information do not use them.

    Raises ValueError if a setting is wrong.
    """

    dataset: LabelledPopulation | LabelledTable
    model: TabularModel | None
    regularizer: Regularizer | None
    phases: Phases
    judging: Judging
    significance: Significance

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, LabelledPopulation | LabelledTable):
            name = type(self.dataset).__name__
            raise SettingError(
                "dataset",
                "must have labelled rows with pivots",
                name,
                "use dataset=table or bivariate",
            )
        _ = self._classifier
        phases, log_every = self.phases, self.cadence.log_every
        if phases.pretrain % log_every or phases.pretrain_critic % log_every:
            raise SettingError(
                ("pretrain", "pretrain_critic"),
                f"must be multiples of log_every, {log_every}, so that no line averages over both",
                f"{phases.pretrain} and {phases.pretrain_critic}",
            )
        if phases.begin >= self.steps and self.regularizer is not None:
            raise SettingError(
                "steps",
                f"must be more than the {phases.begin} of pretrain and pretrain_critic",
                self.steps,
            )

    @property
    def score(self) -> str:
        return "auc"

    def sentence(self, metrics: Written) -> str:
        return sentence(metrics)

    def last_figures(
        self, task: Invariance, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        """Figures of the first copy."""
        # importing Matplotlib takes a second, and refused runs do not need it
        from infobound.runners.invariant import figures

        copy, module = task.tested[0], task.reader.module(0)

        @torch.no_grad()
        def decide(points: Tensor) -> Tensor:
            return module(points.to(self.execution.place)).cpu()

        return figures.every(
            self.rows,
            copy.predictions,
            copy.curve,
            self.judging.background,
            self.judging.efficiency,
            decide,
        )

    @cached_property
    def rows(self) -> LabelledPopulation | LabelledTable | Scored:
        """The rows for training and reading; every row, if a loaded run reads another table."""
        if self.earlier is None or isinstance(self.dataset, LabelledPopulation):
            return self.dataset
        with self.earlier.fitting():
            return scored(self.earlier, self.dataset, self.execution.seed)

    def task(self) -> Invariance:
        feed, warnings = self._feed()
        classifiers = self._classifiers(feed)
        copies = range(self.execution.replicates)
        code = PivotCode(self.rows.pivots, [feed.batches.look(copy).pivots for copy in copies])
        regularisation = self._regularisation(classifiers, feed, code)
        reader = InvarianceReader(
            networks=classifiers.networks,
            regularisation=regularisation,
            feed=feed,
            code=code,
            measures=Measures(self.rows, self.judging),
            significance=self.significance,
            bayes=self.rows.bayes if isinstance(self.rows, LabelledPopulation) else None,
            warnings=warnings,
            seed=self.execution.seed,
            settled=Settled(classifiers.networks, feed),
        )
        known = Known(self.rows, feed, self.execution.replicates)
        return Invariance(feed, classifiers, code, regularisation, reader, self.phases, known)

    @property
    def _classifier(self) -> TabularModel:
        """The model, after checking that it classifies rows."""
        kind = getattr(self.model, "func", self.model)
        if self.model is None:
            name = "none"
        elif not callable(self.model) or (isinstance(kind, type) and issubclass(kind, Classifier)):
            name = getattr(kind, "__name__", type(self.model).__name__)
        else:
            return self.model
        raise SettingError("model", "must be a classifier of rows", name, "use model=tabular_mlp")

    def _feed(self) -> tuple[LabelledFeed, list[str]]:
        """Batches and held-out rows, with warnings about them."""
        judging, size, execution = self.judging, self.optimisation.batch_size, self.execution
        if isinstance(self.rows, LabelledPopulation):
            feed = feeds.of_population(
                self.rows,
                judging.alone,
                batch_size=size,
                eval_rows=judging.eval_rows,
                test_rows=judging.test_rows,
                execution=execution,
            )
            said = list[str]()
        elif isinstance(self.rows, Scored):
            feed = feeds.of_scored(self.rows.copies, batch_size=size, execution=execution)
            said = [*self.rows.warnings, *checks.in_order(self.rows.copies[0])]
        else:
            feed = feeds.of_table(
                self.rows,
                judging.alone,
                batch_size=size,
                eval_rows=judging.eval_rows,
                execution=execution,
            )
            said = [*self.rows.warnings, *checks.in_order(self.rows.whole())]
        rows = checks.of_shape(self.rows, feed.batches.look(0))
        said += checks.warnings(self.rows, rows, judging.background, judging.background_only)
        if feed.places is not None:
            said += checks.scarce(self.rows, feed.held_out(0, "test", 0))
        return feed, said

    def _classifiers(self, feed: LabelledFeed) -> Player:
        features, logits = len(self.rows.features), len(self.rows.classes) - 1
        execution, size = self.execution, self.optimisation.batch_size

        def build(copy: int) -> nn.Module:
            try:
                network = self._classifier(features, logits)
            except (TypeError, AttributeError) as error:
                raise SettingError(
                    "model", f"must work for {features} features and {logits} logits: {error}"
                ) from error
            return nn.Sequential(Standardised(feed.batches.look(copy).x), network)

        networks = execution.ensemble(
            build,
            seed=stream(execution.seed, "classifier"),
            average=self.optimisation.average,
        )
        x = torch.zeros(execution.replicates, size, features, device=execution.place)
        networks.check(x)
        waits = 0 if self.regularizer is None else self.phases.pretrain_critic
        player = self.optimisation.player(networks, steps=self.steps - waits)
        if (shape := tuple(player.read(x).shape[1:])) != (size, logits):
            raise SettingError("model", f"must give outputs {(size, logits)} for a batch", shape)
        normalised = any(isinstance(layer, BatchNorm) for layer in networks.module.modules())
        if normalised and self.judging.background_only:
            raise SettingError(
                "background_only",
                "must be false for a model with batch normalisation, whose averages are over all"
                " classes",
                "true",
                "use model.normalise=layer",
            )
        return player

    def _regularisation(
        self, classifiers: Player, feed: LabelledFeed, code: PivotCode
    ) -> Regularisation | None:
        """The penalty's copies, created from tensors that the untrained classifiers expose."""
        if self.regularizer is None:
            return None

        @torch.no_grad()
        def rows(copy: int) -> Exposed:
            looked = feed.penalised.look(copy)
            module = classifiers.networks.copy(copy).eval()
            return expose(
                logits=module(looked.x).float(),
                pivot=code.of(copy, looked.pivots),
                raw_pivot=looked.pivots,
            )

        critics = partial(self.execution.ensemble, seed=stream(self.execution.seed, "critic"))
        made = Regularisation(self.regularizer, rows, critics, self.steps, self.phases.pretrain)
        size, copies = self.optimisation.batch_size, self.execution.replicates
        made.check({name: each[:size].expand(copies, -1, -1) for name, each in rows(0).items()})
        return made


def sentence(metrics: Written) -> str:
    """The outcome in one sentence, such as `AUC 0.871, accuracy 0.785; I(score; pivot) = 0.02 ±
    0.01 nats (p = 0.01)`.
    """
    read = {name: _shown(metrics, name) for name in ("auc", "accuracy", "mi")}
    line = f"AUC {read['auc']}, accuracy {read['accuracy'].partition(' ')[0]}"
    line += f"; I(score; pivot) = {read['mi']}{'' if metrics['mi'] is None else ' nats'}"
    if (p_value := metrics.get("mi_p_value")) is not None:
        line += f" (p = {p_value:.2g})"
    return "\n".join([line, *(f"warning: {warning}" for warning in metrics["warnings"])])


def _shown(metrics: Written, name: str) -> str:
    """A value with its standard error, or `null`."""
    if metrics[name] is None:
        return "null"
    return f"{metrics[name]:.3f} ± {metrics[stderr_key(name)]:.3f}"
