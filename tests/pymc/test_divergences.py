"""NUTS in the latent form: no divergence where a likelihood is weak, and the right masses.

Between two separated modes the map is steep, |dx/dz| = N(z) / q(x) on a line. A likelihood whose
gradient is large there kicks a leapfrog step that ends between the modes, which counts as
divergent; a weak likelihood does not.
"""

from functools import cache

import numpy as np
import pymc as pm
import pytest
from scipy.stats import norm

from symscore.arrays import FloatArray
from symscore.baselines.stack import sampling_options
from symscore.flow.flow import ScoreFlow
from symscore.mixture import GaussianMixture
from symscore.pymc import LearnedScore
from tests.flows import make_flow

BATCHES = 40


def two_modes() -> GaussianMixture:
    """Seven standard deviations apart, masses .35 and .65."""
    return GaussianMixture([0.35, 0.65], [[-3.5, 0.0], [3.5, 0.0]], [np.eye(2)] * 2)


def banana() -> GaussianMixture:
    """About (t, t^2), t ~ N(0, 1): tiles along the parabola."""
    t = np.linspace(-2.4, 2.4, 9)
    along = 0.35 * np.stack([np.ones_like(t), 2 * t], axis=1)
    tiles = along[:, :, None] * along[:, None, :] + 0.05 * np.eye(2)
    return GaussianMixture(shares(t), np.stack([t, t**2], axis=1), tiles)


def funnel() -> GaussianMixture:
    """About (v, exp(v) e), v and e ~ N(0, 1): the neck is a fiftieth of the mouth."""
    v = np.linspace(-2.0, 2.0, 9)
    scales = np.stack([np.full_like(v, 0.3), np.exp(v)], axis=1)
    means = np.stack([v, np.zeros_like(v)], axis=1)
    return GaussianMixture(shares(v), means, [np.diag(scale**2) for scale in scales])


def shares(t: FloatArray) -> FloatArray:
    return norm.pdf(t) / norm.pdf(t).sum()


PRIORS = {"two modes": two_modes, "banana": banana, "funnel": funnel}


@cache
def sampled(name: str) -> tuple[ScoreFlow, float, float, FloatArray, int]:
    """Return the prior, y, its sd, draws (2, 2000, 2) given y ~ N(x_0, sd^2), and divergences."""
    flow = make_flow(PRIORS[name](), degree=1, max_ratio=2.0)
    prior = flow.draw(2000, rng=np.random.default_rng(1))[:, 0]
    y, sd = prior.mean() + 0.5 * prior.std(), 1.5 * prior.std()
    options = sampling_options() | {"cores": 1, "progressbar": False}
    with pm.Model():
        x = LearnedScore("x", flow)
        pm.Normal("y", x[0], sd, observed=y)
        trace = pm.sample(2000, tune=1000, chains=2, random_seed=2, **options)
    divergences = int(trace.sample_stats["diverging"].sum())
    return flow, y, sd, trace.posterior["x"].values, divergences


@pytest.mark.slow
@pytest.mark.parametrize("name", PRIORS)
def test_no_divergence(name):
    *_, divergences = sampled(name)
    assert divergences == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", PRIORS)
def test_masses_are_those_of_importance_sampling(name):
    """In both directions: the prior reweighted, and the posterior with its likelihood undone."""
    flow, y, sd, x, _ = sampled(name)
    prior = flow.draw(200_000, rng=np.random.default_rng(3))[:, 0]
    batches = x[..., 0].reshape(BATCHES, -1)
    middle = 0.0 if name == "two modes" else np.median(prior)

    likelihood = norm.pdf(y, prior, sd)
    forward, error = share(prior < middle, likelihood)
    by_batch = (batches < middle).mean(axis=1)
    assert agree(by_batch.mean(), forward, standard_error(by_batch), error)

    undone = 1 / norm.pdf(y, batches, sd)
    ratio = (undone * (batches < middle)).mean() / undone.mean()
    residual = (undone * ((batches < middle) - ratio)).mean(axis=1) / undone.mean()
    before, error = share(prior < middle, np.ones_like(prior))
    assert agree(ratio, before, standard_error(residual), error)


def share(inside: FloatArray, weights: FloatArray) -> tuple[float, float]:
    """The weighted share of `inside`, and its standard error."""
    mass = np.average(inside, weights=weights)
    return mass, np.sqrt((weights**2 * (inside - mass) ** 2).sum()) / weights.sum()


def standard_error(batches: FloatArray) -> float:
    return batches.std(ddof=1) / np.sqrt(len(batches))


def agree(one: float, other: float, *errors: float) -> bool:
    """Within six standard errors, the first from 40 batches: false alarm 5e-7."""
    tolerance = 6 * np.hypot(*errors)
    assert tolerance < 0.15, "too few draws to tell"
    return abs(one - other) < tolerance
