"""Simulated collisions of particle physics: the background falls with the mass, and the signal has
a peak.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.labelled import labels
from infobound.datasets.labelled.rows import LabelledRows, Pivot
from infobound.errors import SettingError

LOW, HIGH, SCALE = 60.0, 300.0, 70.0
"""Limits of the background's masses, and the scale of their exponential decay."""
PEAK, WIDTH = 125.0, 8.0
"""Mean and standard deviation of the signal's mass."""
UNIT = 50.0
"""Unit of mass in the dependence of the features on it."""
SHIFTS = (1.0, 0.8, -0.8, 0.5, 0.0)
"""Shift of each feature's mean from background to signal."""
FEATURES = ("prongs", "girth", "dispersion", "isolation", "energy")


@dataclass(frozen=True)
class MassPeak:
    """Five features with normal noise of variance 1, a share `signal` of signal rows, and the mass
    as the pivot.

    The mass is exponential from 60 to 300 GeV for the background and N(125, 8^2) for the signal.
    Let t = (mass - 125) / 50. Prongs and isolation separate the classes independently of the mass.
    Girth separates them too, but its mean also rises by `coupling` t, and that of dispersion by
    `coupling` (t^2 - 1) / 2. The mean of energy is twice `coupling` t, so energy contains no
    information about the class beyond that of the mass.

    Raises ValueError unless 0 < signal < 1 and `coupling` is finite.
    """

    signal: float = 0.5
    coupling: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.signal < 1:
            raise SettingError(
                "signal", "must be a share of the rows, above 0 and below 1", self.signal
            )
        if not math.isfinite(self.coupling):
            raise SettingError("coupling", "must be finite", self.coupling)

    @property
    def features(self) -> tuple[str, ...]:
        return FEATURES

    @property
    def classes(self) -> tuple[str, ...]:
        return "background", "signal"

    @property
    def pivots(self) -> tuple[Pivot, ...]:
        return (Pivot("mass", ()),)

    @property
    def bayes(self) -> None:
        return None

    def sample(
        self, size: int, generator: torch.Generator, label: int | None = None
    ) -> LabelledRows:
        label_of = labels.drawn(size, self.signal, generator, label)
        uniform = torch.rand(size, generator=generator, device=generator.device)
        normal = torch.randn(size, len(SHIFTS) + 1, generator=generator, device=generator.device)
        mass = torch.where(label_of == 1, PEAK + WIDTH * normal[:, -1], falling(uniform))
        x = normal[:, :-1] + label_of[:, None] * torch.tensor(SHIFTS, device=mass.device)
        return LabelledRows(
            x + self.coupling * moved((mass - PEAK) / UNIT), label_of, mass[:, None]
        )


def falling(uniform: Tensor) -> Tensor:
    """Turn uniform numbers (N,) into masses (N,) of the background, by the inverse distribution
    function.
    """
    return LOW - SCALE * torch.log1p(uniform * math.expm1(-(HIGH - LOW) / SCALE))


def moved(t: Tensor) -> Tensor:
    """The shift (N, 5) of each feature's mean by the mass, from t (N,)."""
    none = torch.zeros_like(t)
    return torch.stack([none, t, (t.square() - 1) / 2, none, 2 * t], dim=1)
