"""Hydra's sweeps as what a study draws from, and what it has drawn as overrides."""

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from infobound.runners.runs.errors import ConfigError


def distribution(override: Override) -> BaseDistribution:
    """What a study draws for an override: numbers of an interval or a range, or one of the texts to
    choose from.

    Raises ConfigError for a form that says nothing in a search, or that holds no value.
    """
    value = override.value()
    tags: set[str] = getattr(value, "tags", set())
    if tags - {"log"} or (tags and override.is_choice_sweep()) or getattr(value, "shuffle", False):
        forms = "interval, range, choice, and tag(log, interval)"
        raise ConfigError(f"{override.input_line} is no form to search; there are {forms}")
    try:
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            assert low is not None, "Hydra's grammar asks for both"
            assert high is not None, "Hydra's grammar asks for both"
            return _numbers(low, high, log=bool(tags))
        if isinstance(value, RangeSweep):
            values = sorted(value.range())
            if not values:
                raise ValueError("it holds no number")
            return _numbers(values[0], values[-1], log=bool(tags), step=abs(value.step))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigError(f"{override.input_line} cannot be searched: {error}") from error


def _numbers(low: float, high: float, *, log: bool, step: float | None = None) -> BaseDistribution:
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log, step=int(step or 1))
    return FloatDistribution(_short(low), _short(high), log=log, step=step)


def written(value: object) -> str:
    """A drawn value as the right side of an override."""
    return repr(_short(value)) if isinstance(value, float) else str(value)


def _short(value: float) -> float:
    """The number without what adding up steps has left in its last digits."""
    return float(f"{value:.12g}")


def example(values: BaseDistribution) -> object:
    """One of the values that may be drawn."""
    if isinstance(values, IntDistribution | FloatDistribution):
        return values.low
    return values.to_external_repr(0)
