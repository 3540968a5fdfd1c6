"""Figures of a generator in training: what it makes of the same codes each time, beside data."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from infobound.runners.gan.made import Made
from infobound.runners.gan.task import GANTraining
from infobound.runners.runs import sample_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def samples(task: GANTraining) -> "Figure":
    """Those of the first copy beside data; points stand over what its discriminator says."""
    made = task.shown(0)
    found, truth = made.outputs[0].float(), made.x
    return sample_plots.beside(_drawn(task, found), _drawn(task, truth), _surface(task, made))


def _drawn(task: GANTraining, x: Tensor) -> sample_plots.Drawn:
    return sample_plots.Drawn(x, task.reader.coverage.recognise(x).nearest)


@torch.no_grad()
def _surface(task: GANTraining, made: Made) -> sample_plots.Surface | None:
    """What the first discriminator says of points, where it judges nothing else."""
    if task.reader.dataset.shape != (2,) or len(made.real) > 1:
        return None
    points = sample_plots.lattice(made.x)
    discriminator = task.discriminators.networks.copy(0).eval()
    return sample_plots.Surface(points, discriminator(points).float())
