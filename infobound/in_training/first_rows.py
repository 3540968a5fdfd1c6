"""Fit estimators and critics to rows before the first step."""

import copy

import torch
from torch import Tensor, nn

from infobound.estimators.measurement import Measurement, Prepared
from infobound.in_training.own_critic import OwnCritic

BLANK = 64
"""Number of noise rows, plus one for each feature, with which parts create their parameters."""


def parts(measurement: Measurement) -> list[nn.Module]:
    """The critic's network and the estimator."""
    critic = measurement.critic
    return [critic.network if isinstance(critic, OwnCritic) else critic, measurement.estimator]


def is_fitted(part: nn.Module) -> bool:
    """Whether a part is fitted to the values of rows, not only to their dimensions."""
    return isinstance(part, Prepared) and getattr(part, "prepares_from", "rows") == "rows"


@torch.no_grad()
def make_blank(measurement: Measurement, dims: tuple[int, int]) -> None:
    """Create all parameters and buffers, with rows of noise."""
    weight = next(measurement.parameters(), torch.zeros(()))
    source = torch.Generator().manual_seed(0)
    for part in parts(measurement):
        if isinstance(part, Prepared):
            rows = [torch.randn(max(dims) + BLANK, dim, generator=source) for dim in dims]
            part.prepare(*(each.to(weight.device) for each in rows))


@torch.no_grad()
def fit(measurement: Measurement, x: Tensor, y: Tensor) -> None:
    """Fit the parts that need it to rows x (N, D_x) and y (N, D_y), in place.

    Raises ValueError if there are too few rows, or if they do not vary enough.
    """
    for part in parts(measurement):
        if is_fitted(part):
            fresh = copy.deepcopy(part)
            if isinstance(fresh, Prepared):
                fresh.prepare(x, y)
            part.load_state_dict(fresh.state_dict())
