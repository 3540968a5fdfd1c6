"""Generative adversarial networks, with mutual information that they are to keep and measures of
the modes that they cover.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.datasets.modes.interface import Modes
from infobound.models.adversaries.interface import Adversaries, Generation, Inference
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.gan.codes import Code, Codes, FreshCodes
from infobound.runners.gan.coverage import Coverage
from infobound.runners.gan.instance_noise import InstanceNoise
from infobound.runners.gan.made import Made
from infobound.runners.gan.objectives import Objective
from infobound.runners.gan.reading import GANReader
from infobound.runners.gan.recognition import recognition
from infobound.runners.gan.task import GANTraining
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training import limits
from infobound.runners.training.batches import FreshBatches
from infobound.runners.training.devices import device_named
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.loop import Cadence, Loop
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.schedule import Schedule
from infobound.runners.training.settings import Training

Networks = Callable[[int], nn.Module]
"""Makes the network of a copy."""


@dataclass(frozen=True, kw_only=True)
class GAN(Training):
    """Trains `replicates` generators of `dataset` against discriminators, and measures which modes
    their samples cover.

    Codes are a latent of `latent` numbers, with the one-hot label where `conditional`; with
    `inference` an encoder infers the latents of data, and the discriminator is shown samples with
    their latents. `r1` weighs half the squared gradient of the discriminator at data;
    `instance_noise` is added to all that it judges, and falls to 0 at half of the steps. Every
    `eval_every` steps `eval_samples` are measured, made by weights averaged with decay `average`;
    what tells digits apart is kept in the folder `classifiers`. A run whose discriminators were all
    never wrong at `patience` of these times on end has failed.

    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; Belghazi et al. 2018,
    https://arxiv.org/abs/1801.04062
    """

    dataset: Modes
    model: Adversaries | None
    regularizer: Regularizer | None
    objective: Objective
    optimizer: Callable[[list[Tensor]], Optimizer]
    latent: int
    prior: Literal["uniform", "gaussian"]
    conditional: bool
    inference: Literal["bigan"] | None
    r1: float
    instance_noise: float
    discriminator_steps: int
    steps: int
    average: float
    warmup: int
    cosine: bool
    eval_every: int
    eval_samples: int
    patience: int | None
    classifiers: str

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Modes):
            name = type(self.dataset).__name__
            raise ValueError(
                f"dataset must be one with modes to cover, got {name}; use dataset=gaussians_25"
            )
        if not isinstance(self.model, Adversaries):
            raise ValueError(
                "model must be a generator and a discriminator; use model=gan_mlp, or model=dcgan"
                " for images"
            )
        super().__post_init__()
        limits.at_least(self, discriminator_steps=1, eval_samples=2)
        limits.positive_or_null(self, "patience")
        limits.decay(self.average)
        if not self.r1 >= 0:
            raise ValueError(f"r1 must be 0 or more, got {self.r1}")
        if self.compile and (self.r1 or self.objective.gradient_penalty):
            raise ValueError(
                "compile must be false with a penalty of the discriminator's gradient, whose"
                " gradient it lacks"
            )
        if self.conditional and not self.dataset.classes:
            raise ValueError("conditional must be false for a data set without labels, got true")
        _ = self.cadence, self.codes

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return self.paced(self.steps, self.eval_every)

    @property
    def codes(self) -> Codes:
        """What generators are given."""
        return Codes(self.latent, self.prior, self.dataset.classes if self.conditional else 0)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Build the networks and try them on a batch.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        cadence, task = self.cadence, self.task(device_named(self.device))

        def run(record: Record) -> Outcome:
            pictured = task.pictured(record)
            trained = Loop(pictured, cadence, record, pictured.draw).run()
            metrics = task.read(trained.steps)
            record.write(
                trained.steps,
                "test",
                {name: each for name, each in metrics.items() if isinstance(each, float)},
            )
            pictured.draw(trained.steps)
            return Outcome(
                metrics, metrics["modes"], sentence(metrics), trained.steps, trained.seconds
            )

        return run

    def task(self, device: torch.device) -> GANTraining:
        """The networks before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        at_once: Any = {"seed": self.seed, "replicates": self.replicates, "device": device}
        batches = FreshBatches(lambda _: self.dataset, batch_size=self.batch_size, **at_once)
        generators = self._player("generator", self._generation, device)
        discriminators = self._player("discriminator", self._discriminator, device)
        regularisation = self._regularisation(generators.networks, batches, device)
        self._check(generators.networks, discriminators.networks, regularisation, device)
        return GANTraining(
            batches,
            FreshCodes(self.codes, **at_once),
            generators,
            discriminators,
            self.objective,
            InstanceNoise(self.instance_noise, self.steps // 2, **at_once),
            regularisation,
            self._reader(device),
            r1=self.r1,
            discriminator_steps=self.discriminator_steps,
        )

    def _generation(self, _: int) -> Generation:
        assert self.model is not None, "checked by the constructor"
        made = self.model.generator(self.codes.size, self.dataset.shape)
        return (
            Inference(made, self.model.encoder(self.dataset.shape, self.latent))
            if self.inference
            else Generation(made)
        )

    def _discriminator(self, _: int) -> nn.Module:
        assert self.model is not None, "checked by the constructor"
        return self.model.discriminator(self.dataset.shape, self.latent if self.inference else 0)

    def _player(
        self, name: Literal["generator", "discriminator"], build: Networks, device: torch.device
    ) -> Player:
        """Generators, which alone are averaged, or discriminators, which may take several steps in
        one of the training.
        """
        often, average = (
            (1, self.average) if name == "generator" else (self.discriminator_steps, 0.0)
        )
        networks = self.ensemble(build, stream(self.seed, name), device, average)
        optimizer = elementwise(self.optimizer([networks.parameters]))
        schedule = Schedule(
            optimizer, self.warmup * often, self.steps * often if self.cosine else None
        )
        return Player(networks, optimizer, schedule)

    def _regularisation(
        self, generators: Ensemble, batches: FreshBatches, device: torch.device
    ) -> Regularisation | None:
        """The penalty's copies, None where it has no strength."""
        if self.regularizer is None:
            return None

        @torch.no_grad()
        def rows(copy: int) -> Exposed:
            x, labels = batches.look(copy)
            code = self.codes.draw(labels, generator(device, self.seed, copy, "look", "latent"))
            return Made(x, code, generators.copy(copy).train()(code.whole, x)).exposed

        critics = partial(self.ensemble, seed=stream(self.seed, "critic"), device=device)
        made = Regularisation(self.regularizer, rows, critics, self.steps)
        return made if made.strength else None

    def _check(
        self,
        generators: Ensemble,
        discriminators: Ensemble,
        regularisation: Regularisation | None,
        device: torch.device,
    ) -> None:
        """Run all networks once on zeros, so that what does not fit is refused before anything is
        trained.
        """
        x = torch.zeros(self.replicates, self.batch_size, *self.dataset.shape, device=device)
        labels = torch.zeros(x.shape[:2], dtype=torch.int64, device=device)
        latent = x.new_zeros(*x.shape[:2], self.latent)
        made = Made(
            x, Code(latent, self.codes.one_hot(labels)), (x, latent) if self.inference else (x,)
        )
        generators.check(made.code.whole, x)
        discriminators.check(*made.real)
        if regularisation is not None:
            regularisation.check(made.exposed)

    def _reader(self, device: torch.device) -> GANReader:
        recognised = recognition(self.dataset, Path(self.classifiers), device)
        coverage = Coverage.of(
            self.dataset, recognised.recognise, generator(device, self.seed, "reference")
        )
        return GANReader(
            self.dataset,
            self.codes,
            coverage,
            recognised.error,
            self.objective,
            self.eval_samples,
            self.patience,
            self.seed,
        )


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it, such as `25 of 25 modes, high quality 0.86 ± 0.01, KL 0.012
    and JS 0.05 nats`.
    """
    parts = [f"{metrics['modes']:g} of {metrics['of_modes']} modes"]
    parts.append(
        f"high quality {metrics['high_quality']:.3f} ± {metrics['high_quality_stderr']:.3f}"
    )
    parts.append(f"KL {metrics['kl']:.3f} and JS {metrics['js']:.3f} nats")
    if "reconstruction" in metrics:
        parts.append(
            f"reconstruction error {metrics['reconstruction']:.3f}, {metrics['same_mode']:.3f} of"
            " the same mode"
        )
    return "\n".join(
        [", ".join(parts), *(f"warning: {warning}" for warning in metrics["warnings"])]
    )
