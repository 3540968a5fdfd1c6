"""Mutual information by flow matching: what noise prediction finds beyond a copula.

N rows, B batch, D_x and D_y columns, D columns that are noised, F features of x, K draws of time
and noise.
"""

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from infobound.errors import SettingError
from infobound.estimators.base import Kind, SampleEstimate
from infobound.estimators.beyond_copula import CLIP, Left, leave, length_of
from infobound.estimators.comparable import ranked
from infobound.estimators.rows import mean_of, paired
from infobound.estimators.ties import jittered
from infobound.models.critics.copula_choice import chosen
from infobound.models.layers.mlp import mlp

LOCATION, SCALE = 1.0, 1.25
"""logit(1 - t) is drawn from this logistic distribution: small t tell more."""
MARGIN = 0.01
"""Share of the distribution left out at each end, where there is nothing to tell."""
FINE = 0.05
"""The network is damped where t is smaller: noise is there known but for t, and errors add up."""
JUDGED = 0.3
"""Share of the training rows that judge copulas fitted to the others."""
VALIDATION = 0.15
"""Share of the training rows that choose the network."""
CHECKS = 4
"""Draws for each validation row."""
LEARNING_RATE, WEIGHT_DECAY, WARM_UP, AVERAGE = 5e-3, 0.1, 0.05, 0.99
"""WARM_UP is the share of the steps in which the learning rate rises."""
READINGS, PATIENCE = 40, 10
"""Validations of a training, and the number of them without progress that ends it."""
AT_ONCE = 16384
"""Noisy rows that are read at once."""


@dataclass(frozen=True, kw_only=True)
class Flow:
    """E[log c(x, y) + d(w | x) - d(v)], where c is the density ratio of a copula that is fitted to
    the rows, v are the coordinates of y in it, and w is v in units of its spread given x. If the
    copula is true, w and v are standard normal, and d is 0.

    d(w | x) = log p(w | x) / phi(w) = int E[|e - e_0(z)|^2 - |e - e_x(z)|^2] / (t (1 - t)) dt,
    where z = (1 - t) w + t e with normal noise e. e_0 is the best prediction of e at time t if w is
    standard normal, and e_x is a learned one; to predict e is to predict the velocity e - w. The
    copula is the start of critic=copula. Columns are ranked, with ties of y in random order.

    Each of `folds` parts is held out in turn, and the estimate is the mean of reading y given x and
    x given y. So 4 `folds` networks train for `steps` steps, or until validation rows no longer
    gain, and each row is read with `draws` draws of t and e. Errors of d(w | x) lower the value,
    and those of d(v) raise it. Neither bound: over forty tasks of 10,000 rows it is off by .020
    nats on average and .09 at most.

    Franzese et al. 2024, https://arxiv.org/abs/2310.09031

    Raises ValueError for settings out of range, and for rows that are not paired, not finite or too
    few.
    """

    steps: int = 800
    batch_size: int = 512
    width: int = 128
    folds: int = 2
    draws: int = 16
    seed: int = 0
    kind: ClassVar[Kind] = "neither"

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "width", "draws"):
            if getattr(self, name) < 1:
                raise SettingError(name, "must be a positive integer", getattr(self, name))
        if self.folds < 2:
            raise SettingError("folds", "must be an integer of at least 2", self.folds)

    def __call__(self, x: Tensor, y: Tensor) -> SampleEstimate:
        # In an order that is the same when x and y are swapped
        tables = sorted(paired(x, y, 10 * self.folds), key=lambda table: table.tobytes())
        sides, untied = (
            [torch.tensor(ranked(table)) for table in each] for each in (tables, jittered(*tables))
        )
        source = torch.Generator().manual_seed(self.seed)
        terms = sides[0].new_zeros(len(x))
        folds = torch.randperm(len(x), generator=source).tensor_split(self.folds)
        for held, test in enumerate(folds):
            rows = torch.cat([fold for other, fold in enumerate(folds) if other != held])
            known = untied[0][rows], untied[1][rows]
            start = chosen(*known, held_back=JUDGED, clip=CLIP, invertible=True)
            swapped = start._replace(x=start.y, y=start.x)
            for left in (leave(sides[0], untied[1], start), leave(sides[1], untied[0], swapped)):
                terms[test] += self._terms(left, rows, test, source) / 2
        return mean_of(terms.numpy())

    def _terms(
        self, left: Left, rows: Tensor, test: Tensor, source: torch.Generator
    ) -> Float[Tensor, " B"]:
        """The terms of test rows, from networks that are trained on the other rows."""
        if left.free.shape[1] == 0:  # constant columns
            return left.ratio[test]
        nothing = torch.zeros(len(left.free), 1)
        given, free = (
            self._trained(known, w, left.weights, rows, source).read(
                known[test], w[test], self.draws, source
            )
            for known, w in ((left.features, left.given), (nothing, left.free))
        )
        return left.ratio[test] + given - free

    def _trained(
        self,
        features: Float[Tensor, "N F"],
        w: Float[Tensor, "N D"],
        weights: Float[Tensor, " D"],
        rows: Tensor,
        source: torch.Generator,
    ) -> "Departure":
        """The network of the step at which it reads most on the first of the given rows."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = Departure(features.shape[1], weights, self.width)
        check, rows = rows.split([count := math.ceil(VALIDATION * len(rows)), len(rows) - count])
        averaged = copy.deepcopy(network)
        best, most, idle = list[Tensor](), -math.inf, 0
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY, fused=True)
        schedule = OneCycleLR(
            optimizer, LEARNING_RATE, self.steps + 1, pct_start=WARM_UP, cycle_momentum=False
        )
        again = source.get_state()
        for step in range(self.steps + 1):
            if step % max(1, self.steps // READINGS) == 0:
                same = torch.Generator().set_state(again)
                value = float(averaged.read(features[check], w[check], CHECKS, same).mean())
                idle += 1
                if value > most:
                    best, most, idle = [each.clone() for each in averaged.parameters()], value, 0
                if idle == PATIENCE:
                    break
            batch = rows[torch.randint(len(rows), (self.batch_size,), generator=source)]
            optimizer.zero_grad()
            network.loss(features[batch], w[batch], source).backward()
            optimizer.step()
            schedule.step()
            _follow(averaged, network.parameters(), min(AVERAGE, step / (step + 10)))
        _follow(averaged, best, 0)
        return averaged


class Departure(nn.Module):
    """d(w | f) = log p(w | f) / phi(w), where phi is standard normal.

    A network of f shifts and scales w towards a standard normal, by maximum likelihood, and another
    corrects the prediction of noise for what remains. Both begin at 0.
    """

    def __init__(self, features: int, weights: Float[Tensor, " D"], width: int) -> None:
        super().__init__()
        self.weights, dim = weights, len(weights)
        self.scaling = mlp(features, (width,), 2 * dim, "SiLU")
        self.noise = mlp(features + dim + 8, (width,) * 3, dim, "SiLU")
        for network in (self.scaling, self.noise):
            for values in network[-1].parameters():
                nn.init.zeros_(values)

    def scaled(
        self, f: Float[Tensor, "B F"], w: Float[Tensor, "B D"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, " B"]]:
        """w, shifted and scaled, and the log-ratio that this stands for."""
        shift, growth = (self.weights * each for each in self.scaling(f).chunk(2, -1))
        new = (w - shift) * (-growth).exp()
        return new, ((w.square() - new.square()) / 2 - growth).sum(-1)

    def errors(
        self,
        f: Float[Tensor, "B F"],
        z: Float[Tensor, "K B D"],
        t: Float[Tensor, "K B 1"],
        e: Float[Tensor, "K B D"],
    ) -> tuple[Float[Tensor, "K B D"], Float[Tensor, "K B D"]]:
        """The errors of predicting e: of the network, and of the best prediction if z is normal."""
        size = ((1 - t).square() + t.square()).sqrt()
        level = torch.logit(1 - t)
        angles = level * torch.tensor([0.5, 1.0, 2.0])
        columns = [(self.weights * z / size), length_of(z / size), level / 2]
        columns += [angles.sin(), angles.cos(), f.expand(len(z), -1, -1)]
        learned = self.weights * self.noise(torch.cat(columns, -1).clamp(-CLIP, CLIP))
        normal = t * z / size.square() - e
        damped = t / (t.square() + (FINE * (1 - t)).square()).sqrt()
        return normal + damped * (1 - t) / size * learned, normal

    def loss(
        self, f: Float[Tensor, "B F"], w: Float[Tensor, "B D"], source: torch.Generator
    ) -> Float[Tensor, ""]:
        """The loss of both networks."""
        w, ratio = self.scaled(f, w)
        learned, _ = self.errors(f, *noisy(w.detach(), 1, source))
        return learned.square().sum(-1).mean() - ratio.mean()

    @torch.no_grad()
    def read(
        self, f: Float[Tensor, "N F"], w: Float[Tensor, "N D"], draws: int, source: torch.Generator
    ) -> Float[Tensor, " N"]:
        """The log-ratios of rows, nats."""
        read = list[Tensor]()
        for part in torch.arange(len(w)).split(max(1, AT_ONCE // draws)):
            scaled, ratio = self.scaled(f[part], w[part])
            z, t, e = noisy(scaled, draws, source)
            read.append(ratio + integral(*self.errors(f[part], z, t, e), t))
        return torch.cat(read)


def noisy(
    w: Float[Tensor, "B D"], draws: int, source: torch.Generator
) -> tuple[Float[Tensor, "K B D"], Float[Tensor, "K B 1"], Float[Tensor, "K B D"]]:
    """z, t and e: t lies in each of K strata of its distribution once."""
    strata = torch.arange(draws)[:, None, None]
    share = (strata + torch.rand(draws, len(w), 1, generator=source)) / draws
    share = MARGIN + (1 - 2 * MARGIN) * share
    t = torch.sigmoid(-(LOCATION + SCALE * torch.logit(share)))
    e = torch.randn(draws, *w.shape, generator=source)
    return (1 - t) * w + t * e, t, e


def integral(
    errors: Float[Tensor, "K B D"], others: Float[Tensor, "K B D"], t: Float[Tensor, "K B 1"]
) -> Float[Tensor, " B"]:
    """int E[|other|^2 - |error|^2] / (t (1 - t)) dt for each row, by importance sampling of t.

    If these are the errors of the best predictions of e for two distributions of w, its expectation
    is the log-ratio of their densities at w, in nats.
    """
    less = ((others - errors) * (others + errors)).sum(-1, keepdim=True)
    share = torch.sigmoid((torch.logit(1 - t) - LOCATION) / SCALE)
    return ((1 - 2 * MARGIN) * SCALE * less / (share * (1 - share))).mean(0).squeeze(-1)


def _follow(averaged: nn.Module, parameters: Iterable[Tensor], decay: float) -> None:
    with torch.no_grad():
        for mean, new in zip(averaged.parameters(), parameters, strict=True):
            mean.lerp_(new, 1 - decay)
