"""Cluttered MNIST: a digit at a random place on a canvas, among pieces of other digits.

B batch, M digits, K distractors in an image.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from infobound.datasets.images import mnist
from infobound.datasets.images.labelled import Images, Labelled, held_back
from infobound.errors import SettingError
from infobound.reserved import Reserved

DIGITS = 10
CHUNK = 1000
"""Number of images of a fixed set that are made at a time."""
Placement = Literal["anywhere", "around"]


class Hidden(NamedTuple):
    """Canvases, and the places of the digits on them."""

    images: Tensor
    """(B, 1, canvas, canvas) uint8"""
    corners: Tensor
    """(B, 2) int64, row and column of the digit's first pixel."""


@dataclass(frozen=True)
class Clutter:
    """Hides digits on a canvas of `canvas` x `canvas` black pixels.

    It adds `number` square pieces with sides of `size` pixels, cut from random places in random
    digits, at random places: `anywhere`, or only `around` the square that the digit fills. It adds
    the digit at a random place, at least `border` pixels from the edge. Sums are clipped at white.

    Mnih et al. 2014, section 4.1, https://arxiv.org/abs/1406.6247

    Raises ValueError for values that do not fit.
    """

    canvas: int
    number: int
    size: int
    placement: Placement
    border: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise SettingError("number", "must be 0 or more distractors", self.number)
        if not 1 <= self.size <= self.canvas:
            raise SettingError(
                "size", f"must be 1 to the {self.canvas} pixels of the canvas", self.size
            )
        if self.border < 0:
            raise SettingError("border", "must be 0 or more pixels", self.border)
        if self.placement not in get_args(Placement):
            raise SettingError(
                "placement", f"must be {' or '.join(get_args(Placement))}", self.placement
            )

    def check(self, side: int) -> None:
        """Raise ValueError unless digits with this many pixels a side fit."""
        if self.canvas < side + 2 * self.border:
            raise SettingError(
                "canvas",
                f"must hold the {side} pixels of a digit and the border twice",
                self.canvas,
            )
        if self.size > side:
            raise SettingError("size", f"must be at most the {side} pixels of a digit", self.size)

    def __call__(self, digits: Tensor, pool: Tensor, generator: torch.Generator) -> Hidden:
        """Hide digits (B, 1, side, side) among pieces of the pool (M, 1, side, side), all uint8."""
        canvas = digits.new_zeros(len(digits), self.canvas**2, dtype=torch.float32)
        pieces = self._pieces(pool, (len(digits), self.number), generator)
        corners = self._corners((len(digits), self.number), self.size, 0, generator)
        canvas.scatter_add_(
            1, _square(corners, self.size, self.canvas).flatten(1), pieces.flatten(1)
        )
        corner = self._corners((len(digits),), digits.shape[-1], self.border, generator)
        place = _square(corner, digits.shape[-1], self.canvas).flatten(1)
        digits = digits.flatten(1).float()
        if self.placement == "anywhere":
            canvas.scatter_add_(1, place, digits)
        else:
            canvas.scatter_(1, place, digits)
        return Hidden(canvas.clamp_(max=255).byte().view(-1, 1, self.canvas, self.canvas), corner)

    def _pieces(self, pool: Tensor, shape: tuple[int, int], generator: torch.Generator) -> Tensor:
        """Cut pieces (B, K, size, size) from random places in random digits."""
        side, device = pool.shape[-1], pool.device
        drawn = torch.randint(len(pool), shape, generator=generator, device=device)
        corners = _corners(shape, side - self.size + 1, generator)
        return pool.flatten()[
            drawn[..., None, None] * side**2 + _square(corners, self.size, side)
        ].float()

    def _corners(
        self, shape: tuple[int, ...], size: int, border: int, generator: torch.Generator
    ) -> Tensor:
        """Draw the row and column (*shape, 2) of the canvas at which squares of this size start."""
        return border + _corners(shape, self.canvas - 2 * border - size + 1, generator)


@dataclass(frozen=True, eq=False)
class ClutteredMnist:
    """Digits hidden by `clutter`, with pixels from 0 to 1; `validation` digits are held out for
    validation.

    With `fresh`, a training image is made anew each time it is seen; otherwise all images are made
    once, as held-out images always are. Images made once depend only on `seed`. All pieces come
    from training digits.

    Raises ValueError for values that do not fit.
    """

    digits: Images = field(repr=False)
    clutter: Clutter
    validation: int
    fresh: bool
    seed: int
    _pools: dict[torch.device, Tensor] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        held_back(self.digits.train, self.validation)
        self.clutter.check(self.digits.train.images.shape[-1])

    @classmethod
    def read(
        cls,
        data_dir: Reserved[str],
        canvas: int,
        number: int,
        size: int,
        placement: Placement,
        border: int,
        validation: int,
        fresh: bool,
        seed: int,
    ) -> "ClutteredMnist":
        """Read the digits in `data_dir`/mnist, which are downloaded once if they are missing."""
        return cls(
            mnist.read(data_dir),
            Clutter(canvas, number, size, placement, border),
            validation,
            fresh,
            seed,
        )

    @property
    def classes(self) -> int:
        return DIGITS

    @property
    def shape(self) -> tuple[int, ...]:
        return (1, self.clutter.canvas, self.clutter.canvas)

    @property
    def train_images(self) -> Labelled:
        return self._own if self.fresh else self._made(2)

    @property
    def validation_images(self) -> Labelled:
        return self._made(1)

    @property
    def test_images(self) -> Labelled:
        return self._made(0)

    @property
    def test_boxes(self) -> Tensor:
        corners = self._once[0][0].corners
        return torch.cat(
            [corners, torch.full_like(corners, self.digits.test.images.shape[-1])], dim=1
        )

    def seen(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.fresh and generator is not None:
            images, _ = self.clutter(images, self._pool(images.device), generator)
        return images / 255

    @property
    def _own(self) -> Labelled:
        """The training digits."""
        return held_back(self.digits.train, self.validation)[0]

    def _made(self, index: int) -> Labelled:
        hidden, labels = self._once[index]
        return Labelled(hidden.images, labels)

    @cached_property
    def _once(self) -> list[tuple[Hidden, Tensor]]:
        """The hidden test and validation digits, and unless `fresh` the training digits, with their
        labels.
        """
        source = torch.Generator().manual_seed(self.seed)
        sets = [
            self.digits.test,
            held_back(self.digits.train, self.validation)[1],
            *([] if self.fresh else [self._own]),
        ]
        return [(self._hidden(part.images, source), part.labels) for part in sets]

    def _hidden(self, digits: Tensor, source: torch.Generator) -> Hidden:
        parts = [self.clutter(part, self._own.images, source) for part in digits.split(CHUNK)]
        return Hidden(*(torch.cat(each) for each in zip(*parts, strict=True)))

    def _pool(self, device: torch.device) -> Tensor:
        if device not in self._pools:
            self._pools[device] = self._own.images.to(device)
        return self._pools[device]


def _corners(shape: tuple[int, ...], count: int, generator: torch.Generator) -> Tensor:
    """Draw rows and columns (*shape, 2) below a limit."""
    return torch.randint(count, (*shape, 2), generator=generator, device=generator.device)


def _square(corners: Tensor, size: int, width: int) -> Tensor:
    """Flat indices (..., size, size), in images of this width, of the pixels of squares that start
    at corners (..., 2).
    """
    steps = torch.arange(size, device=corners.device)
    rows, columns = corners[..., :1] + steps, corners[..., 1:] + steps
    return rows[..., :, None] * width + columns[..., None, :]
