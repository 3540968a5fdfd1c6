"""InfoShape: encoders whose codes are to keep a label and to hide what else they are made of."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Joint
from infobound.models.noise.gaussian_noise import Noise
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed, expose
from infobound.regularizers.privacy_utility import PrivacyUtility
from infobound.runners.classify.fresh_classifier import FreshClassifier
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.estimate.fresh_estimates import FreshEstimates
from infobound.runners.infoshape.code_pairs import CodePairs, encode, one_hot
from infobound.runners.infoshape.task import Shaping
from infobound.runners.runs.records import Outcome, Record
from infobound.runners.training import limits
from infobound.runners.training.batches import RowBatches
from infobound.runners.training.devices import device_named
from infobound.runners.training.ensemble import Weights
from infobound.runners.training.flat_parameters import elementwise
from infobound.runners.training.loop import Cadence, Loop
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.readings import spread, together
from infobound.runners.training.schedule import Schedule
from infobound.runners.training.settings import Training


@dataclass(frozen=True, kw_only=True)
class InfoShape(Training):
    """Trains `replicates` encoders `model`, with critics of what codes tell of the input and of the
    label, and tests the codes.

    The pairs of `dataset` are inputs and one-hot labels. A code is tanh of what the encoder puts
    out, with normal `noise` of that standard deviation: a function of a continuous input tells of
    it without end, and with noise no more than its resolution allows, which longer codes cannot
    undo. Critics alone are trained for `warm_up` steps, and after each later step of the encoder
    they take theirs. Each copy has `train_rows` rows of its own, and is tested on `test_rows`
    others.

    In the end fresh critics read both informations on fresh pairs (`estimates`), and a fresh
    `classifier` of the training rows is tested on the test rows: by their codes, by those that the
    encoder gave before its first step, and by themselves.

    Raises ValueError for whatever is wrong with the settings.
    """

    dataset: Joint
    model: Callable[[int], nn.Module] | None
    regularizer: Regularizer | None
    optimizer: Callable[[list[Tensor]], Optimizer]
    estimates: FreshEstimates
    classifier: FreshClassifier
    noise: float
    train_rows: int
    test_rows: int
    warm_up: int
    steps: int
    eval_every: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Joint) or not one_hot(self.dataset):
            name = type(self.dataset).__name__
            raise ValueError(
                f"dataset must be one of inputs and one-hot labels, got {name}; use"
                " dataset=two_classes"
            )
        limits.encoders(self.model)
        kind = getattr(self.regularizer, "func", self.regularizer)
        if kind is not PrivacyUtility:
            name = getattr(kind, "__name__", "none")
            raise ValueError(
                f"regularizer must weigh privacy against utility, got {name}; use"
                " regularizer=privacy_utility"
            )
        super().__post_init__()
        limits.at_least(self, train_rows=4, test_rows=4, warm_up=0)
        if not 0 < self.noise < math.inf:
            raise ValueError(
                "noise must be above 0, or codes tell of their inputs without end, got"
                f" {self.noise}"
            )
        _ = self.cadence

    @property
    def cadence(self) -> Cadence:
        """When what is due."""
        return self.paced(self.steps, self.eval_every)

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
            record.write(
                trained.steps,
                "test",
                {name: each for name, each in metrics.items() if isinstance(each, float)},
            )
            return Outcome(
                metrics, metrics["mi_label"], sentence(metrics), trained.steps, trained.seconds
            )

        return run

    def task(self, device: torch.device) -> Shaping:
        """The encoders with their critics before the first step.

        Raises ValueError for whatever is wrong with the settings or the data.
        """
        model, penalty = self.model, self.regularizer
        assert model is not None, "checked by the constructor"
        assert penalty is not None, "checked by the constructor"
        train, test = (
            [
                self.dataset.sample(size, generator(device, self.seed, copy, split))
                for copy in range(self.replicates)
            ]
            for split, size in (("rows", self.train_rows), ("test", self.test_rows))
        )
        x, y = (torch.stack(each) for each in zip(*train, strict=True))
        batches = RowBatches(x, y, batch_size=self.batch_size, seed=self.seed)

        def build(_: int) -> nn.Module:
            return nn.Sequential(model(self.dataset.dim_x), nn.Tanh(), Noise(self.noise))

        networks = self.ensemble(build, stream(self.seed, "encoder"), device)
        networks.check(x[:, : self.batch_size])
        optimizer = elementwise(self.optimizer([networks.parameters]))
        encoders = Player(networks, optimizer, Schedule(optimizer, 0, None))

        def rows(copy: int) -> Exposed:
            inputs, labels = batches.look(copy)
            encoder = networks.copy(copy)
            source = generator(device, self.seed, copy, "look", "noise")
            codes = encode(encoder, inputs, source)
            return expose(input=inputs, label=labels, representation=codes)

        critics = partial(self.ensemble, seed=stream(self.seed, "critic"), device=device)
        regularisation = Regularisation(penalty, rows, critics, self.steps)
        with torch.no_grad():
            inputs, labels = x[:, : self.batch_size], y[:, : self.batch_size]
            regularisation.check(
                expose(input=inputs, label=labels, representation=encoders(inputs))
            )
        return Shaping(batches, encoders, regularisation, test, self.warm_up, self.seed)

    def _metrics(self, task: Shaping, device: torch.device) -> dict[str, Any]:
        found = together([self._tested(task, copy, device) for copy in range(self.replicates)])
        if self.replicates == 1:
            return found | {"stderr_of": "subsamples"}
        names = [
            name for name in found if f"{name}_replicates" in found and not name.endswith("_stderr")
        ]
        return (
            found
            | {f"{name}_stderr": spread(found[f"{name}_replicates"]).value for name in names}
            | {"stderr_of": "replicates"}
        )

    def _tested(self, task: Shaping, copy: int, device: torch.device) -> dict[str, float]:
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

    def _classified(
        self, task: Shaping, copy: int, released: Callable[[Tensor], Tensor], suffix: str
    ) -> dict[str, float]:
        """What a fresh classifier makes of the test rows of a copy."""
        train, test = (
            Labelled(released(x), y.argmax(1)) for x, y in (task.training(copy), task.test[copy])
        )
        found = self.classifier.test(
            train, test, self.dataset.dim_y, stream(self.seed, copy, "classifier")
        )
        return {f"{name}{suffix}": value for name, value in found.items()}


def sentence(metrics: Mapping[str, Any]) -> str:
    """The outcome as a person reads it."""
    told = ", ".join(
        f"I({of}) = {metrics[name]:.3f} nats"
        for of, name in (("Z;label", "mi_label"), ("X;Z", "mi_input"))
    )
    entropies = ", ".join(
        f"{metrics[f'cross_entropy{suffix}']:.3g} of {of}"
        for suffix, of in (
            ("", "the codes"),
            ("_random", "those of the first weights"),
            ("_raw", "the inputs"),
        )
    )
    return f"{told}; test cross-entropy {entropies}"
