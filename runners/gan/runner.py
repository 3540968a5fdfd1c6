"""Generative adversarial networks, with mutual information as a regularizer and measures of the
modes that they cover.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from infobound.datasets.modes.interface import Modes
from infobound.errors import SettingError
from infobound.models.adversaries.interface import Adversaries, Generation, Inference
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.gan import figures
from infobound.runners.gan.codes import Code, CodeDistribution, CodeSettings, FreshCodes
from infobound.runners.gan.coverage import Coverage
from infobound.runners.gan.instance_noise import InstanceNoise
from infobound.runners.gan.made import Made
from infobound.runners.gan.reading import CoverageSettings, GANReader, sentence
from infobound.runners.gan.recognition import recognition
from infobound.runners.gan.task import GameSettings, GANTraining
from infobound.runners.gan.watch import DiscriminatorWatch
from infobound.runners.runs import sample_plots
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training.batches import FreshBatches
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class GAN(Runner[GANTraining]):
    """Trains `replicates` generators of `dataset` against discriminators, and measures which modes
    their samples cover.

    Only the weights of generators are averaged. `warmup` and `cosine` count generator steps;
    discriminators may take several steps for each.

    Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661; Belghazi et al. 2018,
    https://arxiv.org/abs/1801.04062

    Raises ValueError for settings that do not fit together.
    """

    dataset: Modes
    model: Adversaries | None
    regularizer: Regularizer | None
    code: CodeSettings
    game: GameSettings
    coverage: CoverageSettings

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Modes):
            name = type(self.dataset).__name__
            raise SettingError(
                "dataset", "must have modes to cover", name, "use dataset=gaussians_25"
            )
        _ = self._adversaries
        if self.execution.compile and self.game.penalises_gradients:
            raise SettingError(
                "compile",
                "must be false with a penalty on the discriminator's gradient, which needs second"
                " derivatives",
            )
        if self.code.conditional and not self.dataset.classes:
            raise SettingError("conditional", "must be false for a data set without labels", "true")

    @property
    def score(self) -> str:
        return "modes"

    def sentence(self, metrics: Written) -> str:
        return sentence(metrics)

    def figures(
        self, task: GANTraining, record: Record, step: int
    ) -> "Iterable[tuple[str, Figure]]":
        yield "samples", figures.samples(task)
        history, modes = record.history(), len(self.dataset.shares)
        if any(line["split"] == "validation" for line in history):  # none of a loaded run
            yield "coverage", sample_plots.coverage_by_step(history, modes)

    def draws_after(self, evaluations: int) -> bool:
        """Draw after every evaluation, because modes come and go."""
        return True

    def task(self) -> GANTraining:
        execution, game = self.execution, self.game
        batches = FreshBatches(
            lambda _: self.dataset,
            batch_size=self.optimisation.batch_size,
            seed=execution.seed,
            replicates=execution.replicates,
            device=execution.place,
        )
        generators, discriminators = self._generators(), self._discriminators()
        regularisation = self._regularisation(generators.networks, batches)
        self._check(generators.networks, discriminators.networks, regularisation)
        return GANTraining(
            batches,
            FreshCodes(self._codes, execution),
            generators,
            discriminators,
            game,
            InstanceNoise(game.instance_noise, self.steps // 2, execution),
            regularisation,
            self._reader(),
            DiscriminatorWatch(game.objective.least, self.coverage.patience),
        )

    @property
    def _adversaries(self) -> Adversaries:
        """The functions that create the networks.

        Raises ValueError for another model.
        """
        if not isinstance(self.model, Adversaries):
            raise SettingError(
                "model",
                "must be a generator and a discriminator",
                remedy="use model=gan_mlp, or model=dcgan for images",
            )
        return self.model

    @property
    def _codes(self) -> CodeDistribution:
        """The distribution of the generators' inputs."""
        return self.code.distribution(self.dataset.classes)

    def _generators(self) -> Player:
        """The generators, with encoders if latents are inferred; only their weights are
        averaged.
        """
        model, shape = self._adversaries, self.dataset.shape

        def build(_: int) -> Generation:
            made = model.generator(self._codes.size, shape)
            if not self.code.inference:
                return Generation(made)
            return Inference(made, model.encoder(shape, self.code.latent))

        seed = stream(self.execution.seed, "generator")
        return self.optimisation.player(
            self.execution.ensemble(build, seed=seed, average=self.optimisation.average)
        )

    def _discriminators(self) -> Player:
        """The discriminators, which may take several steps in one training step."""
        model, often = self._adversaries, self.game.discriminator_steps

        def build(_: int) -> nn.Module:
            return model.discriminator(
                self.dataset.shape, self.code.latent if self.code.inference else 0
            )

        networks = self.execution.ensemble(build, seed=stream(self.execution.seed, "discriminator"))
        return self.optimisation.player(
            networks, steps=self.steps * often, warmup=self.optimisation.warmup * often
        )

    def _regularisation(self, generators: Ensemble, batches: FreshBatches) -> Regularisation | None:
        """The penalty's copies, None if its strength is 0."""
        if self.regularizer is None:
            return None
        execution = self.execution

        @torch.no_grad()
        def rows(copy: int) -> Exposed:
            x, labels = batches.look(copy)
            source = generator(execution.place, execution.seed, copy, "look", "latent")
            code = self._codes.draw(labels, source)
            return Made(x, code, generators.copy(copy).train()(code.whole, x)).exposed

        critics = partial(execution.ensemble, seed=stream(execution.seed, "critic"))
        made = Regularisation(self.regularizer, rows, critics, self.steps)
        return made if made.strength else None

    def _check(
        self,
        generators: Ensemble,
        discriminators: Ensemble,
        regularisation: Regularisation | None,
    ) -> None:
        """Run all networks once on zeros, so that shapes that do not fit are refused before
        training.
        """
        batch = self.execution.replicates, self.optimisation.batch_size
        x = torch.zeros(*batch, *self.dataset.shape, device=self.execution.place)
        labels = torch.zeros(batch, dtype=torch.int64, device=x.device)
        latent = x.new_zeros(*batch, self.code.latent)
        outputs = (x, latent) if self.code.inference else (x,)
        made = Made(x, Code(latent, self._codes.one_hot(labels)), outputs)
        generators.check(made.code.whole, x)
        discriminators.check(*made.real)
        if regularisation is not None:
            regularisation.check(made.exposed)

    def _reader(self) -> GANReader:
        seed, device = self.execution.seed, self.execution.place
        recognised = recognition(self.dataset, Path(self.coverage.classifiers), device)
        points = generator(device, seed, "reference")
        return GANReader(
            self.dataset,
            self._codes,
            Coverage.of(self.dataset, recognised.recognise, points),
            recognised.error,
            self.game.objective,
            self.coverage.eval_samples,
            seed,
        )
