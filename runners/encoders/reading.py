"""The quality of encoders: the accuracy of probes of their representations, and their
invertibility.

R copies, N examples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from infobound.datasets.interfaces import Examples, Views
from infobound.models.encoders.networks import Invertible
from infobound.runners.encoders.invertibility import encoded, log_conditions, reconstruction_error
from infobound.runners.encoders.settings import Examinations
from infobound.runners.runs.metrics import JSON, Quantity, Unit, stderr_key, together
from infobound.runners.runs.written import Written
from infobound.runners.training import probes
from infobound.runners.training.randomness import generator
from infobound.runners.training.settings import Execution

PERCENTILES = (0, 20, 40, 60, 80, 100)
UNITS: Mapping[str, Unit] = {"accuracy": "share", "accuracy_knn": "share", "reconstruction": ""}


@dataclass(frozen=True)
class EncoderReader:
    """Reads the encoders of all copies on labelled examples, each with its own noise.

    `encoder` gives the encoder of a copy, in evaluation mode.
    """

    views: Views
    encoder: Callable[[int], nn.Module]
    examinations: Examinations
    execution: Execution

    def probes(self) -> dict[str, Quantity]:
        """Accuracies of both probes, and the reconstruction error if the encoder has an inverse."""
        copies = range(self.execution.replicates)
        return together([self._probed(self.encoder(copy), copy) for copy in copies], UNITS)

    def conditions(self) -> dict[str, Quantity | JSON]:
        """The median log condition number of the Jacobians at test examples, and percentiles over
        all copies.
        """
        copies = range(self.execution.replicates)
        values = torch.stack([self._conditions(self.encoder(copy), copy) for copy in copies])
        medians = values.median(dim=1).values.tolist()
        levels = torch.tensor(PERCENTILES, device=values.device) / 100
        return {
            "log_condition": Quantity(medians, unit="nats", pooled=values.median().item()),
            "log_condition_percentiles": values.flatten().quantile(levels).tolist(),
        }

    def codes(self) -> dict[str, Tensor]:
        """The position, the label and the code of every test example, for every copy: columns
        (M,).
        """
        labels = self._examples("test").labels
        parts = [
            code_columns(copy, encoded(self.encoder(copy), self._seen("test", copy)), "z")
            | {"label": labels}
            for copy in range(self.execution.replicates)
        ]
        return {name: torch.cat([each[name].cpu() for each in parts]) for name in parts[0]}

    @cached_property
    def pixels(self) -> float:
        """The accuracy of the linear probe of the view itself."""
        features = probes.scaled(self._seen("train", 0), self._seen("test", 0))
        return probes.linear_accuracy(*self._labelled(*features))

    @property
    def protocol(self) -> str:
        """A description of how the accuracies were computed."""
        sizes = len(self.views.train_examples.labels), self.tested
        return probes.PROTOCOL.format(
            probes.INVERSE_PENALTY, probes.TOLERANCE, self.examinations.neighbours, *sizes
        )

    @property
    def tested(self) -> int:
        """The number of test examples of every accuracy."""
        return len(self.views.test_examples.labels)

    def _probed(self, encoder: nn.Module, copy: int) -> dict[str, float]:
        x = self._seen("test", copy)
        z = encoded(encoder, x)
        labelled = self._labelled(*probes.scaled(encoded(encoder, self._seen("train", copy)), z))
        found = {
            "accuracy": probes.linear_accuracy(*labelled),
            "accuracy_knn": probes.nearest_accuracy(*labelled, self.examinations.neighbours),
        }
        if not isinstance(encoder, Invertible):
            return found
        return found | {"reconstruction": reconstruction_error(encoder, x, z)}

    def _conditions(self, encoder: nn.Module, copy: int) -> Tensor:
        rows = self._seen("test", copy)[: self.examinations.condition_rows]
        return log_conditions(encoder, rows)

    def _labelled(self, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        place = self.execution.place
        labels = (self._examples(split).labels.to(place) for split in ("train", "test"))
        train_labels, test_labels = labels
        return train, train_labels, test, test_labels

    def _seen(self, split: str, copy: int) -> Tensor:
        """The first view as copy `copy` sees it, always the same."""
        place = self.execution.place
        x = self._examples(split).x.to(place)
        source = generator(place, self.execution.seed, copy, "examined", split)
        return self.views.seen(x, x, source)[0]

    def _examples(self, split: str) -> Examples:
        return self.views.train_examples if split == "train" else self.views.test_examples


def code_columns(copy: int, z: Tensor, name: str) -> dict[str, Tensor]:
    """Columns (N,) of the codes z (N, D) of a copy's rows, with their positions."""
    rows = torch.arange(len(z))
    numbers = {f"{name}_{index}": column for index, column in enumerate(z.float().T)}
    return {"copy": torch.full_like(rows, copy), "row": rows, **numbers}


def sentence(metrics: Written) -> str:
    """The outcome as a person reads it, such as `accuracy of a linear probe 0.876 ± 0.002, of the
    view itself 0.849`.
    """
    error = metrics[stderr_key("accuracy")]
    parts = [
        f"accuracy of a linear probe {metrics['accuracy']:.3f} ± {error:.3f}, of the view itself"
        f" {metrics['accuracy_pixels']:.3f}"
    ]
    if "mi" in metrics:
        parts.append(f"I = {metrics['mi']:.2f} ± {metrics[stderr_key('mi')]:.2f} nats")
    if "log_condition" in metrics:
        parts.append(f"median log condition number {metrics['log_condition']:.2f} nats")
    if "reconstruction" in metrics:
        parts.append(f"inverse within {metrics['reconstruction']:.1e}")
    return "; ".join(parts)
