"""A classifier of digits."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from infobound.errors import SettingError


class LeNet(nn.Sequential):
    """(B, 1, side, side) -> (B, classes): 5 x 5 convolutions, each pooled to half its size, and one
    hidden layer.

    LeCun et al. 1998, https://doi.org/10.1109/5.726791

    Raises ValueError if the images are too small for this many convolutions.
    """

    def __init__(self, side: int, classes: int, *, channels: Sequence[int], hidden: int) -> None:
        layers: list[nn.Module] = []
        for before, after in pairwise([1, *channels]):
            layers += [nn.Conv2d(before, after, 5), nn.MaxPool2d(2), nn.ReLU()]
            side = (side - 4) // 2
        if side < 1:
            raise SettingError("channels", "must be fewer for images of this size", list(channels))
        super().__init__(
            *layers,
            nn.Flatten(),
            nn.Linear([1, *channels][-1] * side**2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )
