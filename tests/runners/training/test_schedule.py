"""The learning rate follows its schedule, also after a resume."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from infobound.runners.training.schedule import Schedule

SETTINGS = ["runner.steps=8", "runner.warmup=2", "runner.cosine=true", "runner.checkpoint_every=3"]


def rates(warmup: int, end: int | None, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    schedule, seen = Schedule(optimizer, warmup, end), list[float]()
    for step in range(steps):
        schedule.set(step)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def test_the_rate_rises_linearly_and_falls_by_half_a_cosine() -> None:
    fall = [0.2 * (1 + math.cos(math.pi * step / 4)) for step in range(4)]
    assert rates(2, 6, 7) == pytest.approx([0.2, 0.4, *fall, 0.0])


def test_without_a_cosine_the_rate_stays_where_the_warm_up_leaves_it() -> None:
    assert rates(4, None, 6) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert rates(0, None, 2) == [0.4, 0.4]


def test_fewer_steps_than_the_warm_up_rise_as_far_as_they_get() -> None:
    assert rates(4, 2, 2) == pytest.approx([0.1, 0.2])


def test_a_negative_warm_up_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^warmup must be a number of steps, 0 or more, got -1"):
        rates(-1, None, 0)


def test_a_resumed_run_goes_on_with_its_schedule(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("name=straight", *SETTINGS).code == 0
    set_rate = Schedule.set

    def stopping(self: Schedule, step: int) -> None:
        if step == 4:
            raise OSError("the power is off")
        set_rate(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "set", stopping)
        assert command("name=broken", *SETTINGS).code == 1
    assert command("name=broken", *SETTINGS).code == 0
    straight, broken = (
        Path("outputs/runs", name, "metrics.jsonl").read_bytes() for name in ("straight", "broken")
    )
    assert straight == broken


def test_steps_cannot_be_added_to_a_rate_that_has_fallen_to_zero(
    command: Callable[..., Any],
) -> None:
    assert command("name=a", *SETTINGS).code == 0
    refused = command("name=a", *SETTINGS[1:], "runner.steps=16")
    assert refused.code == 2
    assert "runner.steps: 8 -> 16" in refused.err
    assert json.loads(Path("outputs/runs/a/result.json").read_text())["status"] == "completed"
