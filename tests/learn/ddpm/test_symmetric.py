"""Two components: the one-dimensional reduction, its limits, and population descent in any d."""

import math

import numpy as np
import pytest

from symscore.learn.ddpm import means, symmetric
from symscore.learn.ddpm.descent import descend
from symscore.learn.ddpm.two_stages import high_noise_steps, high_noise_time, random_start
from tests.tolerances import derivative, monte_carlo, roundoff

MU = np.array([1.1, 0.4])
THETA = np.array([0.7, -0.5])


def grid(mu, step=0.15, reach=9.0):
    """Trapezoid nodes and weights of N(mu, I)/2 + N(-mu, I)/2 in the plane.

    The step is half of what the strip of tanh(theta x), |theta| < 1, needs for 1e-12.
    """
    axis = np.arange(-reach, reach + step / 2, step)
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    weights = np.exp(-0.5 * (nodes**2).sum(axis=1))
    weights /= 2 * weights.sum()
    return np.concatenate([nodes + mu, nodes - mu]), np.concatenate([weights, weights])


def sample(n, rng):
    return rng.standard_normal((n, 2)) + rng.choice([-1, 1], size=(n, 1)) * MU


def test_one_dimension_is_enough():
    x, weights = grid(MU)
    # The quadratures are exact to 1e-14; sums of 30 000 terms round at u sqrt(n) times their size.
    tolerance = roundoff(300, 20.0)
    got = symmetric.population_gradient(THETA, MU)
    assert np.abs(got - symmetric.gradient(THETA, x, weights)).max() <= tolerance
    loss = symmetric.population_loss(THETA, MU)
    assert abs(loss - symmetric.loss(THETA, x, weights)) <= tolerance
    em = symmetric.population_em_step(THETA, MU)
    assert np.abs(em - symmetric.em_step(THETA, x, weights)).max() <= tolerance


def test_the_population_gradient_is_the_derivative_of_its_loss():
    want, error = derivative(
        lambda rows: np.array([symmetric.population_loss(row, MU) for row in rows]), THETA[None]
    )
    assert np.all(np.abs(symmetric.population_gradient(THETA, MU) - want[0]) <= error[0])


def test_the_data_gradient_is_the_derivative_of_its_loss():
    x = sample(200, np.random.default_rng(0))
    share = np.random.default_rng(1).dirichlet(np.ones(200))
    want, error = derivative(
        lambda rows: np.array([symmetric.loss(row, x, share) for row in rows]), THETA[None]
    )
    assert np.all(np.abs(symmetric.gradient(THETA, x, share) - want[0]) <= error[0])


def test_it_is_that_of_two_opposite_means():
    x = sample(300, np.random.default_rng(0))
    share = np.full(300, 1 / 300)
    both = means.stein_gradient(np.stack([THETA, -THETA]), x, share)
    assert np.abs(symmetric.gradient(THETA, x, share) - (both[0] - both[1])).max() <= roundoff(
        600, 50.0
    )


def test_the_truth_is_stationary_and_so_is_zero():
    assert np.abs(symmetric.population_gradient(MU, MU)).max() <= roundoff(64, 10.0)
    assert (symmetric.population_gradient(np.zeros(2), MU) == 0).all()


def test_noise_seen_unseen_and_integrated_agree():
    """The mean over noise of both sampled gradients is the integrated one; alarm 1e-6 each.

    400 repetitions of 200 rows: a factor of two in any term, .1 or more, is 10 standard errors.
    """
    rng, alpha, sigma = np.random.default_rng(0), 0.8, 0.6
    clean = sample(200, rng)
    share = np.full(200, 1 / 200)
    want = symmetric.integrated_gradient(THETA, clean, share, alpha=alpha, sigma=sigma)
    seen, unseen = [], []
    for _ in range(400):
        z = rng.standard_normal(clean.shape)
        x = alpha * clean + sigma * z
        seen.append(symmetric.ddpm_gradient(THETA, x, z, share, sigma=sigma))
        unseen.append(symmetric.gradient(THETA, x, share))
    for found in (np.array(seen), np.array(unseen)):
        limit = monte_carlo(400, found.std(axis=0, ddof=1), comparisons=2)
        assert np.all(np.abs(found.mean(axis=0) - want) <= 1.1 * limit)


@pytest.mark.parametrize(
    ("length", "gap"), [(1, 0.375), (2, 0.149), (3, 0.018), (4, 6.5e-4), (6, 3.4e-8)]
)
def test_near_the_data_a_step_is_one_of_em(length, gap):
    theta, mu = np.array([0.9 * length, 0.3]), np.array([float(length), 0.0])
    em = symmetric.population_em_step(theta, mu) - theta
    half = -0.5 * symmetric.population_gradient(theta, mu)
    found = np.linalg.norm(half - em) / np.linalg.norm(half)
    assert found == pytest.approx(gap, rel=0.05)  # of figures with two or three digits


def test_the_remainder_of_em_carries_the_slope_of_tanh():
    x, share = sample(500, np.random.default_rng(2)), np.full(500, 1 / 500)
    u, q = x @ THETA, THETA @ THETA
    rest = (1 - np.tanh(u) ** 2)[:, None] * ((u + q * np.tanh(u))[:, None] * x - THETA)
    want = symmetric.em_step(THETA, x, share) - THETA + share @ rest
    assert np.abs(-0.5 * symmetric.gradient(THETA, x, share) - want).max() <= roundoff(600, 20.0)


def test_far_in_the_noise_it_is_a_power_iteration():
    """The remainder is of order h^5: halving h divides it by 32, to within the next order."""

    def remainder(h: float) -> float:
        step = symmetric.power_step(h * THETA, h * MU)
        return float(np.linalg.norm(-symmetric.population_gradient(h * THETA, h * MU) - step))

    ratio = remainder(0.04) / remainder(0.02)
    assert 31 < ratio < 33


@pytest.mark.parametrize("dim", [10, 100, pytest.param(1000, marks=pytest.mark.slow)])
def test_population_descent_from_a_random_start(dim):
    """Whatever the dimension, 16 e-folds of the power iteration and 200 steps find mu."""
    mu = np.zeros(dim)
    mu[0] = 1.0
    first, second = high_noise_time(dim), 0.1
    # As the student stays in the plane of mu and its start, two coordinates say everything.
    start = random_start(dim, seed=0)
    across = float(np.linalg.norm(start[1:]))
    theta, truth = np.array([start[0], across]), np.array([1.0, 0.0])
    whole = symmetric.population_gradient(start, math.exp(-first) * mu)
    plane = symmetric.population_gradient(theta, math.exp(-first) * truth)
    assert np.abs(whole - np.array([plane[0], *(plane[1] * start[1:] / across)])).max() <= roundoff(
        64, 4 * across
    )
    for time, steps in ((first, high_noise_steps(first, rate=0.1)), (second, 200)):
        theta, _ = descend(
            theta,
            lambda at, t=time: symmetric.population_gradient(at, math.exp(-t) * truth),
            rate=0.1,
            steps=steps,
        )
        if time == first:
            theta = theta * math.exp(first - second)
    error = np.linalg.norm(np.abs(theta) * math.exp(second) - truth)
    assert error < 1e-12
