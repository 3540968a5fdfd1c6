"""hydra/sweeper=grid: every combination of the given values."""

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException

from hydra_plugins.launching import representatives


class Grid(BasicSweeper):
    """Hydra's own sweeper, in one batch. An unknown option or key is an error of the whole sweep;
    values that do not fit together only fail their own job.
    """

    def __init__(self, params: dict[str, str] | None) -> None:
        super().__init__(max_batch_size=None, params=params)

    def sweep(self, arguments: list[str]) -> object:
        assert self.launcher is not None
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        [jobs] = self.split_arguments(
            parser.parse_overrides([*self._parse_config(), *arguments]), None
        )
        self._check(representatives(jobs))
        return self.launcher.launch(jobs, initial_job_idx=0)

    def _check(self, jobs: Sequence[Sequence[str]]) -> None:
        """Raise the first error of these jobs if an option does not exist, or if none of them can
        be composed.
        """
        errors = list[HydraException]()
        for job in jobs:
            try:
                self.validate_batch_is_legal([job])
            except MissingConfigException:
                raise
            except HydraException as error:
                errors.append(error)
        if errors and len(errors) == len(jobs):
            raise errors[0]
