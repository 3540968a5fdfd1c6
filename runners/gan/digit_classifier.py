"""A classifier of single digits, trained once and kept, which recognises generated digits.

N images, C channels.
"""

import hashlib
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from infobound.datasets.images.labelled import Images, Labelled
from infobound.datasets.modes import stacked_mnist
from infobound.datasets.modes.interface import Recognised
from infobound.models.classifiers.lenet import LeNet
from infobound.runners.runs import checkpoint
from infobound.runners.runs.locks import locked
from infobound.runners.runs.metrics import Quantity
from infobound.runners.runs.records import InMemory
from infobound.runners.runs.schemas import NUMBER, STATES
from infobound.runners.runs.written import State
from infobound.runners.training.batches import RowBatches
from infobound.runners.training.loop import Loop
from infobound.runners.training.settings import Cadence, Execution, Optimisation
from infobound.runners.training.task import Task

log = logging.getLogger(__name__)
CHUNK = 2048
"""Number of images that are classified at a time."""
CONFIDENCE = 0.5
"""Minimum probability of every digit in a high-quality image: more than that of all other digits
together.
"""
OF_A_CLASSIFIER = {"network": STATES, "error": NUMBER}
"""The values of its file."""
PATIENCE = 3600
"""Seconds to wait for another process that trains the same classifier."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a classifier's training."""

    channels: tuple[int, ...]
    hidden: int
    steps: int
    batch_size: int
    rate: float
    warmup: int
    seed: int


RECIPE = Recipe(
    channels=(16, 32), hidden=128, steps=1400, batch_size=128, rate=3e-3, warmup=200, seed=0
)
"""Takes half a minute on one core for three epochs; the test error is 0.8 %."""


class DigitClassifier:
    """Recognises single digits, and images whose channels are digits."""

    def __init__(self, network: nn.Module, error: float) -> None:
        self._network = network
        self.error = error
        """Test error of the classifier."""

    def __call__(self, x: Tensor) -> Recognised:
        """The numbers that the digits of images x (N, C, height, width) from -1 to 1 spell, and
        whether all digits are clear.
        """
        confidence, digits = (
            logits(self._network, x.flatten(0, 1).unsqueeze(1)).softmax(dim=1).max(dim=1)
        )
        clear = confidence.view(len(x), -1) > CONFIDENCE
        return Recognised(stacked_mnist.mode(digits.view(len(x), -1)), clear.all(dim=1))


def digit_classifier(
    digits: Images, folder: Path, device: torch.device, recipe: Recipe = RECIPE
) -> DigitClassifier:
    """The classifier of a recipe and these digits, read from `folder` or trained and saved there;
    it waits for another process that trains the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_digest(recipe, digits)}.pt"
    with locked(folder, seconds=PATIENCE):
        state = checkpoint.load(path, OF_A_CLASSIFIER)
        if state is None:
            log.info("training a classifier of digits, once; it will be saved in %s", path)
            state = _trained(digits, recipe, device)
            checkpoint.save(path, state)
    network = _network(digits, recipe)
    with checkpoint.fitting(path):
        network.load_state_dict(state["network"])
    return DigitClassifier(network.to(device), state["error"])


@torch.no_grad()
def logits(network: nn.Module, x: Tensor) -> Tensor:
    """Logits (N, 10) of images x (N, 1, height, width)."""
    return torch.cat([network(chunk) for chunk in x.split(CHUNK)])


class DigitTraining(Task):
    """Trains one network with cross-entropy on the training digits."""

    def __init__(self, digits: Images, recipe: Recipe, device: torch.device) -> None:
        execution = Execution(seed=recipe.seed, device=str(device))
        optimisation = Optimisation(
            optimizer=partial(torch.optim.AdamW, lr=recipe.rate, fused=True),
            steps=recipe.steps,
            batch_size=recipe.batch_size,
            warmup=recipe.warmup,
            cosine=True,
        )
        networks = execution.ensemble(lambda _: _network(digits, recipe), replicates=1)
        self._player = optimisation.player(networks)
        images, labels = (part.to(device) for part in digits.train)
        rows = images.flatten(1)[None], labels[None, :, None]
        self._batches = RowBatches(*rows, batch_size=recipe.batch_size, seed=recipe.seed)
        self._test = Labelled(*(part.to(device) for part in digits.test))
        self.parts = {"classifier": self._player, "batches": self._batches}

    def step(self) -> dict[str, Tensor]:
        x, labels = self._batches.draw()
        images = stacked_mnist.pixels(x).unflatten(2, (1, *self._test.images.shape[2:]))
        loss = nn.functional.cross_entropy(self._player.networks(images), labels[0, :, 0])
        self._player.descend(loss)
        return {"loss": loss.detach()}

    def read(self, step: int) -> dict[str, Quantity]:
        """The error on the test digits."""
        found = logits(self.network(), stacked_mnist.pixels(self._test.images)).argmax(dim=1)
        wrong = (found != self._test.labels).double().mean().item()
        return {"error": Quantity([wrong], unit="share")}

    def network(self) -> nn.Module:
        """The classifier with its current weights."""
        return self._player.networks.copy(0)


def _trained(digits: Images, recipe: Recipe, device: torch.device) -> State:
    """Train a classifier; return its weights and its test error."""
    task, steps = DigitTraining(digits, recipe, device), recipe.steps
    cadence = Cadence(log_every=100, eval_every=None, checkpoint_every=steps)
    Loop(task, steps, cadence, InMemory()).run()
    return {"network": task.network().state_dict(), "error": task.read(steps)["error"].value}


def _network(digits: Images, recipe: Recipe) -> nn.Module:
    side = digits.train.images.shape[-1]
    return LeNet(side, stacked_mnist.DIGITS, channels=recipe.channels, hidden=recipe.hidden)


def _digest(recipe: Recipe, digits: Images) -> str:
    """A fingerprint of a classifier's recipe and data."""
    digest = hashlib.sha256(repr(recipe).encode())
    for part in (*digits.train, *digits.test):
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
