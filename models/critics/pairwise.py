"""A plain network of [x, y] as a critic.

B batch, D_x and D_y features, R rows in a chunk, C candidates for each row, H width of the first
layer.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics.pairs import score_pairs
from infobound.models.critics.scores import Scores

CHUNK = 2**20
"""Number of floats that the first layer holds at a time while all pairs are scored (4 MiB)."""


class Pairwise(nn.Module):
    """f(x, y) = network([x, y]) for all pairs, from a network with D_x + D_y inputs and one output.

    If the network is an nn.Sequential that starts with an nn.Linear, this layer is split, W_x x +
    W_y y, so that its cost is linear in B; everything else runs on every pair.

    Raises ValueError if the network has more than one output.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        first = next(self.network.children(), None)
        if type(self.network) is not nn.Sequential or type(first) is not nn.Linear:
            return score_pairs(x, y, self._joined, None, x.shape[1] + y.shape[1], CHUNK)
        weight_x, weight_y = first.weight.split([x.shape[1], y.shape[1]], dim=1)
        first_x, first_y = F.linear(x, weight_x, first.bias), F.linear(y, weight_y)
        return score_pairs(first_x, first_y, self._split, None, first_y.shape[1], CHUNK)

    def _joined(
        self, x: Float[Tensor, "R D_x"], y: Float[Tensor, "#R C D_y"]
    ) -> Float[Tensor, "R C"]:
        shape = len(x), y.shape[1]
        pairs = torch.cat([x.unsqueeze(1).expand(*shape, -1), y.expand(*shape, -1)], dim=-1)
        return _one_output(self.network(pairs.flatten(0, 1)), shape)

    def _split(self, x: Float[Tensor, "R H"], y: Float[Tensor, "#R C H"]) -> Float[Tensor, "R C"]:
        pairs = (x.unsqueeze(1) + y).flatten(0, 1)
        for layer in list(self.network.children())[1:]:
            pairs = layer(pairs)
        return _one_output(pairs, (len(x), y.shape[1]))


def _one_output(scores: Tensor, shape: tuple[int, int]) -> Float[Tensor, "R C"]:
    if scores.numel() != shape[0] * shape[1]:
        raise SettingError(
            "critic", "must have one output for a row of [x, y]", f"{scores.shape[-1]} of them"
        )
    return scores.view(shape)
