"""Train a small U-Net to tell the tissues of a brain apart, in PyTorch, with Dice in the loss and
as the score.

It learns from axial slices of the MNI152 template, from nilearn's wheel, and is scored on a slab of
slices that it never saw::

    python examples/train_torch.py            # a minute or two on two cores
    python examples/train_torch.py --quick    # does it learn at all?

The exit status is 1 if it did not.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from tissue import NUM_CLASSES
from torch import nn
from training import BATCH, CLASS_WEIGHT, Report, Slices, load_split, read_plan

from dice_any import Overlap, overlap
from dice_any.torch import DeepSupervision, DiceCrossEntropyLoss

WIDTHS = (8, 16, 32)  # channels at full, half and quarter resolution


def block(channels: int, width: int, stride: int = 1) -> nn.Sequential:
    """Two convolutions; the first may halve the resolution."""
    return nn.Sequential(
        *(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            nn.GroupNorm(4, width),
            nn.ReLU(),
        ),
        *(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.GroupNorm(4, width), nn.ReLU()),
    )


class UNet(nn.Module):
    """A U-Net down to a quarter of the resolution and up again, with an output at each of the three
    resolutions.
    """

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.down = nn.ModuleList(
            [block(1, fine), block(fine, middle, 2), block(middle, coarse, 2)]
        )
        self.widen = nn.ModuleList(
            [nn.ConvTranspose2d(coarse, middle, 2, 2), nn.ConvTranspose2d(middle, fine, 2, 2)]
        )
        self.up = nn.ModuleList([block(2 * middle, middle), block(2 * fine, fine)])
        self.heads = nn.ModuleList(
            nn.Conv2d(width, NUM_CLASSES, 1) for width in (coarse, middle, fine)
        )
        for weights in (p for p in self.parameters() if p.ndim == 4):
            nn.init.kaiming_normal_(weights, nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits at each resolution, the finest first."""
        skips = [x := down(x) for down in self.down]
        outputs = [self.heads[0](x)]
        for widen, up, head, skip in zip(
            self.widen, self.up, self.heads[1:], skips[-2::-1], strict=True
        ):
            x = up(torch.cat([skip, widen(x)], dim=1))
            outputs.append(head(x))
        return outputs[::-1]


@torch.no_grad()
def evaluate(network: UNet, slices: Slices) -> tuple[Overlap, np.ndarray]:
    """Return the overlap of all slices, summed over batches, and the predicted labels."""
    counts, predictions = [], []
    for images, labels in slices.batches(BATCH):
        logits = network(torch.from_numpy(images)[:, None])[0]
        counts.append(overlap(logits, torch.from_numpy(labels), class_axis=1, activation="argmax"))
        predictions.append(logits.argmax(dim=1).numpy())
    return sum(counts), np.concatenate(predictions)


def main() -> int:
    """Train; return 1 if the score of the held-out slices is too low."""
    plan = read_plan(__doc__.partition("\n")[0])
    split = load_split(plan.every)
    torch.manual_seed(0)
    order = np.random.default_rng(0)

    network = UNet()
    loss_of = DiceCrossEntropyLoss(
        class_axis=1, activation="softmax", classes="foreground", class_weight=CLASS_WEIGHT
    )
    criterion = DeepSupervision(loss_of)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, plan.epochs * split.training.steps(BATCH)
    )
    with Report("PyTorch", plan) as report:
        counts, prediction = evaluate(network, split.held_out)
        report.add(counts)
        for _ in range(plan.epochs):
            losses = []
            for images, labels in split.training.batches(BATCH, order):
                loss = criterion(
                    network(torch.from_numpy(images)[:, None]), torch.from_numpy(labels)
                )
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                losses.append(loss.item())
            counts, prediction = evaluate(network, split.held_out)
            report.add(counts, losses)
    return report.finish(split, prediction)


if __name__ == "__main__":
    sys.exit(main())
