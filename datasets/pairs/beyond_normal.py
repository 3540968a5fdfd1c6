"""The forty tasks of the benchmark "Beyond Normal" (Czyz et al. 2023,
https://arxiv.org/abs/2306.11078).

The names are those of the benchmark's package, so that tables can be compared.
"""

import difflib
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from infobound.datasets.interfaces import Joint
from infobound.datasets.pairs.additive_uniform import AdditiveUniform
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.maps import (
    Asinh,
    HalfCube,
    Identity,
    Increasing,
    MixtureQuantile,
    NormalCDF,
    Spiral,
    SwissRoll,
    Wiggly,
)
from infobound.datasets.pairs.multivariate_gaussians import MultivariateGaussians
from infobound.datasets.pairs.student_t import StudentT
from infobound.datasets.pairs.transformed import Transformed, up_to_ranks
from infobound.errors import SettingError

WIGGLY_X = Wiggly([(0.4, 1.0, 0.0), (0.2, 1.7, 1.0), (0.03, 3.3, -2.5)])
WIGGLY_Y = Wiggly([(-0.4, 0.4, 0.0), (0.17, 1.3, 3.5), (0.02, 4.3, -2.5)])
BIMODAL_X = MixtureQuantile([0.3, 0.7], [0.0, 5.0])
BIMODAL_Y = MixtureQuantile([0.5, 0.5], [-1.0, 3.0])


@dataclass(frozen=True)
class BeyondNormal:
    """One of the forty tasks, by name; the truth is exact.

    Raises ValueError if there is no such task.
    """

    task: str

    def __post_init__(self) -> None:
        if self.task not in tasks():
            close = difflib.get_close_matches(self.task, tasks(), n=3, cutoff=0.0)
            raise SettingError(
                "task", "must be one of the forty tasks", self.task, f"nearest: {', '.join(close)}"
            )

    @property
    def joint(self) -> Joint:
        return tasks()[self.task]

    @property
    def dim_x(self) -> int:
        return self.joint.dim_x

    @property
    def dim_y(self) -> int:
        return self.joint.dim_y

    @property
    def mutual_information(self) -> float | None:
        return self.joint.mutual_information

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x (size, dim_x), y (size, dim_y) float32 on the generator's device."""
        return self.joint.sample(size, generator)


@cache
def tasks() -> dict[str, Joint]:
    """All forty tasks by name."""
    return _one_dimensional() | _gaussian() | _student_t() | _transformed_gaussian()


def distinct() -> dict[str, Joint]:
    """The first task of each of the 26 groups that remain different after ranking every
    dimension.
    """
    first = dict[Joint, str]()
    for name, joint in tasks().items():
        first.setdefault(up_to_ranks(joint), name)
    return {name: tasks()[name] for name in first.values()}


def _both(joint: Joint, each: Increasing) -> Transformed:
    return Transformed(joint, each, each)


def _spiral(joint: Joint) -> Transformed:
    return Transformed(joint, Spiral(axis=0, speed=None), Spiral(axis=1, speed=None))


def _one_dimensional() -> dict[str, Joint]:
    normal = CorrelatedGaussians(dim=1, rho=0.75, mutual_information=None)
    uniform = _both(normal, NormalCDF())
    return {
        "1v1-normal-0.75": normal,
        "normal_cdf-1v1-normal-0.75": uniform,
        "1v1-additive-0.1": AdditiveUniform(0.1),
        "1v1-additive-0.75": AdditiveUniform(0.75),
        "1v1-bimodal-0.75": Transformed(normal, BIMODAL_X, BIMODAL_Y),
        "wiggly-1v1-normal-0.75": Transformed(normal, WIGGLY_X, WIGGLY_Y),
        "half_cube-1v1-normal-0.75": _both(normal, HalfCube()),
        "swissroll_x-normal_cdf-1v1-normal-0.75": Transformed(uniform, SwissRoll(), Identity()),
    }


def _sparse(dim: int) -> MultivariateGaussians:
    return MultivariateGaussians.sparse(dim, dim, pairs=2, rho=0.8)


def _gaussian() -> dict[str, Joint]:
    joints = dict[str, Joint]()
    for dim in (2, 3, 5, 25, 50):
        joints[f"multinormal-dense-{dim}-{dim}-0.5"] = MultivariateGaussians.dense(dim, dim, 0.5)
    for dim in (2, 3, 5, 25):
        joints[f"multinormal-sparse-{dim}-{dim}-2-2.0"] = _sparse(dim)
    return joints


def _student_t() -> dict[str, Joint]:
    joints = dict[str, Joint]()
    for dim, dof, asinh in (
        (1, 1, True),
        (2, 1, True),
        (2, 2, False),
        (3, 2, True),
        (3, 3, False),
        (5, 2, True),
        (5, 3, False),
    ):
        name = f"student-identity-{dim}-{dim}-{dof}"
        joints[name] = StudentT(CorrelatedGaussians(dim=dim, rho=0.0, mutual_information=None), dof)
        if asinh:
            joints[f"asinh-{name}"] = _both(joints[name], Asinh())
    return joints


def _transformed_gaussian() -> dict[str, Joint]:
    joints = dict[str, Joint]()
    for dim in (3, 5, 25):
        name, sparse = f"multinormal-sparse-{dim}-{dim}-2-2.0", _sparse(dim)
        joints[f"normal_cdf-{name}"] = _both(sparse, NormalCDF())
        joints[f"half_cube-{name}"] = _both(sparse, HalfCube())
        joints[f"spiral-{name}"] = _spiral(sparse)
        joints[f"spiral-normal_cdf-{name}"] = _spiral(_both(sparse, NormalCDF()))
    return joints
