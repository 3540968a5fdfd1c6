"""Encode rows of a table with the encoders of an earlier run, and read them with its critic.

N rows, M rows of all copies.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.datasets.interfaces import Rows
from infobound.errors import SettingError
from infobound.models.critics.encoded import Encoded
from infobound.runners.critics.reading import CriticReader
from infobound.runners.encoders.invertibility import encoded
from infobound.runners.encoders.reading import code_columns
from infobound.runners.runs import metrics as written
from infobound.runners.runs.metrics import Metrics, Quantity
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training.readings import sentence


@dataclass(frozen=True)
class EncodedRows:
    """x and y of a table are the views; `reader` reads all rows with the critics of a run."""

    rows: Rows
    reader: CriticReader

    def __call__(self, record: Record) -> Outcome:
        """Read the rows, and write the estimate, or the loss, and the codes."""
        reading = self.reader.read(0)
        metrics: Metrics = reading.metrics(self.rows.mutual_information)
        if reading.kind == "loss":
            metrics = {"loss": Quantity([-each for each in reading.values]), "kind": reading.kind}
        record.write(0, "test", written.tested(metrics))
        record.rows("codes", self._codes(), text=True)
        result = written.result(metrics)
        told = f"loss {result['loss']:.3f}" if reading.kind == "loss" else sentence(result)
        return Outcome(result, reading.mean, told, written.units(metrics))

    def _codes(self) -> dict[str, Tensor]:
        """The position and both codes of every row, for every copy: columns (M,)."""
        parts = list[dict[str, Tensor]]()
        for copy, critic in enumerate(self.reader.critics()):
            if not isinstance(critic, Encoded):
                raise SettingError("load", "must name a run of encoders", type(critic).__name__)
            x, y = self._seen(copy)
            parts.append(
                code_columns(copy, encoded(critic.encoder_x, x), "x")
                | code_columns(copy, encoded(critic.encoder_y, y), "y")
            )
        return {name: torch.cat([each[name].cpu() for each in parts]) for name in parts[0]}

    def _seen(self, copy: int) -> tuple[Tensor, Tensor]:
        """All rows, x (N, dim_x) and y (N, dim_y)."""
        blocks = [*self.reader.held_out.blocks(copy, "test", 0)]
        x, y = [each.x[each.first :] for each in blocks], [each.y[each.first :] for each in blocks]
        return torch.cat(x), torch.cat(y)
