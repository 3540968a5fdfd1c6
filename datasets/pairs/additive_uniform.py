"""A uniform variable seen through uniform noise."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.errors import SettingError


@dataclass(frozen=True)
class AdditiveUniform:
    """x ~ U(0, 1) and y = x + e with e ~ U(-epsilon, epsilon), one dimension each.

    I(X; Y) = epsilon - log(2 epsilon) nats for epsilon up to 1/2 and 1 / (4 epsilon) above, exact
    (Czyz et al. 2023, https://arxiv.org/abs/2306.11078).

    Raises ValueError if `epsilon` is not positive.
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.epsilon < math.inf:
            raise SettingError("epsilon", "must be a positive number", self.epsilon)

    @property
    def dim_x(self) -> int:
        return 1

    @property
    def dim_y(self) -> int:
        return 1

    @property
    def mutual_information(self) -> float:
        return (
            1 / (4 * self.epsilon)
            if self.epsilon > 0.5
            else self.epsilon - math.log(2 * self.epsilon)
        )

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw pairs x, y (size, 1) float32 on the generator's device."""
        x, noise = torch.rand(2, size, 1, generator=generator, device=generator.device)
        return x, x + self.epsilon * (2 * noise - 1)
