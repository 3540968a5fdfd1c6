"""A critic of encoded pairs."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infobound.errors import SettingError
from infobound.models.critics.scores import Scores


class Encoded(nn.Module):
    """f(g(x), h(y)), where f is a critic and g and h are encoders, or one encoder if `shared`.

    `model` creates an encoder for a number of inputs, `critic` a critic for the dimensions of the
    representations. encoder_x(x) and encoder_y(y) are the representations.

    Raises ValueError if views of different dimensions are to share an encoder.
    """

    def __init__(
        self,
        dim_x: int,
        dim_y: int,
        *,
        model: Callable[[int], nn.Module],
        critic: Callable[[int, int], nn.Module],
        shared: bool,
    ) -> None:
        super().__init__()
        if shared and dim_x != dim_y:
            raise SettingError(
                "shared",
                "must be false if x and y have different dimensions",
                f"{dim_x} and {dim_y}",
            )
        self.encoder_x = model(dim_x)
        self.encoder_y = self.encoder_x if shared else model(dim_y)
        self.critic = critic(_outputs(self.encoder_x, dim_x), _outputs(self.encoder_y, dim_y))
        self.scores = getattr(self.critic, "scores", "any")

    def forward(self, x: Float[Tensor, "B D_x"], y: Float[Tensor, "B D_y"]) -> Scores:
        return self.critic(self.encoder_x(x), self.encoder_y(y))

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "N D_x"], y: Float[Tensor, "N D_y"]) -> None:
        """Show the encoded training rows to the critic, if it has a `prepare`."""
        prepare = getattr(self.critic, "prepare", None)
        if prepare is not None:
            prepare(self.encoder_x(x), self.encoder_y(y))


@torch.no_grad()
def _outputs(encoder: nn.Module, inputs: int) -> int:
    """The number of outputs of an encoder."""
    return encoder(torch.zeros(1, inputs)).shape[-1]
