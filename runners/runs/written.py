"""Types of values that are written to files and read back by their keys."""

from collections.abc import Mapping
from typing import Any, TypeAlias

State: TypeAlias = dict[str, Any]
"""The state of a part in a checkpoint: plain values, tensors and nested states, by name."""
Written: TypeAlias = Mapping[str, Any]
"""An object of a JSON or YAML file, by key: a configuration, a result, a line of metrics."""
