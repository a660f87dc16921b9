"""Gaussian mixtures against quadrature, differences and SciPy; exact values are tests/bridge's."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from symscore.errors import BadData
from symscore.mixture import GaussianMixture
from symscore.schedule import CLEAN, NoiseLevel
from tests.flows import lattice, random_mixture
from tests.tolerances import derivative, dvoretzky, monte_carlo, roundoff

MIXTURES = {
    "one component": random_mixture(2, 1, 0),
    "d = 1": random_mixture(1, 3, 1),
    "d = 2": random_mixture(2, 3, 2),
    "d = 5": random_mixture(5, 4, 3),
}
each_mixture = pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
LEVEL = NoiseLevel.from_kappa(0.75)
LINE = random_mixture(1, 3, 4)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def near(mixture, rng, n=20):
    return mixture.draw(n, rng=rng) + 0.5 * rng.normal(size=(n, mixture.dim))


def condition(mixture: GaussianMixture) -> float:
    return float(np.linalg.cond(mixture.covariances).max())


@each_mixture
def test_log_density_is_that_of_scipy(mixture, rng):
    x = near(mixture, rng)
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    want = sum(w * multivariate_normal(m, cov).pdf(x) for w, m, cov in parts)
    # The quadratic forms of both sides lose digits by the condition of the covariances.
    scale = (1 + np.abs(np.log(want))).max() * condition(mixture)
    assert np.abs(mixture.log_density(x) - np.log(want)).max() <= roundoff(64, scale)


@each_mixture
def test_score_is_the_gradient_of_the_log_density(mixture, rng):
    x = near(mixture, rng)
    want, error = derivative(mixture.log_density, x)
    assert np.all(np.abs(mixture.score(x) - want) <= error)


def test_density_integrates_to_one():
    mixture = MIXTURES["d = 2"]
    step = 0.5 * float(np.linalg.eigvalsh(mixture.covariances).min()) ** 0.5
    x = lattice(mixture.means.min(axis=0) - 8, mixture.means.max(axis=0) + 8, step)
    # Poisson: the trapezoid rule with step sd / 2 is off by about 4 exp(-2 pi^2 4) < e^-77; the
    # box ends more than eight sd from the means.
    tail = 8 * norm.sf(8)
    total = np.exp(mixture.log_density(x)).sum() * step**2
    assert abs(total - 1) <= tail + roundoff(len(x), 1)


def test_noised_mixture_is_the_convolution():
    u = np.linspace(-15, 15, 6001)[:, None]
    prior = np.exp(LINE.log_density(u)) * (u[1, 0] - u[0, 0])
    x = np.linspace(-4, 4, 9)
    likelihood = norm.pdf(x[:, None], LEVEL.alpha * u[:, 0], LEVEL.sigma)
    evidence = likelihood @ prior
    noised = LINE.at(LEVEL)
    # The trapezoid rule is exact to rounding for such sums of Gaussians.
    limit = roundoff(len(u), 10 * evidence)
    assert np.all(np.abs(np.exp(noised.log_density(x[:, None])) - evidence) <= limit)
    posterior_mean = likelihood @ (prior * u[:, 0]) / evidence
    limit = roundoff(len(u), 10 * likelihood @ (prior * np.abs(u[:, 0])) / evidence)
    assert np.all(np.abs(noised.denoise(x[:, None])[:, 0] - posterior_mean) <= limit)


@each_mixture
def test_denoiser_is_the_mean_of_the_components_own(mixture, rng):
    noised, alpha, eye = mixture.at(LEVEL), LEVEL.alpha, np.eye(mixture.dim)
    x = near(noised, rng)
    carried = alpha**2 * mixture.covariances + LEVEL.sigma**2 * eye
    densities = np.stack(
        [
            w * multivariate_normal(alpha * m, cov).pdf(x)
            for w, m, cov in zip(mixture.weights, mixture.means, carried, strict=True)
        ],
        axis=1,
    )
    gates = densities / densities.sum(axis=1, keepdims=True)
    gains = alpha * np.linalg.solve(carried, mixture.covariances).swapaxes(1, 2)
    own = mixture.means + np.einsum("kij,nkj->nki", gains, x[:, None] - alpha * mixture.means)
    want = np.einsum("nk,nki->ni", gates, own)
    scale = condition(noised) * (np.abs(own).max() + np.abs(x).max())
    exponents = np.abs(np.log(densities)).max()
    assert np.abs(noised.denoise(x) - want).max() <= roundoff(64, scale * exponents)


@each_mixture
def test_levels_compose(mixture, rng):
    other = NoiseLevel.from_time(0.3)
    twice, once = mixture.at(LEVEL).at(other), mixture.at(LEVEL.then(other))
    assert np.abs(twice.means - once.means).max() <= roundoff(4, np.abs(mixture.means).max())
    size = np.abs(mixture.covariances).max() + 1
    assert np.abs(twice.covariances - once.covariances).max() <= roundoff(12, size)
    assert (twice.weights == once.weights).all()
    assert (twice.level, once.level) == (LEVEL.then(other), LEVEL.then(other))


def test_clean_level_changes_nothing():
    mixture = MIXTURES["d = 2"]
    clean = mixture.at(CLEAN)
    assert (clean.means == mixture.means).all()
    assert (clean.covariances == mixture.covariances).all()


def test_no_noise_leaves_nothing_to_remove(rng):
    mixture = MIXTURES["d = 2"]
    x = near(mixture, rng)
    assert (mixture.denoise(x) == x).all()


@each_mixture
def test_draws_have_the_law_along_random_directions(mixture, rng):
    n, directions = 100_000, rng.normal(size=(4, mixture.dim))
    along = mixture.draw(n, rng=rng) @ directions.T
    centres = mixture.means @ directions.T
    spreads = np.sqrt(np.einsum("mi,kij,mj->km", directions, mixture.covariances, directions))
    rank = np.arange(1, n + 1)[:, None] / n
    ordered = np.sort(along, axis=0)
    parts = norm.cdf((ordered[:, None] - centres) / spreads)
    truth = np.einsum("k,nkm->nm", mixture.weights, parts)
    distance = np.maximum(np.abs(rank - truth), np.abs(rank - 1 / n - truth)).max()
    # At this size a shift of a fiftieth of a standard deviation is seen.
    assert distance <= dvoretzky(n, comparisons=4 * len(MIXTURES))


@each_mixture
def test_draws_have_the_mean_and_covariance(mixture, rng):
    n, d = 100_000, mixture.dim
    x = mixture.draw(n, rng=rng)
    mean = mixture.weights @ mixture.means
    spread = mixture.means - mean
    outer = spread[:, :, None] * spread[:, None, :]
    covariance = np.einsum("k,kij->ij", mixture.weights, mixture.covariances + outer)
    product = (x - mean)[:, :, None] * (x - mean)[:, None, :]
    checks = d + d * d
    assert np.all(
        np.abs(x.mean(axis=0) - mean)
        <= monte_carlo(n, np.sqrt(np.diagonal(covariance)), comparisons=checks)
    )
    allowed = monte_carlo(n, product.std(axis=0), comparisons=checks)
    assert np.all(np.abs(product.mean(axis=0) - covariance) <= allowed)


def test_same_seed_same_draws():
    mixture = MIXTURES["d = 2"]
    first, again = (mixture.draw(50, rng=np.random.default_rng(7)) for _ in range(2))
    assert (first == again).all()


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([0.5, 0.6], np.zeros((2, 1)), np.ones((2, 1, 1)), "weights that sum to one"),
        ([1.0, 0.0], np.zeros((2, 1)), np.ones((2, 1, 1)), "positive weights"),
        ([np.nan], np.zeros((1, 1)), np.ones((1, 1, 1)), "positive weights"),
        ([], np.zeros((0, 1)), np.ones((0, 1, 1)), "positive weights"),
        ([1.0], np.zeros((2, 1)), np.ones((1, 1, 1)), r"means of shape \(1, any\)"),
        ([1.0], np.zeros((1, 2)), np.ones((1, 1, 1)), r"covariances of shape \(1, 2, 2\)"),
        ([1.0], np.zeros((1, 2)), [[[1, 0.5], [0.4, 1]]], "symmetric covariances"),
        ([1.0], np.zeros((1, 2)), [[[1, 2], [2, 1]]], "positive definite covariances"),
    ],
)
def test_what_is_no_mixture_is_refused(weights, means, covariances, message):
    with pytest.raises(BadData, match=f"Expected (a vector of )?{message}"):
        GaussianMixture(weights, means, covariances)


@pytest.mark.parametrize("method", ["log_density", "score", "denoise", "responsibilities"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[0.0]], r"x of shape \(any, 2\); got \(1, 1\)"),
        ([[0.0, 1.0], [0.0, np.inf]], "finite x; got inf at row 1, column 1"),
    ],
)
def test_points_that_are_none_are_refused(method, x, message):
    with pytest.raises(BadData, match=f"Expected {message}"):
        getattr(MIXTURES["d = 2"], method)(x)
