"""The compared packages, imported once, and inputs with the hard cases. `nox -s parity` installs
the packages.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
import warnings

import numpy as np

os.environ["KERAS_BACKEND"] = "torch"


def _bypass(package: str) -> None:
    """Register a package without running its `__init__`, which imports what its losses do not
    need.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"{package} is not installed; `nox -s parity` installs it")
    module = types.ModuleType(package)
    module.__path__ = list(spec.submodule_search_locations)
    sys.modules[package] = module


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jax.numpy as jnp
    import keras
    import kornia.losses
    import monai.losses
    import monai.metrics
    import optax.losses
    import scipy.spatial.distance
    import SimpleITK
    import sklearn.metrics
    import torch
    import torchmetrics.functional.classification
    import torchmetrics.functional.segmentation
    from nnunetv2.evaluation import evaluate_predictions
    from nnunetv2.training.loss import compound_losses, dice

    _bypass("segmentation_models_pytorch")
    from segmentation_models_pytorch import losses as smp_losses
    from segmentation_models_pytorch.metrics import functional as smp_metrics

__all__ = [
    "CLASSES",
    "IGNORED",
    "SimpleITK",
    "compound_losses",
    "dice",
    "evaluate_predictions",
    "jnp",
    "keras",
    "kornia",
    "label_maps",
    "logits",
    "monai",
    "one_hot",
    "optax",
    "scipy",
    "sklearn",
    "smp_losses",
    "smp_metrics",
    "torch",
    "torchmetrics",
]

CLASSES, IGNORED = 5, 255
SHAPE = (4, 7, 9)


def logits(seed: int) -> torch.Tensor:
    """Float32 scores (N, C, H, W). Those of seed 2 are so large that sums of absent classes are as
    small as the smoothing.
    """
    values = np.random.default_rng(seed).normal(size=(SHAPE[0], CLASSES, *SHAPE[1:]))
    if seed == 2:
        values[:, CLASSES - 1] -= 3
    return torch.from_numpy(values.astype(np.float32)) * (15 if seed == 2 else 2)


def label_maps(seed: int, *, ignoring: bool = False) -> torch.Tensor:
    """int64 labels (N, H, W): the last class does not occur, class 3 is only in sample 0, sample 1
    is all background. With `ignoring`, a fifth of the pixels is ignored. (A sample that is all
    ignored is left out of our mean; the peers count it.)
    """
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES - 2, SHAPE)
    labels[0, :2] = 3
    labels[1] = 0
    if ignoring:
        labels[generator.random(SHAPE) < 0.2] = IGNORED
    return torch.from_numpy(labels)


def one_hot(labels: torch.Tensor, classes: int = CLASSES) -> torch.Tensor:
    """Booleans (N, C, H, W); an ignored pixel is in no class."""
    return torch.stack([labels == c for c in range(classes)], dim=1)
