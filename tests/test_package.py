"""A checkout, an editable install and a wheel give the same results next to Hugging Face's
`datasets`.

The environment is fresh, except for the libraries that infobound depends on: those of the
interpreter that runs these tests follow its own on sys.path. Imports and installations are the same
as without them; the README's first command tests that pip finds them.
"""

import csv
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LINKED = sorted(path.name for path in (ROOT / "infobound").iterdir() if path.is_symlink())
FEW = [
    "runner.steps=20",
    "runner.eval_every=10",
    "runner.batch_size=64",
    "critic.hidden=[8]",
]
BESIDE_HUGGING_FACE = """
import datasets, transformers, infobound.datasets.pairs.gaussians
print(datasets.Dataset.from_dict({"x": [1]}).num_rows, transformers.PretrainedConfig().model_type)
print(datasets.__file__, infobound.__file__, sep="\\n")
from infobound.launcher import command
command()
"""


def call(*line: str | Path, folder: Path, code: int = 0) -> tuple[str, str]:
    """Run a command in a folder, check its exit code, and return its output and errors."""
    ended = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout, ended.stderr


@dataclass(frozen=True)
class Installed:
    """One way to install infobound."""

    package: Path
    """The folder that `import infobound` imports."""
    python: Sequence[str]
    command: Sequence[str]


@pytest.fixture(scope="module", autouse=True)
def _no_search_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONPATH", raising=False)
        yield


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, because a build writes next to its sources and reuses old files."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (*LINKED, "hydra_plugins", "infobound"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    for name in ("run.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site-packages of an environment with Hugging Face's datasets and transformers."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", folder, folder=folder)
    [own] = folder.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "dependencies.pth").write_text("\n".join(ours))
    hugging_face = ["datasets", "transformers"]
    call(folder / "bin/pip", "install", "-q", "--no-compile", *hugging_face, folder=folder)
    return own


@pytest.fixture(scope="module")
def wheel(checkout: Path, site_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pip, folder = site_packages.parents[2] / "bin/pip", tmp_path_factory.mktemp("wheel")
    call(pip, "wheel", "-q", "--no-deps", checkout, folder=folder)
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module", params=["checkout", "editable", "wheel"])
def installed(
    request: pytest.FixtureRequest, checkout: Path, site_packages: Path
) -> Iterator[Installed]:
    programs = site_packages.parents[2] / "bin"
    python, infobound = str(programs / "python"), str(programs / "infobound")
    if request.param == "checkout":
        searching = ["env", f"PYTHONPATH={checkout}", python]
        yield Installed(checkout / "infobound", searching, [python, str(checkout / "run.py")])
        return
    editable = request.param == "editable"
    package = ["-e", checkout] if editable else [request.getfixturevalue("wheel")]
    pip = programs / "pip"
    call(pip, "install", "-q", "--no-deps", "--force-reinstall", *package, folder=programs)
    folder = checkout if editable else site_packages
    yield Installed(folder / "infobound", [python], [infobound])
    call(pip, "uninstall", "-q", "-y", "infobound", folder=programs)


def test_a_wheel_contains_only_the_package(wheel: Path, checkout: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    files = {
        f"infobound/{path.relative_to(checkout).as_posix()}"
        for folder in LINKED
        for kind in ("py", "pyi", "yaml")
        for path in (checkout / folder).rglob(f"*.{kind}")
    }
    own = {
        path.relative_to(checkout).as_posix()
        for pattern in (
            "infobound/*.py",
            "infobound/*/*.py",
            "infobound/py.typed",
            "hydra_plugins/*.py",
        )
        for path in checkout.glob(pattern)
    }
    assert "infobound/py.typed" in own
    assert held == files | own


@pytest.mark.parametrize("installed", ["editable", "wheel"], indirect=True, scope="module")
def test_none_of_our_folders_is_installed_under_its_own_name(
    installed: Installed, tmp_path: Path
) -> None:
    program = (
        "from importlib.util import find_spec\n"
        f"print([each for each in {LINKED} if find_spec(each) and each != 'datasets'])"
    )
    assert call(*installed.python, "-c", program, folder=tmp_path) == ("[]\n", "")


def test_the_default_job_runs_beside_hugging_face(
    installed: Installed, site_packages: Path, tmp_path: Path
) -> None:
    out, _ = call(*installed.python, "-c", BESIDE_HUGGING_FACE, *FEW, "name=mine", folder=tmp_path)
    theirs, ours = (Path(line).parent for line in out.splitlines()[1:3])
    assert (theirs, ours) == (site_packages / "datasets", installed.package)
    assert "I(X;Y) = " in out
    assert json.loads((tmp_path / "outputs/runs/mine/result.json").read_text())["seed"] == 0


def test_the_command_reads_a_table_of_the_folder_it_is_called_from(
    installed: Installed, tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).normal(size=(600, 2))
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="age,income", comments="")
    columns = ["dataset.x_columns=[age]", "dataset.y_columns=[income]", "name=mine"]
    arguments = ["experiment=my_data", "dataset.path=rows.csv", *columns, *FEW]
    out, _ = call(*installed.command, *arguments, folder=tmp_path)
    assert "I(X;Y) = " in out
    assert (tmp_path / "outputs/runs/mine/result.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "outputs"}


def test_the_module_sweeps_and_says_how_to_continue(installed: Installed, tmp_path: Path) -> None:
    arguments = ["-m", "critic.embed=0,4", "name=grid", *FEW]
    _, err = call(*installed.python, "-m", "infobound", *arguments, folder=tmp_path, code=3)
    with (tmp_path / "outputs/sweeps/grid/summary.csv").open(newline="") as file:
        assert {row["status"] for row in csv.DictReader(file)} == {"failed", "completed"}
    assert err.splitlines()[-1].startswith("to continue: python -m infobound -m critic.embed=0,4 ")
