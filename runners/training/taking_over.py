"""Load the networks of an earlier run instead of new ones."""

from dataclasses import dataclass

from infobound.errors import SettingError
from infobound.runners.runs.trained_runs import TrainedRun
from infobound.runners.runs.written import State
from infobound.runners.training.ensemble import Ensemble
from infobound.runners.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Start(Settings):
    """The start of a run: new networks, or with `load` those of a completed run, which are read and
    not trained.
    """

    load: str | None = None

    @property
    def trains(self) -> bool:
        """Whether anything is trained."""
        return self.load is None


def take_over(run: TrainedRun, networks: Ensemble, saved: State) -> None:
    """Load the networks that a run has saved.

    Raises ValueError unless the numbers of copies and the networks are the same.
    """
    if (copies := len(saved["noise"])) != networks.replicates:
        raise SettingError(
            "replicates",
            f"must be {copies}, as in {run.path}",
            networks.replicates,
            f"use replicates={copies}",
        )
    if not networks.fits(saved):
        raise other_networks(run)
    networks.load(saved)


def other_networks(run: TrainedRun) -> SettingError:
    """The error for a run whose networks differ from those of the settings."""
    return SettingError(
        "load",
        f"must name a run with the networks of these settings, but those of {run.path} are built"
        " differently",
        remedy=f"use only the run's own settings, {run.settings}; train the run again if an earlier"
        " version made it",
    )
