"""int4 as the file stores it, for training that feels the rounding (quantisation-aware training).

Groups of 64 columns share a scale, and a weight carries the three before it as a known fraction of its unit:
crates/model-format/src/lanes.rs. What is rounded here is rounded to itself by `wisp-model quantise --format int4`.
"""
import contextlib

import torch

GROUP, WORD, NIBBLE = 64, 8, 4096  # columns with one scale; columns in a word; what a nibble counts in a lane
TRIALS = range(22, 40)  # quarters of a unit that the largest weight of a group may count


def units(positions, trial):
    """Columns [8, groups, 8 words] of magnitude up to 1 as lanes, when the largest counts `trial` quarters."""
    below, lanes = torch.zeros_like(positions[0]), torch.empty_like(positions)
    for column, lane in zip(positions * (trial / 4), lanes):
        torch.add((column - below).add_(0.5).floor_().clamp_(-8, 7), below, out=lane)
        below = torch.remainder(lane, 16).mul_(NIBBLE / 16).floor_().div_(NIBBLE)
    return lanes


def fit(positions, lanes):
    """The best scale for each group's lanes, and how much of the square error it takes away."""
    products = (positions * lanes).sum((0, 2))
    scales = products / lanes.square().sum((0, 2)).clamp_(min=1e-30)
    return scales, products * scales


@torch.no_grad()
def int4(matrix, trials=None):
    """The matrix rounded, and each group's best of all trials; `trials` spares the search where they are known."""
    rows, columns = matrix.shape
    wide = torch.nn.functional.pad(matrix, (0, -columns % GROUP)).view(-1, GROUP)
    largest = wide.abs().amax(1).clamp_(min=1e-30)
    positions = (wide / largest[:, None]).view(-1, GROUP // WORD, WORD).permute(2, 0, 1).contiguous()
    if trials is None:
        gains = torch.stack([fit(positions, units(positions, trial))[1] for trial in TRIALS])
        trials = gains.argmax(0).add_(TRIALS[0]).to(matrix.dtype)
    lanes = units(positions, trials[:, None])
    rounded = lanes * (fit(positions, lanes)[0] * largest)[:, None]
    return rounded.permute(1, 2, 0).reshape(rows, -1)[:, :columns], trials


class Rounding:
    """Swaps a model's matrices for rounded ones while gradients are taken; the steps go to those of full precision,
    whose small changes add up (a straight-through estimator: Bengio et al., 2013)."""

    def __init__(self, model):
        self.matrices = [weight for weight in model.parameters() if weight.dim() > 1]
        self.trials = [None] * len(self.matrices)

    @contextlib.contextmanager
    def __call__(self, step):
        """Searches for the best scales in some steps only, because that takes as long as a whole one."""
        full = [weight.data for weight in self.matrices]
        try:
            for place, weight in enumerate(self.matrices):
                known = self.trials[place] if step % 25 else None
                weight.data, self.trials[place] = int4(weight.data, known)
            yield
        finally:
            for weight, data in zip(self.matrices, full):
                weight.data = data
