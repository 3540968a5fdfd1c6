"""Parts of the documentation that the project's own files give; MkDocs calls the `on_` functions.

A page asks for a part by a comment of its own line, such as `<!-- options estimator -->`. What is
printed comes from `conf/`, from the docstrings of the classes named there, and from the Markdown
files at the top of the project, so a new option is documented as soon as it exists.
"""

import inspect
import json
import pkgutil
import re
import shutil
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict

import yaml

from infobound.conf.choices import CONFIGURATIONS, options

ROOT = Path(__file__).parents[1]
PARTS = re.compile(r"^<!-- (\w+) (\S+) -->$", re.MULTILINE)
LINE = re.compile(r"^( *)([\w@/]+):(?: +([^#]*?))?(?: *# (.*))?$")
PAPER = re.compile(
    r"((?:van den )?[A-Z][\w-]+(?:(?:, | and )[A-Z][\w-]+)*(?: et al\.)? \d{4})"
    r"(?:, [^,;:()]+)??,? \(?(https?://[^\s),;]+)"
)
HIDDEN = ("defaults", "_target_", "_partial_", "_convert_", "_recursive_")
PLACES = {
    "runner/settings": "runner",
    "dataset/map": "dataset.x_map",
    "recipe/settings": "",
}
"""Dotted keys of groups whose options are not at a key of their name; empty for the top level."""


@dataclass(frozen=True)
class Setting:
    """A key of an option, with its default and its comment."""

    key: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Option:
    """One YAML file of `conf/`.

    `commands` are the examples at its head and `note` is the rest of that comment; `document` is
    the docstring of what `target` names.
    """

    group: str
    name: str
    target: str | None
    commands: list[str]
    note: str
    document: str
    settings: list[Setting]

    @property
    def summary(self) -> str:
        """The comment at the head of the file without its paper, else the first paragraph of the
        docstring.
        """
        return re.sub(r" \([^()]*https?://[^()]*\)", "", self.note) or self.definition

    @property
    def definition(self) -> str:
        """The first paragraph of the docstring."""
        return " ".join(self.document.split("\n\n")[0].split())

    @property
    def papers(self) -> list[str]:
        """Links to the papers that the comment and the docstring name."""
        found = dict.fromkeys(PAPER.findall(" ".join(f"{self.note} {self.document}".split())))
        return [f"[{authors}]({url.rstrip('.')})" for authors, url in found]


def read(group: str, name: str) -> Option:
    """Read the option of a group, such as `estimator`, by its name."""
    text = (CONFIGURATIONS / group / f"{name}.yaml").read_text(encoding="utf-8")
    target = (yaml.safe_load(text) or {}).get("_target_")
    head = [line[1:].strip() for line in _head(text) if "@package" not in line]
    commands = [line for line in head if re.match(r"python run\.py|[\w/@.]+=\S", line)]
    note = " ".join(line for line in head if line not in commands)
    document = _documented(target) if target else ""
    return Option(group, name, target, commands, note, document, list(_settings(text)))


def _head(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line


def _documented(target: str) -> str:
    """The docstring of a class; of a class method, followed by that of its class."""
    found = pkgutil.resolve_name(target)
    owner = getattr(found, "__self__", None)
    parts = [found] if owner is None else [found, owner]
    return "\n\n".join(inspect.getdoc(part) or "" for part in parts)


def _settings(text: str) -> Iterator[Setting]:
    """The keys of a YAML file with their values as written; lines that only continue a comment
    belong to the key before them.
    """
    path: list[str] = []
    found: Setting | None = None
    for line in text.splitlines():
        if found and (more := re.match(r" +# (.*)", line)):
            found = Setting(found.key, found.default, f"{found.meaning} {more[1]}".strip())
            continue
        match = LINE.match(line)
        if not match:
            continue
        indent, key, value, comment = match.groups()
        path = [*path[: len(indent) // 2], key]
        if found:
            yield found
        found = None
        shown = not any(part in HIDDEN for part in path) and not (value or "").startswith("${")
        if shown and (value or comment):
            found = Setting(".".join(path), value or "", comment or "")
    if found:
        yield found


def option_table(group: str) -> str:
    """A table of the options of a group, with descriptions and papers."""
    found = sorted((read(group, name) for name in options(group)), key=_order)
    return _table(
        [f"`{group}=`", "kind", "what it is", "paper"],
        [
            [
                f"[`{option.name}`]({_section(option)})",
                escaped(_kind(option)),
                escaped(option.definition if group == "estimator" else option.summary),
                ", ".join(option.papers),
            ]
            for option in found
        ],
    )


def _order(option: Option) -> tuple[int, str]:
    first = _kind(option).split(" ")[0]
    sides = ["lower", "upper", "neither", "loss"]
    return (sides.index(first) if first in sides else len(sides), _kind(option))


def _kind(option: Option) -> str:
    """The kind of an estimator's bound; for other options the folder of their class."""
    if option.group == "estimator":
        kind, separator, more = option.note.rstrip(".").partition(" ")
        return f"{kind.lower()}{separator}{more}"
    if option.group == "runner":
        return ""
    parts = (option.target or "").split(".")
    return parts[2] if parts[0] == "infobound" and len(parts) > 4 else ""


def option_details(group: str) -> str:
    """A section for each option of a group: its docstring, its class and its settings."""
    return "\n\n".join(
        "\n\n".join(part for part in _details(read(group, name)) if part) for name in options(group)
    )


def _details(option: Option) -> Iterator[str]:
    yield f"### `{option.group}={option.name}` {{ #{_anchor(option)} }}"
    yield escaped(option.note)
    yield escaped(option.document)
    if option.commands:
        yield "```\n" + "\n".join(map(_command, option.commands)) + "\n```"
    yield _class(option)
    yield settings_table(option.group, option.name)


def _class(option: Option) -> str:
    if option.target is None or not option.target.startswith("infobound."):
        return f"Class `{option.target}`." if option.target else ""
    return f"Class [`{option.target}`][{option.target}]."


def _command(command: str) -> str:
    return command if command.startswith("python") else f"python run.py {command}"


def _section(option: Option) -> str:
    """The link to an option: on the page of its table, or for a runner on its own page."""
    return f"{option.name}.md" if option.group == "runner" else f"#{_anchor(option)}"


def _anchor(option: Option) -> str:
    return f"{option.group}-{option.name}".replace("/", "-")


def settings_table(group: str, name: str) -> str:
    """A table of the keys of an option, with defaults and meanings; empty where it has none."""
    top = PLACES.get(group, group.replace("/", "."))
    rows = [
        [
            f"`{top}.{setting.key}`".replace("`.", "`"),
            f"`{setting.default}`",
            escaped(setting.meaning),
        ]
        for setting in read(group, name).settings
    ]
    rows = [[key, default if default != "``" else "", meaning] for key, default, meaning in rows]
    return _table(["key", "default", "meaning"], rows) if rows else ""


def runner(name: str) -> str:
    """The description of a runner, an example, and its own settings."""
    option = read("runner", name)
    examples = "\n".join(map(_command, option.commands or [f"runner={name}"]))
    return "\n\n".join(
        part
        for part in (
            escaped(option.document),
            f"```\n{examples}\n```",
            _class(option),
            settings_table("runner", name),
        )
        if part
    )


def presets(group: str) -> str:
    """A table of experiments or sweeps, with commands and descriptions."""
    found = [read(group, name) for name in options(group)]
    return _table(
        ["command", "what it does"],
        [
            [
                f"`{_command((option.commands or [f'{group}={option.name}'])[0])}`",
                escaped(option.note),
            ]
            for option in found
        ],
    )


def modules(folder: str) -> str:
    """Reference entries of a module, or of every module in a folder of the project."""
    top = ROOT / folder
    found = sorted(top.rglob("*.py")) if top.is_dir() else [top]
    names = (path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in found)
    return "\n\n".join(f"::: infobound.{name.removeprefix('infobound.')}" for name in names)


def included(name: str) -> str:
    """A Markdown file at the top of the project without its title, with links that fit a page of
    the documentation.
    """
    text = re.sub(r"\A# .*\n", "", (ROOT / name).read_text(encoding="utf-8"))
    text = text.replace("](docs/", "](")
    for other in ("RESULTS", "CHANGELOG", "CONTRIBUTING", "SECURITY"):
        text = text.replace(f"]({other}.md", f"]({other.lower()}.md")
    return text.replace("](README.md", "](index.md")


def example(name: str) -> str:
    """A script of examples/ with its docstring as text, or a notebook with its outputs."""
    path = ROOT / "examples" / name
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return "\n\n".join(_cell(each) for each in json.loads(text)["cells"])
    _, said, code = text.split('"""', 2)
    title, _, rest = said.partition("\n")
    return f"## {title.rstrip('.')}\n{rest}\n```python\n{code.strip()}\n```"


class Output(TypedDict, total=False):
    """The printed text (`text`) or the returned value (`data`, by type) of a cell, in lines."""

    text: list[str]
    data: dict[str, list[str]]


class Cell(TypedDict):
    """A cell of a notebook, its source in lines."""

    cell_type: str
    source: list[str]
    outputs: list[Output]


def _cell(cell: Cell) -> str:
    text = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return re.sub(r"^#", "##", text, flags=re.MULTILINE)
    shown = (_output(each) for each in cell["outputs"])
    return "\n\n".join([f"```python\n{text}\n```", *shown])


def _output(output: Output) -> str:
    data = output.get("data", {"text/plain": output.get("text", [])})
    if "image/png" in data:
        picture = "".join(data["image/png"]).strip()
        return f'<img alt="The figure that this cell draws" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        return re.sub(r"<style.*?</style>\n?", "", "".join(data["text/html"]), flags=re.DOTALL)
    return f"```text\n{''.join(data['text/plain']).rstrip()}\n```"


def _option(kind: Callable[[str, str], str]) -> Callable[[str], str]:
    return lambda path: kind(*path.rsplit("/", 1))


PRODUCERS: dict[str, Callable[[str], str]] = {
    "options": option_table,
    "details": option_details,
    "settings": _option(settings_table),
    "runner": runner,
    "presets": presets,
    "modules": modules,
    "include": included,
    "example": example,
}


def expanded(markdown: str) -> str:
    """A page with every part that it requests.

    Raises KeyError for a part that does not exist.
    """
    return PARTS.sub(
        lambda match: PRODUCERS[match[1]](match[2]) if match[1] in PRODUCERS else match[0], markdown
    )


def escaped(text: str) -> str:
    """Text in which nothing but backticks is Markdown."""
    parts = re.split(r"(`[^`]*`|https?://[^\s),;]+)", text)
    return "".join(
        part if index % 2 else re.sub(r"([\[\]*_|])", r"\\\1", part).replace("<", "&lt;")
        for index, part in enumerate(parts)
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table without its empty columns."""
    used = [index for index in range(len(head)) if any(row[index] for row in rows)]
    lines = [[" ".join(row[index].split()) for index in used] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(used))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def on_startup(command: str, dirty: bool) -> None:
    """Copy the package for mkdocstrings, which looks for the folder immediately."""
    copy_package(ROOT / "build" / "documented" / "infobound")


class _Page(Protocol):
    """The part of a MkDocs page that is used here."""

    title: str


def on_page_markdown(markdown: str, page: _Page, config: object, files: object) -> str:
    """Called by MkDocs with the text of each page."""
    return expanded(markdown)


class _Files(Protocol):
    """The part of MkDocs's collection of files that is used here."""

    def get_file_from_path(self, path: str) -> object: ...

    def append(self, file: object) -> None: ...


def on_files(files: _Files, config: Any) -> None:
    """Add a page for each runner that has none of its own."""
    from mkdocs.structure.files import File  # pyright: ignore[reportMissingImports]

    for name in options("runner"):
        path = f"runners/{name}.md"
        if files.get_file_from_path(path) is None:
            files.append(File.generated(config, path, content=runner_page(name)))


def runner_page(name: str) -> str:
    """The page of a runner that has none of its own."""
    return f"# {name}\n\n<!-- runner {name} -->\n"


def on_config(config: MutableMapping[str, object]) -> None:
    """List the page of every runner where the navigation says `runners/`."""
    nav = config["nav"]
    config["nav"] = navigation(nav if isinstance(nav, list) else [])


def navigation(nav: list[object]) -> list[object]:
    """The navigation with a page for each runner in place of `runners/`."""
    return [_with_runners(entry) for entry in nav]


def copy_package(into: Path) -> None:
    """Copy the package with an `__init__.py` in each folder, because the reader of docstrings only
    accepts such folders as packages.
    """
    shutil.rmtree(into, ignore_errors=True)
    shutil.copytree(ROOT / "infobound", into, ignore=shutil.ignore_patterns("__pycache__", "conf"))
    for folder in [into, *(path for path in into.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").touch()


def _with_runners(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {
        title: ["runners/index.md", *({name: f"runners/{name}.md"} for name in options("runner"))]
        if below == "runners/"
        else below
        for title, below in entry.items()
    }
