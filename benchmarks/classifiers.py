"""Steps per CPU-second of training a classifier against a bare hand-written loop: `python -m
benchmarks.classifiers`.

All-CNN-32 with information dropout on 32 x 32 photographs, batch 100, Nesterov momentum. The
contestants take turns, as in benchmarks.throughput: the bare loop, this project's loop, and this
project's loop in channels-last memory format and in bf16.
"""

import argparse
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD

from benchmarks.throughput import Run, interleaved
from infobound.datasets.images.cifar10_images import Cifar10Images
from infobound.datasets.images.labelled import Images, Labelled
from infobound.models.classifiers.all_convolutional import AllConvolutional
from infobound.models.noise.information_dropout import InformationDropout
from infobound.regularizers.rate import Rate
from infobound.runners.classify.runner import Classify
from infobound.runners.runs.records import InMemory
from infobound.runners.training.loop import Loop
from infobound.runners.training.settings import Cadence, Execution, Optimisation

BATCH, CHANNELS, CLASSES, KEEP = 100, (96, 192), 10, 0.8
LEAST, MOST, BETA = 1e-3, 0.7, 6e-5
DESCENT: dict[str, Any] = {
    "lr": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 1e-3,
    "fused": True,
}


class Information(nn.Module):
    """Information dropout of stride 2, written by hand for this network."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features, self.strength = (
            nn.Conv2d(width, width, 3, 2, 1),
            nn.Conv2d(width, width, 3, 2, 1),
        )
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        strength = LEAST + MOST * self.strength(x).sigmoid()
        z = self.norm(self.features(x)).relu() * (strength * torch.randn_like(strength)).exp()
        return z, -(strength / (LEAST + MOST)).log().flatten(1).sum(1)


class Bare(nn.Module):
    """All-CNN-32, which returns logits and the rate."""

    def __init__(self, share: float) -> None:
        super().__init__()
        widths = [3, *(int(width * share) for width in CHANNELS)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                *convolution(before, after, 3),
                *convolution(after, after, 3),
                Information(after),
            ]
        last = widths[-1]
        layers += [
            *convolution(last, last, 3),
            *convolution(last, last, 1),
            *convolution(last, CLASSES, 1),
        ]
        self.layers, self.head = nn.ModuleList(layers), nn.Linear(CLASSES, CLASSES)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x, rates = F.dropout(x, 1 - KEEP), x.new_zeros(len(x))
        for layer in self.layers:
            if isinstance(layer, Information):
                x, rate = layer(x)
                rates = rates + rate
            else:
                x = layer(x)
        return self.head(x.mean((2, 3))), rates


def convolution(inputs: int, outputs: int, side: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, side, 1, side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def bare(images: Labelled, share: float) -> Run:
    """The loop written by hand: a random batch, forward, backward, fused SGD."""
    net = Bare(share)
    optimizer = SGD(net.parameters(), **DESCENT)

    def run(steps: int) -> None:
        for _ in range(steps):
            drawn = torch.randint(len(images.labels), (BATCH,))
            logits, rate = net(images.images[drawn])
            loss = F.cross_entropy(logits, images.labels[drawn]) + BETA * rate.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def ours(
    images: Labelled,
    share: float,
    *,
    channels_last: bool = False,
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Run:
    """The launcher's own loop, which logs every 100 steps."""
    noise = partial(InformationDropout, prior="log_uniform", max_alpha=MOST)
    settings: dict[str, Any] = {
        "channels": CHANNELS,
        "filter_percentage": share,
        "activation": "ReLU",
        "input_keep": KEEP,
    }
    classify = Classify(
        dataset=Cifar10Images(Images(images, images), 0, False, "unused"),
        model=partial(AllConvolutional, noise=noise, channels_last=channels_last, **settings),
        regularizer=partial(Rate, beta=BETA),
        optimisation=Optimisation(optimizer=partial(SGD, **DESCENT), steps=1, batch_size=BATCH),
        cadence=Cadence(log_every=100, eval_every=10**9, checkpoint_every=10**9),
        execution=Execution(precision=precision),
    )
    return Loop(classify.task(), classify.steps, classify.cadence, InMemory()).advance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--seconds", type=float, default=40, help="CPU seconds for each contestant of a width"
    )
    parser.add_argument("--rounds", type=int, default=8, help="turns of each contestant")
    parser.add_argument(
        "--shares",
        type=float,
        nargs="+",
        default=[0.25, 1.0],
        help="shares of the network's filters",
    )
    parser.add_argument(
        "--no-bf16",
        action="store_true",
        help="skip bf16, which is slow without hardware support",
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    source = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (2000,), generator=source)
    images = Labelled(
        torch.randint(256, (2000, 3, 32, 32), generator=source, dtype=torch.uint8), labels
    )
    seen = Cifar10Images(Images(images, images), 0, False, "unused").train_images
    print("steps per CPU-second, and as a multiple of the bare loop's")
    for share in options.shares:
        contestants = {
            "bare": (bare(seen, share), 1, 1),
            "ours": (ours(images, share), 1, 1),
            "channels last": (ours(images, share, channels_last=True), 1, 1),
        }
        if not options.no_bf16:
            contestants["bf16"] = (ours(images, share, precision="bf16"), 1, 1)
        speed = interleaved(contestants, options.seconds, options.rounds)
        columns = [
            f"{name} {each:.2f} ({each / speed['bare']:.2f})" for name, each in speed.items()
        ]
        print(f"filters {share:g}:  {'   '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
