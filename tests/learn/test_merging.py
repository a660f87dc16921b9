"""Merging components: what becomes of a pair, which pair, and how many are left."""

import numpy as np
import pytest

from symscore.learn.merging import MergedCells, criterion, merged_pair
from symscore.learn.partition import EMCells
from symscore.mixture import GaussianMixture
from tests.flows import random_mixture
from tests.tolerances import roundoff


def even(x):
    return np.full(len(x), 1 / len(x))


def moments(mixture):
    mean = mixture.weights @ mixture.means
    second = mixture.covariances + mixture.means[:, :, None] * mixture.means[:, None, :]
    return mean, np.einsum("k,kij->ij", mixture.weights, second) - np.outer(mean, mean)


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_a_merger_keeps_mean_and_covariance(dim):
    before = random_mixture(dim, 5, 3)
    after = merged_pair(before)
    assert after.n_components == 4
    for one, other in zip(moments(before), moments(after), strict=True):
        assert np.abs(one - other).max() <= roundoff(10**3, 10)


def test_the_pair_that_differs_least_is_merged():
    means = [[0.0, 0.0], [0.1, 0.0], [5.0, 0.0], [0.0, 5.0]]
    mixture = GaussianMixture(np.full(4, 0.25), means, np.tile(np.eye(2), (4, 1, 1)))
    after = merged_pair(mixture)
    assert after.weights.tolist() == [0.25, 0.25, 0.5]
    assert after.means.tolist() == [[5.0, 0.0], [0.0, 5.0], [0.05, 0.0]]
    want = np.diag([1 + 0.05**2, 1.0])
    assert np.abs(after.covariances[2] - want).max() <= roundoff(16, 1)


def test_two_that_are_equal_become_one_of_them():
    one = random_mixture(2, 1, 4)
    twice = GaussianMixture(
        [0.3, 0.7], np.repeat(one.means, 2, axis=0), np.repeat(one.covariances, 2, axis=0)
    )
    after = merged_pair(twice)
    assert np.abs(after.means - one.means).max() <= roundoff(16, 4)
    assert np.abs(after.covariances - one.covariances).max() <= roundoff(64, 16)


def test_the_criterion_is_bic():
    x = np.random.default_rng(0).normal(size=(200, 2))
    mixture = random_mixture(2, 3, 1)
    parameters = 2 + 3 * 2 + 3 * 3
    bic = parameters * np.log(200) - 2 * mixture.log_density(x).sum()
    assert abs(criterion(mixture, x, even(x)) - bic / 400) <= roundoff(10**3, bic / 400)


def test_a_grid_gets_a_component_for_every_knot():
    knots = np.stack(np.meshgrid(range(4), range(4)), axis=-1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    x = knots[rng.integers(16, size=1600)] + 0.12 * rng.normal(size=(1600, 2))
    found = MergedCells(24).fit(x, even(x), seed=0)
    assert found.n_components == 16
    far = np.abs(found.means[:, None] - knots).max(axis=2).min(axis=0)
    # A knot has about 100 rows: its mean is off by more than six standard errors, .072, with
    # probability below 32 * 2e-9.
    assert far.max() <= 0.08


def test_one_gaussian_is_one_component():
    x = np.random.default_rng(1).normal(size=(500, 2))
    assert MergedCells(8).fit(x, even(x), seed=0).n_components == 1


def test_few_rows_begin_with_few_components():
    x = np.random.default_rng(1).normal(size=(40, 2))
    assert MergedCells(32).fit(x, even(x), seed=0).n_components == 1


def test_fewer_rows_keep_the_number_of_components():
    x = random_mixture(2, 3, 8, spread=6.0).draw(600, rng=np.random.default_rng(2))
    whole = MergedCells(8).fit(x, even(x), seed=0)
    rest = x[::2]
    again = MergedCells(8).refit(rest, even(rest), seed=0, whole=whole)
    assert again.n_components == whole.n_components
    same = EMCells(whole.n_components).refit(rest, even(rest), seed=0, whole=whole)
    assert (again.means == same.means).all()
