"""Two classes in the plane, one of them shifted by a nuisance, which is the pivot."""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.labelled.two_normals import LabelledNormals, TwoNormals


@dataclass(frozen=True)
class Louppe(LabelledNormals):
    """Class 0: x ~ N(0, [[1, -1/2], [-1/2, 1]]); class 1: x ~ N((1, 1 + z), I). The pivot is z ~
    N(0, 1) in both classes.

    The best classifier's cross-entropy is 0.4485 nats, the pivot's entropy 1.4189 nats. Louppe,
    Kagan and Cranmer 2017, https://arxiv.org/abs/1611.01046
    """

    normals = TwoNormals(
        means=((0.0, 0.0), (1.0, 1.0)),
        covariances=(((1.0, -0.5), (-0.5, 1.0)), ((1.0, 0.0), (0.0, 2.0))),
    )
    pivot = "z"

    def points(self, first: Tensor, second: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        background = torch.stack([first, 0.75**0.5 * second - 0.5 * first], dim=1)
        return background, torch.stack([1 + first, 1 + z + second], dim=1)

    def pivot_of(self, x: Tensor, z: Tensor) -> Tensor:
        return z[:, None]
