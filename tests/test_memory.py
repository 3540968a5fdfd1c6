"""Nothing of size rows x rows: the peak memory of whole runs, each in its own process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import run

TABLE = ["dataset=drawn", "dataset.rows=100000"]
LOW = ["dataset.joint.dim=1"]
TRAINED = ["runner.steps=2", "runner.eval_every=2", "critic.hidden=[64]"]


def peaks(*runs: Sequence[str], folder: Path) -> list[float]:
    """The peak memory in GiB of a process after each `python run.py ...`, one after the other;
    rusage would include the memory of the parent process.

    Freed blocks are returned to the system immediately, because the amount that glibc keeps varies
    by a GiB between runs.
    """
    program = f"""
from run import launch
for arguments in {[[*arguments, f"name={n}"] for n, arguments in enumerate(runs)]}:
    if code := launch(arguments):
        sys.exit(code)
    print("peak", open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
"""
    line = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(Path(run.__file__).parent)!r})\n{program}",
    ]
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**20)}
    done = subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    return [int(line[1]) / 2**20 for line in lines if line[0] == "peak"]


@pytest.mark.slow
def test_estimators_without_training_read_forty_thousand_rows_in_little_memory(
    tmp_path: Path,
) -> None:
    table = [*TABLE, "dataset.rows=40000"]
    read = [["estimator=gaussian"], ["estimator=binned", *LOW], ["estimator=ksg", *LOW]]
    found = peaks(*([*table, *each] for each in read), folder=tmp_path)
    assert len(found) == len(read)
    assert max(found) < 1, found


@pytest.mark.slow
def test_brute_force_neighbours_hold_a_block_of_distances_at_a_time(tmp_path: Path) -> None:
    arguments = ["estimator=ksg", *TABLE, "dataset.rows=12000", "dataset.joint.dim=8"]
    [found] = peaks(arguments, folder=tmp_path)
    assert found < 0.7, "all distances are 1.07 GiB"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        [*TABLE, *TRAINED, "runner.eval_batch_size=4096"],
        [*TABLE, *TRAINED, "runner.eval_batch_size=4096", "dataset.rows=30000"],
        [*TABLE, *TRAINED, "experiment=my_data", "dataset.folds=3", "dataset.validation=0.1"],
        [
            "critic=concat",
            "critic.negatives=null",
            *TRAINED,
            "critic.hidden=[256,256]",
            "runner.batch_size=1024",
            "runner.eval_batch_size=1024",
            "runner.eval_batches=2",
        ],
    ],
    ids=["separable", "fewer rows", "my data", "all pairs of a large batch"],
)
def test_critics_are_trained_and_read_in_less_than_two_gibibytes(
    arguments: list[str], tmp_path: Path
) -> None:
    [found] = peaks(arguments, folder=tmp_path)
    assert found < 2
