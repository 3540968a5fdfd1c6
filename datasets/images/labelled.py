"""Labelled images as bytes, as their files hold them."""

from typing import NamedTuple

from torch import Tensor

from infobound.errors import SettingError


class Labelled(NamedTuple):
    """Images and their labels."""

    images: Tensor
    """(N, channels, height, width) uint8."""
    labels: Tensor
    """(N,) int64."""


class Images(NamedTuple):
    """The training and the test images that a data set's authors chose."""

    train: Labelled
    test: Labelled


def held_back(labelled: Labelled, count: int) -> tuple[Labelled, Labelled]:
    """Split the images into all but the last `count`, and the last `count`.

    Raises ValueError unless some images are left.
    """
    total = len(labelled.labels)
    if not 0 <= count < total:
        raise SettingError(
            "validation",
            f"must be a number of the {total} training images that leaves some of them",
            count,
        )
    first, last = zip(*(part.split([total - count, count]) for part in labelled), strict=True)
    return Labelled(*first), Labelled(*last)
