"""Invariant: classifiers that tell the label of a row, and whose scores say nothing of a pivot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.optim import Optimizer

from infobound.datasets.labelled.rows import LabelledPopulation, LabelledTable
from infobound.models.classifiers.interface import Classifier
from infobound.models.layers.standardised import Standardised
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.invariant import feeds as labelled_feeds
from infobound.runners.invariant.checks import checked, looked_at
from infobound.runners.invariant.feeds import LabelledFeed
from infobound.runners.invariant.pivot_code import PivotCode
from infobound.runners.invariant.reading import Copy, InvarianceReader
from infobound.runners.invariant.significance import Significance
from infobound.runners.invariant.task import Invariance
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training import limits
from infobound.runners.training.devices import device_named
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.loop import Cadence, Loop
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import stream
from infobound.runners.training.schedule import Schedule
from infobound.runners.training.settings import Training

Models = Callable[[int, int], nn.Module]
"""Makes a classifier for a number of features and of logits, those of all classes but the first
against the first.
"""


@dataclass(frozen=True, kw_only=True)
class Invariant(Training):
    """Trains `replicates` classifiers `model` of the rows of `dataset` by cross-entropy and a
    penalty, and tests them.

    Features are given to the model in units of their deviation in training. Before it has a penalty
    the classifier is trained for `pretrain` steps alone, and its critic or adversary for
    `pretrain_critic`. With `background_only` the penalty is of rows of class `background` alone:
    its batches are of these, and every mean in it is over their number. Tested are weights that are
    moving averages with decay `average`. Rows' weights count in the classifier's loss and in what
    is measured of cuts and answers; penalties and information are of the rows as they are.

    Raises ValueError for whatever is wrong with the settings.
    """

    dataset: LabelledPopulation | LabelledTable
    model: Models | None
    regularizer: Regularizer | None
    optimizer: Callable[[list[Any]], Optimizer]
    background: int
    background_only: bool
    pretrain: int
    pretrain_critic: int
    steps: int
    average: float
    warmup: int
    cosine: bool
    eval_rows: int
    test_rows: int
    permutations: int
    efficiency: float
    signal_events: float
    background_events: float
    eval_every: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, LabelledPopulation | LabelledTable):
            name = type(self.dataset).__name__
            raise ValueError(
                f"dataset must be one of labelled rows with pivots, got {name}; use dataset=table"
                " or bivariate"
            )
        kind = getattr(self.model, "func", self.model)
        if not callable(self.model) or (isinstance(kind, type) and issubclass(kind, Classifier)):
            name = (
                "none"
                if self.model is None
                else getattr(kind, "__name__", type(self.model).__name__)
            )
            raise ValueError(
                f"model must make logits of rows of features, got {name}; use model=tabular_mlp"
            )
        super().__post_init__()
        limits.at_least(
            self, pretrain=0, pretrain_critic=0, permutations=0, eval_rows=100, test_rows=100
        )
        limits.decay(self.average)
        if not 0 < self.efficiency < 1:
            raise ValueError(
                "efficiency must be a share of the background above 0 and below 1, got"
                f" {self.efficiency}"
            )
        begin = self.pretrain + self.pretrain_critic
        if self.pretrain % self.log_every or self.pretrain_critic % self.log_every:
            raise ValueError(
                f"pretrain and pretrain_critic must be multiples of log_every, {self.log_every}, so"
                f" that no line is a mean over both, got {self.pretrain} and {self.pretrain_critic}"
            )
        if begin >= self.steps and self.regularizer is not None:
            raise ValueError(
                f"steps must be more than the {begin} of pretrain and pretrain_critic, got"
                f" {self.steps}"
            )
        _ = self.cadence, self.significance

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return self.paced(self.steps, self.eval_every)

    @property
    def significance(self) -> Significance:
        """What a signal is counted against."""
        return Significance(self.signal_events, self.background_events)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build the networks and try them on a batch.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        cadence, task = self.cadence, self.task(device_named(self.device))

        def run(record: Record) -> Outcome:
            trained = Loop(task, cadence, record).run()
            networks = task.classifiers.networks
            copies = task.reader.test(networks, task.regularisation)
            metrics = task.reader.metrics(copies, task.before)
            record.write(
                trained.steps,
                "test",
                {name: each for name, each in metrics.items() if isinstance(each, float)},
            )
            record.rows("predictions", task.reader.table(copies))
            self._draw(task, copies[0], record, trained.steps)
            return Outcome(
                metrics, metrics["auc"], sentence(metrics), trained.steps, trained.seconds
            )

        return run

    def task(self, device: torch.device) -> Invariance:
        """The networks before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        feed, warnings = self._feed(device)
        classifiers = self._classifiers(feed, device)
        code = PivotCode(
            self.dataset.pivots, [feed.batches.look(copy).pivots for copy in range(self.replicates)]
        )
        regularisation = self._regularisation(classifiers, feed, code, device)
        reader = InvarianceReader(
            described=self.dataset,
            bayes=self.dataset.bayes if isinstance(self.dataset, LabelledPopulation) else None,
            warnings=warnings,
            feed=feed,
            code=code,
            background=self.background,
            alone=self.background_only,
            efficiency=self.efficiency,
            significance=self.significance,
            permutations=self.permutations,
            seed=self.seed,
        )
        made: Any = (feed, classifiers, code, regularisation, reader)
        return Invariance(*made, pretrain=self.pretrain, pretrain_critic=self.pretrain_critic)

    def _feed(self, device: torch.device) -> tuple[LabelledFeed, list[str]]:
        """Batches and held-out rows, and what is to be known of them."""
        alone = self.background if self.background_only else None
        sizes: Any = {"batch_size": self.batch_size, "eval_rows": self.eval_rows}
        at_once: Any = {**sizes, "seed": self.seed, "replicates": self.replicates, "device": device}
        if isinstance(self.dataset, LabelledPopulation):
            feed = labelled_feeds.sampled(self.dataset, alone, test_rows=self.test_rows, **at_once)
            said = list[str]()
        else:
            feed, said = (
                labelled_feeds.tabled(self.dataset, alone, **at_once),
                [*self.dataset.warnings],
            )
        rows = looked_at(self.dataset, feed.batches.look(0))
        return feed, said + checked(self.dataset, rows, self.background, self.background_only)

    def _classifiers(self, feed: LabelledFeed, device: torch.device) -> Player:
        features, logits = len(self.dataset.features), len(self.dataset.classes) - 1

        def build(copy: int) -> nn.Module:
            assert self.model is not None, "checked by the constructor"
            try:
                network = self.model(features, logits)
            except (TypeError, AttributeError) as error:
                raise ValueError(
                    f"model must be made for {features} features and {logits} logits: {error}"
                ) from error
            return nn.Sequential(Standardised(feed.batches.look(copy).x), network)

        networks = self.ensemble(build, stream(self.seed, "classifier"), device, self.average)
        x = torch.zeros(self.replicates, self.batch_size, features, device=device)
        networks.check(x)
        optimizer = elementwise(self.optimizer([networks.parameters]))
        player = Player(
            networks,
            optimizer,
            Schedule(optimizer, self.warmup, self._classifier_steps if self.cosine else None),
        )
        if (shape := tuple(player.read(x).shape[1:])) != (self.batch_size, logits):
            raise ValueError(
                f"model must put out {(self.batch_size, logits)} numbers for a batch, got {shape}"
            )
        normalised = any(isinstance(layer, BatchNorm) for layer in networks.module.modules())
        if normalised and self.background_only:
            raise ValueError(
                "background_only must be false for a model with batch normalisation, whose averages"
                " are of all classes, got true; use model.normalise=layer"
            )
        return player

    @property
    def _classifier_steps(self) -> int:
        """Steps in which the classifier moves."""
        return self.steps - (self.pretrain_critic if self.regularizer is not None else 0)

    def _regularisation(
        self, classifiers: Player, feed: LabelledFeed, code: PivotCode, device: torch.device
    ) -> Regularisation | None:
        """The penalty's copies."""
        if self.regularizer is None:
            return None

        @torch.no_grad()
        def rows(copy: int) -> Exposed:
            looked = (feed.alone or feed.batches).look(copy)
            module = classifiers.networks.copy(copy).eval()
            return expose(
                logits=module(looked.x).float(),
                pivot=code.of(copy, looked.pivots),
                raw_pivot=looked.pivots,
            )

        critics = partial(self.ensemble, seed=stream(self.seed, "critic"), device=device)
        made = Regularisation(self.regularizer, rows, critics, self.steps, self.pretrain)
        batch = {
            name: each[: self.batch_size].expand(self.replicates, -1, -1)
            for name, each in rows(0).items()
        }
        made.check(batch)
        return made

    def _draw(self, task: Invariance, copy: Copy, record: Record, step: int) -> None:
        """The figures of the first copy."""
        # Matplotlib takes a second to import, which a refused run need not wait for.
        from infobound.runners.invariant import figures

        module = task.reader.module(task.classifiers.networks, 0)
        x = task.reader.feed.held_out(0, "test", 0).x

        @torch.no_grad()
        def decide(points: Tensor) -> Tensor:
            return module(points)

        drawn = figures.every(
            self.dataset, copy.predictions, copy.curve, self.background, self.efficiency, x, decide
        )
        for name, figure in drawn:
            record.figure(name, figure, step)


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it, such as `AUC 0.871, accuracy 0.785; I(score; pivot) = 0.02
    ± 0.01 nats (p = 0.01)`.
    """
    line = (
        f"AUC {metrics['auc']:.3f} ± {metrics['auc_stderr']:.3f}, accuracy"
        f" {metrics['accuracy']:.3f}"
    )
    line += f"; I(score; pivot) = {metrics['mi']:.3f} ± {metrics['mi_stderr']:.3f} nats"
    line += f" (p = {metrics['mi_p_value']:.2g})" if "mi_p_value" in metrics else ""
    return "\n".join([line, *(f"warning: {warning}" for warning in metrics["warnings"])])
