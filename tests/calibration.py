"""Simulation-based calibration: ranks of the truth among exact draws from a model's posterior.

theta* is drawn from the prior, y from theta*, and L values from the posterior that the model's own
log density gives for y. If that density belongs to the prior and the likelihood, the rank of
f(theta*, y) among the f(theta_l, y) is uniform on 0..L for every function f (Talts et al. 2018;
the joint log density as f sees what the parameters do not, Modrak et al. 2023).

The posterior is drawn without a Markov chain: from many fixed points of known density. Their log
prior is that of a model's own graphs, as a sampler would see them.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable
from scipy.stats import binom, chisquare, norm

from symscore.arrays import FloatArray
from symscore.errors import SeparatedModes
from symscore.flow.flow import ScoreFlow
from symscore.mixture import GaussianMixture
from symscore.pymc import LearnedScore

RANKS = 128  # L + 1: the bins below are of equal size
BINS = 16
WIDER = 2.0
POINTS = {1: 1500, 2: 8000, 3: 27000}


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


# ---- models, taken apart


def no_options(t: TensorVariable | None) -> dict[str, Any]:
    return {}


def no_volume(parameters: FloatArray) -> float:
    return 0.0


@dataclass(frozen=True, eq=False)
class Prior:
    """x ~ distribution(flow, **options(t)), with t ~ N(0, 1) first if `hyper`; y ~ N(sum x, sd^2).

    A sampler of x, not of z, moves values that `values` covers. `log_volume` is that of parameters
    (n, k) per volume of these values, up to a constant, by a formula that owes the package nothing.
    """

    flow: ScoreFlow
    values: GaussianMixture
    sd: float = 3.0
    distribution: Callable[..., TensorVariable] = LearnedScore
    options: Callable[[Any], dict[str, Any]] = no_options
    hyper: bool = False
    log_volume: Callable[[FloatArray], FloatArray | float] = no_volume

    @property
    def n_parameters(self) -> int:
        return self.flow.dim + self.hyper

    def law(self, form: str) -> GaussianMixture:
        """Return a distribution that covers the model's values."""
        x = standard_normal(self.flow.dim) if form == "latent" else self.values
        return _with_a_normal_first(x) if self.hyper else x

    def model(self, rows: int, form: str) -> pm.Model:
        """Return independent copies of the model."""
        with pm.Model() as model, warnings.catch_warnings():
            warnings.simplefilter("ignore", SeparatedModes)  # no chain is run
            t = pm.Normal("t", shape=(rows, 1)) if self.hyper else None
            options = {"latent": form == "latent", "shape": (rows, self.flow.dim)}
            x = self.distribution("x", self.flow, **options, **self.options(t))
            pm.Normal("y", pm.Deterministic("mean", x.sum(axis=-1)), self.sd)
        return model

    def observed_log_density(self, parameters: FloatArray) -> FloatArray:
        """Return the log density (n,) of x as data, times that of t."""
        t, x = np.split(parameters, [int(self.hyper)], axis=1)
        with pm.Model() as model:
            self.distribution("x", self.flow, observed=x, **self.options(t))
        (log_density,) = model.compile_logp(sum=False)({})
        return _by_row(log_density) - 0.5 * (t**2).sum(axis=1)


def _with_a_normal_first(law: GaussianMixture) -> GaussianMixture:
    covariances = np.zeros((law.n_components, law.dim + 1, law.dim + 1))
    covariances[:, 0, 0], covariances[:, 1:, 1:] = 1.0, law.covariances
    return GaussianMixture(law.weights, np.pad(law.means, [(0, 0), (1, 0)]), covariances)


def _by_row(values: FloatArray) -> FloatArray:
    return values.reshape(len(values), -1).sum(axis=1)


def points_at(model: pm.Model, values: FloatArray) -> Points:
    """Evaluate the model's own graphs at values (rows, k) of its free variables."""
    free = model.free_RVs[:-1]
    columns = [model.rvs_to_values[rv] for rv in free]
    outputs = [*model.replace_rvs_by_values([*free, model["mean"]]), *model.logp(free, sum=False)]
    found = pytensor.function(columns, outputs)(*_split(values, len(free)))
    parameters, means, log_prior = found[: len(free)], found[len(free)], found[len(free) + 1 :]
    lost = np.isnan(means)  # a planted fault may leave values without a point
    total = sum(map(_by_row, log_prior))
    total = np.where(lost | np.isnan(total), -np.inf, total)
    return Points(np.concatenate(parameters, axis=1), total, np.where(lost, 0.0, means)[:, None])


def _split(values: FloatArray, parts: int) -> list[FloatArray]:
    return np.split(values, [1], axis=1) if parts == 2 else [values]


def values_of(model: pm.Model, parameters: FloatArray) -> FloatArray:
    """Return the values (rows, k) at which the model has these parameters."""
    *above, rv, _ = model.free_RVs
    *hyper, x = _split(parameters, len(above) + 1)
    value = model.rvs_to_transforms[rv].forward(pt.as_tensor(x), *rv.owner.inputs)
    compiled = pytensor.function(above, value, on_unused_input="ignore")
    return np.concatenate([*hyper, compiled(*hyper)], axis=1)


def take_apart(prior: Prior, form: str, *, seed: int = 1, replicates: int, fine: int = 1) -> Study:
    """Draw truths and data from the model, and weigh points by what a sampler of it would see.

    Of the form "noise", x is what data y = mu + x with mu ~ N(0, sd^2 I) leave when mu is taken
    off, by the density of observed x: for given y its ranks are those of mu, counted from above.
    """
    rng, model = np.random.default_rng(seed), prior.model(replicates, form)
    *parameters, y = pm.draw([*model.free_RVs[:-1], model["y"]], random_seed=seed)
    drawn = np.concatenate(parameters, axis=1)
    values, log_spread = spread_points(prior.law(form), fine * POINTS[prior.n_parameters], rng=rng)
    points = points_at(prior.model(len(values), form), values)
    if form != "noise":
        truths = points_at(model, values_of(model, drawn))
        return Study(truths, y[:, None], points, log_spread, prior.sd)
    log_spread = log_spread - prior.log_volume(points.parameters)
    truths, points = (
        Points(p, prior.observed_log_density(p), p[:, int(prior.hyper) :])
        for p in (drawn, points.parameters)
    )
    y = truths.means + prior.sd * rng.normal(size=truths.means.shape)
    return Study(truths, y, points, log_spread, prior.sd)
