"""Tests of two columns for independence, and for a Gaussian copula, by their ranks.

N rows, A and B columns.
"""

import itertools
import math

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

ORDERS = 4
"""Largest degree of the Hermite polynomials of a column's normal scores."""
FREEDOM = ORDERS**2
"""Degrees of freedom of the dependence of two columns."""
CUMULANTS = 5
"""The number of cumulants of third and fourth order that two columns with normal margins have."""
SURE = 7.0
"""Minus the logarithm of the probability that independent columns seem dependent."""
LARGEST = 0.99
"""Upper limit of the squared correlation that is taken out."""


def by_rank(
    columns: Float64[Tensor, "N D"], levels: Float64[Tensor, "N ..."]
) -> Float64[Tensor, "N D ..."]:
    """The entries of `levels`, of any shape, at the rank of each value in its column."""
    found = levels.new_empty(*columns.shape, *levels.shape[1:])
    order = np.argsort(columns.T.numpy(), axis=1)
    for place, each in enumerate(torch.from_numpy(order)):
        found[each, place] = levels
    return found


def normal_levels(rows: int) -> Float64[Tensor, " N"]:
    """The normal scores of the ranks 1 to N."""
    return torch.special.ndtri(torch.arange(1, rows + 1, dtype=torch.float64) / (rows + 1))


def hermite(values: Float64[Tensor, " N"]) -> Float64[Tensor, "N orders"]:
    """Hermite polynomials of degree 1 to ORDERS, of variance 1 for normal values."""
    found = [torch.ones_like(values), values]
    for degree in range(1, ORDERS):
        found.append(values * found[-1] - degree * found[-2])
    sizes = itertools.accumulate(range(1, ORDERS + 1), lambda size, degree: size * degree)
    return torch.stack(
        [each / math.sqrt(size) for each, size in zip(found[1:], sizes, strict=True)], dim=1
    )


def dependence(first: Float64[Tensor, "N orders"], second: Float64[Tensor, "N orders"]) -> float:
    """The dependence of two columns, from Hermite polynomials of their normal scores: about
    chi-squared with FREEDOM degrees of freedom if they are independent.
    """
    products = first.unsqueeze(2) * second.unsqueeze(1)
    mean, variance = products.mean(0), products.var(0)
    return float((mean.square() / variance).sum()) * len(products)


def not_gaussian(
    first: Float64[Tensor, "N A"], second: Float64[Tensor, "N B"]
) -> Float64[Tensor, "A B"]:
    """The distance of pairs of normal scores from a Gaussian copula: about chi-squared with
    CUMULANTS degrees of freedom under one.

    These are the cumulants of third and fourth order, of a and of what a does not predict of b.
    Their squares, each over its variance, have the same sum for any two directions of the pair.
    """
    first, second = first / first.square().mean(0).sqrt(), second / second.square().mean(0).sqrt()

    def mean(degree: int, other: int) -> Float64[Tensor, "A B"]:
        return (first**degree).T @ second**other / len(first)

    rho = mean(1, 1)
    cumulants = {
        (2, 1): mean(2, 1),
        (1, 2): mean(1, 2),
        (4, 0): mean(4, 0) - 3,
        (3, 1): mean(3, 1) - 3 * rho,
        (2, 2): mean(2, 2) - 1 - 2 * rho.square(),
        (1, 3): mean(1, 3) - 3 * rho,
        (0, 4): mean(0, 4) - 3,
    }
    of_b = (1 - rho.square()).clamp_min(1 - LARGEST).rsqrt()
    of_a = -rho * of_b
    found = torch.zeros_like(rho)
    for order, power in [(3, 1), (3, 2), (3, 3), (4, 1), (4, 2), (4, 3), (4, 4)]:
        turned = torch.zeros_like(rho)
        for of in range(power + 1):
            known = cumulants.get((order - of, of), 0.0)  # that of one column's third order is 0
            turned += math.comb(power, of) * of_b**of * of_a ** (power - of) * known
        found += turned.square() / (math.factorial(order - power) * math.factorial(power))
    return len(first) * found


def chance(freedom: int, pairs: int) -> float:
    """A limit that the largest of so many chi-squared numbers exceeds with a probability of at most
    exp(-SURE).

    Laurent and Massart 2000, https://doi.org/10.1214/aos/1015957395
    """
    rare = SURE + math.log(pairs)
    return freedom + 2 * math.sqrt(freedom * rare) + 2 * rare
