"""Parts by their bare names, such as `infobound.estimators.KSG`: every class that `conf/` names,
imported on first use.
"""

import functools
import importlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent
FOLDERS = ("datasets", "estimators", "models", "regularizers", "runners")
TARGET = re.compile(r"_target_: (infobound(?:\.[a-z_0-9]+)+)\.(\w+)")


class Parts(ModuleType):
    """A folder of this package whose parts and modules are its attributes."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__} has no attribute {name}")
        if any((Path(each) / name).is_dir() for each in self.__path__):
            return opened(f"{self.__name__}.{name}")
        if any((Path(each) / f"{name}.py").is_file() for each in self.__path__):
            return importlib.import_module(f"{self.__name__}.{name}")
        if (home := named(self.__name__).get(name)) is None:
            known = ", ".join(sorted(named(self.__name__)))
            raise AttributeError(f"{self.__name__} has no {name}; it has {known}")
        return getattr(importlib.import_module(home), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *named(self.__name__)})


def opened(name: str) -> ModuleType:
    """Make the parts of the folder with this dotted name available by their names."""
    module = importlib.import_module(name)
    if getattr(module, "__file__", None) is None:  # a folder without an __init__.py
        module.__class__ = Parts
    return module


@functools.cache
def named(folder: str) -> Mapping[str, str]:
    """The module of every class and function in a folder that a file of `conf/` names, except names
    that occur in two modules.
    """
    found = {
        (part, module)
        for path in (PACKAGE / "conf").rglob("*.yaml")
        for module, part in TARGET.findall(path.read_text(encoding="utf-8"))
        if module.startswith(f"{folder}.")
    }
    times = Counter(part for part, _ in found)
    return {part: module for part, module in sorted(found) if times[part] == 1}
