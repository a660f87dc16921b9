"""Simulation-based calibration: ranks of the truth among exact draws from a model's posterior.

theta* is drawn from the prior, y from theta*, and L values from the posterior that the model's own
log density gives for y. If that density belongs to the prior and the likelihood, the rank of
f(theta*, y) among the f(theta_l, y) is uniform on 0..L for every function f (Talts et al. 2018;
the joint log density as f sees what the parameters do not, Modrak et al. 2023).

The posterior is drawn without a Markov chain: from many fixed points of known density.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, chisquare, norm

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.mixture import GaussianMixture

RANKS = 128  # L + 1: the bins below are of equal size
BINS = 16
WIDER = 2.0


@dataclass(frozen=True, eq=False)
class Points:
    """Parameters (n, k), their log prior (n,) up to a constant, and the means of y (n, m)."""

    parameters: FloatArray
    log_prior: FloatArray
    means: FloatArray


@dataclass(frozen=True, eq=False)
class Study:
    """Replicates of y ~ N(mean, sd^2 I), (n, m), with their truths, and points for posteriors.

    The points stand for the whole space: a sum over them of f / exp(`log_spread`) (g,) is an
    integral of f, up to a constant factor.
    """

    truths: Points
    y: FloatArray
    points: Points
    log_spread: FloatArray
    sd: float

    def ranks(self, *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the ranks (n, k + 1) of the true parameters and of the joint log density."""
        ranks = np.empty((len(self.y), self.truths.parameters.shape[1] + 1), dtype=np.int64)
        for i, (weights, log_joint, at_truth) in enumerate(self._posteriors(len(self.y))):
            cumulated = np.cumsum(weights)
            chosen = np.searchsorted(cumulated, rng.random(RANKS - 1) * cumulated[-1], "right")
            below = self.points.parameters[chosen] < self.truths.parameters[i]
            ranks[i, :-1] = below.sum(axis=0)
            ranks[i, -1] = (log_joint[chosen] < at_truth).sum()
        return ranks

    def probabilities(self, replicates: int) -> FloatArray:
        """Return what the ranks over L tend to for many draws, (replicates, k + 1)."""
        found = np.empty((replicates, self.truths.parameters.shape[1] + 1))
        for i, (weights, log_joint, at_truth) in enumerate(self._posteriors(replicates)):
            found[i, :-1] = weights @ (self.points.parameters < self.truths.parameters[i])
            found[i, -1] = weights @ (log_joint < at_truth)
            found[i] /= weights.sum()
        return found

    def _posteriors(self, replicates: int) -> Iterator[tuple[FloatArray, FloatArray, float]]:
        """Yield posterior weights (g,), the joint log density (g,) and its value at the truth."""
        # Without the square of y, which is common to all points.
        slopes, offset = self.points.means / self.sd**2, _log_joint_at_zero(self.points, self.sd)
        at_truths = _log_joint_at_zero(self.truths, self.sd)
        at_truths += (self.truths.means * self.y).sum(axis=1) / self.sd**2
        for y, at_truth in zip(self.y[:replicates], at_truths, strict=False):
            log_joint = slopes @ y + offset
            log_weights = log_joint - self.log_spread
            yield np.exp(log_weights - log_weights.max()), log_joint, at_truth


def _log_joint_at_zero(points: Points, sd: float) -> FloatArray:
    return points.log_prior - (points.means**2).sum(axis=1) / (2 * sd**2)


def spread_points(
    mixture: GaussianMixture, about: int, *, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return `about` points (g, d) of even coverage under `mixture`, and its log density there.

    Each component gets one uniform point of each cell of a lattice of the unit cube, by normal
    quantiles and its Cholesky factor. Without that jitter, a steep front along an axis would
    shift a posterior by half a row of the lattice.
    """
    per_axis = round((about / mixture.n_components) ** (1 / mixture.dim))
    corners = np.indices((per_axis,) * mixture.dim).reshape(mixture.dim, -1).T
    even = GaussianMixture(
        np.full(mixture.n_components, 1 / mixture.n_components), mixture.means, mixture.covariances
    )
    points = [
        mean + norm.ppf((corners + rng.random(corners.shape)) / per_axis) @ chol.T
        for mean, chol in zip(even.means, even.chol_covariances, strict=True)
    ]
    return np.concatenate(points), even.log_density(np.concatenate(points))


def standard_normal(dim: int) -> GaussianMixture:
    return GaussianMixture([1.0], np.zeros((1, dim)), np.eye(dim)[None])


def covering(flow: ScoreFlow) -> GaussianMixture:
    """What the flow was built around, in its whitened frame, wider for its tails."""
    crude = flow.ladder.at(0).crude
    return GaussianMixture(crude.weights, crude.means, WIDER * crude.covariances)


def uniformity(ranks: NDArray[np.int64]) -> float:
    """Return a p value of one column of ranks being uniform on 0..L.

    Chi-square over equal bins sees a wrong shape, and the exact binomial tails of the number of
    ranks below each threshold see a shift; the smaller of the two counts, by Bonferroni.
    """
    counts = np.bincount(ranks, minlength=RANKS)
    by_bins = chisquare(counts.reshape(BINS, -1).sum(axis=1)).pvalue
    below, share = np.cumsum(counts)[:-1], np.arange(1, RANKS) / RANKS
    tails = np.minimum(binom.cdf(below, len(ranks), share), binom.sf(below - 1, len(ranks), share))
    by_thresholds = 2 * (RANKS - 1) * tails.min()
    return float(min(1.0, 2 * by_bins, 2 * by_thresholds))
