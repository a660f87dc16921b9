"""EM is scikit-learn's, in the units of the data."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.mixture import GaussianMixture as SklearnMixture

from symscore.baselines import Density, fit_em
from symscore.baselines.em import component_cap
from symscore.errors import BadData, BadOption
from tests.tolerances import roundoff


def clusters(n, rng):
    centres = np.array([[-6.0, 100.0], [0.0, 130.0], [6.0, 100.0]])
    return centres[rng.integers(3, size=n)] + rng.normal(size=(n, 2)) * [1.0, 5.0]


def test_the_fit_equals_scikit_learn_on_the_raw_data():
    samples = clusters(600, np.random.default_rng(0))
    ours = fit_em(samples, rng=np.random.default_rng(1))
    assert ours.diagnostics["components"] == 3
    assert ours.diagnostics["converged"] == 1
    theirs = SklearnMixture(3, n_init=5, tol=1e-10, max_iter=1000, random_state=2).fit(samples)
    # EM stops when the mean log likelihood gains less than tol = 1e-3 in a step; with clusters six
    # standard deviations apart it converges by a factor below .1 a step, so what remains is
    # below 1e-3 * .1 / .9.
    gap = theirs.score(samples) - ours.log_density(samples).mean()
    assert abs(gap) <= 1e-3 / 9


def test_the_density_is_scikit_learns_formula():
    samples = clusters(300, np.random.default_rng(3))
    ours = fit_em(samples, rng=np.random.default_rng(4))
    mixture = ours.density
    theirs = SklearnMixture(mixture.n_components)
    theirs.weights_, theirs.means_ = mixture.weights, mixture.means
    theirs.covariances_ = mixture.covariances
    theirs.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(mixture.covariances))
    # Quadratic forms of size |x|^2 / variance <= 130^2 / 25 lose that many ulps, twenty times over.
    slack = roundoff(20, 130**2 / 25) * np.linalg.cond(mixture.covariances).max()
    assert np.abs(theirs.score_samples(samples) - ours.log_density(samples)).max() <= slack


def test_one_component_is_the_maximum_likelihood_normal():
    samples = np.random.default_rng(5).normal(3.0, 2.0, (400, 1))
    ours = fit_em(samples, rng=np.random.default_rng(6), max_components=1)
    variance = samples.var() + 1e-6 * samples.var(ddof=1)
    expected = norm.logpdf(samples[:, 0], samples.mean(), np.sqrt(variance))
    # A handful of operations on log densities below 20 and sums of 400 terms.
    assert np.abs(ours.log_density(samples) - expected).max() <= roundoff(400, 20.0)


def test_same_seed_same_bits():
    samples = clusters(200, np.random.default_rng(7))
    first, second = (fit_em(samples, rng=np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(first.log_density(samples), second.log_density(samples))
    draws = [fit.draw(9, rng=np.random.default_rng(9)) for fit in (first, second)]
    assert np.array_equal(*draws)


def test_the_estimate_is_a_density_and_immutable():
    estimate = fit_em(clusters(100, np.random.default_rng(10)), rng=np.random.default_rng(11))
    assert isinstance(estimate, Density)
    assert isinstance(estimate.density, Density)
    assert (estimate.name, estimate.seconds > 0) == ("em", True)
    with pytest.raises(TypeError, match="item assignment"):
        estimate.diagnostics["components"] = 0


def test_the_cap_grows_with_the_rows_and_ends():
    assert [component_cap(n, 2) for n in (5, 30, 300, 10**6)] == [1, 2, 20, 25]


@pytest.mark.parametrize("cap", [0, 101])
def test_a_cap_that_cannot_be_is_named(cap):
    samples = clusters(100, np.random.default_rng(12))
    with pytest.raises(BadOption, match="Expected max_components from 1 to 100"):
        fit_em(samples, rng=np.random.default_rng(13), max_components=cap)


@pytest.mark.parametrize(
    ("samples", "match"),
    [
        (np.zeros((3, 2)), r"at least d \+ 2 rows"),
        (np.zeros((9, 2)), "constant column 0"),
        (np.outer(np.arange(9.0), [1.0, 2.0]), "linearly independent"),
        ([[0.0], [np.inf], [1.0]], "Expected finite samples"),
        (np.zeros(9), "Expected samples of shape"),
    ],
)
def test_data_without_a_density_are_named(samples, match):
    with pytest.raises(BadData, match=match):
        fit_em(samples, rng=np.random.default_rng(14))
