"""Examine encoders during training."""

import dataclasses
from collections.abc import Callable, Iterable

from torch import Tensor

from infobound.runners.encoders.reading import EncoderReader
from infobound.runners.runs.metrics import JSON, Metrics, Quantity, with_errors
from infobound.runners.runs.written import State, Written
from infobound.runners.training import probes

RISING = ("accuracy", "log_condition")
"""Quantities whose increase since step 0 is also reported."""


class Examiner:
    """A part of a task that probes its encoders and computes their condition numbers at the set
    steps, and keeps the first and the last readings.
    """

    def __init__(self, reader: EncoderReader) -> None:
        self.reader = reader
        due = reader.examinations
        self._looks: list[tuple[int, Callable[[], Metrics]]] = [(due.probe_every, reader.probes)]
        if due.condition_every is not None:
            self._looks.append((due.condition_every, reader.conditions))
        self._looked = [-1 for _ in self._looks]
        self._first: dict[str, Quantity | JSON] = {}
        self._latest: dict[str, Quantity | JSON] = {}

    @property
    def constants(self) -> dict[str, float | None]:
        """The baseline of the accuracy."""
        return {"accuracy/pixels": self.reader.pixels}

    def evaluate(self, step: int) -> Metrics:
        """The examinations that are due after `step` steps."""
        due = [index for index, (every, _) in enumerate(self._looks) if step % every == 0]
        return self._examined(step, due)

    def read(self, step: int) -> dict[str, Quantity | JSON]:
        """All examinations after the last step, with the standard error of the accuracy, and the
        increase of accuracy and log condition since step 0.
        """
        first = self._first  # nothing, where encoders are read that an earlier run has trained
        self._examined(step, range(len(self._looks)))
        found = {name: each for name, each in self._latest.items() if isinstance(each, Quantity)}
        accuracy = found["accuracy"]
        alone = {"accuracy": probes.stderr(accuracy.value, self.reader.tested)}
        return {
            **with_errors({"accuracy": accuracy}, alone, "test examples"),
            "accuracy_pixels": self.reader.pixels,
            "probe": self.reader.protocol,
            **{name: each for name, each in self._latest.items() if name != "accuracy"},
            **{f"{name}_rise": self._rise(found[name], name) for name in RISING if name in first},
        }

    @property
    def codes(self) -> dict[str, dict[str, Tensor]]:
        """The codes of the test examples, as a table of a task."""
        return {"codes": self.reader.codes()}

    def state(self) -> State:
        return {
            "first": _plain(self._first),
            "latest": _plain(self._latest),
            "looked": [*self._looked],
        }

    def load(self, state: State) -> None:
        self._first, self._latest = _metrics(state["first"]), _metrics(state["latest"])
        self._looked = [*state["looked"]]

    def _examined(self, step: int, due: Iterable[int]) -> dict[str, Quantity | JSON]:
        found: dict[str, Quantity | JSON] = {}
        for index in due:
            if self._looked[index] != step:
                found |= self._looks[index][1]()
                self._looked[index] = step
        self._latest, self._first = self._latest | found, found | self._first
        return found

    def _rise(self, last: Quantity, name: str) -> Quantity:
        first = self._first[name]
        if not isinstance(first, Quantity):
            raise TypeError(f"{name} must be a quantity, got {first}")
        copies = [after - before for before, after in zip(first.copies, last.copies, strict=True)]
        return Quantity(copies, unit=last.unit, pooled=last.value - first.value)


def _plain(metrics: Metrics) -> Written:
    """Convert readings to plain values for a checkpoint."""
    return {
        name: dataclasses.asdict(each) if isinstance(each, Quantity) else each
        for name, each in metrics.items()
    }


def _metrics(plain: Written) -> dict[str, Quantity | JSON]:
    return {
        name: Quantity(**each) if isinstance(each, dict) else each for name, each in plain.items()
    }
