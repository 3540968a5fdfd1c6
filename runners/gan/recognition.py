"""Recognition of the modes of a data set."""

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
    """A method to recognise modes, with its error."""

    recognise: Callable[[Tensor], Recognised]
    """Samples (N, *shape) -> the mode of each."""
    error: float | None
    """Error on test digits; None for modes with positions."""


def recognition(
    dataset: Modes, classifiers: Path, device: torch.device, recipe: Recipe = RECIPE
) -> Recognition:
    """Recognise modes with positions by distance, and digits by a classifier, which is trained with
    `recipe` and kept in the folder `classifiers`.

    Raises ValueError if the modes of `dataset` have no positions and are not digits.
    """
    if isinstance(dataset, Located):
        return Recognition(dataset.recognise, None)
    if isinstance(dataset, StackedMnist):
        digits = Images(dataset.train, dataset.test)
        classifier = digit_classifier(digits, classifiers, device, recipe)
        return Recognition(classifier, classifier.error)
    raise SettingError(
        "dataset", "must have modes with positions or show digits", type(dataset).__name__
    )
