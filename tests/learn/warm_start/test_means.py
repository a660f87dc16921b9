"""One level: the fit against exact posterior means, and the field's own algebra."""

import numpy as np
import pytest

from symscore.errors import BadOption
from symscore.learn.statistics import regression_noise
from symscore.learn.warm_start.heat import level_of
from symscore.learn.warm_start.means import VoronoiMean, affordable, fit_means
from symscore.mixture import GaussianMixture
from tests.tolerances import monte_carlo, roundoff

NOISE = 0.5


def uniform(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


def options(**changed):
    return {"noise": NOISE, "degree": 1, "ball": np.inf, "radius": np.inf, **changed}


def test_a_point_with_noise_is_found():
    """Q_0 one point m: E[mu | y] = m for every y, by degree 0, to the error of a mean."""
    n, point = 4000, np.array([0.7, -0.2])
    x = point + NOISE * np.random.default_rng(0).normal(size=(n, 2))
    found = fit_means(x, uniform(n), [], np.zeros((1, 2)), 0.3, **options(degree=0))
    y = np.random.default_rng(1).normal(size=(20, 2))
    slack = monte_carlo(n, NOISE, comparisons=2)
    assert np.abs(found.posterior_mean(y) - point).max() <= slack
    want = (found.posterior_mean(y) - y) / (NOISE**2 + 0.3)
    assert np.abs(found.heat_score(y) - want).max() <= roundoff(8, np.abs(want).max())


@pytest.mark.parametrize("t", [0.01, 0.5, 30.0])
def test_a_gaussian_signal_has_its_affine_posterior_mean(t):
    """Q_0 = N(0, s): E[mu | y] = s / (s + sigma^2) y; with the sample's own moments, exactly."""
    n = 500
    x = 1.3 * np.random.default_rng(0).normal(size=(n, 1))
    found = fit_means(x, uniform(n), [], np.zeros((1, 1)), t, **options())
    # Least squares on 1 and y with the noise integrated out, by the sample's mean and variance.
    mean, variance = x.mean(), x.var()
    slope = (variance - NOISE**2) / (variance + t)
    y = np.linspace(-3, 3, 11)[:, None]
    want = mean + slope * (y - mean)
    assert np.abs(found.posterior_mean(y) - want).max() <= roundoff(50 * n, 10.0)


def test_the_score_at_a_level_is_that_of_the_heat_flow():
    rng = np.random.default_rng(0)
    mean = VoronoiMean(
        rng.normal(size=(3, 2)), 0.7, NOISE, rng.normal(size=(3, 6, 2)), 9.0, np.zeros(3)
    )
    y = rng.normal(size=(50, 2))
    level = level_of(0.7)
    got = mean.score(level.alpha * y)
    assert np.abs(got - mean.heat_score(y) / level.alpha).max() <= roundoff(500, np.abs(got).max())
    assert mean.level == level
    assert (mean.degree, mean.dim) == (2, 2)
    assert mean.sigma == pytest.approx(np.sqrt(NOISE**2 + 0.7), rel=1e-15)


def test_cells_are_those_of_the_nearest_centre():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 2))
    mean = VoronoiMean(centres, 0.1, NOISE, centres[:, None], np.inf, np.zeros(4))
    y = rng.normal(size=(100, 2))
    want = [min(range(4), key=lambda c: np.hypot(*(p - centres[c]))) for p in y]
    assert (mean.cells(y) == want).all()
    assert (mean.posterior_mean(y) == centres[want]).all()


def test_means_are_clipped_to_the_ball_of_the_support():
    coef = np.zeros((1, 3, 2))
    coef[0, 1:] = 50 * np.eye(2)
    wide, narrow = (
        VoronoiMean(np.zeros((1, 2)), 0.1, NOISE, coef, radius, np.zeros(1))
        for radius in (np.inf, 2.0)
    )
    y = np.array([[1e-3, 2e-3], [0.5, -0.1]])
    assert (narrow.posterior_mean(y)[0] == wide.posterior_mean(y)[0]).all()
    assert np.linalg.norm(narrow.posterior_mean(y)[1]) == pytest.approx(2.0, rel=1e-14)
    assert np.linalg.norm(wide.posterior_mean(y)[1]) > 2


def test_two_clusters_are_learned_cell_by_cell():
    """Two far points with noise, a border between: the posterior mean of each, at all t.

    Each cell is a point with noise, cut where the other's mass is below 1e-12; with degree 0 its
    mean is the cell's, whose error has the sd of its rows. The noise that rows near the border
    draw adds a sigma^2 / sqrt(t) for at most one row in a thousand.
    """
    n, t = 4000, 0.1
    truth = GaussianMixture([0.5, 0.5], [[-3.0], [3.0]], [[[NOISE**2]]] * 2)
    x = truth.draw(n, rng=np.random.default_rng(0))
    noises = np.split(regression_noise(0, 0, (2 * n, 1)), 2)
    centres = np.array([[-2.5], [2.0]])
    found = fit_means(x, uniform(n), noises, centres, t, **options(degree=0))
    spread = np.hypot(NOISE, 0.05 * (NOISE**2 + t) / np.sqrt(t))
    slack = monte_carlo(0.45 * n, spread, comparisons=2)
    assert np.abs(found.posterior_mean([[-4.0], [2.5]]).ravel() - [-3, 3]).max() <= slack


def test_the_ball_holds_and_says_so():
    n = 300
    x = np.random.default_rng(0).normal(size=(n, 1)) + 4
    free = fit_means(x, uniform(n), [], np.zeros((1, 1)), 0.5, **options())
    held = fit_means(x, uniform(n), [], np.zeros((1, 1)), 0.5, **options(ball=1.0))
    assert free.multipliers == [0]
    assert held.multipliers > 0
    assert np.linalg.norm(held.coef) == pytest.approx(1.0, rel=1e-12)


def test_starving_cells_lower_their_degree():
    counts = (120, 119, 15, 14, 5, 4, 0)
    assert [affordable(rows, 2, 2) for rows in counts] == [6, 3, 3, 1, 1, 0, 0]
    n = 14
    x = np.random.default_rng(0).normal(size=(n, 2))
    few = fit_means(x, uniform(n), [], np.zeros((1, 2)), 1.0, **options(degree=2))
    assert (few.coef[0, 1:] == 0).all()
    assert few.coef[0, 0].any()
    centre = np.array([[0.5, 0.25]])
    none = fit_means(x[:4], uniform(4), [], centre, 1.0, **options(degree=2))
    assert (none.posterior_mean(x) == centre).all()


@pytest.mark.parametrize("wrong", [{"t": 0.0}, {"noise": 0.0}, {"radius": 0.0}])
def test_fields_are_checked(wrong):
    given = {"t": 1.0, "noise": 1.0, "radius": 1.0, **wrong}
    with pytest.raises(BadOption, match="Expected t, noise and radius > 0"):
        VoronoiMean(
            np.zeros((1, 2)),
            given["t"],
            given["noise"],
            np.zeros((1, 1, 2)),
            given["radius"],
            np.zeros(1),
        )
    with pytest.raises(BadOption, match="Expected the features of one degree; got 2"):
        VoronoiMean(np.zeros((1, 2)), 1.0, 1.0, np.zeros((1, 2, 2)), 1.0, np.zeros(1))
