"""The task of training networks whose layers are read during training, R at once.

R copies.
"""

from collections.abc import Mapping

from torch import Tensor

from infobound.runners.information_plane.reading import PlaneReader, PlaneReading, worst
from infobound.runners.runs.metrics import Metrics
from infobound.runners.training.batches import SeenBatches
from infobound.runners.training.label_loss import cross_entropy
from infobound.runners.training.player import Player
from infobound.runners.training.task import Kept, Task


class PlaneTraining(Task):
    """Networks minimise the cross-entropy of a batch, and are read after the steps `due`, each with
    its epoch. The result has the worst violations of all readings.
    """

    def __init__(
        self, batches: SeenBatches, networks: Player, reader: PlaneReader, due: Mapping[int, int]
    ) -> None:
        self.networks = networks
        self._batches, self._reader, self._due = batches, reader, due
        self._kept = Kept()
        self._last: tuple[int, PlaneReading] | None = None
        self.parts = {"batches": batches, "networks": networks, "violations": self._kept}
        self.read_again = ["networks"]

    def step(self) -> dict[str, Tensor]:
        x, labels = self._batches.draw()
        loss = cross_entropy(self.networks(x)[0].float().log_softmax(-1), labels)
        self.networks.descend(loss)
        return {"loss": loss.detach()}

    def evaluate(self, step: int) -> Metrics:
        if step not in self._due:
            return {}
        reading = self._reader.read(self.networks.networks, step)
        self._last, self._kept.values = (step, reading), self._worst(reading)
        return {"epoch": self._due[step], **reading.violations, **reading.quantities}

    def read(self, step: int) -> Metrics:
        """The reading after the last step, with the worst violations of all readings."""
        read_at, reading = self._last or (None, None)
        if reading is None or read_at != step:  # a resumed run without remaining steps
            reading = self._reader.read(self.networks.networks, step)
        epoch = {"epoch": self._due[step]} if step in self._due else {}
        return {**epoch, **reading.quantities, **self._worst(reading)}

    def _worst(self, reading: PlaneReading) -> dict[str, float]:
        return worst([self._kept.values, reading.violations])
