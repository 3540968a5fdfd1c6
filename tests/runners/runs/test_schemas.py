"""Whoever wrote the files of a run: what is read has the types that its readers expect, or one line
names the file and says what is wrong.
"""

import json
import os
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from infobound import regular
from infobound.errors import IrregularFileError
from infobound.runners.runs import aside, schemas
from infobound.runners.runs.errors import Damaged
from infobound.runners.runs.naming import check_utf8, job_name, run_name
from infobound.runners.runs.snapshots import Snapshots

BOMB = "a: &a [x]\n" + "\n".join(
    f"{key}: &{key} [{', '.join([f'*{last}'] * 9)}]" for last, key in pairwise("abcdefghij")
)
RESULTS = {
    "": "it is not JSON",
    "[]": "it must be an object, got []",
    "{}": "it must have status, one of running, completed",
    '{"status": ["completed"]}': "status must be one of",
    '{"status": "completed", "metrics": 3}': "metrics must be metrics by name, got 3",
    '{"status": "completed", "metrics": {"mi_replicates": ["x"]}}': "metrics must be",
    '{"status": "completed", "metrics": {"levels": {}}}': "metrics must be",
    '{"status": "completed", "metrics": {"mi": NaN}}': "finite numbers",
    '{"status": "completed", "seed": 1e999}': "finite numbers",
    '{"status": "completed", "summary": "\\ud800"}': "it must hold",
    '{"status": "completed", "overrides": ["--config-dir=/x"]}': "overrides must be",
    '{"status": "failed", "error": "words"}': "error must be null or an error with its message",
    '{"status": "completed", "metrics": {"mi": ' + "[" * 40 + "]" * 40 + "}}": "at most 32 deep",
    "[" * 100_000: "nested too deeply",
}
CONFIGURATIONS = {
    "": "it must be an object, got None",
    "- 1": "it must be an object",
    "runner: 3": "runner must be keys, got 3",
    "runner: {steps: many}": "steps must be a count, got 'many'",
    "a: !!python/object/apply:os.getcwd []": "line 1 has a tag",
    "a: 2020-01-01": "it must hold numbers, texts",
    "1: 2": "it must hold numbers, texts",
    BOMB: "line 1 has an alias or an anchor",
    "a:\n" + "[" * 100_000: "maximum nesting depth",
    "{a: " * 40 + "}" * 40: "nested more than 32 deep",
    "a: 1\n" * 1_000_000: "at most 2 MiB",
}
LINES = {
    '{"step": 1, "split": "train"}\n{"st': "line 2 is cut off",
    '{"step": 1, "split": "train"}\n[]\n': "line 2: it must be an object",
    '{"step": -1, "split": "train"}\n': "line 1: step must be a count, got -1",
    '{"step": 1}\n': "line 1: it must have split",
}


def write(path: Path, content: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)


def assert_refused(read: Callable[[Path], object], run: Path, path: Path, words: str) -> None:
    began = time.monotonic()
    with pytest.raises(Damaged) as raised:
        read(run)
    assert time.monotonic() - began < 2
    line = str(raised.value)
    assert line.startswith(f"{run / path} is not ")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("read", "path", "texts"),
    [
        (schemas.result, Path(schemas.RESULT), RESULTS),
        (schemas.config, schemas.CONFIG, CONFIGURATIONS),
        (schemas.lines, Path(schemas.METRICS), LINES),
        (schemas.jobs, Path(schemas.JOBS), {'{"jobs": {"../x": []}}': "", '{"jobs": [1]}': ""}),
        (schemas.choices, schemas.HYDRA, {"": "", "runtime:\n  choices: 3\n": "choices must be"}),
    ],
    ids=["result", "configuration", "metrics", "jobs", "choices"],
)
def test_other_content_is_refused_by_name_and_at_once(
    read: Callable[[Path], object], path: Path, texts: dict[str, str], tmp_path: Path
) -> None:
    assert not read(tmp_path), "a missing file is none"
    for text, words in texts.items():
        write(tmp_path / path, text)
        assert_refused(read, tmp_path, path, words)
    (tmp_path / path).write_bytes(b"\xff\xfe\x00")
    assert_refused(read, tmp_path, path, "")
    (tmp_path / path).unlink()
    os.mkfifo(tmp_path / path)
    assert_refused(read, tmp_path, path, "it must be a regular file, got a FIFO")
    (tmp_path / path).unlink()
    (tmp_path / path).symlink_to("/dev/zero")
    assert_refused(read, tmp_path, path, "it must be a regular file, got a device")


def test_what_a_result_lacks_has_a_default(tmp_path: Path) -> None:
    write(tmp_path / "result.json", '{"status": "completed", "metrics": {"mi": 1.0}}')
    found = schemas.result(tmp_path) or {}
    assert (found["metrics"], found["seed"], found["overrides"]) == ({"mi": 1.0}, 0, [])


def test_held_out_readings_are_read_while_a_run_writes(tmp_path: Path) -> None:
    train = '{"step": 1, "split": "train"}'
    held_out = '{"step": 2, "split": "validation", "mi": 1.0}'
    write(tmp_path / "metrics.jsonl", f"{train}\n{held_out}\n{held_out[:9]}")
    assert schemas.held_out(tmp_path) == [json.loads(held_out)]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("data", np.full((4, 2), np.nan)),
        ("data", np.zeros((4, 3))),
        ("data", np.array(["a"])),
        ("3", np.zeros((4, 2))),
        ("3", np.zeros((1, 4, 1, 8, 8))),
        ("3", np.zeros((0, 4, 2))),
    ],
)
def test_samples_of_another_kind_are_refused(name: str, array: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    np.save(tmp_path / "samples/data.npy", np.zeros((4, 2)))
    np.save(tmp_path / "samples/3.npy", np.zeros((1, 4, 2)))
    assert Snapshots.of(tmp_path) is not None
    path = tmp_path / f"samples/{name}.npy"
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b"", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(Damaged, match=f"{name}.npy is not a file of samples"):
            Snapshots.of(tmp_path)
    np.save(path, array)
    with pytest.raises(Damaged, match=rf"{name}\.npy "):
        Snapshots.of(tmp_path)


def test_nothing_is_written_through_a_link_or_into_a_fifo(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("kept")
    os.mkfifo(tmp_path / "fifo")
    for name, kind in {"link": "a symbolic link", "fifo": "a FIFO"}.items():
        with pytest.raises(IrregularFileError, match=f"must be a regular file, got {kind}"):
            regular.writable(tmp_path / name, os.O_WRONLY | os.O_TRUNC)
    with pytest.raises(Damaged, match=r"link must not be a symbolic link, got a link to kept"):
        aside.check_links(tmp_path)
    assert (tmp_path / "kept").read_text() == "kept"


def test_files_set_aside_twice_have_two_folders(tmp_path: Path) -> None:
    job = tmp_path / "a"
    for content in "12":
        write(job / "result.json", content)
        write(job / aside.LOG, "goes on")
        aside.set_aside(job, f"reason {content}")
    assert [path.name for path in job.iterdir()] == [aside.LOG]
    first, second = aside.found(tmp_path)
    assert (first.folder.name, first.reason) == ("a", "reason 1")
    assert (second.folder.name, second.reason) == ("a-2", "reason 2")
    assert (second.folder / "result.json").read_text() == "2"


def test_names_are_as_long_as_the_file_system_counts() -> None:
    for letter in "aé漢𝄞":
        name = job_name([f"dataset.path={letter * 119}"])
        assert len(name.encode()) <= 120
    assert job_name(["seed=1"]) == "seed=1"
    with pytest.raises(ValueError, match="name must have at most 255 bytes a folder"):
        run_name("é" * 128, "estimate")


def test_arguments_that_are_no_text_are_refused_in_one_line() -> None:
    check_utf8("name=é")
    with pytest.raises(ValueError, match=r"must be UTF-8, got 'name=\\udcff'"):
        check_utf8(os.fsdecode(b"name=\xff"))
