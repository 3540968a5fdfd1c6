"""The staircase: every value is held out, the errors of a level add up, and a killed run resumes
exactly.
"""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from infobound.datasets.pairs.gaussians import CorrelatedGaussians
from infobound.datasets.pairs.maps import Identity
from infobound.datasets.pairs.staircase import GaussianStaircase
from infobound.estimators import bounds
from infobound.estimators.infonce import InfoNCE
from infobound.estimators.js import JS
from infobound.estimators.mine import MINE
from infobound.models.critics.dense import InnerProduct, Separable
from infobound.models.critics.scores import from_matrix
from infobound.runners.runs.records import InMemory, Outcome
from infobound.runners.staircase.reading import by_level, level
from infobound.runners.staircase.runner import Staircase
from tests.settings import TRAINING, flat

LEVELS = (1.0, 2.0)
STEPS = 30
SETTINGS: dict[str, Any] = {
    "dataset": GaussianStaircase(
        partial(CorrelatedGaussians, 2, None), LEVELS, STEPS, Identity(), Identity()
    ),
    "critic": partial(Separable, hidden=(8,), embed=4, activation="ReLU"),
    "estimator": InfoNCE(),
    "optimizer": partial(torch.optim.Adam, lr=5e-3),
    "steps": None,
    "batch_size": 16,
    "window": 10,
    "average": 0.9,
    "log_every": 7,
    "eval_every": 10,
    "checkpoint_every": 8,
}
RUN = [
    "runner=staircase",
    "dataset=staircase",
    "dataset.joint.dim=2",
    "dataset.levels=[1,2]",
    f"dataset.steps={STEPS}",
]
SHORT = [
    *RUN,
    "runner.window=10",
    "runner.log_every=7",
    "runner.checkpoint_every=8",
    "replicates=2",
]
Command = Callable[..., Any]


def climb(**changes: Any) -> Staircase:
    return flat(Staircase, {**TRAINING, **SETTINGS, **changes})


def outcome(**changes: Any) -> Outcome:
    return climb(**changes).prepare()(InMemory())


class Broken(InMemory):
    """The record of a run that ends abruptly after its first checkpoint, and of the run that
    continues from there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.saved: dict[str, Any] | None = None

    def save(self, state: dict[str, Any]) -> None:
        if self.saved is None:
            self.saved = state
            raise InterruptedError

    def restore(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.saved


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_batch_is_read_by_weights_that_no_step_on_it_has_changed(
    average: float, copies: int
) -> None:
    usual, wild = (
        climb(
            average=average, replicates=copies, optimizer=partial(torch.optim.SGD, lr=rate)
        ).task()
        for rate in (1e-3, 1e3)
    )
    for task in usual, wild:
        task.step()
    assert torch.equal(usual.values, wild.values), (
        "the size of a step cannot show in the value of its own batch"
    )
    for task in usual, wild:
        for _ in range(4):
            task.step()
    assert not torch.equal(usual.values, wild.values)


def test_moving_averages_change_in_training_but_not_in_reading() -> None:
    task = climb(estimator=MINE(alpha=0.1)).task()
    before = {
        name: tensor.clone() for name, tensor in task.critics.networks.state()["buffers"].items()
    }
    x, y = torch.randn(2, 1, 16, 2)
    task.critics.networks.read(x, y)
    assert all(
        torch.equal(before[name], tensor)
        for name, tensor in task.critics.networks.state()["buffers"].items()
    )
    task.critics.networks(x, y)
    assert not all(
        torch.equal(before[name], tensor)
        for name, tensor in task.critics.networks.state()["buffers"].items()
    )


@pytest.mark.parametrize("copies", [1, 3])
def test_squared_bias_and_variance_add_up_to_the_squared_error(copies: int) -> None:
    values = 3 + torch.randn(copies, 50, generator=torch.Generator().manual_seed(0))
    read = level(2.0, values)
    assert read["bias"] ** 2 + read["variance"] == pytest.approx(read["mse"], rel=1e-12)
    assert read["mse"] == pytest.approx((values.double() - 2).square().mean().item())
    assert read["mi"] == pytest.approx(2 + read["bias"])
    assert sum(read["mse_replicates"]) / copies == pytest.approx(read["mse"])
    assert 0 < read["mi_stderr"] < 1


def test_each_level_is_judged_by_its_own_last_values() -> None:
    values = torch.arange(2.0 * STEPS)[None]
    first, second = by_level(values, LEVELS, STEPS, window=10)
    assert first["mi"] == pytest.approx(values[0, STEPS - 10 : STEPS].mean().item())
    assert second["mi"] == pytest.approx(values[0, -10:].mean().item())
    assert [first["level"], second["level"]] == list(LEVELS)


def test_infonce_never_exceeds_its_cap() -> None:
    high = GaussianStaircase(
        partial(CorrelatedGaussians, 2, None), [12.0], 200, Identity(), Identity()
    )
    task = climb(dataset=high, optimizer=partial(torch.optim.Adam, lr=2e-2)).task()
    for _ in range(200):
        task.step()
    assert task.cap == math.log(16)
    assert task.values.max() <= math.log(16) + 1e-6
    assert task.values.max() > 2


def test_batches_follow_the_levels_and_copies_draw_their_own() -> None:
    task = climb(replicates=2, estimator=JS()).task()
    drawn = [task.batches.draw() for _ in range(2 * STEPS)]
    low, high = (
        torch.stack([y - x for x, y in part]).var().item()
        for part in (drawn[:STEPS], drawn[STEPS:])
    )
    assert low > 1.3 * high, "what sets x and y apart shrinks as they tell more of each other"
    assert not torch.equal(drawn[0][0][0], drawn[0][0][1])


@pytest.mark.parametrize("copies", [1, 2])
def test_an_aborted_run_resumes_exactly(copies: int) -> None:
    whole = outcome(replicates=copies)
    record = Broken()
    with pytest.raises(InterruptedError):
        climb(replicates=copies).prepare()(record)
    resumed = climb(replicates=copies).prepare()(record)
    assert resumed.metrics == whole.metrics


def test_the_launcher_leaves_every_level_in_the_result_and_the_report_has_a_row_for_each(
    command: Command,
) -> None:
    assert command("-m", "name=a", *SHORT, "estimator=infonce,js").code == 0
    results = [
        json.loads(path.read_text())
        for path in sorted(Path("outputs/sweeps/a").glob("*/result.json"))
    ]
    for result in results:
        read = result["metrics"]
        assert [each["level"] for each in read["levels"]] == [1, 2]
        assert {
            "mi",
            "mi_stderr",
            "mi_true",
            "mi_cap",
            "mi_replicates",
            "stderr_of",
            "kind",
            "warnings",
        } <= set(read)
        assert (read["mi"], read["mi_true"]) == (read["levels"][1]["mi"], 2)
        assert result["steps"] == 2 * STEPS
    assert list(Path("outputs/sweeps/a").glob("*/figures/staircase.png"))
    ended = command("runner=report", "runner.source=outputs/sweeps/a", "runner.beside=[bias,mse]")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("2 of 2 runs completed")
    table = [
        line
        for line in Path("outputs/sweeps/a/summary.md").read_text().splitlines()
        if line.startswith("|")
    ]
    assert table[0] == "| estimator | level | truth | bias | mse | mean ± sd | bits | runs |"
    assert len(table) == 6
    low = results[0]["metrics"]["levels"][0]
    assert table[2].startswith(
        f"| infonce | 1 | 1.000 | {low['bias']:.3f} | {low['mse']:.3f} | {low['mi']:.3f} ± "
    )
    assert table[2].endswith(" | 2 |"), "replicates count as runs"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": CorrelatedGaussians(2, 0.5, None)},
            "dataset must be a staircase, got CorrelatedGaussians; use dataset=",
        ),
        ({"critic": None}, "estimator must be one that trains a critic, got InfoNCE without one"),
        ({"batch_size": 1}, "batch_size must be at least 2, got 1"),
        ({"replicates": 0}, "replicates must be at least 1, got 0"),
        (
            {"window": STEPS + 1},
            f"window must be at least 2 and at most a level's {STEPS} steps, got {STEPS + 1}",
        ),
        ({"window": 1}, "window must be at least 2"),
        (
            {"steps": 9},
            "steps must be null for a staircase, .*, got 9; use dataset.steps",
        ),
    ],
)
def test_wrong_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        climb(**changes)


def test_a_critic_without_weights_is_refused() -> None:
    with pytest.raises(ValueError, match="critic must have weights to train, got none"):
        climb(critic=InnerProduct).prepare()


@pytest.mark.parametrize(
    ("nats", "expected"), [(2, 1.82), (4, 3.07), (6, 3.74), (8, 4.03), (10, 4.12)]
)
def test_the_best_critic_reads_infonce_at_64_pairs_as_the_results_page_says(
    nats: float, expected: float
) -> None:
    joint, generator = CorrelatedGaussians(20, None, nats), torch.Generator().manual_seed(0)
    values = [
        bounds.infonce(from_matrix(log_ratio(joint.correlation, *joint.sample(64, generator))))
        for _ in range(400)
    ]
    assert torch.stack(values).mean().item() == pytest.approx(expected, abs=0.03)


def log_ratio(rho: float, x: Tensor, y: Tensor) -> Tensor:
    """(B, B) log p(x_i, y_j) / p(x_i) p(y_j)."""
    squares = x.square().sum(1, keepdim=True) + y.square().sum(1)
    return (rho * x @ y.T - rho**2 * squares / 2) / (1 - rho**2) - x.shape[1] / 2 * math.log1p(
        -(rho**2)
    )
