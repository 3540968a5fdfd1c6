"""Represent: encoders of two views that maximise a bound of the information between their
representations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from infobound.estimators.base import Bound, Estimator, SampleEstimator
from infobound.estimators.measurement import Critics
from infobound.models.critics.encoded import Encoded
from infobound.runners.critics import feeds
from infobound.runners.critics.task import CriticTraining
from infobound.runners.encoders.runner import Encoding
from infobound.runners.training import limits
from infobound.runners.training.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Represent(Encoding):
    """Encoders and their critic climb the estimate together, or with `target` t, in nats, descend
    |I - t|.

    Both views have one encoder where `shared`. The estimate is read on the pairs of all test
    examples, in blocks of `eval_batch_size`; where the estimator is a loss, so is what is read.

    Tschannen et al. 2020, https://arxiv.org/abs/1907.13625
    """

    critic: Critics | None
    estimator: Estimator | SampleEstimator
    shared: bool
    target: float | None
    eval_batch_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        name = type(self.estimator).__name__
        if not isinstance(self.estimator, Estimator) or self.critic is None:
            raise ValueError(
                f"estimator must be one that trains a critic, got {name} without one; use"
                " estimator=infonce"
            )
        if self.estimator.scores == "log density":
            raise ValueError(
                f"estimator must be one that critics and encoders climb together, got {name}; use"
                " estimator=infonce"
            )
        limits.at_least(self, eval_batch_size=4)
        if self.target is not None and self.estimator.kind == "loss":
            raise ValueError(
                f"target must be null for {name}, a loss that is not in nats, got {self.target}"
            )

    def task(self, device: torch.device) -> "Representing":
        """The encoders with their critic and the views, before the first step."""
        if self.model is None or self.critic is None or not isinstance(self.estimator, Estimator):
            raise TypeError(
                "there is nothing to train without an encoder, a critic and an estimator"
            )
        feed = feeds.viewed(
            self.dataset,
            batch_size=self.batch_size,
            eval_batch_size=self.eval_batch_size,
            seed=self.seed,
            replicates=self.replicates,
            device=device,
        )
        training = CriticTraining(
            feed,
            partial(Encoded, model=self.model, critic=self.critic, shared=self.shared),
            self.estimator,
            self.optimizer,
            stop_early=False,
            patience=None,
            schedule=partial(Schedule, warmup=0, end=None),
            folds=False,
            ensemble=partial(self.ensemble, seed=self.seed, device=device, average=self.average),
            loss=climb if self.target is None else partial(distance, target=self.target),
        )
        return Representing(training, self.replicates, self.estimator.kind == "loss")


def climb(bound: Bound) -> Tensor:
    """The loss of who maximises information."""
    return -bound.objective


def distance(bound: Bound, target: float) -> Tensor:
    """|I - target| in nats."""
    return (bound.objective - target).abs()


class Representing:
    """An EncoderTask: a training of critics that begin with encoders; a `loss` is told as one, not
    in nats.
    """

    def __init__(self, training: CriticTraining, replicates: int, loss: bool) -> None:
        self.replicates, self._training, self._loss = replicates, training, loss
        self.state, self.load, self.finished = training.state, training.load, training.finished

    def step(self) -> Mapping[str, Tensor]:
        quantities = self._training.step()
        return {"loss": quantities["loss"]} if self._loss else quantities

    def evaluate(self, step: int) -> dict[str, Any]:
        return self._as_loss(self._training.evaluate(step))

    def encoder(self, index: int) -> nn.Module:
        critic = self._training.critic(index)
        assert isinstance(critic, Encoded)
        return critic.encoder_x

    def read(self, step: int) -> dict[str, Any]:
        """The estimate on the test pairs; or the loss, without a cap, a truth or a standard
        error.
        """
        return self._as_loss(self._training.read(step).metrics(None))

    def _as_loss(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """What is said of a loss in place of an estimate."""
        if not self._loss:
            return metrics
        told = {
            "loss": -metrics["mi"],
            "loss_replicates": [-value for value in metrics.get("mi_replicates", [])],
        }
        return told | {name: metrics[name] for name in ("stderr_of", "kind") if name in metrics}
