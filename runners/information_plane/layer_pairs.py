"""The layers of a noisy network as distributions of pairs, and the information in them that can be
had from their densities.

N inputs, S paths of the noise an input, M samples, D width of a layer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimate
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.runners.classify.reading import set_noise

CHUNK = 2**19
"""Densities that are held at a time (4 MiB: they stay in the processor's cache)."""


@dataclass(frozen=True, eq=False)
class LayerPairs:
    """A Joint: what is `told` of inputs (N, dim_x), which are equally likely, against layer `index`
    (from 0) with its noise.

    T_1, ..., T_l are drawn in one pass through the network, each with noise, so X -> T_1 -> ... ->
    T_L is a Markov chain: by the data-processing inequality no layer has more information about X,
    or about a label, than the one before it.
    """

    told: Tensor
    seen: Tensor
    """(N, *shape) what the network sees of the inputs."""
    network: LayeredMLP
    index: int
    mutual_information: float | None = None

    @property
    def device(self) -> torch.device:
        return self.seen.device

    @property
    def dim_x(self) -> int:
        return self.told.shape[1]

    @property
    def dim_y(self) -> int:
        return self.layer(self.seen[:1], torch.Generator(self.seen.device)).shape[1]

    def sample(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pairs of independent inputs, x (size, dim_x) and y (size, dim_y)."""
        rows = torch.randint(len(self.seen), (size,), generator=generator, device=generator.device)
        return self.told[rows], self.layer(self.seen[rows], generator)

    def each(self, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pairs of every input as many times, once where there is no noise."""
        times = samples if self.network.std else 1
        return self.told.repeat(times, 1), self.layer(
            self.seen.repeat(times, *[1] * (self.seen.ndim - 1)), generator
        )

    @torch.no_grad()
    def layer(self, seen: Tensor, generator: torch.Generator) -> Tensor:
        """The layer with its noise, (M, D)."""
        clean = layers(self.network, seen, generator)[self.index]
        noise = torch.randn(clean.shape, generator=generator, device=clean.device)
        return clean + self.network.std * noise


@torch.no_grad()
def layers(network: LayeredMLP, seen: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """Every layer of inputs (M, *shape), each before its own noise and after that of the layers
    below, (M, D).
    """
    set_noise(network.eval(), generator)
    return network(seen)[1:]


def by_densities(
    network: LayeredMLP,
    seen: Tensor,
    labels: Tensor,
    samples: int,
    paths: int,
    generator: torch.Generator,
) -> list[tuple[SampleEstimate, SampleEstimate]]:
    """I(X; T_l) and I(Y; T_l) of every layer in nats, for inputs (N, *shape), equally likely, with
    labels (N,).

    p(t | x) is taken for the mean of N(t; m_s, noise^2 I) over S `paths` of the noise below, m_s
    being the layer before its own noise, and q(x | t) = p(t | x) / sum p(t | x'), or uniform with
    probability 1 / 4 S, so that a t off all paths costs little. The value is the mean of log q(x |
    t) + H(X) over `samples` t of every input, which have noise of their own, and for Y of log q(y |
    t) + H(Y), q summed over the inputs of y. The first layer has one path, and its value is exact;
    all others are lower bounds, as those of any posterior that did not see t (Barber and Agakov
    2003), and rise to the truth with the paths. Goldfeld et al. 2019,
    https://arxiv.org/abs/1810.05728

    It costs samples N^2 S densities a layer; of samples there must be two at least.
    """
    outer = layers(network, seen.repeat(samples, *[1] * (seen.ndim - 1)), generator)
    inner = layers(network, seen.repeat_interleave(paths, 0), generator)
    found = list[tuple[SampleEstimate, SampleEstimate]]()
    for index, (clean, means) in enumerate(zip(outer, inner, strict=True)):
        t = clean + network.std * torch.randn(clean.shape, generator=generator, device=clean.device)
        each = means.unflatten(0, (-1, paths))[:, : paths if index else 1]
        found.append(
            _told(
                t.double() / network.std,
                each.double() / network.std,
                labels,
                1 / (4 * paths) if index else 0.0,
            )
        )
    return found


def _told(
    t: Tensor, means: Tensor, labels: Tensor, doubt: float
) -> tuple[SampleEstimate, SampleEstimate]:
    """What t (samples N, D) tells of N inputs, which have means (N, S, D), and of their labels
    (N,); in units of the noise.
    """
    inputs, paths, _ = means.shape
    uniform, shares = 1 / inputs, labels.bincount().double()[labels] / inputs
    offsets, of_input, of_label = (
        -means.flatten(0, 1).square().sum(1) / 2,
        list[Tensor](),
        list[Tensor](),
    )
    for rows in torch.arange(len(t), device=t.device).split(max(1, CHUNK // (inputs * paths))):
        own = rows % inputs
        densities = torch.addmm(offsets, t[rows], means.flatten(0, 1).mT)
        densities = (
            (densities - densities.amax(1, keepdim=True))
            .exp_()
            .unflatten(1, (inputs, paths))
            .sum(2)
        )
        posterior = densities / densities.sum(1, keepdim=True)
        known = (
            posterior.gather(1, own[:, None])[:, 0],
            (posterior * (labels[own][:, None] == labels)).sum(1),
        )
        for terms, each, prior in zip(
            (of_input, of_label), known, (uniform, shares[own]), strict=True
        ):
            terms.append(((1 - doubt) * each / prior + doubt).clamp(min=1e-300).log())
    return _mean(torch.cat(of_input).view(-1, inputs)), _mean(torch.cat(of_label).view(-1, inputs))


def _mean(terms: Tensor) -> SampleEstimate:
    """Of terms (samples, N), all inputs being there as often, so that they add nothing to the
    error.
    """
    return SampleEstimate(
        terms.mean().item(), math.sqrt(terms.var(0).mean().item() / terms.numel())
    )
