"""The task of training generative adversarial networks, R at once.

R copies, B batch.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.gan import gradient_penalties
from infobound.runners.gan.codes import FreshCodes
from infobound.runners.gan.instance_noise import InstanceNoise
from infobound.runners.gan.made import Made
from infobound.runners.gan.objectives import Objective
from infobound.runners.gan.pictures import Pictured
from infobound.runners.gan.reading import GANReader
from infobound.runners.runs.records import Record
from infobound.runners.training.batches import FreshBatches
from infobound.runners.training.player import Player


class Judged(NamedTuple):
    """What discriminators tell apart: data and samples, (R, B, ...) each, with latents where these
    are inferred.
    """

    real: tuple[Tensor, ...]
    fake: tuple[Tensor, ...]


class GANTraining:
    """A Task: steps of the discriminators, one of the generators on the last batch, and those of
    the penalty's critics.
    """

    def __init__(
        self,
        batches: FreshBatches,
        codes: FreshCodes,
        generators: Player,
        discriminators: Player,
        objective: Objective,
        noise: InstanceNoise,
        regularisation: Regularisation | None,
        reader: GANReader,
        *,
        r1: float,
        discriminator_steps: int,
    ) -> None:
        self._batches, self._codes, self._reader = batches, codes, reader
        self._generators, self._discriminators = generators, discriminators
        self._objective, self._r1, self._discriminator_steps = objective, r1, discriminator_steps
        self._noise, self._regularisation = noise, regularisation

    def step(self) -> dict[str, Tensor]:
        for _ in range(self._discriminator_steps - 1):
            with torch.no_grad():
                judged = self._judged(self.make())
            self._discriminate(judged)
        made = self.make()
        judged = self._judged(made)
        loss = self._discriminate(judged)
        return {"discriminator": loss, **self._generate(judged, made)}

    def evaluate(self, step: int) -> dict[str, Any]:
        return self._reader.validate(step, self._generators.networks, self._discriminators.networks)

    def finished(self) -> bool:
        return False

    def pictured(self, record: Record) -> Pictured:
        """The same task with pictures."""
        return Pictured(
            self, self._reader, self._generators.networks, self._discriminators.networks, record
        )

    def read(self, step: int) -> dict[str, Any]:
        """The metrics of result.json, from held-out samples that no evaluation has seen."""
        return self._reader.test(step, self._generators.networks)

    def make(self) -> Made:
        """Fresh data and codes, with what is made of them."""
        x, labels = self._batches.draw()
        code = self._codes.draw(labels)
        return Made(x, code, self._generators(code.whole, x))

    def state(self) -> dict[str, Any]:
        return {name: part.state() for name, part in self._parts.items()}

    def load(self, state: Mapping[str, Any]) -> None:
        for name, part in self._parts.items():
            part.load(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        """All that has a state."""
        parts = {"generators": self._generators, "discriminators": self._discriminators}
        parts |= {
            "batches": self._batches,
            "codes": self._codes,
            "noise": self._noise,
            "reader": self._reader,
        }
        return parts | ({"regularisation": self._regularisation} if self._regularisation else {})

    def _judged(self, made: Made) -> Judged:
        """A batch as the discriminators see it."""
        step = self._generators.networks.steps
        return Judged(self._noise(made.real, step), self._noise(made.fake, step))

    def _discriminate(self, judged: Judged) -> Tensor:
        """One step of the discriminators: their loss (R,) without penalties of the gradient."""
        real, fake = ([each.detach() for each in side] for side in judged)
        if self._r1:
            real = [each.requires_grad_() for each in real]
        scores = self._discriminators(*real).float()
        loss = total = self._objective.discriminator(scores, self._discriminators(*fake).float())
        if self._r1:
            total = total + self._r1 * gradient_penalties.r1(scores, real)
        if weight := self._objective.gradient_penalty:
            points = gradient_penalties.between(real, fake, self._codes.shares(real[0].shape[1]))
            total = total + weight * gradient_penalties.from_one(
                self._discriminators(*points).float(), points
            )
        self._discriminators.descend(total)
        return loss.detach()

    def _generate(self, judged: Judged, made: Made) -> dict[str, Tensor]:
        """One step of the generators, and after it those of the penalty's critics."""
        loss = self._objective.generator(self._discriminators(*judged.fake).float())
        if len(made.outputs) > 1:
            loss = loss + self._objective.generator(-self._discriminators(*judged.real).float())
        regularisation, told = self._regularisation, {"generator": loss.detach()}
        if regularisation is None or not regularisation.active(self._generators.networks.steps):
            self._follow(loss)
            return told
        told |= regularisation.lead(self._generators, loss, made.exposed)
        regularisation.fit(lambda: self.make().exposed)
        return told

    def _follow(self, losses: Tensor) -> None:
        """One step of the generators, which leaves the gradients of the networks that judge them
        alone.
        """
        self._generators.follow(self._generators.networks.gradient(losses))
