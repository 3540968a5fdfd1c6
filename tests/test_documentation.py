"""The documentation names every option, every command in it composes, and its Python runs."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override

from docs import generated
from infobound.conf import choices, schema
from infobound.conf.composing import composed

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FILES = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
BUILT = {page: generated.expanded(page.read_text()) for page in PAGES}
PRESETS = ("experiment", "sweep", "recipe")
NO_PAGES = ("hydra", "recipe/settings", "regularizer/settings", "runner/settings")
GROUPS = sorted(
    {
        path.parent.relative_to(choices.CONFIGURATIONS).as_posix()
        for path in choices.CONFIGURATIONS.rglob("*/*.yaml")
    }
)
PYTHON = re.compile(r"^```python[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
PARSER = OverridesParser.create()


def commands(text: str) -> Iterator[str]:
    """Commands of this program in code blocks without a language and in backticks."""
    for block in re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from (line for line in block.splitlines() if line.startswith("python run.py"))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"`(python run\.py[^`]*)`", " ".join(prose.split()))


def first_job(override: Override) -> str:
    """An override with the first of its values where it has several."""
    if not override.is_sweep_override():
        return override.input_line or ""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return f"{override.get_key_element()}={value.start}"
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"


WRITTEN = {each for path in FILES for each in commands(path.read_text())}
GENERATED = {each for text in BUILT.values() for each in commands(text)} - WRITTEN


@pytest.mark.parametrize("group", [g for g in GROUPS if not g.startswith(NO_PAGES)])
def test_every_option_is_in_a_table(group: str) -> None:
    text = "\n".join(BUILT.values())
    for name in choices.options(group):
        if group == "runner":
            assert (ROOT / f"docs/runners/{name}.md") in PAGES, name
        command = re.escape(f"{group}={name}")
        row = (
            rf"^\| `python run\.py[^`]*\b{command}\b"
            if group in PRESETS
            else rf"^\| \[`{name}`\]\("
        )
        assert re.search(row, text, re.MULTILINE), name


def test_every_setting_is_in_a_table() -> None:
    text = "\n".join(BUILT.values())
    for group in GROUPS:
        if not group.startswith((*PRESETS, "hydra")):
            for name in choices.options(group):
                for setting in generated.read(group, name).settings:
                    assert f"{setting.key}`" in text, (group, name, setting.key)


def test_a_new_option_is_documented_as_soon_as_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "conf"
    shutil.copytree(choices.CONFIGURATIONS, tree, ignore=shutil.ignore_patterns("*.py*"))
    (tree / "estimator/toy.yaml").write_text(
        "# Lower bound.\n_target_: infobound.estimators.smile.SMILE\ntau: 3.0  # of the clipping\n"
    )
    (tree / "runner/toy.yaml").write_text(
        "# python run.py runner=toy\n_target_: infobound.runners.estimate.runner.Estimate\n"
    )
    monkeypatch.setattr(choices, "CONFIGURATIONS", tree)
    monkeypatch.setattr(generated, "CONFIGURATIONS", tree)
    page = generated.expanded((ROOT / "docs/which_estimator.md").read_text())
    assert "| [`toy`](#estimator-toy) | lower bound | E" in page
    assert "| `estimator.tau` | `3.0` | of the clipping |" in page
    assert "python run.py runner=toy" in generated.expanded(generated.runner_page("toy"))
    assert "runners/toy.md" in str(generated.navigation([{"Runners": "runners/"}]))


@pytest.mark.slow
def test_every_command_composes() -> None:
    for command in sorted(WRITTEN):
        assert_composes(command)


@pytest.mark.slow
def test_every_command_of_the_tables_and_the_results_composes() -> None:
    for command in sorted(GENERATED):
        if not re.search(r"=[A-Z]\b", command):  # a letter stands for a value
            assert_composes(command)


def assert_composes(command: str) -> None:
    words = [word for word in shlex.split(command)[2:] if "=" in word]
    for name in re.findall(r"runner\.load=outputs/runs/(\w+)", command):  # with its own settings
        [*made] = (each for each in sorted(WRITTEN) if re.search(rf"\bname={name}$", each))
        own = [word for word in shlex.split(made[0])[2:] if "=" in word]
        words = [*own, *words]
    overrides = [
        first_job(each)
        for each in PARSER.parse_overrides(words)
        if not each.get_key_element().startswith(("hydra", "sweep"))
    ]
    try:
        schema.validate(composed(overrides))
    except Exception as error:
        raise AssertionError(command) from error


@pytest.mark.parametrize(
    "page", [page for page in PAGES if PYTHON.search(page.read_text())], ids=lambda page: page.stem
)
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    summary = tmp_path / "outputs/sweeps/grid/summary.csv"
    summary.parent.mkdir(parents=True)
    summary.write_text("estimator,mi\nnwj,1.9\ninfonce,1.8\n")
    text = "\n".join(PYTHON.findall(page.read_text()))
    torch.manual_seed(0)
    exec(text.replace("ib.estimate(x, y)", "ib.estimate(x, y, steps=20)"), {})


def test_pictures_are_small_and_all_are_shown() -> None:
    text = "\n".join([*BUILT.values(), (ROOT / "README.md").read_text()])
    for picture in (ROOT / "docs/pictures").glob("*"):
        assert f"pictures/{picture.name}" in text, picture.name
        assert picture.suffix == ".gif" or picture.stat().st_size <= 60_000, picture.name
