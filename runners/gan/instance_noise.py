"""Instance noise: the discriminator's inputs are blurred at first, which connects modes that are
separated by empty space.

R copies, B batch.
"""

import torch
from torch import Tensor

from infobound.errors import SettingError
from infobound.runners.runs.written import State
from infobound.runners.training.randomness import generator
from infobound.runners.training.settings import Execution


class InstanceNoise:
    """Normal noise whose standard deviation falls linearly from `std` to 0 at step `end`, with its
    own generator for each copy.

    Sønderby et al. 2017, https://arxiv.org/abs/1610.04490

    Raises ValueError for a negative standard deviation or one that is not finite.
    """

    def __init__(self, std: float, end: int, execution: Execution) -> None:
        if not 0 <= std < float("inf"):
            raise SettingError(
                "instance_noise", "must be a finite standard deviation of at least 0 (none)", std
            )
        self._std, self._end = std, end
        self._sources = [
            generator(execution.place, execution.seed, copy, "instance noise")
            for copy in range(execution.replicates)
        ]

    def __call__(self, judged: tuple[Tensor, ...], step: int) -> tuple[Tensor, ...]:
        """Add the noise of the step after `step` steps to the first of the discriminator's inputs,
        samples or data (R, B, ...).
        """
        if not self._std or step >= self._end:
            return judged
        x, *rest = judged
        drawn = [
            torch.randn(x.shape[1:], generator=each, device=x.device, dtype=x.dtype)
            for each in self._sources
        ]
        return (torch.add(x, torch.stack(drawn), alpha=self._std * (1 - step / self._end)), *rest)

    def state(self) -> State:
        return {"sources": [each.get_state() for each in self._sources]}

    def load(self, state: State) -> None:
        for each, saved in zip(self._sources, state["sources"], strict=True):
            each.set_state(saved)
