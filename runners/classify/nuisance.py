"""The information about a nuisance in a classifier's representation, by a probe.

N images, D numbers in a representation.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from infobound.datasets.interfaces import Disturbed
from infobound.runners.classify.reading import Findings, Subject, over_images
from infobound.runners.runs.metrics import Quantity, single
from infobound.runners.training import probes


@dataclass(frozen=True)
class NuisanceProbe:
    """Predicts the nuisance of an image from its noisy representation by a linear classifier.

    It is trained on the first half of the test images and tested on the second: `nuisance_error` is
    its share of wrong answers, and `nuisance_chance` the error of always answering with the most
    frequent nuisance of the first half.

    Achille and Soatto 2018, section 5, https://arxiv.org/abs/1611.01353
    """

    dataset: Disturbed

    def check(self, module: nn.Module, x: Tensor) -> None: ...

    def __call__(self, subject: Subject) -> Findings:
        z = subject.representations("nuisance").cpu()
        return Findings(recovered(z, self.dataset.test_nuisances), {})


def recovered(z: Tensor, labels: Tensor) -> dict[str, Quantity]:
    """Train a probe on the first half of representations z (N, D) with labels (N,), and test it on
    the second.
    """
    half = len(z) // 2
    train, test = probes.scaled(z[:half], z[half:])
    error = 1 - probes.linear_accuracy(train, labels[:half], test, labels[half:])
    chance = (labels[half:] != labels[:half].mode().values).double().mean().item()
    return {
        "nuisance_error": over_images(error, len(test)),
        "nuisance_chance": single(chance, "share"),
    }
