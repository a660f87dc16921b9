"""The likelihood that NUTS climbs: value, gradient and the map to mixtures."""

import numpy as np
import pytest

from symscore.baselines.mixture_posterior import Layout, log_likelihood
from tests.tolerances import derivative, roundoff

SHAPES = [(1, 1), (1, 3), (2, 1), (2, 2), (4, 3)]


def at_random(k, d, rng):
    layout = Layout(k, d)
    mean, sd = layout.prior()
    return layout, mean + 0.5 * sd * rng.normal(size=layout.size), rng.normal(size=(30, d))


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_the_value_is_the_log_density_of_the_mixture(k, d):
    layout, theta, u = at_random(k, d, np.random.default_rng(0))
    mixture = layout.to_mixture(theta)
    terms = mixture.log_density(u)
    # The oracle factors covariances that this route never forms: their condition is what it costs.
    slack = roundoff(200, np.abs(terms).sum()) * np.linalg.cond(mixture.covariances).max()
    assert abs(log_likelihood(theta, u, layout)[0] - terms.sum()) <= slack


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_the_gradient_is_that_of_the_value(k, d):
    layout, theta, u = at_random(k, d, np.random.default_rng(1))

    def value(points):
        return np.array([log_likelihood(point, u, layout)[0] for point in points])

    slopes, errors = derivative(value, theta[None])
    gradient = log_likelihood(theta, u, layout)[1]
    assert np.all(np.abs(gradient - slopes[0]) <= errors[0])


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_theta_survives_the_way_there_and_back(k, d):
    layout, theta, _ = at_random(k, d, np.random.default_rng(2))
    mixture = layout.to_mixture(theta)
    slack = roundoff(200, max(1, np.abs(theta).max())) * np.linalg.cond(mixture.covariances).max()
    assert np.abs(layout.from_mixture(mixture) - theta).max() <= slack


def test_labels_are_alike():
    rng = np.random.default_rng(3)
    layout, theta, u = at_random(3, 2, rng)
    mixture = layout.to_mixture(theta)
    order = [2, 0, 1]
    relabelled = layout.from_mixture(
        type(mixture)(mixture.weights[order], mixture.means[order], mixture.covariances[order])
    )
    mean, sd = layout.prior()

    def log_prior(point):
        return -0.5 * (((point - mean) / sd) ** 2).sum()

    assert not np.allclose(relabelled, theta)
    assert log_prior(relabelled) == pytest.approx(log_prior(theta), rel=roundoff(10_000, 1.0))
    assert log_likelihood(relabelled, u, layout)[0] == pytest.approx(
        log_likelihood(theta, u, layout)[0], rel=roundoff(10_000, 1.0)
    )
