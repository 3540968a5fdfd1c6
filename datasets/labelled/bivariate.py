"""Two classes in the plane whose first coordinate is also the pivot."""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.labelled.two_normals import LabelledNormals, TwoNormals


@dataclass(frozen=True)
class Bivariate(LabelledNormals):
    """Class 0: x ~ N((z, 0), [[1, 1/2], [1/2, 1]]) with a hidden z ~ N(0, 1); class 1: x ~ N((0,
    3/2), I). The pivot is x_1.

    The best classifier has an accuracy of 0.790; it cannot ignore the pivot, which is one of its
    two features.
    """

    normals = TwoNormals(
        means=((0.0, 0.0), (0.0, 1.5)),
        covariances=(((2.0, 0.5), (0.5, 1.0)), ((1.0, 0.0), (0.0, 1.0))),
    )
    pivot = "pivot"

    def points(self, first: Tensor, second: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        background = torch.stack([first + z, 0.5 * first + 0.75**0.5 * second], dim=1)
        return background, torch.stack([first, 1.5 + second], dim=1)

    def pivot_of(self, x: Tensor, z: Tensor) -> Tensor:
        return x[:, :1].clone()
