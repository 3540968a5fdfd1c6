"""The layers of a noisy network as distributions of pairs, and the information computed from their
densities.

N inputs, S noise paths for each input, M samples, D width of a layer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infobound.estimators.base import SampleEstimate
from infobound.models.classifiers.layered_mlp import LayeredMLP
from infobound.runners.classify.reading import set_noise

CHUNK = 2**19
"""Number of densities held at a time (4 MiB, which fits the CPU's cache)."""


@dataclass(frozen=True, eq=False)
class LayerPairs:
    """A Joint of `told`, the inputs or their labels, and the noisy layer `index` (from 0) of
    equally likely inputs.

    T_1, ..., T_l are drawn in one pass through the network, each with noise, so X -> T_1 -> ... ->
    T_L is a Markov chain: by the data-processing inequality, no layer has more information about X,
    or about a label, than an earlier one.
    """

    told: Tensor
    seen: Tensor
    """(N, *shape) the network's inputs."""
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
        """Draw pairs of independent inputs, x (size, dim_x) and y (size, dim_y)."""
        rows = torch.randint(len(self.seen), (size,), generator=generator, device=generator.device)
        return self.told[rows], self.layer(self.seen[rows], generator)

    def each(self, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pairs of every input, several times with noise, once without."""
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
    """Every layer (M, D) of inputs (M, *shape), before its own noise and after the noise of the
    layers below.
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

    p(t | x) is approximated by the mean of N(t; m_s, noise^2 I) over S `paths` of the noise below,
    where m_s is the layer before its own noise. q(x | t) = p(t | x) / sum p(t | x'), mixed with a
    uniform distribution of weight 1 / 4 S, so that a t far from all paths costs little. The value
    is the mean of log q(x | t) + H(X) over `samples` t of every input with independent noise, and
    for Y the mean of log q(y | t) + H(Y), with q summed over the inputs with label y. The first
    layer has one path and its value is exact; the others are lower bounds, as for any posterior
    that did not see t (Barber and Agakov 2003), and approach the truth with more paths. Goldfeld et
    al. 2019, https://arxiv.org/abs/1810.05728

    It costs samples N^2 S densities a layer, and needs at least two samples.
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
    """The information of t (samples N, D) about N inputs with means (N, S, D), and about their
    labels (N,); t and means are in units of the noise.
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
    """The mean of terms (samples, N) with its error. All inputs occur equally often, so they add
    nothing to the error.
    """
    return SampleEstimate(
        terms.mean().item(), math.sqrt(terms.var(0).mean().item() / terms.numel())
    )
