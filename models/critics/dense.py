"""Critics: networks that turn a batch of pairs into scores.

B batch, D_x and D_y features, H width of the first layer, M and N rows in a chunk.
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics.scores import Scores, from_matrix
from infobound.models.layers.initialisation import glorot_critic
from infobound.models.layers.mlp import hidden_block, linear, mlp
from infobound.models.layers.recomputed import recomputed
from infobound.models.noise.gaussian_noise import noise_before

CHUNK = 2**18
"""Number of floats that one hidden layer holds at a time while all pairs are scored (1 MiB, which
fits the CPU's cache).
"""
KEPT = 2**26
"""Number of floats of one hidden layer that are kept for the gradient (256 MiB); beyond it, chunks
are recomputed.
"""


class Separable(nn.Module):
    """f(x, y) = g(x) . h(y): two networks whose cost is linear in B, and one matrix product for all
    pairs.

    `noise` lists the standard deviations of the Gaussian noise added before each linear layer of
    both networks in training. `glorot` draws weights by Glorot's rule instead of PyTorch's default,
    which is smaller.

    van den Oord et al. 2018, https://arxiv.org/abs/1807.03748
    """

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        hidden: Sequence[int] = (256, 256),
        embed: int = 32,
        activation: str = "ReLU",
        layer_norm: bool = False,
        spectral_norm: bool = False,
        noise: Sequence[float] = (),
        glorot: bool = False,
    ) -> None:
        super().__init__()
        if embed < 1:
            raise SettingError("embed", "must be a positive integer", embed)
        network = partial(mlp, layer_norm=layer_norm, spectral_norm=spectral_norm, noise=noise)
        self.g = network(dim_x, hidden, embed, activation)
        self.h = network(dim_y, hidden, embed, activation)
        if glorot:
            glorot_critic(self, spectral_norm)

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        return from_matrix(self.g(x) @ self.h(y).mT)


class Bilinear(nn.Module):
    """f(x, y) = x' W y with a learned matrix W.

    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625
    """

    def __init__(self, dim_x: int, dim_y: int) -> None:
        super().__init__()
        self.weight = nn.Linear(dim_y, dim_x, bias=False)

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        return from_matrix(x @ self.weight(y).mT)


class InnerProduct(nn.Module):
    """f(x, y) = x . y, without parameters.

    Raises ValueError unless x and y have the same dimension.
    """

    def __init__(self, dim_x: int, dim_y: int) -> None:
        super().__init__()
        if dim_x != dim_y:
            raise ValueError(
                f"an inner product needs x and y of the same dimension, got {dim_x} and {dim_y};"
                " use critic=bilinear"
            )

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        return from_matrix(x @ y.mT)


class SquaredDistance(nn.Module):
    """f(x, y) = -|x - y|^2, without parameters; `normalised` first scales x and y to length 1.

    Schroff et al. 2015, https://arxiv.org/abs/1503.03832

    Raises ValueError unless x and y have the same dimension.
    """

    def __init__(self, dim_x: int, dim_y: int, *, normalised: bool = True) -> None:
        super().__init__()
        if dim_x != dim_y:
            raise ValueError(
                f"a distance needs x and y of the same dimension, got {dim_x} and {dim_y}; use"
                " critic=bilinear"
            )
        self.normalised = normalised

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        if self.normalised:
            x, y = F.normalize(x, dim=-1), F.normalize(y, dim=-1)
        return from_matrix(2 * x @ y.mT - x.square().sum(-1, keepdim=True) - y.square().sum(-1))


class Concat(nn.Module):
    """f(x, y) = network([x, y]), the most general critic.

    Each row is scored with `negatives` shuffled partners, or with all others if it is None. The
    first layer is split, W_x x + W_y y, so its cost is linear in B. The other layers run on every
    pair; all pairs are scored in chunks of at most `CHUNK` floats a layer. In training, chunks are
    recomputed for the gradient if a layer would keep more than `KEPT` floats, except with spectral
    normalisation or noise, which would differ the second time. `noise` lists the standard
    deviations of the Gaussian noise added before each linear layer in training: noise of x and y is
    drawn once a row, noise of later layers for every pair. `glorot` is as in Separable.

    Belghazi et al. 2018, https://arxiv.org/abs/1801.04062
    """

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        hidden: Sequence[int] = (256, 256),
        activation: str = "ReLU",
        negatives: int | None = None,
        layer_norm: bool = False,
        spectral_norm: bool = False,
        noise: Sequence[float] = (),
        glorot: bool = False,
    ) -> None:
        super().__init__()
        if not hidden or hidden[0] < 1:
            raise SettingError("hidden", "must list at least one positive width", list(hidden))
        if negatives is not None and negatives < 1:
            raise SettingError(
                "negatives", "must be a positive integer, or null for all pairs", negatives
            )
        self.negatives = negatives
        self.widest, self.repeatable = max(hidden), not (spectral_norm or any(noise))
        self.first = linear(dim_x + dim_y, hidden[0], spectral_norm)
        self.split = [dim_x, dim_y]
        self.input_noise = nn.Sequential(*noise_before(len(hidden) + 1, noise)[0])
        rest = mlp(
            hidden[0],
            hidden[1:],
            1,
            activation,
            layer_norm=layer_norm,
            spectral_norm=spectral_norm,
            noise=noise[1:],
        )
        self.rest = nn.Sequential(*hidden_block(hidden[0], activation, layer_norm), *rest)
        if glorot:
            glorot_critic(self, spectral_norm)

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        return self.against(x, y, self.negatives)

    def against(
        self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"], negatives: int | None
    ) -> Scores:
        """Compute the scores with another number of shuffled partners, for critics built on this
        one.
        """
        weight_x, weight_y = self.first.weight.split(self.split, dim=1)
        first_x = nn.functional.linear(self.input_noise(x), weight_x, self.first.bias)
        first_y = nn.functional.linear(self.input_noise(y), weight_y)
        return (
            self._all_pairs(first_x, first_y)
            if negatives is None
            else self._partners(first_x, first_y, negatives)
        )

    def _all_pairs(self, first_x: Float[Tensor, "M H"], first_y: Float[Tensor, "N H"]) -> Scores:
        width = len(first_y) * self.widest
        again = torch.is_grad_enabled() and self.repeatable and len(first_x) * width > KEPT
        finish = (
            partial(recomputed, self.rest, _pairs)
            if again
            else lambda part, other: self.rest(_pairs(part, other))
        )
        parts = [finish(part, first_y) for part in first_x.split(max(1, CHUNK // width))]
        return from_matrix(torch.cat(parts).view(len(first_x), len(first_y)))

    def _partners(
        self, first_x: Float[Tensor, "B H"], first_y: Float[Tensor, "B H"], negatives: int
    ) -> Scores:
        if negatives >= len(first_x):
            raise SettingError(
                "negatives",
                f"must be below the batch's {len(first_x)} rows",
                negatives,
                "null scores all pairs",
            )
        first = first_x + torch.stack([first_y.roll(-shift, 0) for shift in range(negatives + 1)])
        scores = self.rest(first.flatten(0, 1)).view(first.shape[:2])
        return Scores(scores[0], scores[1:].mT)


def _pairs(first_x: Float[Tensor, "M H"], first_y: Float[Tensor, "N H"]) -> Float[Tensor, "M*N H"]:
    """All pairs as one long table, which is what makes lifted copies fast."""
    return (first_x[:, None] + first_y).flatten(0, 1)
