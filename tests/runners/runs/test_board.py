"""A run in TensorBoard: its curves and pictures, and a row that says how it ended."""

import json
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from google.protobuf.json_format import MessageToDict
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from infobound.runners.runs import board
from infobound.runners.runs.errors import Interrupted
from infobound.runners.runs.run_directory import RunDirectory

FOLDER = Path("outputs/runs/a")
CONFIG = {
    "name": "a",
    "seed": 1,
    "runner": {
        "_target_": "infobound.runners.estimate.runner.Estimate",
        "steps": 2,
        "hidden": [8, 8],
        "tau": math.inf,
    },
}
Command = Callable[..., Any]


def events(path: Path) -> EventAccumulator:
    return EventAccumulator(str(path), size_guidance={"scalars": 0, "images": 0}).Reload()


def row(path: Path) -> tuple[dict[str, Any], str, dict[str, float]]:
    """The settings of a run's row, TensorBoard's status, and its numbers."""
    read = events(path)
    told = read.PluginTagToContent("hparams")
    assert set(told) == {metadata.SESSION_START_INFO_TAG, metadata.SESSION_END_INFO_TAG}
    begun = metadata.parse_session_start_info_plugin_data(told[metadata.SESSION_START_INFO_TAG])
    ended = metadata.parse_session_end_info_plugin_data(told[metadata.SESSION_END_INFO_TAG])
    finals = [tag for tag in read.Tags()["scalars"] if tag.startswith("final/")]
    numbers = {tag.removeprefix("final/"): read.Scalars(tag)[-1].value for tag in finals}
    return (
        MessageToDict(begun)["hparams"],
        MessageToDict(ended).get("status", "STATUS_UNKNOWN"),
        numbers,
    )


def test_curves_have_truth_and_cap_in_one_chart(command: Command) -> None:
    assert command("name=a").code == 0
    read = events(FOLDER)
    assert {"mi/train", "mi/validation", "mi/test", "mi/true", "mi/cap"} <= set(
        read.Tags()["scalars"]
    )
    assert "custom_scalars__config__" in read.Tags()["tensors"]
    lines = [json.loads(line) for line in (FOLDER / "metrics.jsonl").read_text().splitlines()]
    written = {line["step"]: line["mi"] for line in lines if line["split"] == "train"}
    assert {event.step: event.value for event in read.Scalars("mi/train")} == pytest.approx(written)
    assert {event.value for event in read.Scalars("mi/true")} == {2.0}


def test_an_unknown_truth_is_not_drawn(command: Command, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(tmp_path / "pairs.npz", x=rows, y=rows)
    assert command("name=a", "dataset=arrays", "dataset.path=pairs.npz", "estimator=dv").code == 0
    assert not {"mi/true", "mi/cap"} & set(events(FOLDER).Tags()["scalars"])


STAIRS = [
    "runner=staircase",
    "dataset=staircase",
    "dataset.levels=[1,2]",
    "dataset.steps=8",
    "runner.window=4",
]


@pytest.mark.parametrize(
    ("figure", "arguments"), [("estimate", ["runner.steps=16"]), ("staircase", STAIRS)]
)
def test_pictures_have_several_steps_and_the_file_is_the_last(
    figure: str, arguments: list[str], command: Command
) -> None:
    assert command("name=a", *arguments, "runner.eval_every=1", "runner.batch_size=8").code == 0
    pictures = events(FOLDER).Images(figure)
    assert [picture.step for picture in pictures] == [1, 4, 16]
    assert pictures[-1].encoded_image_string == (FOLDER / "figures" / f"{figure}.png").read_bytes()


def test_a_completed_run_has_its_settings_and_numbers_in_its_row(command: Command) -> None:
    assert command("name=a", "critic.hidden=[8,4]", "estimator=nwj").code == 0
    settings, end, numbers = row(FOLDER)
    result = json.loads((FOLDER / "result.json").read_text())
    assert (settings["Status"], end) == ("completed", "STATUS_SUCCESS")
    assert (settings["estimator"], settings["critic.hidden"], settings["seed"]) == (
        "NWJ",
        "[8, 4]",
        0,
    )
    assert settings["runner.steps"] == 4
    assert not {key for key, value in settings.items() if key.endswith("_") or "${" in str(value)}
    plain = {
        name: value for name, value in result["metrics"].items() if isinstance(value, int | float)
    }
    assert numbers == pytest.approx(plain)
    assert {"mi", "mi_stderr", "mi_true"} <= set(numbers)


@pytest.mark.parametrize(
    ("error", "status", "end"),
    [
        (ValueError("no"), "failed", "STATUS_FAILURE"),
        (Interrupted(signal.SIGTERM), "interrupted", "STATUS_UNKNOWN"),
    ],
)
def test_a_run_that_ends_early_has_its_row_too(
    error: Exception, status: str, end: str, command: Command
) -> None:
    texts = {"config.yaml": yaml.safe_dump(CONFIG), "overrides.yaml": "[]"}
    run = RunDirectory(FOLDER, texts, [], expected=False)
    with pytest.raises(type(error)), run.claimed(), run.recording(force=False):
        raise error
    settings, told, numbers = row(FOLDER)
    assert (settings["Status"], told, numbers) == (status, end, {})
    assert settings["runner"] == "Estimate"


def test_a_later_row_takes_the_place_of_an_earlier_one_with_all_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "s" / "seed=1"
    board.row(path, CONFIG, {"mi": 1.0, "mse": 2.0}, "completed", 5)
    board.row(
        path, {**CONFIG, "seed": 2}, {"mi": 1.5, "kind": "lower bound", "mi_true": None}, "killed"
    )
    settings, end, numbers = row(path)
    chosen = {
        "seed": 2,
        "runner": "Estimate",
        "runner.steps": 2,
        "runner.hidden": "[8, 8]",
        "runner.tau": "inf",
    }
    assert settings == {"Status": "killed", **chosen}
    assert (end, numbers) == ("STATUS_FAILURE", {"mi": 1.5})
    assert len([*path.iterdir()]) == 1


def test_a_resumed_run_has_no_row_until_it_ends_again(tmp_path: Path) -> None:
    board.row(tmp_path, CONFIG, {"mi": 1.0}, "interrupted", 5)
    going = board.Board(tmp_path, 5)
    going.scalars({"mi/train": 1.0}, 6)
    going.close()
    assert events(tmp_path).Tags()["scalars"] == ["mi/train"]
    board.row(tmp_path, CONFIG, {"mi": 1.2}, "completed", 9)
    settings, end, numbers = row(tmp_path)
    assert (settings["Status"], end, numbers["mi"]) == (
        "completed",
        "STATUS_SUCCESS",
        pytest.approx(1.2),
    )
