"""Read copies of a critic, each on its own held-out pairs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from infobound.estimators.base import Estimator
from infobound.estimators.measurement import Measurement
from infobound.runners.critics import evaluation
from infobound.runners.critics.held_out import HeldOut
from infobound.runners.critics.permuting import PermutedPairs
from infobound.runners.critics.splits import Split
from infobound.runners.runs.waiting import tracked
from infobound.runners.training.ensemble import Ensemble, Weights
from infobound.runners.training.readings import Error, Reading, combined, spread

Told = TypeVar("Told")


@dataclass(frozen=True)
class CriticReader:
    """Reads an ensemble of measurements with its averaged weights, or with `weights`.

    `copies` says what they are: independent replicates; the folds of one table, whose test rows are
    disjoint; or critics that all read the same rows. The standard error of a fold comes from
    influence values for its trained critic. It does not include the effect of other training rows,
    which is of second order but increased the error by half at 400 rows.
    """

    ensemble: Ensemble
    held_out: HeldOut
    kind: str
    copies: Literal["replicates", "folds", "readers of the same rows"]
    weights: Weights | None = None

    def values(
        self,
        split: Split,
        step: int,
        told: Callable[[Estimator, evaluation.Pool], Told] = evaluation.value,
    ) -> list[Told]:
        """The estimate of every copy in nats, or another function `told` of its scores."""
        return [
            told(*self._pool(index, split, step))
            for index in tracked(range(self.ensemble.replicates))
        ]

    def read(self, step: int) -> Reading:
        """Read every copy once on the test pairs.

        Raises RunFailed if a reading is not finite.
        """
        values, errors, cap, pointwise = list[float](), list[Error](), None, list[Tensor]()
        unreliable = dict[int, tuple[float, int]]()
        for index in tracked(range(self.ensemble.replicates)):
            estimator, pooled = self._pool(index, "test", step)
            values.append(evaluation.value(estimator, pooled))
            cap, pairs = (
                estimator.cap(pooled.scores.product.shape[-1]),
                pooled.scores.product.numel(),
            )
            if self.ensemble.replicates == 1 or self.copies != "replicates":
                error, memory = evaluation.stderr(estimator, pooled), self.held_out.memory
                errors.append(error if memory is None else memory.widened(error))
            if estimator.log_of_mean and values[-1] > math.log(pairs):
                unreliable[index] = values[-1], pairs
            pointwise.append(evaluation.pointwise(estimator, pooled).cpu())
        return Reading(
            values,
            self._error(values, errors),
            self.kind,
            cap,
            self._unreliable(unreliable),
            pointwise=self._by_row(pointwise),
        )

    def _unreliable(self, found: Mapping[int, tuple[float, int]]) -> list[str]:
        """One warning of values above the logarithm of their product pairs, by copy."""
        if not found:
            return []
        value, pairs = max(found.values())
        return [
            f"{value:.2f} is above log {pairs}, the number of its product pairs, and not reliable"
            f"{self._where([*found])}"
        ]

    def _where(self, indices: Sequence[int]) -> str:
        """` in folds 1, 3` or ` in all 5 folds`, empty for a single copy."""
        copies, word = self.ensemble.replicates, self.copies.split()[0]
        if copies == 1:
            return ""
        if len(indices) == copies:
            return f" in all {copies} {word}"
        numbers = ", ".join(str(index + 1) for index in indices)
        return f" in {word if len(indices) > 1 else word.removesuffix('s')} {numbers}"

    def _error(self, values: list[float], errors: list[Error]) -> Error:
        if not errors:
            return spread(values)
        return errors[0] if len(errors) == 1 else combined(errors, disjoint=self.copies == "folds")

    def _by_row(self, pointwise: list[Tensor]) -> dict[str, Tensor] | None:
        rows = [self.held_out.rows(index, "test") for index in range(len(pointwise))]
        known = [each for each in rows if each is not None]
        if len(known) < len(rows):
            return None
        fold = [torch.full_like(each, index) for index, each in enumerate(known)]
        return {"row": torch.cat(known), "fold": torch.cat(fold), "pmi": torch.cat(pointwise)}

    def permuted(self, step: int, seed: int) -> PermutedPairs:
        """The permutation test of every copy."""
        return PermutedPairs(self.critics(), self.held_out, step, seed)

    def critics(self) -> list[nn.Module]:
        """The critic of every copy, in evaluation mode."""
        return [self.measurement(index).critic.eval() for index in range(self.ensemble.replicates)]

    def measurement(self, index: int) -> Measurement:
        """The measurement of copy `index`."""
        module = self.ensemble.copy(index, self.weights)
        assert isinstance(module, Measurement)
        return module

    def _pool(self, index: int, split: Split, step: int) -> tuple[Estimator, evaluation.Pool]:
        measurement = self.measurement(index)
        return measurement.estimator, evaluation.pool(
            measurement, self.held_out.blocks(index, split, step)
        )
