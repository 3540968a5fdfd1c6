"""Two classes in the plane whose first coordinate is also the pivot."""

from dataclasses import dataclass

import torch

from datasets import labels
from datasets.labelled_rows import Bayes, LabelledRows, Pivot
from datasets.two_normals import TwoNormals

CLASSES = TwoNormals(means=((0.0, 0.0), (0.0, 1.5)), covariances=(((2.0, 0.5), (0.5, 1.0)), ((1.0, 0.0), (0.0, 1.0))))


@dataclass(frozen=True)
class Bivariate:
    """Class 0: x ~ N((z, 0), [[1, 1/2], [1/2, 1]]) with z ~ N(0, 1) unseen; class 1: x ~ N((0, 3/2), I). The pivot is x_1.

    The best classifier is right in 0.790 of all cases; it cannot leave the pivot aside, which is one of its two features.
    """

    @property
    def features(self) -> tuple[str, ...]:
        return "x_1", "x_2"

    @property
    def classes(self) -> tuple[str, ...]:
        return "0", "1"

    @property
    def pivots(self) -> tuple[Pivot, ...]:
        return (Pivot("pivot", ()),)

    @property
    def bayes(self) -> Bayes:
        return CLASSES.bayes

    def sample(self, size: int, generator: torch.Generator, label: int | None = None) -> LabelledRows:
        label_of = labels.sampled(size, 0.5, generator, label)
        first, second, z = torch.randn(3, size, generator=generator, device=generator.device)
        background = torch.stack([first + z, 0.5 * first + 0.75**0.5 * second], dim=1)
        signal = torch.stack([first, 1.5 + second], dim=1)
        x = signal.where(label_of[:, None] == 1, background)
        return LabelledRows(x, label_of, x[:, :1].clone())
