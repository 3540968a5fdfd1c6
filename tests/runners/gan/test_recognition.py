"""Recognition: the classifier of digits is trained once, saved, and recognises images."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from infobound.datasets.images.labelled import Images, Labelled
from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.datasets.modes.stacked_mnist import StackedMnist, pixels
from infobound.runners.gan.digit_classifier import DigitClassifier, Recipe, digit_classifier
from infobound.runners.gan.recognition import recognition

CPU = torch.device("cpu")
RECIPE = Recipe(channels=(4,), hidden=16, steps=60, batch_size=20, rate=1e-2, warmup=5, seed=0)
REAL = Path(__file__).parents[4] / "shared" / "data"


def bars(size: int, seed: int) -> Labelled:
    """Noisy images in which digit k is a bright bar in row 2 k."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(size) % 10
    images = torch.randint(60, (size, 1, 24, 24), generator=generator)
    images[torch.arange(size), 0, 2 * labels] += 190
    return Labelled(images.to(torch.uint8), labels)


DIGITS = Images(bars(200, 0), bars(50, 1))


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def trainings(caplog: pytest.LogCaptureFixture) -> Callable[[], int]:
    """The number of classifiers that have been trained so far."""
    caplog.set_level(logging.INFO)
    return lambda: sum("training a classifier" in each.message for each in caplog.records)


def test_a_classifier_learns_and_its_error_is_that_of_the_test_digits(tmp_path: Path) -> None:
    classifier = digit_classifier(DIGITS, tmp_path, CPU, RECIPE)
    assert classifier.error <= 0.1
    wrong = classifier(pixels(DIGITS.test.images)).nearest != DIGITS.test.labels
    assert wrong.double().mean().item() == pytest.approx(classifier.error)


def test_it_is_trained_once(tmp_path: Path, trainings: Callable[[], int]) -> None:
    first = digit_classifier(DIGITS, tmp_path, CPU, RECIPE)
    again = digit_classifier(DIGITS, tmp_path, CPU, RECIPE)
    assert trainings() == 1
    assert again.error == first.error
    x = pixels(DIGITS.test.images)
    assert again(x).nearest.equal(first(x).nearest)
    assert [path.suffix for path in tmp_path.iterdir()] == [".pt"]


@pytest.mark.parametrize(
    ("digits", "recipe"),
    [
        (DIGITS, replace(RECIPE, seed=1)),
        (DIGITS, replace(RECIPE, steps=61)),
        (Images(bars(200, 2), DIGITS.test), RECIPE),
        (Images(DIGITS.train, bars(50, 3)), RECIPE),
    ],
)
def test_other_settings_or_digits_make_another(
    tmp_path: Path, digits: Images, recipe: Recipe
) -> None:
    digit_classifier(DIGITS, tmp_path, CPU, RECIPE)
    digit_classifier(digits, tmp_path, CPU, recipe)
    assert len(kept(tmp_path)) == 2


def test_the_same_settings_make_the_same_weights(tmp_path: Path) -> None:
    for folder in "ab":
        digit_classifier(DIGITS, tmp_path / folder, CPU, RECIPE)
    assert kept(tmp_path / "a") == kept(tmp_path / "b")


def test_of_two_at_once_one_trains_and_the_other_waits(
    tmp_path: Path, trainings: Callable[[], int]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        made = [*pool.map(lambda _: digit_classifier(DIGITS, tmp_path, CPU, RECIPE), range(2))]
    assert trainings() == 1
    assert made[0].error == made[1].error


def test_an_image_is_good_where_every_digit_is_clear() -> None:
    """A network whose logits are the first ten pixels."""
    classifier = DigitClassifier(torch.nn.Sequential(torch.nn.Flatten()), 0.0)
    clear = 9.0 * torch.eye(10)[torch.tensor([[4, 0, 7], [9, 9, 9]])].unsqueeze(2)
    clear[1, 2] = 0
    recognised = classifier(clear)
    assert recognised.nearest.tolist() == [407, 990]
    assert recognised.good.tolist() == [True, False]


def test_points_are_recognised_by_distance_and_nothing_is_written(tmp_path: Path) -> None:
    ring = GaussianModes.ring(8, 2.0, 0.02)
    found = recognition(ring, tmp_path / "classifiers", CPU)
    assert found.error is None
    assert found.recognise(ring.centres.float()).nearest.tolist() == list(range(8))
    assert not [*tmp_path.iterdir()]


def test_stacked_digits_are_recognised_by_a_classifier_of_their_own_digits(tmp_path: Path) -> None:
    dataset = StackedMnist(*DIGITS, channels=3)
    found = recognition(dataset, tmp_path, CPU, RECIPE)
    assert found.error is not None
    x, labels = dataset.held_out(200, torch.Generator().manual_seed(0))
    assert (found.recognise(x).nearest == labels).double().mean() >= 1 - 5 * found.error


def test_unrecognisable_modes_are_refused(tmp_path: Path) -> None:
    unknown: Any = object()
    with pytest.raises(
        ValueError, match=r"^dataset must have modes with positions or show digits, got object"
    ):
        recognition(unknown, tmp_path, CPU)


@pytest.mark.slow
@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not beside this checkout, in ../shared/data"
)
def test_real_digits_are_recognised_with_one_error_in_a_hundred_at_most(tmp_path: Path) -> None:
    dataset = StackedMnist.read(str(REAL), channels=3)
    assert 0 < (recognition(dataset, tmp_path, CPU).error or 0) <= 0.01
