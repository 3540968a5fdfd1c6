"""A distributed training by two processes on this machine: `python in_two_processes.py FOLDER`
prints `alike` if both critics end with the same weights.
"""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from infobound import MutualInformation


class Penalised(nn.Module):
    """An encoder whose loss has a term of mutual information, as one module."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mi = nn.Linear(2, 2), MutualInformation(2, 2, "mine")

    def forward(self, x: Tensor) -> Tensor:
        z = self.encoder(x)
        return (z - x).square().mean() - self.mi(x, z)


def train(rank: int, folder: Path) -> dict[str, Tensor]:
    """Train for three steps on this process's own rows, from its own weights."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.manual_seed(rank)
    inside, outside = Penalised(), MutualInformation(2, 2, "mine")
    model = DistributedDataParallel(inside)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        x = torch.randn(8, 2)
        optimizer.zero_grad()
        (model(x) - outside(x, x)).backward()
        optimizer.step()
        inside.mi.update(x, inside.encoder(x))
        outside.update(x, x)
    state = {**inside.state_dict(), **{f"outside.{k}": v for k, v in outside.state_dict().items()}}
    return {name: each for name, each in state.items() if isinstance(each, Tensor)}


def main() -> None:
    folder = Path(sys.argv[1])
    torch.optim.SGD(
        nn.Linear(1, 1).parameters()
    )  # takes seconds to import, so do it once before the fork
    child = os.fork()
    state = train(int(child != 0), folder)
    alike = True
    for each in state.values():
        received = [torch.zeros_like(each) for _ in range(2)]
        dist.all_gather(received, each)
        alike = alike and torch.equal(*received)
    dist.destroy_process_group()
    if child:
        os.waitpid(child, 0)
        print("alike" if alike else "different")


if __name__ == "__main__":
    main()
