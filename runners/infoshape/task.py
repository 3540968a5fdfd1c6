"""The task of training encoders whose codes keep a label and hide their input, together with the
critics of both informations, R at once.

R copies, B batch, N rows.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from infobound.regularizers.exposed import Exposed, expose
from infobound.regularizers.privacy_utility import PrivacyUtility
from infobound.runners.critics.regularisation import Regularisation, held_out
from infobound.runners.infoshape import reading
from infobound.runners.infoshape.codes import encode
from infobound.runners.infoshape.reading import CodeReader
from infobound.runners.infoshape.samples import LabelledInputs
from infobound.runners.runs.metrics import Quantity, together
from infobound.runners.training.batches import RowBatches
from infobound.runners.training.player import Player
from infobound.runners.training.randomness import generator
from infobound.runners.training.task import Kept, Task


class Shaping(Task):
    """Critics learn for `warm_up` steps; then the encoders take one step to minimise the penalty
    before the critics' next steps.
    """

    def __init__(
        self,
        batches: RowBatches,
        encoders: Player,
        regularisation: Regularisation,
        test: Sequence[LabelledInputs],
        reader: CodeReader,
        *,
        warm_up: int,
        seed: int,
    ) -> None:
        self.batches, self.encoders, self.regularisation = batches, encoders, regularisation
        self._test, self._reader = test, reader
        self._warm_up, self._seed = warm_up, seed
        self._done = Kept(steps=0)
        self.first = encoders.networks.weights()
        """The encoders' weights before the first step."""
        self.parts = {
            "batches": batches,
            "encoders": encoders,
            "regularisation": regularisation,
            "done": self._done,
        }
        self.read_again = ["encoders"]

    def step(self) -> Mapping[str, Tensor]:
        terms = self.regularisation.terms(self._drawn())
        if self._done["steps"] >= self._warm_up:
            self.encoders.follow(self.encoders.networks.gradient(terms.penalty))
        self._done["steps"] += 1
        self.regularisation.fit(self._drawn)
        return {"loss": terms.value}

    def evaluate(self, step: int) -> dict[str, Quantity]:
        """The readings of the training's critics on the test rows."""
        return together([self._read(copy, step) for copy in range(len(self._test))], "nats")

    def read(self, step: int) -> dict[str, Quantity]:
        """Test the codes with fresh critics and classifiers.

        Raises RunFailed if an estimate is not finite.
        """
        return reading.metrics(
            [
                self._reader.read(
                    copy,
                    self.encoder(copy),
                    self.encoders.networks.copy(copy, self.first),
                    LabelledInputs(*self.batches.look(copy)),
                    test,
                )
                for copy, test in enumerate(self._test)
            ]
        )

    def encoder(self, copy: int) -> nn.Module:
        """The encoder of a copy with its current weights."""
        return self.encoders.networks.copy(copy)

    def _drawn(self) -> Exposed:
        """The tensors that a batch of training rows exposes to the penalty."""
        x, y = self.batches.draw()
        return expose(input=x, label=y, representation=self.encoders(x))

    def _read(self, copy: int, step: int) -> dict[str, float]:
        x, y = self._test[copy]
        z = encode(self.encoder(copy), x, generator(x.device, self._seed, copy, "validation", step))
        penalty = self.regularisation.penalty(copy)
        if not isinstance(penalty, PrivacyUtility):
            raise TypeError(f"penalty must weigh privacy, got {type(penalty).__name__}")
        return {
            "mi_label": held_out(penalty.utility, y, z),
            "mi_input": held_out(penalty.privacy, x, z),
        }
