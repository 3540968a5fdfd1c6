"""The accuracy of whole runs at full length."""

import json
from pathlib import Path

import pytest

import run


@pytest.mark.slow
def test_the_default_run_reads_two_nats_within_a_tenth(tmp_path: Path) -> None:
    assert run.launch([f"hydra.run.dir={tmp_path}"]) == 0
    metrics = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert metrics["mi_true"] == 2
    assert abs(metrics["mi"] - 2) < 0.1
    assert metrics["mi_stderr"] < 0.03


@pytest.mark.slow
@pytest.mark.parametrize("rho", [-0.849, 0.0, 0.99])
def test_critics_trained_on_3000_pairs_come_within_three_hundredths_of_the_truth(
    rho: float, tmp_path: Path
) -> None:
    assert (
        run.launch(["experiment=gaussian_1d", f"dataset.rho={rho}", f"hydra.run.dir={tmp_path}"])
        == 0
    )
    metrics = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert metrics["mi"] == pytest.approx(metrics["mi_true"], abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("joint", "error"),
    [
        (["dataset@dataset.joint=six_nats"], 0.2),
        (["dataset@dataset.joint=heavy_tailed_independent"], 0.02),
        (
            [
                "dataset@dataset.joint=beyond_normal",
                "dataset.joint.task=spiral-multinormal-sparse-3-3-2-2.0",
            ],
            0.15,
        ),
    ],
    ids=["six nats", "independent", "spiral"],
)
def test_the_default_for_own_data_reads_ten_thousand_rows(
    joint: list[str], error: float, tmp_path: Path
) -> None:
    assert (
        run.launch(["experiment=my_data", "dataset=drawn", *joint, f"hydra.run.dir={tmp_path}"])
        == 0
    )
    metrics = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert metrics["mi"] == pytest.approx(metrics["mi_true"], abs=error)
