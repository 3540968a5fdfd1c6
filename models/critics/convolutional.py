"""Critics for images, given as flat rows of channels * height * width numbers.

B batch, R rows in a chunk, C candidates for each row, W channels, H and V height and width of the
maps.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics.pairs import checked_negatives, score_pairs
from infobound.models.critics.scores import Scores, from_matrix
from infobound.models.layers.mlp import activation_layer, mlp

CHUNK = 2**22
"""Number of floats that the first layer holds at a time while all pairs are scored."""

Shape = Sequence[int]
"""Channels, height, width."""


class Convolutional(nn.Module):
    """f(x, y) of two images: the first convolutions of x and of y are added, and the other layers
    run on the sum for every pair.

    It has 5 x 5 convolutions of stride 2 with the widths `channels` and one hidden layer of width
    `hidden`. Each row is scored with `negatives` shuffled partners, or with all others if it is
    None. The cost of the first layer is linear in B.

    Raises ValueError unless the images fill dim_x and dim_y and have the same height and width.
    """

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        shape_x: Shape,
        shape_y: Shape,
        channels: Sequence[int] = (16, 32, 64),
        hidden: int = 1024,
        activation: str = "ELU",
        negatives: int | None = 1,
    ) -> None:
        super().__init__()
        _check_widths(channels, hidden)
        if list(shape_x[1:]) != list(shape_y[1:]):
            raise SettingError(
                "shape_y",
                f"must have the height and width of shape_x, {list(shape_x)}",
                list(shape_y),
            )
        self.negatives = checked_negatives(negatives)
        self.first_x = nn.Sequential(
            image_of("shape_x", shape_x, dim_x), *halving(shape_x[0], channels[:1])
        )
        self.first_y = nn.Sequential(
            image_of("shape_y", shape_y, dim_y), *halving(shape_y[0], channels[:1])
        )
        later = [
            [activation_layer(activation), layer] for layer in halving(channels[0], channels[1:])
        ]
        self.rest = nn.Sequential(
            *(layer for pair in later for layer in pair),
            activation_layer(activation),
            nn.Flatten(),
            mlp(_features(shape_x, channels), [hidden], 1, activation),
        )

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        maps_x, maps_y = self.first_x(x), self.first_y(y)
        return score_pairs(maps_x, maps_y, self._score, self.negatives, maps_y[0].numel(), CHUNK)

    def _score(
        self, x: Float[Tensor, "R W H V"], y: Float[Tensor, "#R C W H V"]
    ) -> Float[Tensor, "R C"]:
        pairs = x.unsqueeze(1) + y
        return self.rest(pairs.flatten(0, 1)).view(pairs.shape[:2])


class SemiConvolutional(nn.Module):
    """f(x, y) of an image x and a vector y: a projection of y is added to the maps of every
    convolution of x.

    The projection has one number for each channel, or with `spatial` one for each channel and
    place. Otherwise it is like Convolutional.

    Raises ValueError unless the images fill dim_x.
    """

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        shape: Shape,
        channels: Sequence[int] = (16, 32, 64),
        hidden: int = 512,
        activation: str = "ELU",
        spatial: bool = False,
        negatives: int | None = 1,
    ) -> None:
        super().__init__()
        _check_widths(channels, hidden)
        self.negatives = checked_negatives(negatives)
        self.image = image_of("shape", shape, dim_x)
        self.convolutions = nn.ModuleList(halving(shape[0], channels))
        places = [halved(shape, depth + 1) if spatial else (1, 1) for depth in range(len(channels))]
        self.projections = nn.ModuleList(
            nn.Sequential(
                nn.Linear(dim_y, width * math.prod(place)), nn.Unflatten(-1, (width, *place))
            )
            for width, place in zip(channels, places, strict=True)
        )
        self.activation = activation_layer(activation)
        self.head = mlp(_features(shape, channels), [hidden], 1, activation)

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        maps = self.convolutions[0](self.image(x))
        return score_pairs(maps, y, self._score, self.negatives, maps[0].numel(), CHUNK)

    def _score(
        self, x: Float[Tensor, "R W H V"], y: Float[Tensor, "#R C D_y"]
    ) -> Float[Tensor, "R C"]:
        first, *later = [projection(y) for projection in self.projections]
        pairs = x.unsqueeze(1) + first
        shape = pairs.shape[:2]
        maps = self.activation(pairs.flatten(0, 1))
        for convolution, projected in zip(list(self.convolutions)[1:], later, strict=True):
            added = projected.expand(*shape, *projected.shape[2:]).flatten(0, 1)
            maps = self.activation(convolution(maps) + added)
        return self.head(maps.flatten(1)).view(shape)


class SeparableConvolutional(nn.Module):
    """f(x, y) = g(x) . h(y) of two images, with two convolutional networks of `embed` outputs and
    one matrix product.

    Raises ValueError unless the images fill dim_x and dim_y.
    """

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        shape_x: Shape,
        shape_y: Shape,
        channels: Sequence[int] = (16, 32, 64),
        hidden: int = 1024,
        embed: int = 10,
        activation: str = "ELU",
    ) -> None:
        super().__init__()
        _check_widths(channels, hidden)
        if embed < 1:
            raise SettingError("embed", "must be a positive integer", embed)
        self.g = _encoder(
            image_of("shape_x", shape_x, dim_x), shape_x, channels, hidden, embed, activation
        )
        self.h = _encoder(
            image_of("shape_y", shape_y, dim_y), shape_y, channels, hidden, embed, activation
        )

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        return from_matrix(self.g(x) @ self.h(y).mT)


def _check_widths(channels: Sequence[int], hidden: int) -> None:
    check_channels(channels)
    if hidden < 1:
        raise SettingError("hidden", "must be a positive integer", hidden)


def check_channels(channels: Sequence[int]) -> None:
    """Raise ValueError unless there is at least one width and all widths are positive."""
    if not channels or min(channels) < 1:
        raise SettingError("channels", "must list at least one positive width", list(channels))


def image_of(name: str, shape: Shape, dim: int) -> nn.Module:
    """Unflatten images, (B, dim) -> (B, *shape).

    Raises ValueError, naming the argument, unless the shape has `dim` numbers.
    """
    if min(shape) < 1 or math.prod(shape) != dim:
        raise SettingError(
            name, f"must be channels, height and width of {dim} numbers", list(shape)
        )
    return nn.Unflatten(1, tuple(shape))


def halving(inputs: int, channels: Sequence[int]) -> list[nn.Conv2d]:
    """5 x 5 convolutions of these widths; each halves height and width, rounding up."""
    widths = [inputs, *channels]
    return [
        nn.Conv2d(before, after, 5, 2, 2) for before, after in zip(widths, channels, strict=False)
    ]


def halved(shape: Sequence[int], times: int) -> tuple[int, int]:
    """Height and width of an image (channels, height, width) after this many halvings, each rounded
    up.
    """
    return -(-shape[1] // 2**times), -(-shape[2] // 2**times)


def _features(shape: Shape, channels: Sequence[int]) -> int:
    """The number of outputs of the last convolution."""
    return channels[-1] * math.prod(halved(shape, len(channels)))


def _encoder(
    image: nn.Module,
    shape: Shape,
    channels: Sequence[int],
    hidden: int,
    outputs: int,
    activation: str,
) -> nn.Module:
    layers = [[layer, activation_layer(activation)] for layer in halving(shape[0], channels)]
    head = mlp(_features(shape, channels), [hidden], outputs, activation)
    return nn.Sequential(image, *(layer for pair in layers for layer in pair), nn.Flatten(), head)
