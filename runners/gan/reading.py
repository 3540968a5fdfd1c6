"""Read generators on held-out codes: the modes that their samples cover, and reconstructions of
held-out data.

R copies, N samples.
"""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from infobound.datasets.modes.interface import Modes, Recognised
from infobound.models.adversaries.interface import Generation, Inference
from infobound.reserved import Reserved
from infobound.runners.gan.codes import CodeDistribution
from infobound.runners.gan.coverage import Coverage
from infobound.runners.gan.image_similarity import ms_ssim
from infobound.runners.gan.made import Made
from infobound.runners.gan.objectives import AdversarialObjective
from infobound.runners.runs.metrics import JSON, Quantity, Unit, together, with_errors
from infobound.runners.runs.sample_plots import SIDE
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.randomness import generator
from infobound.runners.training.settings import Settings

CHUNK = 2500
"""Number of samples that are generated at a time."""
RESAMPLES = 20
"""Number of resamples of one copy's samples, for standard errors."""
POINTS, IMAGES = 2000, SIDE**2
"""Numbers of samples of each copy that are kept and shown."""
UNITS: Mapping[str, Unit] = {
    "high_quality": "share",
    "kl": "nats",
    "js": "nats",
    "same_mode": "share",
}


@dataclass(frozen=True, kw_only=True)
class CoverageSettings(Settings):
    """Measures `eval_samples` generated samples at each evaluation; classifiers of digits are kept
    in the folder `classifiers`.

    A run fails if all discriminators were never wrong at `patience` evaluations in a row; None
    never fails.

    Raises ValueError for values out of range.
    """

    eval_samples: int
    patience: int | None
    classifiers: Reserved[str]

    def __post_init__(self) -> None:
        limits.at_least(self, eval_samples=2)
        limits.positive_or_null(self, "patience")


@dataclass(frozen=True)
class GANReader:
    """Measures `samples` samples of each copy's generator, in evaluation mode and with averaged
    weights, from held-out codes.
    """

    dataset: Modes
    codes: CodeDistribution
    coverage: Coverage
    classifier_error: float | None
    objective: AdversarialObjective
    samples: int
    seed: int

    def validate(
        self, step: int, generators: Ensemble, discriminators: Ensemble
    ) -> dict[str, Quantity]:
        """Measure the copies' samples after `step` steps, and the discriminators' loss."""
        copies = []
        for copy in range(generators.replicates):
            module = _module(generators, copy)
            made = self._made(module, copy, "validation", step, self.samples)
            loss = self._loss(made[0], discriminators.copy(copy).eval())
            copies.append(self._measured(made, module) | {"discriminator": loss})
        return together(copies, UNITS)

    def test(self, step: int, generators: Ensemble) -> dict[str, Quantity | JSON]:
        """Measure samples from codes that no evaluation has used, without the discriminators, with
        standard errors; for one copy these are over resamples of its samples.
        """
        copies, alone = [], dict[str, float]()
        # one copy at a time, because a thousand modes need many samples
        for copy in range(generators.replicates):
            module = _module(generators, copy)
            made = self._made(module, copy, "test", step, self.samples)
            copies.append(self._measured(made, module))
            if generators.replicates == 1:
                alone = self._errors(made, module)
        error = self.classifier_error
        return {
            **with_errors(together(copies, UNITS), alone, "samples"),
            "of_modes": len(self.coverage.shares),
            **({} if error is None else {"classifier_error": error}),
        }

    def tested(self, step: int, generators: Ensemble) -> dict[str, Tensor]:
        """The samples (R, N, *shape) that test() measures, and their codes (R, N, L + C)."""
        copies = [
            self._made(_module(generators, copy), copy, "test", step, self.samples)
            for copy in range(generators.replicates)
        ]
        samples = [torch.cat([each.outputs[0] for each in made]).float() for made in copies]
        codes = [torch.cat([each.code.whole for each in made]) for made in copies]
        return {"samples": torch.stack(samples), "codes": torch.stack(codes)}

    def shown(self, generators: Ensemble, copy: int) -> Made:
        """A copy's samples from the same codes at every step, for figures."""
        size = POINTS if self.dataset.shape == (2,) else IMAGES
        [made] = self._made(_module(generators, copy), copy, "shown", 0, size)
        return made

    @torch.no_grad()
    def _made(
        self, module: Generation, copy: int, split: str, step: int, samples: int
    ) -> list[Made]:
        """Held-out data and codes, the same for one split and step, with a copy's outputs."""
        source = generator(self.coverage.shares.device, self.seed, copy, "held out", split, step)
        return [self._chunk(module, size, source) for size in _sizes(samples)]

    def _chunk(self, module: Generation, size: int, source: torch.Generator) -> Made:
        x, labels = self.dataset.held_out(size, source)
        code = self.codes.draw(labels, source)
        return Made(x, code, module(code.whole, x))

    def _measured(self, made: list[Made], module: Generation) -> dict[str, float]:
        found = self.coverage(torch.cat([each.outputs[0] for each in made]).float())
        return found | {
            name: rows.mean().item() for name, rows in self._reconstructed(made, module).items()
        }

    @torch.no_grad()
    def _reconstructed(self, made: list[Made], module: Generation) -> dict[str, Tensor]:
        """For reconstructions G(E(x)) of held-out x: squared distances (N,), whether the mode is
        the same, and MS-SSIM for images.

        Empty without an encoder.
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
        """Compare data with reconstructions, (N,) each."""
        recognise = self.coverage.recognise
        found = {
            "reconstruction": (again - x).flatten(1).square().sum(1).double(),
            "same_mode": (recognise(again).nearest == recognise(x).nearest).double(),
        }
        return found | ({"ms_ssim": ms_ssim(x, again)} if x.ndim == 4 else {})

    @torch.no_grad()
    def _loss(self, made: Made, discriminator: nn.Module) -> float:
        """The discriminator's loss on held-out data and samples."""
        real, fake = (discriminator(*side)[None].float() for side in (made.real, made.fake))
        return self.objective.discriminator(real, fake).item()

    def _errors(self, made: list[Made], module: Generation) -> dict[str, float]:
        """Standard errors of one copy's metrics: over resamples with replacement, or for means over
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


def sentence(metrics: Written) -> str:
    """The outcome in one sentence, such as `25 of 25 modes, high quality 0.86 ± 0.01, KL 0.012 and
    JS 0.05 nats`.
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


def _module(generators: Ensemble, copy: int) -> Generation:
    """A copy in evaluation mode."""
    module = generators.copy(copy).eval()
    if not isinstance(module, Generation):
        raise TypeError(f"the copies must be generations, got {type(module).__name__}")
    return module


def _sizes(samples: int) -> Iterator[int]:
    """The sizes of chunks."""
    while samples > 0:
        yield min(samples, CHUNK)
        samples -= CHUNK
