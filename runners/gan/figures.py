"""Figures of a generator during training: samples from fixed codes, next to data."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from infobound.runners.gan.made import Made
from infobound.runners.gan.task import GANTraining
from infobound.runners.runs import sample_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def samples(task: GANTraining) -> "Figure":
    """Draw samples of the first copy next to data; points over the discriminator's scores."""
    made = task.shown(0)
    found, truth = made.outputs[0].float(), made.x
    return sample_plots.beside(_drawn(task, found), _drawn(task, truth), _surface(task, made))


def _drawn(task: GANTraining, x: Tensor) -> sample_plots.Drawn:
    return sample_plots.Drawn(x, task.reader.coverage.recognise(x).nearest)


@torch.no_grad()
def _surface(task: GANTraining, made: Made) -> sample_plots.Surface | None:
    """The first discriminator's scores of points, if it scores nothing else."""
    if task.reader.dataset.shape != (2,) or len(made.real) > 1:
        return None
    points = sample_plots.lattice(made.x)
    discriminator = task.discriminators.networks.copy(0).eval()
    return sample_plots.Surface(points, discriminator(points).float())
