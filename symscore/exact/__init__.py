"""Exact mixtures and their scores: SymPy expressions and rationals, never a rounded number."""

from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import exact_float

# The functional spelling: score(mixture, x), denoiser(mixture, x, alpha).
score = ExactMixture.score
denoiser = ExactMixture.denoiser

__all__ = ["ExactMixture", "denoiser", "exact_float", "score"]
