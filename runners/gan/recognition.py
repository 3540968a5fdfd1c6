"""Recognition: what tells the modes of a data set apart."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from infobound.datasets.images.labelled import Images
from infobound.datasets.modes.interface import Located, Modes, Recognised
from infobound.datasets.modes.stacked_mnist import StackedMnist
from infobound.errors import SettingError
from infobound.runners.gan.digit_classifier import RECIPE, Recipe, digit_classifier


class Recognition(NamedTuple):
    """What tells modes apart."""

    recognise: Callable[[Tensor], Recognised]
    """Samples (N, *shape) -> the mode of each."""
    error: float | None
    """Share of test digits that are taken for others; None where modes have a place."""


def recognition(
    dataset: Modes, classifiers: Path, device: torch.device, recipe: Recipe = RECIPE
) -> Recognition:
    """Distance for modes that have a place; a classifier for digits, which is made by `recipe` and
    kept in the folder `classifiers`.

    Raises ValueError if nothing tells the modes of `dataset` apart.
    """
    if isinstance(dataset, Located):
        return Recognition(dataset.recognise, None)
    if isinstance(dataset, StackedMnist):
        digits = Images(dataset.train, dataset.test)
        classifier = digit_classifier(digits, classifiers, device, recipe)
        return Recognition(classifier, classifier.error)
    raise SettingError(
        "dataset", "must have modes that have a place or show digits", type(dataset).__name__
    )
