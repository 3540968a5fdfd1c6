"""Convert Hydra's sweeps to the distributions of a study, and drawn values to overrides."""

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from infobound.runners.runs.errors import ConfigError


def distribution(override: Override) -> BaseDistribution:
    """The distribution of an override: numbers of an interval or a range, or a choice of texts.

    Raises ConfigError for a form that cannot be searched, or that holds no value.
    """
    value = override.value()
    tags: set[str] = getattr(value, "tags", set())
    if tags - {"log"} or (tags and override.is_choice_sweep()) or getattr(value, "shuffle", False):
        forms = "interval, range, choice, and tag(log, interval)"
        raise ConfigError(f"{override.input_line} cannot be searched; use one of {forms}")
    try:
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            assert low is not None, "Hydra's grammar asks for both"
            assert high is not None, "Hydra's grammar asks for both"
            return _numbers(low, high, log=bool(tags))
        if isinstance(value, RangeSweep):
            values = sorted(value.range())
            if not values:
                raise ValueError("it contains no number")
            return _numbers(values[0], values[-1], log=bool(tags), step=abs(value.step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigError(f"{override.input_line} cannot be searched: {error}") from error


def _numbers(low: float, high: float, *, log: bool, step: float | None = None) -> BaseDistribution:
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=int(step or 1))
    return FloatDistribution(_short(low), _short(high), log=log, step=step)


def written(value: object) -> str:
    """Write a drawn value as the right side of an override."""
    return repr(_short(value)) if isinstance(value, float) else str(value)


def _short(value: float) -> float:
    """The number without the rounding errors of adding up steps."""
    return float(f"{value:.12g}")


def example(values: BaseDistribution) -> object:
    """An example of a value that may be drawn."""
    if isinstance(values, IntDistribution | FloatDistribution):
        return values.low
    return values.to_external_repr(0)
