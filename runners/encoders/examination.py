"""Examination of encoders in training: what a probe makes of their representations, and how far
from invertible they are.

R copies, N examples.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from infobound.datasets.interfaces import Views
from infobound.models.encoders.networks import Invertible
from infobound.runners.encoders.invertibility import encoded, log_conditions, reconstruction_error
from infobound.runners.training import probes
from infobound.runners.training.loop import Task
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import together

PERCENTILES = (0, 20, 40, 60, 80, 100)


class EncoderTask(Task, Protocol):
    """A task that trains encoders of the first view."""

    replicates: int

    def encoder(self, index: int) -> nn.Module:
        """That of copy `index`, in evaluation mode; the next call overwrites it."""
        ...

    def read(self, step: int) -> dict[str, Any]:
        """What is to be said of the training itself after its last step, for result.json."""
        ...


@dataclass(frozen=True)
class Examination:
    """Examines the encoders of copies on labelled examples, each with noise of its own."""

    views: Views
    neighbours: int
    condition_rows: int
    seed: int
    device: torch.device

    def probes(self, task: EncoderTask) -> dict[str, Any]:
        """Accuracies of both probes, and where the encoder has an inverse how well that
        reconstructs, means and copies.
        """
        return together(
            [self._probed(task.encoder(index), index) for index in range(task.replicates)]
        )

    def conditions(self, task: EncoderTask) -> dict[str, Any]:
        """The median log condition number of each copy's Jacobians at test examples, and
        percentiles over all copies.
        """
        values = torch.stack(
            [self._conditions(task.encoder(index), index) for index in range(task.replicates)]
        )
        medians = {
            "log_condition": values.median().item(),
            "log_condition_replicates": values.median(dim=1).values.tolist(),
        }
        levels = torch.tensor(PERCENTILES, device=values.device) / 100
        return medians | {"log_condition_percentiles": values.flatten().quantile(levels).tolist()}

    @cached_property
    def pixels(self) -> float:
        """Accuracy of the linear probe of the view itself."""
        return probes.linear(
            *self._labelled(*probes.scaled(self._seen("train", 0), self._seen("test", 0)))
        )

    @property
    def protocol(self) -> str:
        """What the accuracies are, in words."""
        sizes = len(self.views.train_examples.labels), len(self.views.test_examples.labels)
        return probes.PROTOCOL.format(
            probes.INVERSE_PENALTY, probes.TOLERANCE, self.neighbours, *sizes
        )

    def _probed(self, encoder: nn.Module, copy: int) -> dict[str, float]:
        x = self._seen("test", copy)
        z = encoded(encoder, x)
        labelled = self._labelled(*probes.scaled(encoded(encoder, self._seen("train", copy)), z))
        found = {
            "accuracy": probes.linear(*labelled),
            "accuracy_knn": probes.nearest(*labelled, self.neighbours),
        }
        return found | (
            {"reconstruction": reconstruction_error(encoder, x, z)}
            if isinstance(encoder, Invertible)
            else {}
        )

    def _conditions(self, encoder: nn.Module, copy: int) -> Tensor:
        return log_conditions(encoder, self._seen("test", copy)[: self.condition_rows])

    def _labelled(self, train: Tensor, test: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        train_labels, test_labels = (
            each.labels.to(self.device)
            for each in (self._examples["train"], self._examples["test"])
        )
        return train, train_labels, test, test_labels

    def _seen(self, split: str, copy: int) -> Tensor:
        """What copy `copy` sees of the first view, the same every time."""
        x = self._examples[split].x.to(self.device)
        return self.views.seen(x, x, generator(self.device, self.seed, copy, "examined", split))[0]

    @property
    def _examples(self) -> dict[str, Any]:
        return {"train": self.views.train_examples, "test": self.views.test_examples}


class Examined:
    """A Task that trains by another one, probes its encoders every `probe_every` steps, and takes
    their Jacobians every `condition_every`, if ever.
    """

    def __init__(
        self,
        task: EncoderTask,
        examination: Examination,
        probe_every: int,
        condition_every: int | None,
    ) -> None:
        self._task = task
        self._looks = [(probe_every, examination.probes)]
        if condition_every is not None:
            self._looks.append((condition_every, examination.conditions))
        self._first: dict[str, Any] = {}
        self._latest: dict[str, Any] = {}
        self._looked = [-1 for _ in self._looks]

    def step(self) -> Mapping[str, Tensor]:
        return self._task.step()

    def evaluate(self, step: int) -> dict[str, Any]:
        due = [index for index, (every, _) in enumerate(self._looks) if step % every == 0]
        return {**self._task.evaluate(step), **self._examined(step, due)}

    def finished(self) -> bool:
        return self._task.finished()

    def result(self, step: int) -> dict[str, Any]:
        """All about the encoders after the last step, and how much more accuracy and log condition
        are than before step 0.
        """
        self._examined(step, range(len(self._looks)))
        rising = [name for name in ("accuracy", "log_condition") if name in self._latest]
        return {
            **self._latest,
            **{f"{name}_rise": self._latest[name] - self._first[name] for name in rising},
        }

    def state(self) -> dict[str, Any]:
        return {
            "task": self._task.state(),
            "first": self._first,
            "latest": self._latest,
            "looked": self._looked,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self._task.load(state["task"])
        self._first, self._latest, self._looked = (
            state["first"],
            state["latest"],
            [*state["looked"]],
        )

    def _examined(self, step: int, due: Iterable[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for index in due:
            if self._looked[index] != step:
                found |= self._looks[index][1](self._task)
                self._looked[index] = step
        self._latest, self._first = self._latest | found, found | self._first
        return found
