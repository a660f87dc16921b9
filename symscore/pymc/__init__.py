"""Learned densities in PyMC models."""

import symscore.pymc.compiled  # registers the kernels with PyTensor's numba backend
from symscore.pymc.distribution import LearnedScore

__all__ = ["LearnedScore"]
