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
    """I(X; Z) of a batch in nats, with a critic of its own.

        mi = ib.MutualInformation(dim_x, dim_z, estimator="nwj", critic="separable")
        loss = task_loss + beta * mi(x, z)  # minimises it; a minus sign maximises it
        loss.backward()
        optimizer.step()
        mi.update(x, z)

    `mi(x, z)` is differentiable in x and z. It moves nothing of the critic, whose parameters
    require no gradient: `optimizer` may be given all parameters of a model that contains this
    module. The critic moves in `update` alone.

    `dim_x` and `dim_z` are numbers of features, or shapes such as (1, 28, 28); rows are (B, D),
    (B, *shape), or (B,) where there is one feature. `estimator`, `critic` and `optimizer` are names
    as in conf/ or objects, None being what the tree chooses: infonce, adam, and the critic that
    goes with the estimator. `overrides` are those of the command line, such as "critic.embed=8"
    or "optimizer.lr=1e-3". As a critic there may also be a function of two numbers of features that
    makes one, or a network of yours: one that takes x and z and returns Scores or a matrix (B, B)
    of all pairs; or one that takes torch.cat([x, z], 1) and has one output. It is used as it is,
    not copied.

    An estimator bounds mutual information from below, from above, or not at all (`estimator.kind`).
    Lower bounds are for maximising, upper bounds for minimising. The sign in the loss decides which
    is done: it is seen when the first gradient arrives, and a wrong pairing warns once. Say
    `goal="minimise"` or `"maximise"` to be warned at once, or under torch.compile, where gradients
    are not watched.

    Estimators that fit the rows before the first step, such as barber_agakov, and critics that do,
    such as copula, fit them to the first batch that this module meets, and again in `prepare`.

    Half precision: autocast and `.bfloat16()` act on the critic; scores are read in float32.
    Distributed training: leave this module as it is, on each process, inside or outside of the
    model that DistributedDataParallel wraps; `update` averages the critic's gradients.

    Raises ValueError for names, settings and parts that do not go together, and, in all calls, for
    rows that do not have these shapes.
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
        """What gives the scores: a network of yours is its `network`."""
        return self.own.networks.critic

    @property
    def estimator(self) -> Estimator:
        """What turns scores into nats."""
        return self.own.networks.estimator

    @property
    def optimizer(self) -> Optimizer | None:
        """Of the critic, as learning-rate schedules take it; None where nothing is trained."""
        return self.own.optimizer

    @property
    def steps(self) -> int:
        """Steps that the critic has taken."""
        return self.own.steps

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """I(X; Z) of paired rows x and z in nats, a scalar, differentiable in both.

        The value is the estimator's; its gradient is what the estimator gives an encoder to
        follow, for some, such as js and mine, that of a surrogate. Nothing of this module changes,
        but that it fits what has to be fitted to the first batch.
        """
        rows = self._flat(x, z)
        self._meet(*rows)
        return self._watch.over(self._read(*rows).objective)

    def update(self, x: Tensor, z: Tensor) -> Tensor:
        """`critic_steps` steps of the critic on these rows, which are detached.

        Call it after the loss went backward. Returns the nats that the last step read before it
        moved, a detached scalar.
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
        """Train the critic on arrays (N, ...) by single steps on batches drawn without replacement,
        and return this module.

        `steps` and `batch_size` are the tree's runner.steps and runner.batch_size where they are
        None. Raises ValueError for fewer than two rows too.
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
        """I(X; Z) in nats of held-out arrays (N, ...), rows that the critic was not trained on.

        Rows are scored in batches of at most `batch_size` (None: the tree's
        runner.eval_batch_size), each row's product samples being the others of its batch; all
        scores are pooled, and the bound is taken once.
        """
        x, z = self._table(x, z)
        self._meet(x, z)
        measurement, training = self.own.networks, self.own.networks.training
        held_out = RowHeldOut(
            {"test": Part([x], [z], [])}, batch_size or self._lengths.eval_batch_size
        )
        try:
            pooled = evaluation.pool(measurement, held_out.blocks(0, "test", 0))
            return evaluation.value(measurement.estimator, pooled)
        finally:
            measurement.train(training)

    def pooled(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> Pooled:
        """Micro-batches (x, z) read as one large batch, for gradient accumulation.

            information = mi.pooled((x, encoder(x)) for x in micro_batches)
            for x, share in zip(micro_batches, information):
                z = encoder(x)
                (task_loss(z) / len(information) + beta * share(x, z)).backward()
            mi.update(*information.rows)

        The shares add up to the estimate of the large batch, and their gradients to its gradient,
        exactly and for every estimator, because every row meets every other row. `pairs` is
        consumed without gradients, so no more than one micro-batch keeps what its gradient needs;
        the encoder runs twice, and must give the same rows both times (Gao et al. 2021, gradient
        cache, https://arxiv.org/abs/2101.06983).
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
        """Fit to these rows what the estimator and the critic fit before the first step, anew.

        Of barber_agakov it is the entropy of z, which moves with an encoder.
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
        """One step of the critic: what it read before."""
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
        """(B, D) of both, in float32."""
        flat_x, flat_z = flat("x", x, self._dims[0]), flat("z", z, self._dims[1])
        if len(flat_x) != len(flat_z):
            raise ValueError(
                f"x and z must be paired by row, got {len(flat_x)} and {len(flat_z)} rows"
            )
        return flat_x, flat_z

    def _table(self, x: ArrayLike | Tensor, z: ArrayLike | Tensor) -> tuple[Tensor, Tensor]:
        """Arrays as flat tensors where the critic is."""
        rows = self._flat(tensor("x", x), tensor("z", z))
        if len(rows[0]) < 2:
            raise ValueError(f"x and z must have at least 2 rows, got {len(rows[0])}")
        weight = next(self.own.networks.parameters(), rows[0])
        return rows[0].to(weight.device), rows[1].to(weight.device)


class Lengths(NamedTuple):
    """What the tree says of trainings and readings."""

    steps: int
    batch_size: int
    eval_batch_size: int


def _bound(estimator: Estimator, scores: Scores, x: Tensor, z: Tensor) -> Bound:
    """What the estimator reads, in full precision."""
    device = x.device.type
    if not torch.is_autocast_enabled(device):
        return estimator.bound(scores, x, z)
    with torch.autocast(device, enabled=False):
        return estimator.bound(scores, x, z)
