"""A kernel for NumPy: two masks, every axis summed, nothing else."""

import numpy as np

name = "mask-count"
protocol = 1  # of the plugins of dice_any


def accepts(task):
    """Return True, or why the kernel declines; only metadata is known here."""
    if task.dtypes[:2] != ("bool", "bool"):
        return "it counts two boolean masks only"
    if task.dtypes[2] is not None:
        return "it takes no weight"
    if task.by_class or len(task.axis) < len(task.shapes[0]):
        return "it returns one count only"
    return True


def overlap(task, prediction, target, weight):
    """Return intersection, prediction, target, total, and the numbers of invalid
    values in prediction, target and weight.
    """
    both = np.count_nonzero(prediction & target)
    sizes = np.count_nonzero(prediction), np.count_nonzero(target)
    return np.array([both, *sizes, prediction.size, 0, 0, 0], dtype=np.int64)
