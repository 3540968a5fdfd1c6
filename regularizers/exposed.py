"""The tensors that a model exposes to a penalty, by name: runners give them, and penalties name
those that they require.

B batch, N rows, D features, C classes, E columns of encoded pivots, P pivots, L latents; all shapes
may start with R copies.
"""

from collections.abc import Mapping

from torch import Tensor

Exposed = Mapping[str, Tensor]
"""Exposed tensors, by the names of `expose`."""
MADE = ("representation", "rate", "logits", "sample", "inferred")
"""Tensors that the model computes, which get gradients from a penalty; the others are given."""


def expose(
    *,
    input: Tensor | None = None,
    representation: Tensor | None = None,
    rate: Tensor | None = None,
    logits: Tensor | None = None,
    pivot: Tensor | None = None,
    raw_pivot: Tensor | None = None,
    sample: Tensor | None = None,
    latent: Tensor | None = None,
    label: Tensor | None = None,
    data: Tensor | None = None,
    inferred: Tensor | None = None,
) -> Exposed:
    """The tensors that the model has, by name.

    input: (B, D) the flat input.
    representation: (B, D) a representation of the input: a layer, or a code.
    rate: (B,) the rates of its noise layers in nats, an upper bound of the information that they
    let through.
    logits: (B, C - 1) of the classes, relative to class 0.
    pivot: (B, E) the pivots, from which the logits should be independent, with categories as
    one-hot rows and every column standardised.
    raw_pivot: (B, P) the pivots as in the data set.
    sample: (B, D) a generator's flat samples.
    latent: (B, L) the latent of each sample.
    label: (B, C) one-hot, of the input or of the sample.
    data: (B, D) flat real data, as many as samples.
    inferred: (B, L) the latent that an encoder infers from the data.
    """
    known = {
        "input": input,
        "representation": representation,
        "rate": rate,
        "logits": logits,
        "pivot": pivot,
        "raw_pivot": raw_pivot,
        "sample": sample,
        "latent": latent,
        "label": label,
        "data": data,
        "inferred": inferred,
    }
    return {name: tensor for name, tensor in known.items() if tensor is not None}


def required(exposed: Exposed, names: tuple[str, ...]) -> list[Tensor]:
    """The tensors with these names.

    Raises ValueError if the model does not expose one.
    """
    if lacking := [name for name in names if name not in exposed]:
        raise ValueError(
            f"this penalty needs {', '.join(lacking)}, but the model exposes only"
            f" {', '.join(exposed)}; use regularizer=none"
        )
    return [exposed[name] for name in names]
