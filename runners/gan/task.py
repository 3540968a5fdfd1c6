"""The task of training generative adversarial networks, R at once.

R copies, B batch, N samples.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from infobound.errors import SettingError
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.gan import gradient_penalties
from infobound.runners.gan.codes import FreshCodes
from infobound.runners.gan.instance_noise import InstanceNoise
from infobound.runners.gan.made import Made
from infobound.runners.gan.objectives import AdversarialObjective
from infobound.runners.gan.reading import GANReader
from infobound.runners.gan.watch import DiscriminatorWatch
from infobound.runners.runs.metrics import JSON, Metrics, Quantity
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.batches import FreshBatches
from infobound.runners.training.player import Player
from infobound.runners.training.settings import Settings
from infobound.runners.training.task import Stateful, Task


@dataclass(frozen=True, kw_only=True)
class GameSettings(Settings):
    """Discriminators and generators minimise the losses of `objective`, with `discriminator_steps`
    steps of the discriminator for each step of the generator.

    `r1` is the weight of half the discriminator's squared gradient at data. `instance_noise` is the
    standard deviation of the noise on the discriminator's inputs, which falls to 0 at half of the
    steps.

    Raises ValueError for values out of range.
    """

    objective: AdversarialObjective
    discriminator_steps: int
    r1: float
    instance_noise: float

    @staticmethod
    def counts_steps(settings: Written) -> bool:
        """Whether the course of training before the last step depends on the number of steps."""
        return bool(settings.get("instance_noise"))

    def __post_init__(self) -> None:
        limits.at_least(self, discriminator_steps=1)
        if not self.r1 >= 0:
            raise SettingError("r1", "must be 0 or more", self.r1)

    @property
    def penalises_gradients(self) -> bool:
        """Whether the discriminator's loss contains its own gradient."""
        return bool(self.r1 or self.objective.gradient_penalty)


class Judged(NamedTuple):
    """The discriminators' inputs: data and samples, (R, B, ...) each, with latents if these are
    inferred.
    """

    real: tuple[Tensor, ...]
    fake: tuple[Tensor, ...]


class GANTraining(Task):
    """A step is several steps of the discriminators, one of the generators on the last batch, and
    the steps of the penalty's critics.
    """

    def __init__(
        self,
        batches: FreshBatches,
        codes: FreshCodes,
        generators: Player,
        discriminators: Player,
        game: GameSettings,
        noise: InstanceNoise,
        regularisation: Regularisation | None,
        reader: GANReader,
        watch: DiscriminatorWatch,
    ) -> None:
        self.generators, self.discriminators = generators, discriminators
        self.regularisation, self.reader = regularisation, reader
        self._batches, self._codes = batches, codes
        self._game, self._noise, self._watch = game, noise, watch
        parts: dict[str, Stateful] = {"generators": generators, "discriminators": discriminators}
        parts |= {"batches": batches, "codes": codes, "noise": noise, "watch": watch}
        self.parts = parts | ({"regularisation": regularisation} if regularisation else {})
        self.read_again, self.merit = ["generators", "discriminators"], _merit
        self._loaded_at: int | None = None

    def step(self) -> dict[str, Tensor]:
        for _ in range(self._game.discriminator_steps - 1):
            with torch.no_grad():
                judged = self.judged(self.make())
            self._discriminate(judged)
        made = self.make()
        judged = self.judged(made)
        loss = self._discriminate(judged)
        return {"discriminator": loss, **self._generate(judged, made)}

    def evaluate(self, step: int) -> dict[str, Quantity]:
        """Measures of held-out samples, and the discriminators' held-out loss.

        Raises RunFailed if all discriminators have won.
        """
        found = self.reader.validate(step, self.generators.networks, self.discriminators.networks)
        self._watch.see(found["discriminator"].copies, step)
        return found

    def read(self, step: int) -> dict[str, Quantity | JSON]:
        found = self.reader.test(step, self.generators.networks)
        return {**found, "warnings": self._watch.warnings}

    def take_over(self, run: TrainedRun) -> None:
        super().take_over(run)
        self._loaded_at = run.step

    @property
    def arrays(self) -> dict[str, dict[str, Tensor]]:
        """The measured samples of loaded generators, with their codes."""
        if self._loaded_at is None:
            return {}
        return {"samples": self.reader.tested(self._loaded_at, self.generators.networks)}

    @property
    def data(self) -> Tensor:
        return self.shown(0).x

    def samples(self) -> Tensor:
        """Samples (R, N, *shape) of every copy from the same codes at every step."""
        copies = range(self.generators.networks.replicates)
        return torch.stack([self.shown(copy).outputs[0] for copy in copies]).float()

    def shown(self, copy: int) -> Made:
        """The samples of a copy for figures."""
        return self.reader.shown(self.generators.networks, copy)

    def make(self) -> Made:
        """Fresh data and codes, with the networks' outputs."""
        x, labels = self._batches.draw()
        code = self._codes.draw(labels)
        return Made(x, code, self.generators(code.whole, x))

    def judged(self, made: Made) -> Judged:
        """A batch as inputs of the discriminators."""
        step = self.generators.networks.steps
        return Judged(self._noise(made.real, step), self._noise(made.fake, step))

    def _discriminate(self, judged: Judged) -> Tensor:
        """Train the discriminators by one step; return their loss (R,) without gradient
        penalties.
        """
        game, discriminators = self._game, self.discriminators
        real, fake = ([each.detach() for each in side] for side in judged)
        if game.r1:
            real = [each.requires_grad_() for each in real]
        scores = discriminators(*real).float()
        loss = total = game.objective.discriminator(scores, discriminators(*fake).float())
        if game.r1:
            total = total + game.r1 * gradient_penalties.r1(scores, real)
        if weight := game.objective.gradient_penalty:
            points = gradient_penalties.between(real, fake, self._codes.shares(real[0].shape[1]))
            total = total + weight * gradient_penalties.from_one(
                discriminators(*points).float(), points
            )
        discriminators.descend(total)
        return loss.detach()

    def _generate(self, judged: Judged, made: Made) -> dict[str, Tensor]:
        """Train the generators by one step, and then the penalty's critics."""
        objective = self._game.objective
        loss = objective.generator(self.discriminators(*judged.fake).float())
        if len(made.outputs) > 1:
            loss = loss + objective.generator(-self.discriminators(*judged.real).float())
        regularisation, told = self.regularisation, {"generator": loss.detach()}
        if regularisation is None or not regularisation.active(self.generators.networks.steps):
            self._follow(loss)
            return told
        told |= regularisation.lead(self.generators, loss, made.exposed)
        regularisation.fit(lambda: self.make().exposed)
        return told

    def _follow(self, losses: Tensor) -> None:
        """Train the generators by one step, without gradients for the networks that score them."""
        self.generators.follow(self.generators.networks.gradient(losses))


def _merit(found: Metrics) -> float:
    """Minus the divergence of the samples' modes from those of the data, nats."""
    js = found["js"]
    return -js.value if isinstance(js, Quantity) else -math.inf
