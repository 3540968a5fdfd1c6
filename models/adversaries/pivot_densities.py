"""Densities of pivots given logits, with which an adversary predicts the pivots.

B batch, N rows, P pivots, M components of a mixture. Each class takes the number of logits and rows
of the pivots.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.layers.mlp import mlp


class Binned(nn.Module):
    """log q(bin of the pivot | logits), summed over pivots, each cut into `bins` of equal
    population.

    A pivot with at most `bins` different values, such as a category, is predicted as it is. (B,
    logits), (B, P) -> (B,) in nats.

    Raises ValueError for fewer than two bins.
    """

    edges: Tensor

    def __init__(
        self,
        logits: int,
        pivots: Tensor,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: str = "ELU",
        layer_norm: bool = True,
        bins: int = 8,
    ) -> None:
        super().__init__()
        if bins < 2:
            raise SettingError("bins", "must be 2 or more", bins)
        self.register_buffer("edges", torch.stack([_edges(column, bins) for column in pivots.T]))
        self.network = mlp(
            logits, hidden, pivots.shape[1] * bins, activation, layer_norm=layer_norm
        )

    def forward(self, logits: Tensor, pivots: Tensor) -> Tensor:
        bins = (pivots.unsqueeze(-1) > self.edges).sum(-1)
        told = self.network(logits).unflatten(-1, (pivots.shape[-1], -1)).log_softmax(-1)
        return told.gather(-1, bins.unsqueeze(-1)).sum((-2, -1))


class Mixture(nn.Module):
    """The log density of a mixture of `components` normal distributions of the pivots, each with a
    diagonal covariance: (B, logits), (B, P) -> (B,) in nats.

    The network gives weights, means and log deviations for standardised pivots; the density is that
    of the original pivots. Bishop 1994, https://publications.aston.ac.uk/id/eprint/373/

    Raises ValueError for fewer than one component, and for pivots with few values, which have no
    density.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        logits: int,
        pivots: Tensor,
        *,
        hidden: Sequence[int] = (64, 64),
        activation: str = "ELU",
        layer_norm: bool = True,
        components: int = 5,
    ) -> None:
        super().__init__()
        if components < 1:
            raise SettingError("components", "must be a positive integer", components)
        if fewest := [
            len(column.unique())
            for column in pivots.T
            if len(column.unique()) <= min(10, len(column) // 2)
        ]:
            raise SettingError(
                "density",
                "must be binned for pivots of few values",
                f"{min(fewest)} of them",
                "use regularizer/density=binned",
            )
        self.components = components
        self.register_buffer("mean", pivots.mean(0))
        self.register_buffer("scale", pivots.std(0))
        self.network = mlp(
            logits,
            hidden,
            components * (1 + 2 * pivots.shape[1]),
            activation,
            layer_norm=layer_norm,
        )

    def forward(self, logits: Tensor, pivots: Tensor) -> Tensor:
        put_out = self.network(logits).unflatten(-1, (self.components, -1))
        weights, means, deviations = put_out.split([1, pivots.shape[-1], pivots.shape[-1]], dim=-1)
        places = ((pivots - self.mean) / self.scale).unsqueeze(-2)
        normal = (
            -((places - means) * torch.exp(-deviations)).square() / 2
            - deviations
            - math.log(2 * math.pi) / 2
        )
        whole = weights.squeeze(-1).log_softmax(-1) + normal.sum(-1)
        return whole.logsumexp(-1) - self.scale.log().sum()


def _edges(column: Tensor, bins: int) -> Tensor:
    """Upper ends (bins - 1,) of all bins but the last; infinite if there are fewer values."""
    values = column.unique()
    if len(values) > bins:
        return column.quantile(torch.arange(1, bins).to(column) / bins)
    middles = (values[1:] + values[:-1]) / 2
    return torch.cat([middles, middles.new_full((bins - len(values),), math.inf)])
