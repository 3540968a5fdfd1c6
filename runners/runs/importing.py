"""Import the objects that a configuration names."""

import importlib
from types import ModuleType


def imported(target: str) -> object:
    """The object with this dotted name, such as that of `_target_`.

    pkgutil.resolve_name() takes a module that cannot be imported for a missing attribute, and hides
    what it lacks. Raises ImportError that names it, and AttributeError for a name that does not
    exist.
    """
    first, *names = target.split(".")
    found: object = importlib.import_module(first)
    for index, name in enumerate(names):
        try:
            found = getattr(found, name)
        except AttributeError:
            if not isinstance(found, ModuleType):
                raise
            module = ".".join([first, *names[: index + 1]])
            try:
                found = importlib.import_module(module)
            except ModuleNotFoundError as error:
                if error.name != module:
                    raise
                raise AttributeError(f"{found.__name__} has no {name}") from error
    return found
