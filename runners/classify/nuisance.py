"""What a representation tells of what a classifier was not asked for.

N images, D numbers of a representation.
"""

from torch import Tensor, nn

from infobound.datasets.interfaces import Disturbed
from infobound.runners.classify.reading import Draw, Subject
from infobound.runners.training import probes


class NuisanceProbe:
    """Tells the nuisance of an image from its representation, with noise, by a linear classifier.

    It is trained on the first half of the test images and read on the second: `nuisance_error` is
    its share of wrong answers, and `nuisance_chance` that of always naming what is most frequent in
    the first half, which knows nothing of the image.

    Achille and Soatto 2018, section 5, https://arxiv.org/abs/1611.01353
    """

    def check(self, module: nn.Module, x: Tensor) -> None: ...

    def __call__(self, subject: Subject, draw: Draw) -> dict[str, float]:
        assert isinstance(subject.dataset, Disturbed), "chosen for such data alone"
        return recovered(subject.representations("nuisance").cpu(), subject.dataset.test_nuisances)


def recovered(z: Tensor, labels: Tensor) -> dict[str, float]:
    """What the second half of representations z (N, D) tells of their labels (N,) to who has learnt
    from the first.
    """
    half = len(z) // 2
    train, test = probes.scaled(z[:half], z[half:])
    error = 1 - probes.linear(train, labels[:half], test, labels[half:])
    frequent = labels[:half].mode().values
    return {
        "nuisance_error": error,
        "nuisance_error_stderr": probes.stderr(error, len(test)),
        "nuisance_chance": (labels[half:] != frequent).double().mean().item(),
    }
