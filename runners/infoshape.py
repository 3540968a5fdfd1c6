"""InfoShape: encoders whose codes are to keep a label and to hide what else they are made of.

R copies, B batch, N rows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from datasets.images import Labelled
from datasets.interfaces import Joint
from models.mlp_classifier import MLPClassifier
from models.noise import Noise
from models.noise_layers import Noiseless
from regularizers.base import Penalty
from regularizers.privacy_utility import PrivacyUtility
from runners import limits
from runners.batches import RowBatches
from runners.classifier_reading import sampled
from runners.classify import Classify
from runners.devices import device_named
from runners.ensemble import Ensemble, Weights
from runners.flat_parameters import elementwise
from runners.fresh_estimates import FreshEstimates
from runners.loop import Cadence, Loop
from runners.player import Player
from runners.randomness import generator, stream
from runners.readings import spread, together
from runners.records import InMemory, Outcome, Record
from runners.regularisation import Regularisation, Rows, held_out
from runners.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class InfoShape:
    """Trains `replicates` encoders `model`, with critics of what codes tell of the input and of the label, and tests the codes.

    The pairs of `dataset` are inputs and one-hot labels. A code is tanh of what the encoder puts out, with normal `noise` of
    that standard deviation: a function of a continuous input tells of it without end, and with noise no more than its
    resolution allows, which longer codes cannot undo. Critics alone are trained for `warm_up` steps, and after each later step
    of the encoder they take theirs. Each copy has `train_rows` rows of its own, and is tested on `test_rows` others.

    In the end fresh critics read both informations on fresh pairs (`estimates`), and fresh classifiers of `classifier_width`
    hidden units, trained on the codes of the training rows for `classifier_steps` steps, give the cross-entropy of test rows
    in nats: of the codes, of those that the encoder gave before its first step, and of the inputs themselves.

    Raises ValueError for whatever is wrong with the settings.
    """

    dataset: Joint
    model: Callable[[int], nn.Module] | None
    regularizer: Callable[[Rows], Penalty] | None
    optimizer: Callable[[list[Tensor]], Optimizer]
    estimates: FreshEstimates
    noise: float
    train_rows: int
    test_rows: int
    warm_up: int
    steps: int
    batch_size: int
    classifier_width: int
    classifier_steps: int
    classifier_batch_size: int
    classifier_optimizer: Callable[[list[Any]], Optimizer]
    log_every: int
    eval_every: int
    checkpoint_every: int
    checkpoint_seconds: float | None
    seed: int
    replicates: int
    device: str
    precision: Literal["fp32", "bf16"]
    compile: bool

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Joint) or not one_hot(self.dataset):
            name = type(self.dataset).__name__
            raise ValueError(f"dataset must be one of inputs and one-hot labels, got {name}; use dataset=two_classes")
        if not callable(self.model):
            name = "none" if self.model is None else type(self.model).__name__
            raise ValueError(f"model must be an encoder, got {name}; use model=mlp")
        kind = getattr(self.regularizer, "func", self.regularizer)
        if kind is not PrivacyUtility:
            name = getattr(kind, "__name__", "none")
            raise ValueError(f"regularizer must weigh privacy against utility, got {name}; use regularizer=privacy_utility")
        limits.at_least(self, train_rows=4, test_rows=4, warm_up=0, batch_size=2, replicates=1)
        limits.at_least(self, classifier_width=1, classifier_steps=1, classifier_batch_size=2)
        if not 0 < self.noise < math.inf:
            raise ValueError(f"noise must be above 0, or codes tell of their inputs without end, got {self.noise}")
        _ = self.cadence

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return Cadence(self.steps, self.log_every, self.eval_every, self.checkpoint_every, self.checkpoint_seconds)

    def prepare(self) -> Callable[[Record], Outcome]:
        """Draw the rows, build the networks and try them on a batch.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        cadence, device = self.cadence, device_named(self.device)
        task = self.task(device)
        self.estimates.check(CodePairs(self.dataset, task.encoder(0), True, self.test_rows, device))

        def run(record: Record) -> Outcome:
            trained = Loop(task, cadence, record).run()
            metrics = self._metrics(task, device)
            record.write(trained.steps, "test", {name: each for name, each in metrics.items() if isinstance(each, float)})
            return Outcome(metrics, metrics["mi_label"], sentence(metrics), trained.steps, trained.seconds)

        return run

    def task(self, device: torch.device) -> "Shaping":
        """The encoders with their critics before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        model, penalty = self.model, self.regularizer
        assert model is not None, "checked by the constructor"
        assert penalty is not None, "checked by the constructor"
        train, test = (
            [self.dataset.sample(size, generator(device, self.seed, copy, split)) for copy in range(self.replicates)]
            for split, size in (("rows", self.train_rows), ("test", self.test_rows))
        )
        x, y = (torch.stack(each) for each in zip(*train, strict=True))
        batches = RowBatches(x, y, batch_size=self.batch_size, seed=self.seed)
        networks = self._ensemble(
            lambda _: nn.Sequential(model(self.dataset.dim_x), nn.Tanh(), Noise(self.noise)), "encoder", device
        )
        networks.check(x[:, : self.batch_size])
        optimizer = elementwise(self.optimizer([networks.parameters]))
        encoders = Player(networks, optimizer, Schedule(optimizer, 0, None))

        def rows(copy: int) -> Rows:
            inputs, labels = batches.look(copy)
            encoder = networks.copy(copy)
            return exposed(inputs, labels, encode(encoder, inputs, generator(device, self.seed, copy, "look", "noise")))

        regularisation = Regularisation(penalty, rows, lambda build: self._ensemble(build, "critic", device), self.steps)
        with torch.no_grad():
            batch = x[:, : self.batch_size], y[:, : self.batch_size]
            regularisation.check(exposed(*batch, encoders(batch[0])))
        return Shaping(batches, encoders, regularisation, test, self.warm_up, self.seed)

    def _ensemble(self, build: Callable[[int], nn.Module], name: str, device: torch.device) -> Ensemble:
        return Ensemble(
            build,
            replicates=self.replicates,
            seed=stream(self.seed, name),
            device=device,
            precision=self.precision,
            compiled=self.compile,
            average=0.0,
        )

    def _metrics(self, task: "Shaping", device: torch.device) -> dict[str, Any]:
        found = together([self._tested(task, copy, device) for copy in range(self.replicates)])
        if self.replicates == 1:
            return found | {"stderr_of": "subsamples"}
        names = [name for name in found if f"{name}_replicates" in found and not name.endswith("_stderr")]
        return (
            found
            | {f"{name}_stderr": spread(found[f"{name}_replicates"]).value for name in names}
            | {"stderr_of": "replicates"}
        )

    def _tested(self, task: "Shaping", copy: int, device: torch.device) -> dict[str, float]:
        """What fresh critics and classifiers find out about the codes of a copy."""
        found = dict[str, float]()
        for name, of_input in (("label", False), ("input", True)):
            pairs = CodePairs(self.dataset, task.encoder(copy), of_input, self.test_rows, device)
            read = self.estimates.read(pairs, self.seed, copy, name)
            found |= {f"mi_{name}": read.value, f"mi_{name}_stderr": read.stderr}
        kinds: dict[str, Weights | None] = {"": None, "_random": task.first}
        for suffix, weights in kinds.items():
            encoder = task.encoder(copy, weights)
            source = generator(device, self.seed, copy, "released")
            found |= self._classified(task, copy, partial(encode, encoder, source=source), suffix)
        return found | self._classified(task, copy, lambda x: x, "_raw")

    def _classified(self, task: "Shaping", copy: int, released: Callable[[Tensor], Tensor], suffix: str) -> dict[str, float]:
        """Cross-entropy and error of a fresh classifier on the test rows of a copy."""
        train, test = (Labelled(released(x), y.argmax(1)) for x, y in (task.training(copy), task.test[copy]))
        classify = Classify(
            dataset=Released(train, test, self.dataset.dim_y),
            model=partial(
                MLPClassifier,
                hidden=[],
                bottleneck=self.classifier_width,
                activation="ReLU",
                additive=0.0,
                propagated=0,
                noise=Noiseless,
            ),
            regularizer=None,
            optimizer=self.classifier_optimizer,
            label_smoothing=0.0,
            confidence_penalty=0.0,
            steps=self.classifier_steps,
            batch_size=self.classifier_batch_size,
            average=0.0,
            warmup=0,
            drops=[self.classifier_steps // 2, self.classifier_steps // 4 * 3] if self.classifier_steps > 3 else [],
            drop=0.3,
            weights="last",
            samples=0,
            log_every=self.classifier_steps,
            eval_every=self.classifier_steps,
            checkpoint_every=self.classifier_steps,
            checkpoint_seconds=None,
            seed=stream(self.seed, copy, "classifier"),
            replicates=1,
            device=self.device,
            precision="fp32",
            compile=False,
        )
        classification = classify.task(train.images.device)
        Loop(classification, classify.cadence, InMemory()).run()
        metrics = classification.read()
        return {f"{name}{suffix}": metrics[name] for name in ("cross_entropy", "error")}


class Shaping:
    """A Task: critics learn for `warm_up` steps, then encoders descend their difference once before the critics' next steps."""

    def __init__(
        self,
        batches: RowBatches,
        encoders: Player,
        regularisation: Regularisation,
        test: Sequence[tuple[Tensor, Tensor]],
        warm_up: int,
        seed: int,
    ) -> None:
        self._batches, self._encoders, self._regularisation = batches, encoders, regularisation
        self.test, self._warm_up, self._seed, self._steps = test, warm_up, seed, 0
        self.first = encoders.networks.weights()
        """Those of the encoders before the first step."""

    def step(self) -> Mapping[str, Tensor]:
        x, y = self._batches.draw()
        terms = self._regularisation.terms(exposed(x, y, self._encoders(x)))
        if self._steps >= self._warm_up:
            self._encoders.follow(self._encoders.networks.gradient(terms.penalty))
        self._steps += 1
        self._regularisation.fit(self._fresh)
        return {"loss": terms.value}

    def evaluate(self, step: int) -> dict[str, Any]:
        """What the critics in training read of the test rows."""
        return together([self._read(copy, step) for copy in range(len(self.test))])

    def finished(self) -> bool:
        return False

    def encoder(self, copy: int, weights: Weights | None = None) -> nn.Module:
        """That of a copy, as it is or with these weights; the next call overwrites it."""
        return self._encoders.networks.copy(copy, weights)

    def training(self, copy: int) -> tuple[Tensor, Tensor]:
        """The training rows of a copy."""
        return self._batches.look(copy)

    def state(self) -> dict[str, Any]:
        return {**{name: part.state() for name, part in self._parts.items()}, "steps": self._steps}

    def load(self, state: Mapping[str, Any]) -> None:
        self._steps = state["steps"]
        for name, part in self._parts.items():
            part.load(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        return {"batches": self._batches, "encoders": self._encoders, "regularisation": self._regularisation}

    def _fresh(self) -> Rows:
        x, y = self._batches.draw()
        return exposed(x, y, self._encoders(x))

    def _read(self, copy: int, step: int) -> dict[str, float]:
        x, y = self.test[copy]
        z = encode(self.encoder(copy), x, generator(x.device, self._seed, copy, "validation", step))
        penalty = self._regularisation.penalty(copy)
        assert isinstance(penalty, PrivacyUtility), "checked by the runner's constructor"
        return {"mi_label": held_out(penalty.utility, y, z), "mi_input": held_out(penalty.privacy, x, z)}


@dataclass(frozen=True, eq=False)
class CodePairs:
    """A Joint: fresh inputs, or their labels, against the codes that an encoder gives them."""

    base: Joint
    encoder: nn.Module
    of_input: bool
    rows: int
    device: torch.device
    mutual_information: float | None = None

    @property
    def dim_x(self) -> int:
        return self.base.dim_x if self.of_input else self.base.dim_y

    @property
    def dim_y(self) -> int:
        return self.sample(2, torch.Generator(self.device))[1].shape[1]

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pairs x (size, dim_x) and y (size, dim_y)."""
        x, y = self.base.sample(size, generator)
        return x if self.of_input else y, encode(self.encoder, x, generator)

    def each(self, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As many pairs as there are test rows, for what trains no critic."""
        return self.sample(self.rows, generator)


@dataclass(frozen=True, eq=False)
class Released:
    """Classified: rows as a classifier is given them, training and test ones."""

    train_images: Labelled
    test_images: Labelled
    classes: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.train_images.images.shape[1:])

    @property
    def validation_images(self) -> Labelled:
        return Labelled(*(part[:0] for part in self.train_images))

    def seen(self, images: Tensor, generator: object) -> Tensor:
        return images


@torch.no_grad()
def encode(encoder: nn.Module, x: Tensor, source: torch.Generator) -> Tensor:
    """Codes (N, D) of x (N, dim_x), with their noise."""
    sampled(encoder.eval(), source)
    return encoder(x)


def exposed(x: Tensor, y: Tensor, z: Tensor) -> Rows:
    """What the penalty asks for."""
    return {"input": x, "label": y, "representation": z}


def one_hot(joint: Joint) -> bool:
    """Whether y has one 1 in a row, and else zeros."""
    _, y = joint.sample(64, torch.Generator().manual_seed(0))
    return bool(y.shape[1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it."""
    told = ", ".join(f"I({of}) = {metrics[name]:.3f} nats" for of, name in (("Z;label", "mi_label"), ("X;Z", "mi_input")))
    entropies = ", ".join(
        f"{metrics[f'cross_entropy{suffix}']:.3g} of {of}"
        for suffix, of in (("", "the codes"), ("_random", "those of the first weights"), ("_raw", "the inputs"))
    )
    return f"{told}; test cross-entropy {entropies}"
