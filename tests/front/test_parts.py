"""The front door: public names, and parts by their names, imported on first use."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import infobound as ib
from infobound import parts
from infobound.conf import targets
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.importing import imported
from infobound.stubs import stub

ROOT = Path(__file__).parents[2]


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = "torch", "numpy", "pandas", "hydra", "matplotlib", "scipy"
    code = f"import sys, infobound; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout == "[]\n", told.stderr


def test_a_report_does_not_import_torch() -> None:
    """That would take half the time of a sweep with nothing left to do."""
    code = "import sys; from infobound.runners.reports import report; print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout == "False\n", told.stderr


def test_every_public_name_exists() -> None:
    assert {*ib.__all__} <= {*dir(ib)}
    assert [name for name in ib.__all__ if getattr(ib, name, None) is None] == []
    assert {*ib.__all__} == {*ib.HOMES, *parts.FOLDERS}


def test_an_unknown_name_is_reported_as_missing() -> None:
    with pytest.raises(AttributeError, match=r"^module infobound has no attribute estimat$"):
        _ = getattr(ib, "estimat")  # noqa: B009
    with pytest.raises(AttributeError, match=r"^infobound.estimators has no KGS; it has .*KSG"):
        _ = getattr(ib.estimators, "KGS")  # noqa: B009


@pytest.mark.parametrize("folder", parts.FOLDERS)
def test_every_class_named_in_conf_is_an_attribute_of_its_folder(folder: str) -> None:
    package = importlib.import_module(f"infobound.{folder}")
    names = parts.named(f"infobound.{folder}")
    assert names
    assert {*names} <= {*dir(package)}
    for name, home in names.items():
        assert getattr(package, name).__module__ == home


@pytest.mark.parametrize("folder", parts.FOLDERS)
def test_editors_know_the_same_names(folder: str) -> None:
    written = (ROOT / folder / "__init__.pyi").read_text()
    assert written == stub(f"infobound.{folder}"), "run python -m infobound.stubs"


def test_modules_are_attributes_too() -> None:
    critics = getattr(ib.models, "critics")  # noqa: B009
    assert critics.dense.Separable is ib.models.Separable
    assert not (ROOT / "datasets" / "__init__.py").exists(), "it would hide another package"


def test_a_part_that_cannot_be_imported_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "part.py").write_text("import absent_package\n\nclass Part:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'absent_package'$"):
        imported("theirs.part.Part")
    lacking = r"^critic\._target_ theirs\.part\.Part cannot be imported: No module named 'absent_"
    with pytest.raises(ConfigError, match=lacking):
        targets.allowed("critic", "theirs.part.Part", ["theirs"])
    with pytest.raises(AttributeError, match=r"^theirs has no nowhere$"):
        imported("theirs.nowhere.Part")
    assert imported("infobound.estimators.ksg.KSG") is ib.estimators.KSG
