"""Learned densities in PyMC models."""

from symscore.pymc import compiled, jax
from symscore.pymc.distribution import LearnedScore
from symscore.pymc.from_sympy import from_sympy
from symscore.pymc.posterior import posterior_as_prior
from symscore.pymc.scalar import LearnedScalar

__all__ = ["LearnedScalar", "LearnedScore", "from_sympy", "posterior_as_prior"]

compiled.register()
jax.register()
