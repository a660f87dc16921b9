"""Learned densities in PyMC models."""

from symscore.pymc.compiled import register
from symscore.pymc.distribution import LearnedScore

__all__ = ["LearnedScore"]

register()
