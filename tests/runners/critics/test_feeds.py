"""Feeds: minibatches that cover an epoch, disjoint splits, blocks that read each row once,
separately for each copy.
"""

from typing import get_args

import pytest
import torch
from torch import Tensor

from infobound.datasets.files.arrays import Arrays
from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.transforms import Transform
from infobound.runners.critics import feeds, splits
from infobound.runners.critics.feeds import Feed, sampled, tabled
from infobound.runners.critics.held_out import FreshHeldOut, RowHeldOut
from infobound.runners.critics.splits import Part, Split, split_rows
from infobound.runners.runs.errors import RunFailed
from infobound.runners.training.batches import RowBatches

CPU = torch.device("cpu")


def numbered(rows: int, copies: int = 1) -> tuple[Tensor, Tensor]:
    """Pairs (copies, rows, 1) of each row's index and its negative."""
    x = torch.arange(float(rows)).expand(copies, rows)[..., None].contiguous()
    return x, -x


def table(rows: int, transform: Transform = "none") -> Arrays:
    x, y = numbered(rows)
    return Arrays(x[0], y[0], validation=0.2, test=0.3, transform=transform)


def epoch(batches: RowBatches, count: int) -> Tensor:
    """The rows of the next `count` batches, (copies, rows)."""
    draws = [batches.draw() for _ in range(count)]
    assert all(torch.equal(x, -y) for x, y in draws), "rows stay paired"
    return torch.cat([x[..., 0] for x, _ in draws], dim=1)


@pytest.mark.parametrize(("rows", "size"), [(20, 5), (23, 5), (9, 5), (5, 5)])
def test_minibatches_cover_every_epoch_except_the_incomplete_last_batch(
    rows: int, size: int
) -> None:
    batches = RowBatches(*numbered(rows, copies=2), batch_size=size, seed=0)
    whole = rows // size
    first, second = epoch(batches, whole), epoch(batches, whole)
    for seen in (*first, *second):
        assert len(set(seen.tolist())) == whole * size
    assert not torch.equal(first, second), "every epoch has an order of its own"
    assert not torch.equal(first[0], first[1]), "and so has every copy"


def test_the_dropped_rows_differ_in_every_epoch() -> None:
    batches = RowBatches(*numbered(7), batch_size=5, seed=0)
    assert len(set(torch.cat([epoch(batches, 1)[0] for _ in range(20)]).tolist())) == 7


def test_shared_rows_are_drawn_like_copied_ones() -> None:
    shared = [each.expand(3, 23, 1) for each in numbered(23)]
    copied = [each.contiguous() for each in shared]
    one, other = (RowBatches(*pairs, batch_size=5, seed=0) for pairs in (shared, copied))
    assert torch.equal(epoch(one, 9), epoch(other, 9))
    again = RowBatches(*shared, batch_size=5, seed=1)
    again.load(one.state())
    assert torch.equal(epoch(again, 2), epoch(one, 2))


@pytest.mark.parametrize("done", [0, 1, 3, 4, 7])
def test_batches_go_on_from_their_state(done: int) -> None:
    pairs = numbered(23, copies=2)
    straight, broken, resumed = (RowBatches(*pairs, batch_size=5, seed=0) for _ in range(3))
    epoch(straight, done + 1)
    epoch(broken, done + 1)
    resumed.load(broken.state())
    assert torch.equal(epoch(resumed, 9), epoch(straight, 9))


def test_a_batch_larger_than_the_training_rows_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^batch_size must not exceed the 4 training rows, got 5; use 4$"
    ):
        RowBatches(*numbered(4), batch_size=5, seed=0)


@pytest.mark.parametrize("rows", [20, 21, 99])
def test_splits_are_disjoint_and_cover_all_rows(rows: int) -> None:
    splits = split_rows(table(rows), seed=0, replicates=3, device=CPU).parts
    assert tuple(splits) == get_args(Split)
    for copy in range(3):
        seen = torch.cat([splits[name].x[copy][:, 0] for name in get_args(Split)])
        assert sorted(seen.tolist()) == list(range(rows))
        assert all(torch.equal(each.x[copy], -each.y[copy]) for each in splits.values())
    assert [len(each.x[0]) for each in splits.values()] == [
        rows - round(rows * 0.2) - round(rows * 0.3),
        round(rows * 0.2),
        round(rows * 0.3),
    ]


def test_each_copy_has_a_split_of_its_own_however_many_there_are() -> None:
    few, many = (
        split_rows(table(40), seed=0, replicates=count, device=CPU).parts["test"].x
        for count in (2, 5)
    )
    assert all(map(torch.equal, few, many))
    assert len({tuple(copy[:, 0].tolist()) for copy in many}) == 5


def test_the_transform_is_fitted_on_the_training_rows_alone() -> None:
    raw = split_rows(table(50), seed=0, replicates=2, device=CPU).parts
    changed = split_rows(table(50, "standardise"), seed=0, replicates=2, device=CPU).parts
    for copy in range(2):
        train = raw["train"][0][copy]
        torch.testing.assert_close(
            changed["train"][0][copy].mean(0), torch.zeros(1), atol=1e-6, rtol=0
        )
        for name in get_args(Split):
            expected = (raw[name][0][copy] - train.mean()) / train.std(correction=0)
            torch.testing.assert_close(changed[name][0][copy], expected)


def test_splits_of_fewer_than_four_rows_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=(
            "each split needs at least 4 rows, got 5 for training, 2 for validation and 3 for test"
        ),
    ):
        split_rows(table(10), seed=0, replicates=1, device=CPU)


@pytest.mark.parametrize("size", [4, 16])
@pytest.mark.parametrize("rows", [4, 5, 15, 16, 17, 31, 32, 33, 100])
def test_every_held_out_row_is_read_exactly_once_in_blocks_of_one_size(
    rows: int, size: int
) -> None:
    blocks = list(
        RowHeldOut(
            {"test": Part(*map(list, numbered(rows, copies=2)), rows=[torch.arange(rows)] * 2)},
            size,
        ).blocks(1, "test", 0)
    )
    assert len({len(block.x) for block in blocks}) == 1
    assert 2 <= len(blocks[0].x) <= size
    assert torch.cat([block.x[block.first :, 0] for block in blocks]).tolist() == list(range(rows))
    assert all(torch.equal(block.x, -block.y) for block in blocks)


def feed(seed: int = 0, copies: int = 2, train_rows: int | None = None) -> Feed:
    return sampled(
        CorrelatedGaussians(2, 0.5, None),
        train_rows=train_rows,
        batch_size=8,
        eval_batches=3,
        eval_batch_size=16,
        seed=seed,
        replicates=copies,
        device=CPU,
    )


def test_fresh_batches_are_never_the_same_and_copies_do_not_depend_on_each_other() -> None:
    few, many = feed(copies=2).batches, feed(copies=4).batches
    drawn = [[batches.draw()[0] for _ in range(3)] for batches in (few, many)]
    assert all(torch.equal(two, four[:2]) for two, four in zip(*drawn, strict=True))
    assert len({float(value) for x in drawn[1] for value in x[:, 0, 0]}) == 12


def test_another_seed_draws_other_pairs() -> None:
    assert not torch.equal(feed(seed=0).batches.draw()[0], feed(seed=1).batches.draw()[0])


def test_fresh_batches_go_on_from_their_state() -> None:
    straight, resumed = feed().batches, feed().batches
    straight.draw()
    resumed.load(straight.state())
    assert torch.equal(resumed.draw()[0], straight.draw()[0])


def test_a_fixed_training_set_has_that_many_rows() -> None:
    batches = feed(copies=1, train_rows=24).batches
    rows = torch.cat([batches.draw()[0][0] for _ in range(30)])
    assert len(rows.unique(dim=0)) == 24


def test_held_out_pairs_are_fresh_for_every_purpose_and_the_same_when_asked_again() -> None:
    held_out = feed().held_out
    assert isinstance(held_out, FreshHeldOut)
    splits: tuple[Split, ...] = ("validation", "test")
    asked: list[tuple[int, Split, int]] = [
        (copy, split, step) for copy in (0, 1) for split in splits for step in (10, 20)
    ]
    first = {each: torch.cat([block.x for block in held_out.blocks(*each)]) for each in asked}
    again = {
        each: torch.cat([block.x for block in held_out.blocks(*each)]) for each in reversed(asked)
    }
    assert all(torch.equal(first[each], again[each]) for each in asked)
    assert len({float(x[0, 0]) for x in first.values()}) == len(asked)
    assert {len(x) for (_, split, _), x in first.items() if split == "test"} == {48}


def test_a_table_is_trained_on_its_training_rows_and_read_on_the_others() -> None:
    data = tabled(table(40), batch_size=4, eval_batch_size=8, seed=0, replicates=1, device=CPU)
    trained = {float(value) for _ in range(20) for value in data.batches.draw()[0].flatten()}
    read = {
        split: {
            float(value)
            for block in data.held_out.blocks(0, split, 0)
            for value in block.x.flatten()
        }
        for split in ("validation", "test")
    }
    assert (len(trained), len(read["validation"]), len(read["test"])) == (20, 8, 12)
    assert not trained & read["validation"]
    assert not (trained | read["validation"]) & read["test"]


def test_a_checkpoint_of_other_rows_is_refused() -> None:
    x, y = numbered(40)
    batches = RowBatches(x, y, batch_size=8, seed=0)
    saved = batches.state()
    batches.load(saved)
    with pytest.raises(RunFailed, match="the rows have changed since the checkpoint"):
        RowBatches(x + 1, y, batch_size=8, seed=0).load(saved)


def test_training_watches_some_validation_rows_and_the_test_rows_are_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "WATCHED", 7)
    feed = tabled(table(50), batch_size=8, eval_batch_size=16, seed=0, replicates=2, device=CPU)
    splits: tuple[Split, ...] = ("validation", "test")
    read = {
        split: sum(len(block.x) - block.first for block in feed.held_out.blocks(1, split, 0))
        for split in splits
    }
    assert read == {"validation": 7, "test": 15}


def test_of_a_large_table_a_limited_number_of_rows_is_read_and_every_training_row_is_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splits, "READ", 40)
    feed = tabled(table(1000), batch_size=8, eval_batch_size=16, seed=0, replicates=2, device=CPU)
    for split in get_args(Split):
        blocks = [*feed.held_out.blocks(1, split, 0)]
        read = torch.cat([block.x[block.first :, 0] for block in blocks])
        assert 20 < len(read) <= 40
        rows = feed.held_out.rows(1, split)
        assert rows is not None
        assert torch.equal(read.long(), rows), "rows keep their positions"
    trained = torch.cat([feed.batches.draw()[0][1, :, 0] for _ in range(500 // 8)])
    assert len(trained.unique()) > 490


def test_the_state_of_batches_does_not_grow_with_the_table() -> None:
    x, y = numbered(10_000)
    state = RowBatches(x, y, batch_size=8, seed=0).state()
    assert sum(each.numel() for each in state["shuffled"]) < 10_000
    assert not any(isinstance(each, Tensor) for each in state.values())
