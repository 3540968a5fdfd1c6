"""The penalties of runner=invariant as a term of the loss in any training loop.

B batch, N rows, L logits, P pivots.
"""

from collections.abc import Sequence
from functools import partial

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.conf import by_name, schema
from infobound.errors import SettingError
from infobound.estimators.base import Estimator
from infobound.estimators.measurement import Critics
from infobound.in_training.own_critic import own_critic
from infobound.in_training.own_networks import Optimizers, OwnNetworks
from infobound.in_training.rows import flat, tensor
from infobound.models.layers.standardised import Standardised
from infobound.regularizers.base import Penalty, PurePenalty
from infobound.regularizers.exposed import Exposed, expose
from infobound.runners.critics.regularisation import held_out_penalty

LOOKED_AT = 4096
"""Maximum number of the given pivots with which a penalty is created."""


class PivotPenalty(nn.Module):
    """Penalises the dependence of a classifier's logits on pivots; add it to the classifier's loss.

        penalty = ib.penalties.kl_update(logits=1, pivots=train_pivots)
        loss = cross_entropy + lam * penalty(logits, pivot)
        loss.backward()
        optimizer.step()
        penalty.update(logits, pivot)

    `penalty(logits, pivot)` is differentiable in the logits and does not train the penalty's own
    networks; `update` trains them. `name` is a regularizer of conf/, `logits` the number of columns
    of the logits, and `pivots` (N, P) or (N,) the pivots of the training rows, from which the
    penalty learns their scale. Do not standardise pivots; give categories as one-hot columns.
    `estimator` and `critic` are names or objects as in MutualInformation, by default those of
    runner=invariant; `optimizer` and `critic_steps` default to the regularizer's own. `overrides`
    are settings as on the command line, such as "regularizer.optimizer.lr=1e-4" or
    "critic.hidden=[32]".

    Half precision, devices, distributed training and `state_dict` are as in MutualInformation.

    Raises ValueError for names, settings and parts that do not fit together, and, in all calls, for
    rows with another number of columns.
    """

    def __init__(
        self,
        name: str,
        logits: int,
        pivots: ArrayLike | Tensor,
        *,
        estimator: str | Estimator | None = None,
        critic: str | nn.Module | Critics | None = None,
        optimizer: Optimizers | None = None,
        critic_steps: int | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        super().__init__()
        rows = tensor("pivots", pivots)
        rows = flat("pivots", rows, rows[0].numel())[:LOOKED_AT]
        parts = {"estimator": estimator, "critic": critic}
        chosen = ["runner=invariant", f"regularizer={name}"]
        cfg = by_name.composed(parts, overrides, *chosen)
        for group, given in parts.items():
            if given is not None and group not in cfg.regularizer:
                raise SettingError(group, f"must be left out with {name}, which has none")
        made: dict[str, object] = {
            f"regularizer.{group}": by_name.part(cfg, group, given)
            for group, given in parts.items()
            if group in cfg.regularizer
        }
        if "regularizer.critic" in made:
            made["regularizer.critic"] = partial(own_critic, made["regularizer.critic"])
        if optimizer is not None:
            made["regularizer.optimizer"] = optimizer
        self._sizes = logits, rows.shape[1]
        self.code = Standardised(rows)
        source = torch.Generator().manual_seed(0)
        blank = torch.randn(len(rows), logits, generator=source)
        penalty = schema.built(cfg, "regularizer", given=made)(self._exposed(blank, rows))
        if penalty.warmup:
            raise SettingError(
                "regularizer.warmup",
                "must be 0 outside a run",
                penalty.warmup,
                "increase the weight of the penalty in your loop",
            )
        own_optimizer = penalty.optimizer if isinstance(penalty, Penalty) else torch.optim.SGD
        self.own = OwnNetworks[Penalty | PurePenalty](penalty, own_optimizer)
        own_steps = penalty.critic_steps if isinstance(penalty, Penalty) else 1
        self.critic_steps = own_steps if critic_steps is None else critic_steps
        if self.critic_steps < 1:
            raise SettingError("critic_steps", "must be a positive integer", critic_steps)

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimiser of the penalty's own networks, None if it has none."""
        return self.own.optimizer

    @property
    def steps(self) -> int:
        """The number of steps that its own networks have taken."""
        return self.own.steps

    def forward(self, logits: Tensor, pivot: Tensor) -> Tensor:
        """The penalty of a batch, logits (B, L) and pivots (B, P), or (B,) for one pivot: a scalar,
        in nats if it is an information.
        """
        penalty, exposed = self.own.networks, self._exposed(*self._flat(logits, pivot))
        with self.own.unmoved():
            terms = (
                penalty.read(exposed) if isinstance(penalty, Penalty) else penalty.terms(exposed)
            )
        return penalty.strength * terms.penalty

    def update(self, logits: Tensor, pivot: Tensor) -> None:
        """Train the penalty's own networks, if it has any, by `critic_steps` steps on this batch,
        which is detached.

        Call it after the loss's backward pass.
        """
        penalty = self.own.networks
        if isinstance(penalty, Penalty):
            rows = (each.detach() for each in self._flat(logits, pivot))
            exposed = self._exposed(*rows)
            for _ in range(self.critic_steps):
                self.own.descend(lambda: penalty.fit(exposed))

    def value(self, logits: ArrayLike | Tensor, pivot: ArrayLike | Tensor) -> float:
        """The value on held-out arrays, logits (N, L) and pivots (N, P): nats from the pooled
        scores of its critic, or, without a critic, the mean of the penalty over blocks of rows.
        """
        penalty = self.own.networks
        training, device = penalty.training, self.code.mean.device
        rows = self._flat(tensor("logits", logits), tensor("pivot", pivot))
        try:
            return held_out_penalty(penalty, self._exposed(*(each.to(device) for each in rows)))
        finally:
            penalty.train(training)

    def extra_repr(self) -> str:
        return f"logits={self._sizes[0]}, pivots={self._sizes[1]}, critic_steps={self.critic_steps}"

    def _flat(self, logits: Tensor, pivot: Tensor) -> tuple[Tensor, Tensor]:
        rows = flat("logits", logits, self._sizes[0]), flat("pivot", pivot, self._sizes[1])
        if len(rows[0]) != len(rows[1]):
            raise ValueError(
                f"logits and pivot must be paired by row, got {len(rows[0])} and {len(rows[1])}"
                " rows"
            )
        return rows

    def _exposed(self, logits: Tensor, pivot: Tensor) -> Exposed:
        return expose(logits=logits, pivot=self.code(pivot), raw_pivot=pivot)
