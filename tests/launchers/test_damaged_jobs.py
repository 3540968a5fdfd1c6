"""A damaged file of one job costs that job alone: its files are set aside, it is repeated, and the
summary names it.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infobound.runners.runs import aside
from tests.conftest import Ended

SWEEP = ["-m", "name=s", "seed=1,2,3,4,5", "hydra.launcher.workers=1"]
FOLDER = Path("outputs/sweeps/s")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def interrupt(job: Path) -> None:
    result = json.loads((job / "result.json").read_text())
    (job / "result.json").write_text(json.dumps({**result, "status": "interrupted"}))


@pytest.mark.slow
def test_a_damaged_file_costs_its_job_alone(command: Callable[..., Ended], tmp_path: Path) -> None:
    assert command(*SWEEP).code == 0
    jobs = sorted(path.parent for path in FOLDER.glob("*/result.json"))
    lines, result, state, link, good = jobs
    cut(lines / "metrics.jsonl")
    (result / "result.json").write_text("[]")
    interrupt(state)
    cut(state / "checkpoint.pt")
    interrupt(link)
    (tmp_path / "precious").write_text("precious")
    (link / "metrics.jsonl").unlink()
    (link / "metrics.jsonl").symlink_to(tmp_path / "precious")
    before = {path: (path / "result.json").stat().st_mtime_ns for path in jobs}

    kept = (FOLDER / "jobs.json").read_text()
    (FOLDER / "jobs.json").write_text("{")
    ended = command(*SWEEP)
    assert ended.code == 2
    assert ended.err.startswith(f"refused: {FOLDER}/jobs.json is not the list of a sweep's jobs: ")
    assert ended.err.count("\n") == 1
    (FOLDER / "jobs.json").write_text(kept)

    assert command(*SWEEP).code == 0
    after = {path: (path / "result.json").stat().st_mtime_ns for path in jobs}
    assert [path for path in jobs if after[path] == before[path]] == [good]
    found = {each.folder.name: each for each in aside.found(FOLDER)}
    summary = (FOLDER / "summary.md").read_text()
    assert summary.startswith("5 of 5 runs completed")
    for job, name in {
        lines: "metrics.jsonl",
        result: "result.json",
        state: "checkpoint.pt",
        link: "metrics.jsonl",
    }.items():
        each = found.pop(job.name)
        assert (each.folder / name).exists()
        assert name in each.reason
        assert f"| {each.folder} |" in summary
    assert not found
    assert (tmp_path / "precious").read_text() == "precious"
