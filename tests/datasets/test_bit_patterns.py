"""Patterns of bits: each one occurs once, its label is that of its residue, and the groups are
balanced.
"""

import math
from typing import Any

import pytest
import torch

from infobound.datasets.images.bit_patterns import BitPatterns
from infobound.datasets.interfaces import Classified, Joint, Rows, Views


def patterns(**changes: Any) -> BitPatterns:
    return BitPatterns(**{"bits": 6, "modulus": 8, "test": 0.25, "seed": 0, **changes})


def whole(dataset: BitPatterns) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers and labels, in order."""
    parts = [dataset.train_images, dataset.test_images]
    numbers = torch.cat([part.images.long() @ 2 ** torch.arange(dataset.bits) for part in parts])
    order = numbers.argsort()
    return numbers[order], torch.cat([part.labels for part in parts])[order]


@pytest.mark.parametrize("seed", range(5))
def test_every_pattern_is_there_once_with_the_group_of_its_residue(seed: int) -> None:
    dataset = patterns(seed=seed)
    numbers, labels = whole(dataset)
    assert numbers.tolist() == list(range(64))
    assert labels.tolist() == labels[:8].tolist() * 8
    assert labels[:8].sum() == 4
    assert [len(dataset.train_images.labels), len(dataset.test_images.labels)] == [48, 16]


def test_the_label_has_one_bit_of_information() -> None:
    _, labels = whole(patterns())
    shares = labels.bincount().double() / len(labels)
    assert (
        -(shares * shares.log()).sum().item()
        == pytest.approx(math.log(2))
        == patterns().mutual_information
    )


def test_groups_and_held_out_patterns_follow_the_seed() -> None:
    assert patterns().train_images.images.equal(patterns().train_images.images)
    assert not patterns().train_images.images.equal(patterns(seed=1).train_images.images)
    assert len({tuple(whole(patterns(seed=seed))[1].tolist()) for seed in range(10)}) > 5


def test_bit_patterns_are_labelled_examples() -> None:
    dataset = patterns()
    assert isinstance(dataset, Classified)
    assert not isinstance(dataset, Joint | Rows | Views)
    seen = dataset.seen(dataset.test_images.images, None)
    assert seen.dtype == torch.float32
    assert seen.unique().tolist() == [-1, 1]
    assert seen.shape == (16, *dataset.shape)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bits": 0}, "bits must be 1 to 20, got 0"),
        ({"modulus": 6}, "modulus must be a power of 2 from 2 to 2\\^bits, 64, got 6"),
        ({"modulus": 1}, "modulus must be a power of 2"),
        ({"modulus": 128}, "modulus must be a power of 2"),
        (
            {"test": 0.0},
            "test must be a share of the 64 patterns that leaves some on either side, got 0.0",
        ),
        ({"test": 0.999}, "test must be a share of the 64 patterns"),
    ],
)
def test_wrong_settings_are_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        patterns(**changes)
