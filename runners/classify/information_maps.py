"""Where in an image a classifier finds what it keeps: the rate of each noise layer, place by place.

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
    """Draws the maps of the first `count` test images, and says how much of them lies in the boxes
    that a data set knows.

    A map is a layer's rates in nats, summed over channels, less the least of them: what the image
    adds to the noise of a blank place. `box_information` is the share of the last layer's in the
    boxes, of all images together, and `box_cells` that of its places, which it would be were the
    information everywhere alike.
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

        Raises ValueError for a model that has none.
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
        # Matplotlib takes a second to import, which a refused run need not wait for.
        from infobound.runners.classify import figures

        shown = [each[: self.count] for each in (images, *maps)]
        outlined = None if boxes is None else boxes[: self.count]
        return {"information": figures.maps(*shown, boxes=outlined)}


def above_least(maps: Tensor) -> Tensor:
    """Maps (N, height, width), each less its least value."""
    return maps - maps.amin(dim=(1, 2), keepdim=True)


def in_boxes(maps: Sequence[Tensor], boxes: Tensor, size: Sequence[int]) -> dict[str, Quantity]:
    """The share of each layer's maps (N, height, width) in boxes (N, 4) of images of this size, and
    of the last one's places.

    A place is in a box where the pixel that its receptive field is centred on is: convolutions of
    stride 2 that are padded by one pixel have it at the place's number times the stride. The fields
    themselves are wider.
    """
    inside = [within(boxes, each.shape[1:], size) for each in maps]
    shares = [_share(each.double(), cells) for each, cells in zip(maps, inside, strict=True)]
    return {
        "box_information": single(shares[-1], "share"),
        "box_cells": single(inside[-1].double().mean().item(), "share"),
        **by_layer("box_information", shares, "share"),
    }


def within(boxes: Tensor, cells: Sequence[int], size: Sequence[int]) -> Tensor:
    """(N, *cells) whether the receptive field of each place is centred in the box (top, left,
    height, width).
    """
    found = []
    for axis in range(2):
        centres = torch.arange(cells[axis]) * (size[axis] / cells[axis])
        begin, length = boxes[:, axis, None], boxes[:, axis + 2, None]
        found.append((centres >= begin) & (centres < begin + length))
    return found[0][:, :, None] & found[1][:, None, :]


def _share(values: Tensor, chosen: Tensor) -> float:
    """Of the sum of values in those chosen; where all are 0, of their number."""
    total = values.sum()
    return ((values * chosen).sum() / total if total > 0 else chosen.double().mean()).item()
