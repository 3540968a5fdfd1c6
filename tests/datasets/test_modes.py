"""Modes: the positions of samples, the recognised modes, and refused settings."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Joint, Rows, Views
from infobound.datasets.modes.gaussian_modes import GaussianModes
from infobound.datasets.modes.interface import Located, Modes, Recognised
from infobound.datasets.modes.spirals import Spirals
from infobound.datasets.modes.stacked_mnist import StackedMnist

DIGITS = torch.arange(256).repeat(40, 1)[:, :20].reshape(40, 1, 4, 5).to(torch.uint8)
TRAIN = Labelled(
    DIGITS + torch.arange(40, dtype=torch.uint8)[:, None, None, None], torch.arange(40) % 10
)
TEST = Labelled(TRAIN.images[:10] + 200, torch.arange(10).flip(0))
PUBLISHED = GaussianModes.grid(5, 2.0, 0.05, standardised=False)
STANDARDISED = GaussianModes.grid(5, 4.23, 1.0, standardised=True)
LOCATED: dict[str, Located] = {
    "gaussians_25": PUBLISHED,
    "standardised_gaussians_25": STANDARDISED,
    "ring": GaussianModes.ring(8, 2.0, 0.02),
    "two_spirals": Spirals.two(780, 0.5),
    "three_spirals": Spirals.three(0.05),
}
FAMILY: dict[str, Modes] = {**LOCATED, "stacked_mnist": StackedMnist(TRAIN, TEST, 3)}
SIZE = 20_000


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@cache
def recognised(name: str) -> tuple[Recognised, Tensor]:
    """The recognised modes of SIZE samples, and their true modes."""
    x, labels = LOCATED[name].sample(SIZE, source())
    return LOCATED[name].recognise(x), labels


@pytest.mark.parametrize("dataset", FAMILY.values(), ids=FAMILY)
def test_samples_have_the_shape_that_is_promised_and_labels_are_classes(dataset: Modes) -> None:
    assert isinstance(dataset, Modes)
    for x, labels in dataset.sample(7, source()), dataset.held_out(7, source()):
        assert x.shape == (7, *dataset.shape)
        assert x.dtype == torch.float32
        assert labels.shape == (7,)
        assert labels.dtype == torch.int64
        assert 0 <= labels.min() <= labels.max() < dataset.classes


@pytest.mark.parametrize("dataset", FAMILY.values(), ids=FAMILY)
def test_modes_are_not_pairs(dataset: Modes) -> None:
    assert not isinstance(dataset, Joint | Rows | Views)


@pytest.mark.parametrize("dataset", FAMILY.values(), ids=FAMILY)
def test_samples_come_only_from_the_generator_and_are_fresh_each_time(dataset: Modes) -> None:
    generator = source()
    first, second = dataset.sample(50, generator)[0], dataset.sample(50, generator)[0]
    assert first.equal(dataset.sample(50, source())[0])
    assert not first.equal(second)


@pytest.mark.parametrize("dataset", FAMILY.values(), ids=FAMILY)
def test_shares_are_those_of_the_labels(dataset: Modes) -> None:
    """Pearson's statistic has a mean of modes - 1 and a variance of twice that; five standard
    deviations are allowed.
    """
    counts = torch.bincount(dataset.sample(SIZE, source())[1], minlength=dataset.classes)
    expected = SIZE * dataset.shares
    assert dataset.shares.sum().item() == pytest.approx(1)
    freedom = dataset.classes - 1
    assert ((counts - expected) ** 2 / expected).sum() < freedom + 5 * math.sqrt(2 * freedom)


@pytest.mark.parametrize("name", LOCATED)
def test_a_sample_is_recognised_as_the_mode_that_it_came_from(name: str) -> None:
    """The closest neighbours here are 4.23 standard deviations apart and share 6 % of their
    samples.
    """
    found, labels = recognised(name)
    share = (found.nearest == labels).double().mean()
    assert share > (0.93 if LOCATED[name] is STANDARDISED else 0.999)


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("gaussians_25", 1 - math.exp(-4.5)),
        ("ring", 1 - math.exp(-4.5)),
        ("two_spirals", 1.0),
        ("three_spirals", 0.9973),
    ],
)
def test_the_data_are_of_high_quality_as_often_as_three_standard_deviations_say(
    name: str, share: float
) -> None:
    """In the plane, or across an arm; for 20,000 samples the standard error is at most 0.00074."""
    found, _ = recognised(name)
    assert found.good.double().mean().item() == pytest.approx(share, abs=0.003)


@pytest.mark.parametrize("dataset", LOCATED.values(), ids=LOCATED)
def test_samples_far_from_all_modes_have_one_mode_and_low_quality(
    dataset: Located,
) -> None:
    recognised = dataset.recognise(torch.tensor([[100.0, 100.0], [-1e6, 0.0]]))
    assert recognised.nearest.shape == (2,)
    assert not recognised.good.any()


@pytest.mark.parametrize("factor", [2.99, 3.01])
def test_high_quality_ends_at_three_standard_deviations(factor: float) -> None:
    x = torch.tensor([[4.0 + 0.05 * factor, -2.0]])
    assert PUBLISHED.recognise(x).good.item() == (factor < 3)
    assert PUBLISHED.centres[PUBLISHED.recognise(x).nearest].tolist() == [[4.0, -2.0]]


def test_the_published_grid_has_its_means() -> None:
    places = (-4.0, -2.0, 0.0, 2.0, 4.0)
    assert sorted(map(tuple, PUBLISHED.centres.tolist())) == sorted(
        (x, y) for x in places for y in places
    )


def test_a_standardised_grid_has_variance_1() -> None:
    """Before, the variance is exactly 2 spacing^2 + std^2; for 20,000 samples the variance of the
    coordinates has a standard error below 0.01.
    """
    scale = math.sqrt(2 * 4.23**2 + 1)
    assert STANDARDISED.std == pytest.approx(1 / scale)
    torch.testing.assert_close(
        STANDARDISED.centres.max(), torch.tensor(2 * 4.23 / scale, dtype=torch.float64)
    )
    x, _ = STANDARDISED.sample(SIZE, source())
    assert x.var().item() == pytest.approx(1, abs=0.03)


def test_a_ring_has_its_radius() -> None:
    centres = GaussianModes.ring(8, 2.0, 0.02).centres
    torch.testing.assert_close(centres.norm(dim=1), torch.full((8,), 2.0, dtype=torch.float64))


@pytest.mark.parametrize("sign", [1, -1])
def test_spirals_have_the_published_places(sign: int) -> None:
    """Without noise: t = pi / 2 is a quarter of the way; n = 2 pi is (360 / 780)^2 of it."""
    spirals, u = Spirals.three(0.05), torch.tensor([0.25])
    torch.testing.assert_close(
        spirals.arms(u)[(0, 1)[sign < 0]], sign * torch.tensor([[1.125, 0.0]])
    )
    torch.testing.assert_close(spirals.arms(u)[2], torch.tensor([[6.0, 0.0]]))
    middle = torch.tensor([[-2 * math.pi + 0.25, 0.25]])
    torch.testing.assert_close(
        Spirals.two(780, 0.5).arms(torch.tensor([(360 / 780) ** 2]))[(0, 1)[sign < 0]],
        sign * middle,
    )


def test_two_spirals_fill_their_square() -> None:
    x, _ = LOCATED["two_spirals"].sample(SIZE, source())
    assert x.abs().max() <= 1
    assert (x.abs().amax(dim=0) > 0.98).all()


def test_a_digit_of_an_image_is_the_channel_that_its_label_says() -> None:
    dataset = FAMILY["stacked_mnist"]
    x, labels = dataset.sample(30, source())
    digits = torch.stack([labels // 100, labels // 10 % 10, labels % 10], dim=1)
    shown = ((x + 1) * 127.5).round().long()[:, :, 0, 0]
    assert (shown % 10).equal(digits)
    assert -1 <= x.min() <= x.max() <= 1


def test_held_out_images_are_of_other_digits() -> None:
    x, labels = FAMILY["stacked_mnist"].held_out(30, source())
    first = ((x + 1) * 127.5).round().long()[:, 0, 0, 0]
    assert (first - 200).equal(9 - labels // 100)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_an_image_of_more_channels_has_ten_times_the_modes(channels: int) -> None:
    dataset = StackedMnist(TRAIN, TEST, channels)
    assert dataset.shape == (channels, 4, 5)
    assert len(dataset.shares) == dataset.classes == 10**channels


def test_shares_of_images_are_products_of_the_digits_shares() -> None:
    dataset = StackedMnist(Labelled(TRAIN.images[:4], torch.tensor([0, 0, 0, 7])), TEST, 2)
    expected = {0: 9 / 16, 7: 3 / 16, 70: 3 / 16, 77: 1 / 16}
    assert {int(mode): dataset.shares[mode].item() for mode in dataset.shares.nonzero()} == expected


def test_bytes_stay_bytes() -> None:
    """This takes a sixth of the memory, also for the copy on a device."""
    dataset = StackedMnist(TRAIN, TEST, 3)
    dataset.sample(3, source())
    assert {each.images.dtype for each in dataset.placed.values()} == {torch.uint8}


REFUSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (GaussianModes.grid, {"side": 1}, "side must be 2 or more modes, got 1"),
    (GaussianModes.grid, {"spacing": 0.0}, "spacing must be a positive number, got 0.0"),
    (GaussianModes.grid, {"spacing": math.inf}, "spacing must be a positive number, got inf"),
    (
        GaussianModes.grid,
        {"std": 0.0},
        "std must be positive and less than half of the 2 between neighbouring modes",
    ),
    (
        GaussianModes.grid,
        {"std": 1.0},
        "std must be positive and less than half of the 2 between neighbouring modes",
    ),
    (
        GaussianModes.grid,
        {"std": math.nan},
        "std must be positive and less than half of the 2 between neighbouring modes",
    ),
    (GaussianModes.ring, {"modes": 1}, "modes must be 2 or more, got 1"),
    (GaussianModes.ring, {"radius": -1.0}, "radius must be a positive number, got -1.0"),
    (GaussianModes.ring, {"std": 1.0}, "std must be positive and less than half of the 1.53"),
    (Spirals.two, {"degrees": 0.0}, "degrees must be a positive number, got 0.0"),
    (
        Spirals.two,
        {"noise": 3.2},
        "noise must be positive and less than the 3.142 between the arms, got 3.2",
    ),
    (Spirals.three, {"noise": 0.0}, "noise must be positive and less than 0.3"),
    (StackedMnist, {"channels": 4}, "channels must be 1, 2 or 3, the channels of an image, got 4"),
]
FITTING: dict[Callable[..., Any], dict[str, Any]] = {
    GaussianModes.grid: {"side": 5, "spacing": 2.0, "std": 0.05, "standardised": False},
    GaussianModes.ring: {"modes": 8, "radius": 2.0, "std": 0.02},
    Spirals.two: {"degrees": 780.0, "noise": 0.5},
    Spirals.three: {"noise": 0.05},
    StackedMnist: {"train": TRAIN, "test": TEST, "channels": 3},
}


@pytest.mark.parametrize(("make", "settings", "message"), REFUSED)
def test_wrong_settings_are_refused_by_name(
    make: Callable[..., Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make(**FITTING[make] | settings)


def distance_to_curve(x: Tensor, curve: Tensor) -> Tensor:
    return torch.cdist(x.double(), curve).amin(dim=1)


def test_distance_to_an_arm_is_that_to_its_whole_curve() -> None:
    """Compared with ten times as many points, the samples within three standard deviations hardly
    change.
    """
    spirals = Spirals.three(0.05)
    x = torch.rand(1000, 2, generator=source()) * 8 - 4
    arms = spirals.arms(torch.linspace(0, 1, 20_000, dtype=torch.float64))
    exact = torch.stack(
        [torch.cat([distance_to_curve(part, arm) for part in x.split(200)]) for arm in arms]
    )
    recognised = spirals.recognise(x)
    assert (recognised.good == (exact.amin(dim=0) <= 0.15)).double().mean() > 0.998
    assert (recognised.nearest == exact.argmin(dim=0)).double().mean() > 0.998
