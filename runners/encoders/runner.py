"""What the runners that train encoders have in common: the labelled views, the examinations, the
record and the outcome.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.datasets.interfaces import Views
from infobound.runners.encoders import figures as encoder_plots
from infobound.runners.encoders.examination import EncoderTask, Examination, Examined
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training import limits, probes
from infobound.runners.training.devices import device_named
from infobound.runners.training.loop import Cadence, Loop
from infobound.runners.training.readings import spread
from infobound.runners.training.settings import Training


@dataclass(frozen=True, kw_only=True)
class Encoding(Training, ABC):
    """Trains `replicates` encoders `model` of the views of `dataset`, and examines what they make
    of the first view.

    All is read by the moving average of their weights of decay `average`, 0 being the weights
    themselves.

    Every `probe_every` steps, a multiple of `eval_every`, a linear classifier and the `neighbours`
    nearest training examples tell the labels of all test examples from their representations; where
    the encoder has an inverse, the largest error of any number that it gives back is read. Every
    `condition_every` steps the condition numbers of its Jacobian at `condition_rows` test examples
    are; null is never.
    """

    dataset: Views
    model: Callable[[int], nn.Module] | None
    optimizer: Callable[[list[Tensor]], Optimizer]
    steps: int
    average: float
    eval_every: int
    probe_every: int
    neighbours: int
    condition_every: int | None
    condition_rows: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Views):
            name = type(self.dataset).__name__
            raise ValueError(
                f"dataset must be one of labelled views, got {name}; use dataset=mnist_halves"
            )
        limits.encoders(self.model)
        super().__post_init__()
        limits.at_least(self, neighbours=1, condition_rows=1)
        limits.decay(self.average)
        _ = self.cadence
        for name in ("probe_every", "condition_every"):
            every = getattr(self, name)
            if every is not None and (every < 1 or every % self.eval_every):
                raise ValueError(
                    f"{name} must be a multiple of eval_every, {self.eval_every}, got {every}"
                )

    @abstractmethod
    def task(self, device: torch.device) -> EncoderTask:
        """The encoders before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return self.paced(self.steps, self.eval_every)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build the networks and try them on a batch of zeros.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        cadence, device = self.cadence, device_named(self.device)
        examination = Examination(
            self.dataset, self.neighbours, self.condition_rows, self.seed, device
        )
        task = self.task(device)
        examined = Examined(task, examination, self.probe_every, self.condition_every)

        def run(record: Record) -> Outcome:
            record.constants({"accuracy/pixels": examination.pixels})

            def draw(step: int) -> None:
                for name, figure in encoder_plots.figures(record.history(), examination.pixels):
                    record.figure(name, figure, step)

            trained = Loop(examined, cadence, record, draw).run()
            metrics = self._metrics(
                examined.result(trained.steps), task.read(trained.steps), examination
            )
            numbers = {name: value for name, value in metrics.items() if isinstance(value, float)}
            record.write(trained.steps, "test", numbers)
            draw(trained.steps)
            return Outcome(
                metrics, metrics["accuracy"], sentence(metrics), trained.steps, trained.seconds
            )

        return run

    def _metrics(
        self, found: Mapping[str, Any], read: Mapping[str, Any], examination: Examination
    ) -> dict[str, Any]:
        copies, examples = found["accuracy_replicates"], len(self.dataset.test_examples.labels)
        stderr = spread(copies).value if len(copies) > 1 else probes.stderr(copies[0], examples)
        about = {
            "accuracy_stderr": stderr,
            "accuracy_pixels": examination.pixels,
            "probe": examination.protocol,
        }
        return {"accuracy": found["accuracy"], **about, **found, **read}


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it, such as `accuracy of a linear probe 0.876 ± 0.002, of the
    view itself 0.849`.
    """
    parts = [
        f"accuracy of a linear probe {metrics['accuracy']:.3f} ± {metrics['accuracy_stderr']:.3f}"
    ]
    parts[0] += f", of the view itself {metrics['accuracy_pixels']:.3f}"
    if "mi" in metrics:
        parts.append(f"I = {metrics['mi']:.2f} ± {metrics['mi_stderr']:.2f} nats")
    if "log_condition" in metrics:
        parts.append(f"median log condition number {metrics['log_condition']:.2f} nats")
    if "reconstruction" in metrics:
        parts.append(f"inverse within {metrics['reconstruction']:.1e}")
    return "; ".join(parts)
