"""Reading generators on held-out codes: the modes that their samples cover, and what is inferred of
held-out data.

R copies, N samples.
"""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from infobound.datasets.modes.interface import Modes, Recognised
from infobound.models.adversaries.interface import Generation, Inference
from infobound.runners.gan.codes import Codes
from infobound.runners.gan.coverage import Coverage
from infobound.runners.gan.image_similarity import ms_ssim
from infobound.runners.gan.made import Made
from infobound.runners.gan.objectives import Objective
from infobound.runners.runs.errors import RunFailed
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.randomness import generator
from infobound.runners.training.readings import spread, together

WON = 1e-3
"""Nats above its least loss below which a discriminator is taken to be never wrong."""
CHUNK = 2500
"""Samples that are made at a time."""
RESAMPLES = 20
"""Of one copy's samples, for the standard errors of what is measured on them."""
Metrics = dict[str, float]


@dataclass
class GANReader:
    """Measures `samples` of each copy's generator, in evaluation mode and with averaged weights, on
    codes of their own.

    A discriminator whose held-out loss is at its least in `patience` readings on end has won, and
    the run fails if all have.
    """

    dataset: Modes
    codes: Codes
    coverage: Coverage
    classifier_error: float | None
    objective: Objective
    samples: int
    patience: int | None
    seed: int
    _winning: dict[int, int] = field(default_factory=dict)
    """Readings on end at which the discriminator of a copy was never wrong."""

    def validate(self, step: int, generators: Ensemble, discriminators: Ensemble) -> dict[str, Any]:
        """What the copies' samples measure after `step` steps, and the discriminators' loss.

        Raises RunFailed if all discriminators have won.
        """
        copies = []
        for copy in range(generators.replicates):
            made = self.made(generators, copy, "validation", step, self.samples)
            copies.append(
                self._measured(made, _module(generators, copy))
                | self._lost(made[0], discriminators, copy)
            )
        self._watch([each["discriminator"] for each in copies], step)
        return together(copies)

    def test(self, step: int, generators: Ensemble) -> dict[str, Any]:
        """The metrics of result.json, with the standard error of each over copies, or else over
        resamples of the samples.
        """
        made, copies = list[Made](), []
        for copy in range(
            generators.replicates
        ):  # one at a time, for a thousand modes take many samples
            made = self.made(generators, copy, "test", step, self.samples)
            copies.append(self._measured(made, _module(generators, copy)))
        found = together(copies)
        if len(copies) > 1:
            errors = {name: spread(found[f"{name}_replicates"]).value for name in copies[0]}
        else:
            errors = self._errors(made, _module(generators, 0))
        said = {
            "stderr_of": "replicates" if len(copies) > 1 else "samples",
            "of_modes": len(self.coverage.shares),
        }
        said |= {} if self.classifier_error is None else {"classifier_error": self.classifier_error}
        ahead = {name: found[name] for name in copies[0]} | {
            f"{name}_stderr": value for name, value in errors.items()
        }
        return ahead | found | said | {"warnings": self._warnings()}

    @torch.no_grad()
    def made(
        self, generators: Ensemble, copy: int, split: str, step: int, samples: int
    ) -> list[Made]:
        """So many held-out data and codes, the same for one split and step, with what a copy makes
        of them.
        """
        source = generator(self.coverage.shares.device, self.seed, copy, "held out", split, step)
        module = _module(generators, copy)
        return [self._chunk(module, size, source) for size in _sizes(samples)]

    def state(self) -> dict[str, Any]:
        return {"winning": self._winning}

    def load(self, state: Mapping[str, Any]) -> None:
        self._winning = dict(state["winning"])

    def _chunk(self, module: Generation, size: int, source: torch.Generator) -> Made:
        x, labels = self.dataset.held_out(size, source)
        code = self.codes.draw(labels, source)
        return Made(x, code, module(code.whole, x))

    def _measured(self, made: list[Made], module: Generation) -> Metrics:
        found = self.coverage(torch.cat([each.outputs[0] for each in made]).float())
        return found | {
            name: rows.mean().item() for name, rows in self._reconstructed(made, module).items()
        }

    @torch.no_grad()
    def _reconstructed(self, made: list[Made], module: Generation) -> dict[str, Tensor]:
        """(N,) squared distances of G(E(x)) from held-out x, whether it is of the mode of x, and
        for images MS-SSIM.

        Nothing without an encoder.
        """
        if not isinstance(module, Inference):
            return {}
        rows = [
            self._compared(
                each.x, module.generator(each.code._replace(latent=each.outputs[1]).whole)
            )
            for each in made
        ]
        return {name: torch.cat([each[name] for each in rows]) for name in rows[0]}

    def _compared(self, x: Tensor, again: Tensor) -> dict[str, Tensor]:
        """Of data and what is made again of them, (N,) each."""
        found = {
            "reconstruction": (again - x).flatten(1).square().sum(1).double(),
            "same_mode": (
                (
                    self.coverage.recognise(again).nearest == self.coverage.recognise(x).nearest
                ).double()
            ),
        }
        return found | ({"ms_ssim": ms_ssim(x, again)} if x.ndim == 4 else {})

    @torch.no_grad()
    def _lost(self, made: Made, discriminators: Ensemble, copy: int) -> Metrics:
        """A discriminator's loss on held-out data and samples."""
        module = discriminators.copy(copy).eval()
        loss = self.objective.discriminator(
            module(*made.real)[None].float(), module(*made.fake)[None].float()
        )
        return {"discriminator": loss.item()}

    def _watch(self, losses: list[float], step: int) -> None:
        for copy, loss in enumerate(losses):
            won = loss < self.objective.least + WON
            self._winning[copy] = self._winning.get(copy, 0) + 1 if won else 0
        if len(self._won) == len(losses):
            raise RunFailed(
                f"the discriminator was never wrong at {self.patience} evaluations on end, at step"
                f" {step} the last, and the generator learns nothing; try runner.r1=0.1 or a lower"
                " optimizer.lr, runner.patience=null to go on"
            )

    @property
    def _won(self) -> list[int]:
        """Copies whose discriminator has."""
        return [
            copy
            for copy, on_end in self._winning.items()
            if self.patience is not None and on_end >= self.patience
        ]

    def _warnings(self) -> list[str]:
        return [
            f"the discriminator of copy {copy} was never wrong at the last evaluations"
            for copy in self._won
        ]

    def _errors(self, made: list[Made], module: Generation) -> Metrics:
        """Standard errors of one copy's metrics: over resamples with replacement, and of means over
        rows.
        """
        x = torch.cat([each.outputs[0] for each in made])
        source = generator(x.device, self.seed, "resamples")
        recognised = self.coverage.recognise(x)
        found = []
        for _ in range(RESAMPLES):
            rows = torch.randint(len(x), (len(x),), generator=source, device=x.device)
            found.append(
                self.coverage.measured(x[rows], Recognised(*(each[rows] for each in recognised)))
            )
        resampled = {name: statistics.stdev(each[name] for each in found) for name in found[0]}
        rows = self._reconstructed(made, module)
        return resampled | {
            name: each.std().item() / len(each) ** 0.5 for name, each in rows.items()
        }


def _module(generators: Ensemble, copy: int) -> Generation:
    """One copy in evaluation mode; the next call overwrites it."""
    module = generators.copy(copy).eval()
    assert isinstance(module, Generation), "as the runner builds it"
    return module


def _sizes(samples: int) -> Iterator[int]:
    """Of chunks."""
    while samples > 0:
        yield min(samples, CHUNK)
        samples -= CHUNK
