"""Critics against their definitions, one pair at a time."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from infobound.models.critics import dense as critics
from infobound.models.critics.dense import (
    Bilinear,
    Concat,
    InnerProduct,
    Separable,
    SquaredDistance,
)
from infobound.models.critics.scores import Scores, from_matrix

BATCH, DIM = 7, 3


class Case(NamedTuple):
    """A critic and the dimensions it is built for."""

    build: Callable[[int, int], nn.Module]
    dims: tuple[int, int] = (DIM, DIM)


def configured(path: Path) -> Case:
    """The critic of a YAML file, for an image with the shape that it names."""
    node = OmegaConf.load(path)
    assert isinstance(node, DictConfig)
    shape_x, shape_y = node.get("shape_x", node.get("shape", [DIM])), node.get("shape_y", [DIM])
    return Case(instantiate(node), (math.prod(shape_x), math.prod(shape_y)))


PATHS = sorted((Path(__file__).parents[2] / "conf" / "critic").glob("*.yaml"))
concat = partial(Concat, hidden=[16, 8], activation="ELU")
separable = partial(Separable, hidden=[16], embed=4, activation="ELU")
EVERY = {
    **{path.stem: configured(path) for path in PATHS if path.stem != "none"},
    **{f"concat with {k} negatives": Case(partial(concat, negatives=k)) for k in (1, 4, BATCH - 1)},
    "concat of one hidden layer": Case(partial(concat, hidden=[16], negatives=None)),
    "separable without a hidden layer": Case(partial(separable, hidden=[])),
}
every_critic = pytest.mark.parametrize(("build", "dims"), EVERY.values(), ids=EVERY)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def pairs(size: int = BATCH, dim_x: int = DIM, dim_y: int = DIM) -> tuple[Tensor, Tensor]:
    return torch.randn(size, dim_x), torch.randn(size, dim_y)


def one_score(critic: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """f(x, y) of a single pair, read from as many copies as any critic here needs."""
    joint, product = critic(x.expand(BATCH, -1), y.expand(BATCH, -1))
    torch.testing.assert_close(product, joint[:, None].expand_as(product))
    return joint[0]


def assert_scores_are(
    scores: Scores, f: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> None:
    """joint[i] = f(x_i, y_i) and product[i, k] = f(x_i, y_((i + k + 1) mod B))."""
    size, count = scores.product.shape
    torch.testing.assert_close(scores.joint, torch.stack([f(x[i], y[i]) for i in range(size)]))
    partners = [[f(x[i], y[(i + k + 1) % size]) for k in range(count)] for i in range(size)]
    torch.testing.assert_close(scores.product, torch.stack([torch.stack(row) for row in partners]))


@every_critic
def test_scores_are_in_the_defined_positions(
    build: Callable[[int, int], nn.Module], dims: tuple[int, int]
) -> None:
    critic, (x, y) = build(*dims), pairs(BATCH, *dims)
    with torch.no_grad():
        assert_scores_are(critic(x, y), partial(one_score, critic), x, y)


def test_a_separable_critic_is_the_dot_product_of_two_embeddings() -> None:
    critic, (x, y) = separable(DIM, 2), pairs(dim_y=2)
    assert_scores_are(critic(x, y), lambda a, b: (critic.g(a) * critic.h(b)).sum(), x, y)


def test_a_bilinear_critic_is_x_w_y() -> None:
    critic, (x, y) = Bilinear(DIM, 2), pairs(dim_y=2)
    weight = critic.weight.weight
    assert weight.shape == (DIM, 2)
    assert_scores_are(critic(x, y), lambda a, b: (a[:, None] * weight * b).sum(), x, y)


def test_an_inner_product_has_nothing_to_learn() -> None:
    critic, (x, y) = InnerProduct(DIM, DIM), pairs()
    assert not list(critic.parameters())
    assert_scores_are(critic(x, y), torch.dot, x, y)


@pytest.mark.parametrize("negatives", [None, 1, 4])
def test_a_concat_critic_is_one_network_on_the_concatenated_pair(negatives: int | None) -> None:
    critic, (x, y) = concat(DIM, 2, negatives=negatives), pairs(dim_y=2)
    assert_scores_are(
        critic(x, y), lambda a, b: critic.rest(critic.first(torch.cat([a, b])))[0], x, y
    )


def test_the_split_first_layer_has_the_gradient_of_one_linear_layer() -> None:
    critic, (x, y) = concat(DIM, 2, negatives=None), pairs(dim_y=2)
    whole = torch.cat([x.repeat_interleave(BATCH, 0), y.repeat(BATCH, 1)], dim=1)
    matrix = critic.rest(critic.first(whole)).view(BATCH, BATCH)
    joint, product = critic(x, y)
    parameters = list(critic.parameters())
    expected = torch.autograd.grad(matrix.square().sum(), parameters)
    found = torch.autograd.grad(joint.square().sum() + product.square().sum(), parameters)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("negatives", [1, 3, BATCH - 1])
def test_some_negatives_are_the_first_columns_of_all_pairs(negatives: int) -> None:
    every, some = concat(DIM, 2, negatives=None), concat(DIM, 2, negatives=negatives)
    some.load_state_dict(every.state_dict())
    x, y = pairs(dim_y=2)
    torch.testing.assert_close(some(x, y).joint, every(x, y).joint)
    torch.testing.assert_close(some(x, y).product, every(x, y).product[:, :negatives])


@pytest.mark.parametrize("chunk", [1, 7 * 16 * 2, 7 * 16 * 3 + 5])
def test_chunks_do_not_change_scores_or_gradients(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    critic, (x, y) = concat(DIM, 2, negatives=None), pairs(dim_y=2)

    def scores_and_gradients() -> tuple[Tensor, ...]:
        joint, product = critic(x, y)
        loss = joint.square().sum() + product.exp().sum()
        return joint, product, *torch.autograd.grad(loss, list(critic.parameters()))

    whole = scores_and_gradients()
    monkeypatch.setattr(critics, "CHUNK", chunk)
    torch.testing.assert_close(scores_and_gradients(), whole)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_no_chunk_exceeds_the_limit(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    critic, sizes = concat(DIM, DIM, negatives=None), list[int]()
    critic.rest.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].numel()))
    limit = rows * BATCH * 16 + 5
    monkeypatch.setattr(critics, "CHUNK", limit)
    critic(*pairs())
    assert max(sizes) <= limit
    assert len(sizes) == -(-BATCH // rows)
    assert sum(sizes) == BATCH * BATCH * 16


@every_critic
def test_a_batch_of_one_row_is_refused(
    build: Callable[[int, int], nn.Module], dims: tuple[int, int]
) -> None:
    critic = build(*dims)
    with pytest.raises(ValueError, match=r"batch.* (at least 2 rows, got 1|1 rows, got \d)"):
        critic(*pairs(1, *dims))


@pytest.mark.parametrize("negatives", [BATCH, BATCH + 1])
def test_as_many_negatives_as_rows_are_refused_with_the_way_out(negatives: int) -> None:
    critic = concat(DIM, DIM, negatives=negatives)
    with pytest.raises(
        ValueError,
        match=rf"^negatives must be below .* 7 rows, got {negatives}; null scores all pairs",
    ):
        critic(*pairs())


@pytest.mark.parametrize(
    ("argument", "build"),
    [
        ("embed", partial(separable, embed=0)),
        ("embed", partial(separable, embed=-3)),
        ("hidden", partial(separable, hidden=[8, 0])),
        ("hidden", partial(concat, hidden=[], negatives=None)),
        ("hidden", partial(concat, hidden=[0, 8], negatives=None)),
        ("hidden", partial(concat, hidden=[8, -1], negatives=None)),
        ("negatives", partial(concat, negatives=0)),
        ("negatives", partial(concat, negatives=-1)),
        ("activation", partial(separable, activation="relu")),
        ("activation", partial(concat, activation="Threshold", negatives=None)),
    ],
)
def test_wrong_options_are_refused_by_name(
    argument: str, build: Callable[[int, int], nn.Module]
) -> None:
    with pytest.raises(ValueError, match=rf"^{argument} must .*, got "):
        build(DIM, DIM)


def test_an_inner_product_of_different_dimensions_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="same dimension, got 3 and 2; use critic=bilinear"):
        InnerProduct(3, 2)


@every_critic
def test_lifted_copies_score_like_single_ones(
    build: Callable[[int, int], nn.Module], dims: tuple[int, int]
) -> None:
    modules = [build(*dims) for _ in range(2)]
    x, y = (torch.randn(2, BATCH, dim) for dim in dims)

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], *batch: Tensor) -> Scores:
        return torch.func.functional_call(modules[0], (parameters, buffers), batch)

    joint, product = torch.func.vmap(run)(*torch.func.stack_module_state(modules), x, y)
    alone = [module(*batch) for module, *batch in zip(modules, x, y, strict=True)]
    torch.testing.assert_close(joint, torch.stack([scores.joint for scores in alone]))
    torch.testing.assert_close(product, torch.stack([scores.product for scores in alone]))


@pytest.mark.parametrize("normalised", [False, True])
def test_squared_distance_is_minus_the_squared_distance(normalised: bool) -> None:
    x, y = torch.randn(2, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    if normalised:
        expected = -torch.cdist(
            x / x.norm(dim=1, keepdim=True), y / y.norm(dim=1, keepdim=True)
        ).square()
    else:
        expected = -torch.cdist(x, y).square()
    torch.testing.assert_close(
        SquaredDistance(3, 3, normalised=normalised)(x, y), from_matrix(expected)
    )


def test_a_distance_needs_sides_of_one_dimension() -> None:
    with pytest.raises(
        ValueError,
        match=r"^a distance needs x and y of the same dimension, got 3 and 2; use critic=bilinear",
    ):
        SquaredDistance(3, 2, normalised=True)


@pytest.mark.parametrize(
    "build", [separable, partial(concat, negatives=None)], ids=["separable", "concat"]
)
def test_glorots_rule_draws_weights_of_its_range(build: Callable[..., nn.Module]) -> None:
    layers = [
        each
        for each in build(60, 60, glorot=True, hidden=[50, 40]).modules()
        if isinstance(each, nn.Linear)
    ]
    assert len(layers) > 2
    for layer in layers:
        limit = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.9 * limit < layer.weight.abs().max() <= limit
        assert not layer.bias.any()


@pytest.mark.parametrize(
    "build", [separable, partial(concat, negatives=None)], ids=["separable", "concat"]
)
def test_glorots_rule_has_no_meaning_for_normalised_weights(
    build: Callable[..., nn.Module],
) -> None:
    with pytest.raises(ValueError, match=r"^glorot must be false with spectral_norm"):
        build(3, 3, glorot=True, spectral_norm=True)
