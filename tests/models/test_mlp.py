"""Multilayer perceptrons."""

import pytest
import torch
from torch import nn

from infobound.models.layers.mlp import activation_layer, mlp


@pytest.mark.parametrize("hidden", [[], [5], [5, 7]])
def test_linear_layers_have_the_given_widths_with_activations_between(
    hidden: list[int],
) -> None:
    network = mlp(3, hidden, 2, "ELU")
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    assert [layer.in_features for layer in linear] == [3, *hidden]
    assert [layer.out_features for layer in linear] == [*hidden, 2]
    assert [type(layer) for layer in network] == [nn.Linear, nn.ELU] * len(hidden) + [nn.Linear]
    assert network(torch.zeros(4, 6, 3)).shape == (4, 6, 2)


@pytest.mark.parametrize("name", ["ReLU", "ELU", "SiLU", "Tanh", "GELU"])
def test_activations_have_their_names_in_torch(name: str) -> None:
    assert isinstance(activation_layer(name), getattr(nn, name))


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "",
        "Sin",
        "Linear",
        "Tensor",
        "torch",
        "F",
        "Module",
        "__name__",
        "Threshold",
        "MultiheadAttention",
    ],
)
def test_a_name_that_is_not_an_activation_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^activation must be the name of a torch\.nn activation"):
        activation_layer(name)


@pytest.mark.parametrize("hidden", [[0], [8, -1]])
def test_widths_that_are_not_positive_are_refused(hidden: list[int]) -> None:
    with pytest.raises(ValueError, match=r"^hidden must list positive widths"):
        mlp(3, hidden, 2, "ReLU")
