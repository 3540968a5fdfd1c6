"""Labelled images as their files hold them: bytes."""

from typing import NamedTuple

from torch import Tensor


class Labelled(NamedTuple):
    """Images and what they show."""

    images: Tensor
    """(N, channels, height, width) uint8."""
    labels: Tensor
    """(N,) int64."""


class Images(NamedTuple):
    """The training and the test images that a data set's authors chose."""

    train: Labelled
    test: Labelled
