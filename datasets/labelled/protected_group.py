"""Applicants from two groups: their acceptance, and features that also carry information about the
group.
"""

import math
from dataclasses import dataclass

import torch

from infobound.datasets.labelled import labels
from infobound.datasets.labelled.rows import LabelledRows, Pivot
from infobound.errors import SettingError

SHARES = (0.5, 0.3)
"""Share of group B among the refused and among the accepted."""
SHIFTS = (1.2, 0.8, 0.0, 0.0)
"""Shift of each feature's mean from refused to accepted."""
FEATURES = ("score", "experience", "postcode", "hobby")


@dataclass(frozen=True)
class ProtectedGroup:
    """Four features with normal noise of variance 1; accepted or refused with equal chances; the
    pivot is the group, A or B.

    Refused applicants belong to group B with probability 1/2, accepted ones with probability 3/10,
    so that even a perfect classifier accepts the groups at different rates. Score and experience
    predict acceptance; score is lower by `bias` in group B. Postcode and hobby depend only on the
    group: they are higher by `bias` and by twice `bias` in group B.

    Raises ValueError unless `bias` is finite.
    """

    bias: float = 0.7

    def __post_init__(self) -> None:
        if not math.isfinite(self.bias):
            raise SettingError("bias", "must be finite", self.bias)

    @property
    def features(self) -> tuple[str, ...]:
        return FEATURES

    @property
    def classes(self) -> tuple[str, ...]:
        return "refused", "accepted"

    @property
    def pivots(self) -> tuple[Pivot, ...]:
        return (Pivot("group", ("A", "B")),)

    @property
    def bayes(self) -> None:
        return None

    def sample(
        self, size: int, generator: torch.Generator, label: int | None = None
    ) -> LabelledRows:
        label_of = labels.drawn(size, 0.5, generator, label)
        uniform = torch.rand(size, generator=generator, device=generator.device)
        group = (uniform < torch.tensor(SHARES, device=uniform.device)[label_of]).float()
        x = torch.randn(size, len(SHIFTS), generator=generator, device=generator.device)
        x += label_of[:, None] * torch.tensor(SHIFTS, device=x.device)
        x += self.bias * group[:, None] * torch.tensor((-1.0, 0.0, 1.0, 2.0), device=x.device)
        return LabelledRows(x, label_of, group[:, None])
