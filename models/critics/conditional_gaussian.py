"""A conditional density as critic: its scores are log q(y_j | x_i).

B batch, R rows in a chunk, C candidates for each row, D = D_y, O outputs of the network: D for the
mean, D for the variances and D^2 for a full covariance.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from infobound.models.critics.pairs import checked_negatives, score_pairs
from infobound.models.critics.scores import Scores
from infobound.models.layers.gaussian import log_normal
from infobound.models.layers.mlp import mlp

CHUNK = 2**22
"""Number of floats held at a time while all pairs are scored."""


class ConditionalGaussian(nn.Module):
    """scores[i, j] = log N(y_j; m(x_i), S(x_i)), nats, where one network gives m and S, a diagonal
    or a full covariance.

    The logarithms of the variances are linear outputs: with a Tanh, the likelihood diverges once
    the residuals are small. Each row is scored with `negatives` shuffled partners, or with all
    others if it is None; 1 gives CLUB's sampled form.

    Cheng et al. 2020, https://arxiv.org/abs/2006.12013
    """

    scores: ClassVar = "log density"

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: str = "ReLU",
        covariance: Literal["diagonal", "full"] = "diagonal",
        negatives: int | None = None,
    ) -> None:
        super().__init__()
        self.negatives = checked_negatives(negatives)
        self.sizes = [dim_y, dim_y, dim_y * dim_y if covariance == "full" else 0]
        self.network = mlp(dim_x, hidden, sum(self.sizes), activation)

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        outputs = self.network(x).to(y.dtype)
        return score_pairs(outputs, y, self._log_density, self.negatives, y.shape[1], CHUNK)

    def _log_density(
        self, outputs: Float[Tensor, "R O"], y: Float[Tensor, "#R C D"]
    ) -> Float[Tensor, "R C"]:
        mean, log_variance, lower = outputs.split(self.sizes, dim=1)
        matrix = lower.unflatten(1, (y.shape[-1], y.shape[-1])).tril(-1) if self.sizes[2] else None
        return log_normal(y - mean.unsqueeze(1), log_variance, matrix)
