"""Information maps: the rate of each noise layer at each place of an image.

N images, L noise layers that have places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from infobound.datasets.interfaces import Boxed
from infobound.errors import SettingError
from infobound.models.classifiers.interface import Classifier
from infobound.runners.classify.reading import Findings, Subject, by_layer
from infobound.runners.runs.metrics import Quantity, single

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class InformationMaps:
    """Draws the maps of the first `count` test images, and computes the share of the information
    inside the boxes that a data set knows.

    A map is a layer's rates in nats, summed over channels, minus their minimum: the information
    beyond that of a blank place. `box_information` is the share of the last layer's information
    inside the boxes, over all images, and `box_cells` the share of its places, which it would equal
    if the information were uniform.
    """

    count: int

    def check(self, module: nn.Module, x: Tensor) -> None:
        self._maps(module, x)

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Findings:
        boxes = subject.dataset.test_boxes if isinstance(subject.dataset, Boxed) else None
        images, parts = list[Tensor](), list[list[Tensor]]()
        for x in subject.seen():
            parts.append([above_least(each).cpu() for each in self._maps(subject.module, x)])
            images.append(x.cpu() if sum(map(len, images)) < self.count else x[:0].cpu())
            if boxes is None and sum(map(len, images)) >= self.count:
                break
        maps = [torch.cat(each) for each in zip(*parts, strict=True)]
        return Findings(
            {} if boxes is None else in_boxes(maps, boxes, subject.dataset.shape[-2:]),
            self._drawn(torch.cat(images), maps, boxes) if subject.copy == 0 else {},
        )

    def _maps(self, module: nn.Module, x: Tensor) -> list[Tensor]:
        """The maps of images x.

        Raises ValueError for a model without maps.
        """
        maps = module.maps(x) if isinstance(module, Classifier) else []
        if not maps:
            raise SettingError(
                "heat_maps",
                "must be 0 for a model whose noise has no rate by place",
                self.count,
                "use model=all_cnn_32 regularizer=information_dropout",
            )
        return maps

    def _drawn(
        self, images: Tensor, maps: Sequence[Tensor], boxes: Tensor | None
    ) -> "dict[str, Figure]":
        # importing Matplotlib takes a second, and refused runs do not need it
        from infobound.runners.classify import figures

        shown = [each[: self.count] for each in (images, *maps)]
        outlined = None if boxes is None else boxes[: self.count]
        return {"information": figures.maps(*shown, boxes=outlined)}


def above_least(maps: Tensor) -> Tensor:
    """Maps (N, height, width), each minus its minimum."""
    return maps - maps.amin(dim=(1, 2), keepdim=True)


def in_boxes(maps: Sequence[Tensor], boxes: Tensor, size: Sequence[int]) -> dict[str, Quantity]:
    """The share of each layer's maps (N, height, width) inside boxes (N, 4) of images of this size,
    and of the last layer's places.

    A place is in a box if the central pixel of its receptive field is. For convolutions of stride 2
    with a padding of one pixel, this is the pixel at the place's index times the stride. The
    receptive fields themselves are wider.
    """
    inside = [within(boxes, each.shape[1:], size) for each in maps]
    shares = [_share(each.double(), cells) for each, cells in zip(maps, inside, strict=True)]
    return {
        "box_information": single(shares[-1], "share"),
        "box_cells": single(inside[-1].double().mean().item(), "share"),
        **by_layer("box_information", shares, "share"),
    }


def within(boxes: Tensor, cells: Sequence[int], size: Sequence[int]) -> Tensor:
    """Whether the receptive field of each place is centred in the box (top, left, height, width):
    (N, *cells).
    """
    found = []
    for axis in range(2):
        centres = torch.arange(cells[axis]) * (size[axis] / cells[axis])
        begin, length = boxes[:, axis, None], boxes[:, axis + 2, None]
        found.append((centres >= begin) & (centres < begin + length))
    return found[0][:, :, None] & found[1][:, None, :]


def _share(values: Tensor, chosen: Tensor) -> float:
    """The share of the chosen values in the sum; if all are 0, in the number of values."""
    total = values.sum()
    return ((values * chosen).sum() / total if total > 0 else chosen.double().mean()).item()
