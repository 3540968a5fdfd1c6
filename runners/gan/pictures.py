"""Pictures of a generator in training: what it makes of the same codes at every evaluation, beside
the data.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from infobound.runners.gan.made import Made
from infobound.runners.gan.reading import GANReader
from infobound.runners.runs import sample_plots
from infobound.runners.runs.records import Record
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.loop import Task

POINTS, IMAGES = 2000, sample_plots.SIDE**2
"""Samples of each copy that are kept and shown."""


class Pictured:
    """A Task that trains by another one; at each evaluation it keeps samples of all copies and
    draws those of the first.
    """

    def __init__(
        self,
        task: Task,
        reader: GANReader,
        generators: Ensemble,
        discriminators: Ensemble,
        record: Record,
    ) -> None:
        self.step, self.finished, self.state, self.load = (
            task.step,
            task.finished,
            task.state,
            task.load,
        )
        self._task, self._reader, self._record = task, reader, record
        self._generators, self._discriminators = generators, discriminators
        record.samples(None, self._made(0).x)

    def evaluate(self, step: int) -> Mapping[str, Any]:
        values = self._task.evaluate(step)
        self._show(step)
        return values

    def draw(self, step: int) -> None:
        """Draw the modes covered by step."""
        modes = len(self._reader.coverage.shares)
        self._record.figure(
            "coverage", sample_plots.coverage_by_step(self._record.history(), modes), step
        )

    def _show(self, step: int) -> None:
        made = [self._made(copy) for copy in range(self._generators.replicates)]
        samples = torch.stack([each.outputs[0] for each in made]).float()
        self._record.samples(step, samples)
        found, truth = self._drawn(samples[0]), self._drawn(made[0].x)
        self._record.figure(
            "samples", sample_plots.beside(found, truth, self._surface(made[0])), step
        )

    def _made(self, copy: int) -> Made:
        size = POINTS if self._reader.dataset.shape == (2,) else IMAGES
        return self._reader.made(self._generators, copy, "shown", 0, size)[0]

    def _drawn(self, x: Tensor) -> sample_plots.Drawn:
        return sample_plots.Drawn(x, self._reader.coverage.recognise(x).nearest)

    @torch.no_grad()
    def _surface(self, made: Made) -> sample_plots.Surface | None:
        """What the first discriminator says of points, where it is shown nothing else."""
        if self._reader.dataset.shape != (2,) or len(made.real) > 1:
            return None
        points = sample_plots.lattice(made.x)
        return sample_plots.Surface(points, self._discriminators.copy(0).eval()(points).float())
