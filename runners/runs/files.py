"""The list of the files that a run wrote besides those that every run writes."""

from pathlib import Path

LIST = Path(".hydra") / "files.txt"


class Files:
    """The files that are written below a run's folder, each listed before it is written."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._names = {*_names(run)}

    def new(self, name: str) -> Path:
        """The path of a file of this name, such as `figures/plane.pdf`, which is now listed."""
        path = self._run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in self._names:
            self._names.add(name)
            (self._run / LIST).parent.mkdir(exist_ok=True)
            with (self._run / LIST).open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")
        return path


def written(run: Path) -> list[Path]:
    """The list itself and all files on it, but none outside of the run's folder."""
    folder = run.resolve()
    paths = [run / LIST, *(run / name for name in _names(run))]
    return [path for path in paths if path.is_file() and path.resolve().is_relative_to(folder)]


def _names(run: Path) -> list[str]:
    file = run / LIST
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
