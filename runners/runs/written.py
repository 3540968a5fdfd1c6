"""The types of what is written to files and read back; its values are known by their keys."""

from collections.abc import Mapping
from typing import Any, TypeAlias

State: TypeAlias = dict[str, Any]
"""What a checkpoint holds of a part: plain values, tensors and further states, by name."""
Written: TypeAlias = Mapping[str, Any]
"""An object of a JSON or YAML file, by key: a configuration, a result, a line of metrics."""
