"""The kernel estimate: normalised, its formula, a sensible bandwidth."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import kstest, norm

from symscore.baselines import fit_kde
from symscore.baselines.kde import normal_reference
from symscore.errors import BadOption
from tests.tolerances import FALSE_ALARM, roundoff


def two_clusters(n, rng):
    return np.where(rng.random((n, 1)) < 0.3, -4.0, 4.0) + rng.normal(size=(n, 1))


def test_it_integrates_to_one():
    samples = two_clusters(300, np.random.default_rng(0))
    estimate = fit_kde(samples, rng=np.random.default_rng(1))
    sd = estimate.diagnostics["bandwidth"] * samples.std(ddof=1)
    # The trapezoid rule on a sum of Gaussians of standard deviation sd is wrong by
    # 2 exp(-2 pi^2 sd^2 / step^2), here exp(-315); beyond 9 sd lies less than 1e-18.
    step = sd / 4
    grid = np.arange(samples.min() - 9 * sd, samples.max() + 9 * sd, step)
    total = np.exp(estimate.log_density(grid[:, None])).sum() * step
    assert abs(total - 1) <= roundoff(2 * grid.size, 1.0)


def test_the_density_is_the_mean_of_the_kernels():
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(50, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]])
    estimate = fit_kde(samples, rng=rng)
    covariance = estimate.diagnostics["bandwidth"] ** 2 * np.cov(samples.T)
    where = rng.normal(size=(20, 2))
    gaps = where[:, None] - samples
    squares = np.einsum("nmi,ij,nmj->nm", gaps, np.linalg.inv(covariance), gaps)
    log_norm = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1] + np.log(50)
    expected = logsumexp(-0.5 * squares, axis=1) - log_norm
    # Exponents up to max(squares) carry relative error of a few cond(covariance) ulps.
    slack = roundoff(100, squares.min(axis=1).max()) * np.linalg.cond(covariance)
    assert np.abs(estimate.log_density(where) - expected).max() <= slack


def test_the_bandwidth_is_near_the_best_for_normal_data():
    samples = np.random.default_rng(3).normal(size=(1000, 1))
    estimate = fit_kde(samples, rng=np.random.default_rng(4))
    # Cross-validation scatters around the optimum, by less than the coarse grid's ratio squared.
    ratio = estimate.diagnostics["bandwidth"] / normal_reference(1000, 1)
    assert 1 / 3 < ratio < 3
    assert estimate.diagnostics["at_edge"] == 0


def test_repeated_rows_drive_the_bandwidth_to_the_edge():
    samples = np.repeat(np.random.default_rng(5).normal(size=(20, 1)), 20, axis=0)
    assert fit_kde(samples, rng=np.random.default_rng(6)).diagnostics["at_edge"] == 1


def test_draws_follow_the_density():
    samples = two_clusters(200, np.random.default_rng(7))
    estimate = fit_kde(samples, rng=np.random.default_rng(8))
    draws = estimate.draw(5000, rng=np.random.default_rng(9))
    sd = estimate.diagnostics["bandwidth"] * samples.std(ddof=1)

    def cdf(x):
        return norm.cdf((x[:, None] - samples[:, 0]) / sd).mean(axis=1)

    # Exact Kolmogorov-Smirnov test, at the rate FALSE_ALARM; it sees a shift of the CDF by .038.
    assert kstest(draws[:, 0], cdf).pvalue > FALSE_ALARM


@pytest.mark.parametrize("folds", [1, 11])
def test_folds_that_cannot_be_are_named(folds):
    samples = np.random.default_rng(10).normal(size=(10, 1))
    with pytest.raises(BadOption, match="Expected folds from 2 to 10"):
        fit_kde(samples, rng=np.random.default_rng(11), folds=folds)
