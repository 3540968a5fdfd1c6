"""InfoShape: encoders whose codes should keep a label and hide everything else of the input."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from infobound.datasets.interfaces import Joint
from infobound.errors import SettingError
from infobound.regularizers.base import Regularizer
from infobound.regularizers.exposed import Exposed, expose
from infobound.regularizers.privacy_utility import PrivacyUtility
from infobound.runners.critics.regularisation import Regularisation
from infobound.runners.infoshape import reading
from infobound.runners.infoshape.codes import Codes, encode
from infobound.runners.infoshape.reading import CodeReader, CodeTests
from infobound.runners.infoshape.samples import Samples, one_hot
from infobound.runners.infoshape.task import Shaping
from infobound.runners.runs.records import Record
from infobound.runners.runs.written import Written
from infobound.runners.training import limits
from infobound.runners.training.batches import RowBatches
from infobound.runners.training.randomness import generator, stream
from infobound.runners.training.runner import Runner

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class InfoShape(Runner[Shaping]):
    """Trains `replicates` encoders of `codes` with two critics, which estimate the information of
    codes about the input and about the label, and tests the codes.

    The pairs of `dataset` are inputs and one-hot labels. Only the critics are trained in the first
    `warm_up` steps; later they take their steps after each step of the encoder.

    Raises ValueError if a setting is wrong.
    """

    dataset: Joint
    codes: Codes
    regularizer: Regularizer | None
    samples: Samples
    tests: CodeTests
    warm_up: int

    def __post_init__(self) -> None:
        if not isinstance(self.dataset, Joint) or not one_hot(self.dataset):
            name = type(self.dataset).__name__
            raise SettingError(
                "dataset",
                "must have pairs of inputs and one-hot labels",
                name,
                "use dataset=two_classes",
            )
        _ = self._penalty, self.steps
        limits.at_least(self, warm_up=0)

    @property
    def score(self) -> str:
        return "mi_label"

    def sentence(self, metrics: Written) -> str:
        return reading.sentence(metrics)

    def figures(self, task: Shaping, record: Record, step: int) -> "Iterable[tuple[str, Figure]]":
        # Matplotlib takes a second to import, which a refused run need not wait for.
        from infobound.runners.runs import plots

        names = {"mi_label": "of code and label", "mi_input": "of code and input"}
        history = record.history()
        if any(line["split"] == "validation" for line in history):  # not of a loaded run
            yield "estimate", plots.curves(history, names, "mutual information in nats")

    def task(self) -> Shaping:
        """The encoders with their critics before the first step.

        Raises ValueError if settings or data are wrong.
        """
        execution, optimisation = self.execution, self.optimisation
        train = self.samples.train(self.dataset, execution)
        x, y = (torch.stack(each) for each in zip(*train, strict=True))
        size = optimisation.batch_size
        batches = RowBatches(x, y, batch_size=size, seed=execution.seed)
        networks = execution.ensemble(
            lambda _: self.codes.encoder(self.dataset.dim_x),
            seed=stream(execution.seed, "encoder"),
            average=optimisation.average,
        )
        networks.check(x[:, :size])
        encoders = optimisation.player(networks, steps=max(0, self.steps - self.warm_up))

        def rows(copy: int) -> Exposed:
            inputs, labels = batches.look(copy)
            source = generator(execution.place, execution.seed, copy, "look", "noise")
            return expose(
                input=inputs,
                label=labels,
                representation=encode(networks.copy(copy), inputs, source),
            )

        critics = partial(execution.ensemble, seed=stream(execution.seed, "critic"))
        regularisation = Regularisation(self._penalty, rows, critics, self.steps)
        with torch.no_grad():
            batch = x[:, :size]
            regularisation.check(
                expose(input=batch, label=y[:, :size], representation=encoders(batch))
            )
        reader = CodeReader(self.dataset, self.tests, execution)
        reader.check(networks.copy(0))
        return Shaping(
            batches,
            encoders,
            regularisation,
            self.samples.test(self.dataset, execution),
            reader,
            warm_up=self.warm_up,
            seed=execution.seed,
        )

    @property
    def _penalty(self) -> Regularizer:
        penalty = self.regularizer
        kind = getattr(penalty, "func", penalty)
        if penalty is None or kind is not PrivacyUtility:
            name = getattr(kind, "__name__", "none")
            raise SettingError(
                "regularizer",
                "must weigh privacy against utility",
                name,
                "use regularizer=privacy_utility",
            )
        return penalty
