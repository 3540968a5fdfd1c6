"""Adaptive clipping: the gradient is never longer than the other one, unchanged if it is shorter,
and finite if it is zero.
"""

import pytest
import torch
from torch import Tensor

from infobound.runners.training.adaptive_clipping import share


def gradient(*lengths: float) -> list[Tensor]:
    """Parts (R, N) of a gradient that has this length for each copy."""
    parts = torch.randn(len(lengths), 12, dtype=torch.float64)
    parts *= torch.tensor(lengths)[:, None] / parts.norm(dim=1, keepdim=True)
    return list(parts.split([5, 4, 3], dim=1))


def length(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts, dim=1).norm(dim=1)


def test_the_scaled_gradient_never_exceeds_the_other() -> None:
    own, other = gradient(5.0, 0.1, 1e6, 2.0), gradient(2.0, 3.0, 1e-6, 2.0)
    shares = share(own, other)
    scaled = length([part * shares[:, None] for part in own])
    torch.testing.assert_close(scaled, torch.minimum(length(own), length(other)))
    torch.testing.assert_close(shares, torch.tensor([0.4, 1, 1e-12, 1], dtype=torch.float64))


@pytest.mark.parametrize(
    ("own", "other", "expected"), [(0.0, 0.0, 1.0), (0.0, 1.0, 1.0), (1.0, 0.0, 0.0)]
)
def test_a_zero_gradient_is_safe(own: float, other: float, expected: float) -> None:
    parts = [torch.full((1, 4), own), torch.full((1, 2), own)]
    assert share(parts, [torch.full((1, 4), other), torch.full((1, 2), other)]).tolist() == [
        expected
    ]
