"""Two classes in the plane, one of them moved by a nuisance that is the pivot."""

from dataclasses import dataclass

import torch

from datasets import labels
from datasets.labelled_rows import Bayes, LabelledRows, Pivot
from datasets.two_normals import TwoNormals

CLASSES = TwoNormals(means=((0.0, 0.0), (1.0, 1.0)), covariances=(((1.0, -0.5), (-0.5, 1.0)), ((1.0, 0.0), (0.0, 2.0))))


@dataclass(frozen=True)
class Louppe:
    """Class 0: x ~ N(0, [[1, -1/2], [-1/2, 1]]); class 1: x ~ N((1, 1 + z), I). The pivot is z ~ N(0, 1) in both classes.

    The best classifier's cross-entropy is 0.4487 nats, and the entropy of the pivot 1.4189. Louppe, Kagan and Cranmer 2017,
    https://arxiv.org/abs/1611.01046
    """

    @property
    def features(self) -> tuple[str, ...]:
        return "x_1", "x_2"

    @property
    def classes(self) -> tuple[str, ...]:
        return "0", "1"

    @property
    def pivots(self) -> tuple[Pivot, ...]:
        return (Pivot("z", ()),)

    @property
    def bayes(self) -> Bayes:
        return CLASSES.bayes

    def sample(self, size: int, generator: torch.Generator, label: int | None = None) -> LabelledRows:
        label_of = labels.sampled(size, 0.5, generator, label)
        first, second, z = torch.randn(3, size, generator=generator, device=generator.device)
        background = torch.stack([first, 0.75**0.5 * second - 0.5 * first], dim=1)
        signal = torch.stack([1 + first, 1 + z + second], dim=1)
        return LabelledRows(signal.where(label_of[:, None] == 1, background), label_of, z[:, None])
