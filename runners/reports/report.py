"""The report: read run directories and write summary.csv, a table and figures, without training."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from infobound import regular
from infobound.errors import SettingError
from infobound.reserved import Reserved
from infobound.runners.reports.results import Results
from infobound.runners.reports.runs import Run
from infobound.runners.runs import formats
from infobound.runners.runs.checkpoint import write_atomically
from infobound.runners.runs.errors import ConfigError
from infobound.runners.runs.records import Outcome, Record


class Summary(NamedTuple):
    """The state of a sweep."""

    line: str
    """The number of completed runs, and the place of the table."""
    unfinished: list[Run]
    """The runs that are not completed, with their status and error."""


def summarise(folder: Path, formats: Sequence[str] = formats.USUAL) -> Summary:
    """Write summary.csv, summary.md and figures/ of the runs below `folder` into it, like
    `runner=report`.

    Raises ConfigError if it contains neither a run nor a jobs.json.
    """
    results = Results.of([folder])
    for _ in results.written(folder, formats):
        pass
    return Summary(results.line(folder), results.unfinished)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Reads every run in or below `source`, one folder or several, and writes into `into`, by
    default the source.

    The table shows `metric`, by default the first that the runs name, and the means of the metrics
    `beside`. It averages over runs that differ only in the keys `over`, as over seeds. The figure
    of the metric by step has the mean of `baseline`, one of `beside`, as a level. The metric is
    also drawn `against` another one, by default `mi` if the runs have it. `page` names a Markdown
    file, such as RESULTS.md, in which the table replaces the text between `<!-- block -->` and
    `<!-- /block -->`.
    """

    source: Reserved[str | Sequence[str]]
    metric: str | None
    beside: Sequence[str]
    over: Sequence[str]
    baseline: str | None
    against: str | None
    into: Reserved[str | None]
    page: Reserved[str | None]
    block: str | None
    figure_formats: Sequence[str] = formats.USUAL

    def __post_init__(self) -> None:
        formats.check(self.figure_formats)
        if (self.page is None) != (self.block is None):
            raise SettingError(
                ("page", "block"), "must be given together", f"{self.page} and {self.block}"
            )
        if self.into is None and not isinstance(self.source, str):
            raise SettingError("into", "must name the folder to write to if source lists several")
        if self.baseline is not None and self.baseline not in self.beside:
            raise SettingError(
                "baseline",
                f"must be one of beside, {', '.join(self.beside) or 'which is empty'}",
                self.baseline,
            )

    def prepare(self) -> Callable[[Record], Outcome]:
        """Read the runs.

        Raises ConfigError if there are no runs, or no block to replace.
        """
        sources = [self.source] if isinstance(self.source, str) else self.source
        chosen = self.metric, self.beside, self.over, self.baseline, self.against
        results = Results.of([Path(each) for each in sources], *chosen)
        page = self._page(results.table())
        folder = Path(self.into or sources[0])

        def run(record: Record) -> Outcome:
            for name, figure in results.written(folder, self.figure_formats):
                record.figure(name, figure, 0)
            if self.page is not None:
                write_atomically(Path(self.page), page.encode())
            done = len(results.runs) - len(results.unfinished)
            counted = {"runs": len(results.runs), "completed": done}
            return Outcome(counted, float(done), results.line(folder), units={})

        return run

    def _page(self, table: str) -> str:
        """The text of the page with the table in its block."""
        if self.page is None:
            return ""
        name = re.escape(self.block or "")
        block = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        page, count = block.subn(
            lambda found: found[1] + table + found[2], regular.content(self.page).decode()
        )
        if not count:
            raise ConfigError(
                f"block must be in {self.page}, marked by <!-- block --> and <!-- /block -->, got"
                f" {self.block}"
            )
        return page
