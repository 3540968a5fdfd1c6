"""What a model exposes to a penalty, by name: the runners give it, and penalties ask for it.

B batch, N rows, D features, C classes, E columns that code pivots, P pivots, L latents; R copies
may lead all shapes.
"""

from collections.abc import Mapping

from torch import Tensor

Exposed = Mapping[str, Tensor]
"""What a model exposes, by the names of `expose`."""
MADE = ("representation", "rate", "logits", "sample", "inferred")
"""The names of what the model computes, which a penalty's gradient moves; the others are given."""


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
    """Those that the model has, by name.

    input: (B, D) what it is given, flat.
    representation: (B, D) what it makes of the input; a layer in the middle, or a code.
    rate: (B,) nats of its noise layers, an upper bound of what they let through.
    logits: (B, C - 1) of the classes, against class 0.
    pivot: (B, E) what the logits are to be independent of, categories as one-hot rows, each column
    of mean 0 and deviation 1.
    raw_pivot: (B, P) the same as the data set has it.
    sample: (B, D) what a generator makes, flat.
    latent: (B, L) the code that a sample is made of.
    label: (B, C) one-hot, of the input or of the sample.
    data: (B, D) real data beside samples, flat.
    inferred: (B, L) the code that an encoder infers from the data.
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
    """The tensors of these names.

    Raises ValueError where the model does not expose one.
    """
    if lacking := [name for name in names if name not in exposed]:
        raise ValueError(
            f"this penalty needs {', '.join(lacking)}, but the model exposes only"
            f" {', '.join(exposed)}; use regularizer=none"
        )
    return [exposed[name] for name in names]
