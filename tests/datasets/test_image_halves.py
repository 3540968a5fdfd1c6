"""Halves of images: the pixels of each view, the noise, and the reading as a table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.images import mnist
from infobound.datasets.images.image_halves import ImageHalves, halves
from infobound.datasets.images.labelled import Labelled
from infobound.datasets.interfaces import Examples, Joint, Rows, Views
from infobound.runners.critics.splits import split_rows
from infobound.runners.training.batches import RowBatches

IMAGES = torch.arange(5 * 3 * 4 * 6).reshape(5, 3, 4, 6).to(torch.uint8)
EXAMPLES = halves(Labelled(IMAGES, torch.arange(5)))
REAL = Path(__file__).parents[3] / "shared" / "data"


def made(train: Examples = EXAMPLES, test: Examples = EXAMPLES, **settings: Any) -> ImageHalves:
    values = {
        "noise": 0.0,
        "shared_noise": False,
        "validation": 0.2,
        "transform": "none",
        "seed": 0,
    } | settings
    return ImageHalves(train, test, **values)


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_x_is_the_top_and_y_the_bottom() -> None:
    assert EXAMPLES.x.reshape(5, 3, 2, 6).equal(IMAGES[:, :, :2])
    assert EXAMPLES.y.reshape(5, 3, 2, 6).equal(IMAGES[:, :, 2:])
    assert EXAMPLES.x.dtype == EXAMPLES.y.dtype == torch.uint8


def test_bytes_are_seen_as_numbers_from_0_to_1() -> None:
    x, y = made().seen(
        torch.tensor([[0, 51, 255]], dtype=torch.uint8),
        torch.tensor([[102]], dtype=torch.uint8),
        source(),
    )
    torch.testing.assert_close(x, torch.tensor([[0, 0.2, 1]]))
    torch.testing.assert_close(y, torch.tensor([[0.4]]))


def noise_of(
    shared: bool, seed: int = 0, shape: tuple[int, ...] = (40, 500)
) -> tuple[Tensor, Tensor]:
    grey = torch.full(shape, 51, dtype=torch.uint8)
    x, y = made(noise=0.05, shared_noise=shared).seen(grey, grey, source(seed))
    return x - 0.2, y - 0.2


@pytest.mark.parametrize("shared", [True, False])
def test_noise_has_its_standard_deviation(shared: bool) -> None:
    """For 20,000 numbers, the standard errors are 0.5 % for the deviation and 0.00035 for the mean;
    five of each are allowed.
    """
    for noise in noise_of(shared):
        assert noise.std().item() == pytest.approx(0.05, rel=0.025)
        assert noise.mean().item() == pytest.approx(0, abs=0.0018)


def test_shared_noise_is_the_same_on_both_views_and_other_noise_has_nothing_in_common() -> None:
    torch.testing.assert_close(*noise_of(shared=True), rtol=0, atol=0)
    x, y = noise_of(shared=False)
    assert torch.corrcoef(torch.stack([x.flatten(), y.flatten()]))[0, 1].abs() < 5 / 20_000**0.5


def test_noise_comes_only_from_the_generator_and_is_fresh_each_time() -> None:
    assert noise_of(shared=False)[0].equal(noise_of(shared=False)[0])
    assert not noise_of(shared=False)[0].equal(noise_of(shared=False, seed=1)[0])
    generator, halved = source(), made(noise=0.1)
    first, second = (halved.seen(EXAMPLES.x, EXAMPLES.y, generator)[0] for _ in range(2))
    assert not first.equal(second)


def test_batches_of_several_copies_keep_their_shape() -> None:
    assert [each.shape for each in noise_of(shared=False, shape=(3, 4, 7))] == [(3, 4, 7)] * 2


def test_bytes_are_drawn_in_batches_and_seen_afterwards() -> None:
    """As in a runner, the copies share the bytes, and each has its own order and noise."""
    dataset = made(noise=0.1)
    x, y = (each.expand(2, -1, -1) for each in dataset.train_examples[:2])
    batches = RowBatches(x, y, batch_size=4, seed=0)
    drawn = batches.draw()
    assert [each.dtype for each in drawn] == [torch.uint8] * 2
    assert not drawn[0][0].equal(drawn[0][1])
    for top, bottom in zip(*drawn, strict=True):
        rows = (dataset.train_examples.x[:, None] == top).all(2).int().argmax(0)
        assert dataset.train_examples.y[rows].equal(bottom)
    assert [each.shape for each in dataset.seen(*drawn, source())] == [(2, 4, 36)] * 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": -0.1}, "noise must be a standard deviation of 0 or more, got -0.1"),
        ({"noise": float("nan")}, "noise must be a standard deviation of 0 or more, got nan"),
        ({"validation": 0.0}, "validation must be a positive share of all 10 images"),
        ({"validation": 0.5}, "validation must be a positive share of all 10 images"),
        (
            {"transform": "whiten"},
            "transform must be one of none, standardise, gaussian_ranks, unmixed_ranks, got whiten",
        ),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        made(**settings)


def test_images_of_odd_height_have_no_halves() -> None:
    with pytest.raises(ValueError, match=r"^images must have an even height to have halves, got 3"):
        halves(Labelled(IMAGES[:, :, :3], torch.arange(5)))


def test_halves_are_views_and_a_table_but_not_a_distribution() -> None:
    dataset = made()
    assert isinstance(dataset, Views)
    assert isinstance(dataset, Rows)
    assert not isinstance(dataset, Joint)


@pytest.mark.parametrize("replicates", [1, 2])
def test_the_test_rows_of_the_table_are_the_test_images(replicates: int) -> None:
    train, test = (
        halves(Labelled(torch.full((size, 1, 2, 1), size, dtype=torch.uint8), torch.arange(size)))
        for size in (30, 7)
    )
    parts = split_rows(
        made(train, test), seed=0, replicates=replicates, device=torch.device("cpu")
    ).parts
    assert [[len(x) for x in part.x] for part in parts.values()] == [
        [23] * replicates,
        [7] * replicates,
        [7] * replicates,
    ]
    for copy in range(replicates):
        assert parts["test"].rows[copy].tolist() == list(range(30, 37))
        torch.testing.assert_close(parts["test"].x[copy], torch.full((7, 1), 7 / 255))
        seen = torch.cat([parts["train"].rows[copy], parts["validation"].rows[copy]])
        assert sorted(seen.tolist()) == list(range(30))


def test_noise_of_the_table_is_drawn_once() -> None:
    dataset = made(noise=0.1)
    assert dataset.x is dataset.x
    assert dataset.x.equal(made(noise=0.1).x)
    assert not dataset.x.equal(made(noise=0.1, seed=1).x)


@pytest.mark.parametrize("name", ["mnist_halves", "cifar10"])
def test_halves_are_estimated_like_any_table(
    name: str, data_dir: Path, command: Callable[..., Any]
) -> None:
    ended = command(
        f"dataset={name}",
        f"data_dir={data_dir}",
        "name=a",
        "dataset.noise=0.05",
        "dataset.shared_noise=true",
    )
    assert ended.code == 0, ended.err
    assert json.loads(Path("outputs/runs/a/result.json").read_text())["metrics"]["mi_true"] is None


def test_a_damaged_file_is_refused_before_anything_is_run(
    data_dir: Path, command: Callable[..., Any]
) -> None:
    (data_dir / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(b"rubbish")
    ended = command("dataset=mnist_halves", f"data_dir={data_dir}", "name=a")
    assert ended.code == 2
    assert ended.err.startswith(
        f"refused: dataset: {data_dir}/mnist/train-images-idx3-ubyte.gz must have md5 "
    )
    assert ended.err.count("\n") == 1


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not beside this checkout, in ../shared/data"
)
def test_halves_of_real_digits_put_together_are_the_digits() -> None:
    dataset = ImageHalves.mnist(
        str(REAL), noise=0, shared_noise=False, validation=0.1, transform="none", seed=0
    )
    whole = torch.cat([dataset.test_examples.x, dataset.test_examples.y], dim=1)
    assert whole.reshape(-1, 1, 28, 28).equal(mnist.read(str(REAL)).test.images)
