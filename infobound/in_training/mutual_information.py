"""Mutual information as a term of the loss in any training loop.

B batch, N rows of a table, D_x and D_z features.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.conf import by_name
from infobound.errors import SettingError
from infobound.estimators.base import Bound, Estimator
from infobound.estimators.measurement import Critics, Measurement
from infobound.in_training import first_rows
from infobound.in_training.goals import Goal, Watch
from infobound.in_training.own_critic import Dim, features, own_critic
from infobound.in_training.own_networks import Optimizers, OwnNetworks
from infobound.in_training.pooled import MicroBatch, Pooled
from infobound.in_training.rows import batches, flat, tensor
from infobound.models.critics.scores import Scores
from infobound.runners.critics import evaluation
from infobound.runners.critics.held_out import RowHeldOut
from infobound.runners.critics.splits import Part


class MutualInformation(nn.Module):
    """Estimates I(X; Z) of a batch in nats, with its own critic.

        mi = ib.MutualInformation(dim_x, dim_z, estimator="nwj", critic="separable")
        loss = task_loss + beta * mi(x, z)  # minimises it; a minus sign maximises it
        loss.backward()
        optimizer.step()
        mi.update(x, z)

    `mi(x, z)` is differentiable in x and z. It does not train the critic, whose parameters require
    no gradient, so an optimiser may get all parameters of a model that contains this module. Only
    `update` trains the critic.

    `dim_x` and `dim_z` are numbers of features, or shapes such as (1, 28, 28); rows are (B, D), (B,
    *shape), or (B,) for one feature. `estimator`, `critic` and `optimizer` are names in conf/ or
    objects; None means the defaults: infonce, adam, and the critic that the estimator needs.
    `overrides` are settings as on the command line, such as "critic.embed=8" or
    "optimizer.lr=1e-3". The critic may also be a function that creates one from two numbers of
    features, or your own network: one that takes x and z and returns Scores or a matrix (B, B) of
    all pairs, or one that takes torch.cat([x, z], 1) and has one output. It is not copied.

    An estimator bounds mutual information from below, from above, or not at all (`estimator.kind`).
    Maximise lower bounds and minimise upper bounds. The sign in the loss decides the goal: the
    first gradient shows it, and a wrong pairing warns once. Set `goal="minimise"` or `"maximise"`
    to be warned immediately, or under torch.compile, where gradients are not watched.

    Estimators and critics that are fitted to rows before the first step, such as barber_agakov and
    copula, are fitted to the first batch, and again by `prepare`.

    Half precision: autocast and `.bfloat16()` act on the critic; scores are read in float32.
    Distributed training needs no change: this module may be inside or outside the model that
    DistributedDataParallel wraps; `update` averages the critic's gradients.

    Raises ValueError for names, settings and parts that do not fit together, and, in all calls, for
    rows with other shapes.
    """

    def __init__(
        self,
        dim_x: Dim,
        dim_z: Dim,
        estimator: str | Estimator | None = None,
        critic: str | nn.Module | Critics | None = None,
        *,
        optimizer: str | Optimizers | None = None,
        critic_steps: int = 1,
        goal: Goal | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if critic_steps < 1:
            raise SettingError("critic_steps", "must be a positive integer", critic_steps)
        parts = {"estimator": estimator, "critic": critic, "optimizer": optimizer}
        named = by_name.option_of("estimator", estimator)
        cfg = by_name.composed(parts, overrides, *([f"estimator={named}"] if named else []))
        by_name.with_shapes(cfg, dim_x, dim_z, overrides)
        chosen = by_name.part(cfg, "estimator", estimator)
        if not isinstance(chosen, Estimator):
            name = type(chosen).__name__
            raise SettingError(
                "estimator", "must be one that trains a critic", name, "use estimator='infonce'"
            )
        measurement = Measurement(
            own_critic(by_name.part(cfg, "critic", critic), dim_x, dim_z), copy.deepcopy(chosen)
        )
        self._dims = features("dim_x", dim_x), features("dim_z", dim_z)
        first_rows.make_blank(measurement, self._dims)
        self.own = OwnNetworks(measurement, by_name.part(cfg, "optimizer", optimizer))
        self.critic_steps = critic_steps
        self._lengths = Lengths(cfg.runner.steps, cfg.runner.batch_size, cfg.runner.eval_batch_size)
        self._seen = not any(map(first_rows.is_fitted, first_rows.parts(measurement)))
        self._watch = Watch(chosen, goal)

    @property
    def critic(self) -> nn.Module:
        """The critic; your own network is its `network`."""
        return self.own.networks.critic

    @property
    def estimator(self) -> Estimator:
        """The estimator, which turns scores into nats."""
        return self.own.networks.estimator

    @property
    def optimizer(self) -> Optimizer | None:
        """The critic's optimiser, for learning-rate schedules; None if nothing is trained."""
        return self.own.optimizer

    @property
    def steps(self) -> int:
        """The number of steps that the critic has taken."""
        return self.own.steps

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """I(X; Z) of paired rows x and z in nats, a scalar, differentiable in both.

        The value and its gradient are the estimator's `objective`; for some estimators, such as js
        and mine, the gradient is that of a surrogate. The module does not change, except that the
        first batch may be used to fit it.
        """
        rows = self._flat(x, z)
        self._meet(*rows)
        return self._watch.over(self._read(*rows).objective)

    def update(self, x: Tensor, z: Tensor) -> Tensor:
        """Train the critic by `critic_steps` steps on these rows, which are detached.

        Call it after the loss's backward pass. Returns the estimate in nats before the last step, a
        detached scalar.
        """
        x, z = (rows.detach() for rows in self._flat(x, z))
        self._meet(x, z)
        values = [self._climb(x, z) for _ in range(self.critic_steps)]
        return values[-1]

    def fit(
        self,
        x: ArrayLike | Tensor,
        z: ArrayLike | Tensor,
        *,
        steps: int | None = None,
        batch_size: int | None = None,
        generator: torch.Generator | None = None,
    ) -> "MutualInformation":
        """Train the critic on arrays (N, ...) with batches drawn without replacement, and return
        this module.

        `steps` and `batch_size` default to runner.steps and runner.batch_size of conf/. Also raises
        ValueError for fewer than two rows.
        """
        rows = self._table(x, z)
        self._meet(*rows)
        size = min(batch_size or self._lengths.batch_size, len(rows[0]))
        for chosen in batches(len(rows[0]), size, steps or self._lengths.steps, generator):
            self._climb(*(each[chosen.to(each.device)] for each in rows))
        return self

    def value(
        self, x: ArrayLike | Tensor, z: ArrayLike | Tensor, *, batch_size: int | None = None
    ) -> float:
        """Estimate I(X; Z) in nats on held-out arrays (N, ...), rows that the critic was not
        trained on.

        Rows, up to 131,072 evenly spaced ones, are scored in batches of at most `batch_size` (by
        default runner.eval_batch_size of conf/); the product samples of a row are the other rows of
        its batch. All scores are pooled, and the bound is computed once.
        """
        x, z = self._table(x, z)
        self._meet(x, z)
        measurement, training = self.own.networks, self.own.networks.training
        held_out = RowHeldOut(
            {"test": Part([x], [z], []).spaced()}, batch_size or self._lengths.eval_batch_size
        )
        try:
            pooled = evaluation.pool(measurement, held_out.blocks(0, "test", 0))
            return evaluation.value(measurement.estimator, pooled)
        finally:
            measurement.train(training)

    def pooled(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> Pooled:
        """Treat micro-batches (x, z) as one large batch, for gradient accumulation.

            information = mi.pooled((x, encoder(x)) for x in micro_batches)
            for x, share in zip(micro_batches, information):
                z = encoder(x)
                (task_loss(z) / len(information) + beta * share(x, z)).backward()
            mi.update(*information.rows)

        The shares add up to the estimate of the large batch, and their gradients to its gradient,
        exactly and for every estimator, because all rows of the large batch are paired. `pairs` is
        consumed without gradients, so only one micro-batch at a time keeps its graph; the encoder
        runs twice and must give the same rows both times (Gao et al. 2021, gradient cache,
        https://arxiv.org/abs/2101.06983).
        """
        with torch.no_grad():
            parts = [self._flat(x, z) for x, z in pairs]
        if not parts:
            raise ValueError("pairs must hold at least one micro-batch, got none")
        x, z = (torch.cat([each.detach() for each in rows]) for rows in zip(*parts, strict=True))
        self._meet(x, z)
        with torch.enable_grad():
            x, z = x.requires_grad_(), z.requires_grad_()
            objective = self._read(x, z).objective
            gradients = torch.autograd.grad(
                objective, (x, z), allow_unused=True, materialize_grads=True
            )
        value, sizes = objective.detach(), [len(each) for each, _ in parts]
        split = zip(*(gradient.split(sizes) for gradient in gradients), strict=True)
        return Pooled(
            (x.detach(), z.detach()),
            value,
            [
                MicroBatch(rows, each, value / len(parts), self._flat, self._watch.over, at == 0)
                for at, (rows, each) in enumerate(zip(parts, split, strict=True))
            ],
        )

    def prepare(self, x: Tensor, z: Tensor) -> None:
        """Fit the estimator and the critic to these rows again, as before the first step.

        barber_agakov needs this for the entropy of z, which changes with an encoder.
        """
        x, z = (rows.detach() for rows in self._flat(x, z))
        first_rows.fit(self.own.networks, x, z)
        self._seen = True
        self.own.share(anew=True)

    def get_extra_state(self) -> dict[str, bool]:
        return {"seen": self._seen}

    def set_extra_state(self, state: dict[str, bool]) -> None:
        self._seen = state["seen"]

    def extra_repr(self) -> str:
        return f"dims={self._dims}, kind={self.estimator.kind!r}, critic_steps={self.critic_steps}"

    def _meet(self, x: Tensor, z: Tensor) -> None:
        if not self._seen:
            self.prepare(x, z)

    def _climb(self, x: Tensor, z: Tensor) -> Tensor:
        """Train the critic by one step, and return the value before it."""
        measurement, values = self.own.networks, list[Tensor]()

        def fit() -> Tensor:
            scores = measurement.scores(x, z)
            bound = _bound(measurement.estimator, scores, x, z)
            measurement.estimator.update(scores)
            values.append(bound.value)
            return bound.fit

        self.own.descend(fit)
        return values[0]

    def _read(self, x: Tensor, z: Tensor) -> Bound:
        measurement = self.own.networks
        with self.own.unmoved():
            return _bound(measurement.estimator, measurement.scores(x, z), x, z)

    def _flat(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Flatten both to (B, D) in float32."""
        flat_x, flat_z = flat("x", x, self._dims[0]), flat("z", z, self._dims[1])
        if len(flat_x) != len(flat_z):
            raise ValueError(
                f"x and z must be paired by row, got {len(flat_x)} and {len(flat_z)} rows"
            )
        return flat_x, flat_z

    def _table(self, x: ArrayLike | Tensor, z: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
        """Convert arrays to flat tensors on the critic's device."""
        rows = self._flat(tensor("x", x), tensor("z", z))
        if len(rows[0]) < 2:
            raise ValueError(f"x and z must have at least 2 rows, got {len(rows[0])}")
        weight = next(self.own.networks.parameters(), rows[0])
        return rows[0].to(weight.device), rows[1].to(weight.device)


class Lengths(NamedTuple):
    """The defaults of conf/ for trainings and readings."""

    steps: int
    batch_size: int
    eval_batch_size: int


def _bound(estimator: Estimator, scores: Scores, x: Tensor, z: Tensor) -> Bound:
    """Compute the estimator's bound in full precision."""
    device = x.device.type
    if not torch.is_autocast_enabled(device):
        return estimator.bound(scores, x, z)
    with torch.autocast(device, enabled=False):
        return estimator.bound(scores, x, z)
