"""Labelled images: a classifier's inputs, whitening, clutter, and refused settings."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.images import mnist, whitening
from infobound.datasets.images.cifar10_images import Cifar10Images, normalised
from infobound.datasets.images.cluttered_mnist import Clutter, ClutteredMnist
from infobound.datasets.images.labelled import Images, Labelled
from infobound.datasets.images.mnist_images import MnistImages
from infobound.datasets.images.occluded_cifar10 import OccludedCifar10, occluded
from infobound.datasets.interfaces import Boxed, Classified, Disturbed, Joint, Rows, Views
from infobound.datasets.modes.interface import Modes

REAL = Path(__file__).parents[3] / "shared" / "data"
CLUTTER: dict[str, Any] = {
    "canvas": 12,
    "number": 3,
    "size": 2,
    "placement": "anywhere",
    "border": 0,
}


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits(count: int, seed: int, side: int = 4) -> Labelled:
    images = torch.randint(
        1, 256, (count, 1, side, side), generator=source(seed), dtype=torch.uint8
    )
    return Labelled(images, torch.arange(count) % 10)


def hidden(**changes: Any) -> Clutter:
    return Clutter(**{**CLUTTER, **changes})


def cluttered(fresh: bool = True, seed: int = 0, **clutter: Any) -> ClutteredMnist:
    return ClutteredMnist(Images(digits(40, 1), digits(10, 2)), hidden(**clutter), 8, fresh, seed)


FAMILY: dict[str, Callable[[Path], Classified]] = {
    "mnist": lambda data_dir: MnistImages.read(str(data_dir), 10),
    "cifar10_images": lambda data_dir: Cifar10Images.read(str(data_dir), 10, False, "unused"),
    "cluttered_mnist": lambda data_dir: ClutteredMnist.read(
        str(data_dir), 40, 5, 5, "anywhere", 0, 10, True, 0
    ),
    "occluded_cifar10": lambda data_dir: OccludedCifar10.read(str(data_dir), 10, True, 0),
    "occluded once": lambda data_dir: OccludedCifar10.read(str(data_dir), 10, False, 0),
    "fixed": lambda data_dir: ClutteredMnist.read(
        str(data_dir), 40, 5, 5, "around", 0, 10, False, 0
    ),
}


@pytest.mark.parametrize("read", FAMILY.values(), ids=FAMILY)
def test_inputs_have_the_promised_shape(read: Callable[[Path], Classified], data_dir: Path) -> None:
    dataset = read(data_dir)
    assert isinstance(dataset, Classified)
    assert not isinstance(dataset, Joint | Rows | Views | Modes)
    training = dataset.seen(dataset.train_images.images[:3], source())
    for x in (
        training,
        *(
            dataset.seen(part.images[:3], None)
            for part in (dataset.validation_images, dataset.test_images)
        ),
    ):
        assert x.shape == (3, *dataset.shape)
        assert x.dtype == torch.float32
    sizes = [
        len(part.labels)
        for part in (dataset.train_images, dataset.validation_images, dataset.test_images)
    ]
    assert sizes == [50, 10, 20]
    assert dataset.classes == 10


@pytest.mark.parametrize("read", FAMILY.values(), ids=FAMILY)
def test_held_out_images_are_the_same_every_time(
    read: Callable[[Path], Classified], data_dir: Path
) -> None:
    first, second = read(data_dir), read(data_dir)
    for name in ("validation_images", "test_images"):
        one, other = (getattr(each, name).images for each in (first, second))
        torch.testing.assert_close(first.seen(one, None), second.seen(other, None), rtol=0, atol=0)


def test_the_last_training_images_are_held_back(data_dir: Path) -> None:
    dataset, train = MnistImages.read(str(data_dir), 10), mnist.read(str(data_dir)).train
    assert dataset.train_images.images.equal(train.images[:50])
    assert dataset.validation_images.images.equal(train.images[50:])
    assert dataset.seen(torch.tensor([0, 255], dtype=torch.uint8), None).tolist() == [-1, 1]


def test_photographs_are_normalised_one_by_one() -> None:
    x = normalised(torch.randn(5, 30, generator=source()) * 7 + 3)
    torch.testing.assert_close(x.mean(1), torch.zeros(5), rtol=0, atol=1e-6)
    torch.testing.assert_close(x.std(1), torch.ones(5))
    assert normalised(torch.full((1, 4), 9.0)).tolist() == [[0, 0, 0, 0]]


def test_whitened_rows_have_unit_covariance_and_stay_alike() -> None:
    """Zero-phase whitening changes images as little as possible, so its matrix is symmetric and
    positive.
    """
    x = torch.randn(4000, 6, generator=source()) @ torch.randn(6, 6, generator=source(1)) + 3
    fitted = whitening.whitening(x)
    z = fitted(x)
    torch.testing.assert_close(torch.cov(z.T), torch.eye(6), rtol=0, atol=1e-3)
    torch.testing.assert_close(fitted.matrix, fitted.matrix.T)
    assert torch.linalg.eigvalsh(fitted.matrix).min() > 0


def test_a_direction_without_variance_is_not_scaled_up() -> None:
    """Per-image normalisation removes the mean, so this direction contains only rounding errors."""
    x = normalised(torch.randn(500, 8, generator=source()) * 50)
    fitted = whitening.whitening(x)
    torch.testing.assert_close(fitted.matrix.sum(1), torch.zeros(8), rtol=0, atol=1e-4)
    assert fitted(x).abs().max() < 20


def test_a_whitening_is_kept_by_what_it_was_fitted_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(50, 4, generator=source())
    first = whitening.kept_whitening(x, tmp_path / "cache")
    whitening.kept_whitening(x + 1, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 2
    monkeypatch.setattr(whitening, "whitening", lambda _: pytest.fail("it was fitted again"))
    torch.testing.assert_close(
        whitening.kept_whitening(x, tmp_path / "cache"), first, rtol=0, atol=0
    )


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: whole[:-40], lambda whole: b"x" + whole[1:]]
)
def test_a_damaged_whitening_is_computed_again_with_a_warning(
    damage: Callable[[bytes], bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x = torch.randn(50, 4, generator=source())
    first = whitening.kept_whitening(x, tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    torch.testing.assert_close(whitening.kept_whitening(x, tmp_path), first, rtol=0, atol=0)
    assert caplog.messages == [f"{path} is damaged: the whitening is computed again"]
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == whole


def test_test_photographs_are_whitened_as_the_training_ones(tmp_path: Path) -> None:
    dataset = Cifar10Images(Images(digits(40, 0), digits(10, 1)), 10, True, str(tmp_path))
    x, test = (normalised(part.images.flatten(1).float()) for part in dataset.photographs)
    torch.testing.assert_close(dataset.test_images.images.flatten(1), whitening.whitening(x)(test))


def test_fresh_clutter_changes_at_each_use_and_a_fixed_set_does_not() -> None:
    fresh, fixed, generator = cluttered(), cluttered(fresh=False), source()
    first, second = (fresh.seen(fresh.train_images.images, generator) for _ in range(2))
    assert not first.equal(second)
    assert first.equal(fresh.seen(fresh.train_images.images, source()))
    images = fixed.train_images.images
    assert fixed.seen(images, generator).equal(fixed.seen(images, generator))
    assert not images.equal(cluttered(fresh=False, seed=1).train_images.images)
    assert images.equal(cluttered(fresh=False).train_images.images)


def places(image: Tensor, digit: Tensor) -> list[tuple[int, int]]:
    """The places where the whole digit is in the image."""
    windows = image[0].unfold(0, 4, 1).unfold(1, 4, 1)
    return [
        (int(row), int(column)) for row, column in (windows == digit[0]).all(-1).all(-1).nonzero()
    ]


def test_the_whole_digit_is_inside_the_border() -> None:
    dataset = cluttered(placement="around", border=2)
    found = [
        place
        for image, digit in zip(dataset.test_images.images, dataset.digits.test.images, strict=True)
        for place in places(image, digit)
    ]
    assert len(found) == 10
    assert all(2 <= coordinate <= 12 - 4 - 2 for place in found for coordinate in place)
    assert len(set(found)) > 3


def test_a_data_set_knows_where_its_test_digits_are() -> None:
    dataset = cluttered(placement="around", border=2)
    assert isinstance(dataset, Boxed)
    for image, digit, box in zip(
        dataset.test_images.images, dataset.digits.test.images, dataset.test_boxes, strict=True
    ):
        assert (*box.tolist(),) in [(*place, 4, 4) for place in places(image, digit)]


def test_a_known_digit_occludes_each_photograph() -> None:
    photographs, pool = torch.full((30, 3, 6, 6), 50, dtype=torch.uint8), digits(20, 3)
    made = occluded(photographs, pool, source())
    corners = set[tuple[int, int]]()
    for image, digit in zip(made.images, made.digits, strict=True):
        assert image[0].equal(image[1])
        of_class = [
            (50 + (each[0] / 255.0) * 205).round().byte()
            for each in pool.images[pool.labels == digit]
        ]
        found = [
            (row, column)
            for row in range(3)
            for column in range(3)
            for each in of_class
            if image[0, row : row + 4, column : column + 4].equal(each)
        ]
        assert len(found) == 1
        corners.add(found[0])
        assert (image[0] == 50).sum() >= 36 - 16
    assert len(corners) == 9


def test_test_digits_of_the_seed_occlude_test_photographs() -> None:
    def made(seed: int, fresh: bool = True) -> OccludedCifar10:
        photographs = [
            Labelled(torch.zeros(count, 3, 6, 6, dtype=torch.uint8), torch.zeros(count))
            for count in (12, 30)
        ]
        bright, dim = (
            Labelled(torch.full((10, 1, 4, 4), level, dtype=torch.uint8), digits(10, 4).labels)
            for level in (255, 100)
        )
        return OccludedCifar10(Images(*photographs), Images(bright, dim), 2, fresh, seed)

    dataset = made(0)
    assert isinstance(dataset, Disturbed)
    assert dataset.test_images.images.max() == 100
    assert dataset.validation_images.images.max() == 255
    assert dataset.test_nuisances.equal(made(0, fresh=False).test_nuisances)
    assert not dataset.test_nuisances.equal(made(1).test_nuisances)
    x = dataset.seen(dataset.train_images.images, source())
    assert not x.equal(dataset.seen(dataset.train_images.images, source(1)))
    torch.testing.assert_close(x.flatten(1).std(1), torch.ones(10))
    once = made(0, fresh=False)
    assert once.seen(once.train_images.images, source()).equal(
        once.seen(once.train_images.images, source(1))
    )


def test_distractors_are_pieces_of_the_pool_added_up_to_white() -> None:
    pool, blank = (
        torch.full((3, 1, 4, 4), 200, dtype=torch.uint8),
        torch.zeros(50, 1, 4, 4, dtype=torch.uint8),
    )
    seen = hidden(number=4)(blank, pool, source()).images
    assert seen.unique().tolist() == [0, 200, 255]
    assert (seen > 0).sum((1, 2, 3)).max() <= 4 * 2**2
    assert hidden(number=0)(blank, pool, source()).images.max() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cluttered(canvas=3),
            "canvas must hold the 4 pixels of a digit and the border twice, got 3",
        ),
        (
            lambda: cluttered(border=5),
            "canvas must hold the 4 pixels of a digit and the border twice, got 12",
        ),
        (lambda: cluttered(border=-1), "border must be 0 or more pixels, got -1"),
        (lambda: cluttered(size=5), "size must be at most the 4 pixels of a digit, got 5"),
        (lambda: cluttered(size=0), "size must be 1 to the 12 pixels of the canvas, got 0"),
        (lambda: cluttered(number=-1), "number must be 0 or more distractors, got -1"),
        (
            lambda: cluttered(placement="nowhere"),
            "placement must be anywhere or around, got nowhere",
        ),
        (
            lambda: Cifar10Images(Images(digits(4, 0), digits(4, 0)), 4, False, ""),
            "validation must be a number of the 4 training images that leaves some of them, got 4",
        ),
    ],
)
def test_wrong_settings_are_refused_by_name(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make()


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not beside this checkout, in ../shared/data"
)
def test_clutter_has_the_ink_of_a_published_sample() -> None:
    """123.6 ± 35.6 for each image, and 11.24 % of the pixels are not black; for 4,000 images the
    standard error of the mean is 0.6.
    """
    train = mnist.read(str(REAL)).train.images
    seen = Clutter(40, 5, 5, "anywhere", 0)(train[:4000], train, source()).images / 255
    ink = seen.sum((1, 2, 3))
    assert ink.mean().item() == pytest.approx(123.6, abs=4 * 35.6 / math.sqrt(4000))
    assert ink.std().item() == pytest.approx(35.6, abs=1.6)
    assert (seen > 0).double().mean().item() == pytest.approx(0.1124, abs=0.002)
