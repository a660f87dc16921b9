"""Cells in few directions: the directions found, and the density across them."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from symscore.learn.partition import EMCells
from symscore.learn.subspace import (
    SubspaceCells,
    criterion,
    embedded,
    least_gaussian,
    most_telling,
    turned,
)
from symscore.mixture import GaussianMixture
from tests.flows import random_mixture
from tests.tolerances import roundoff

DIM, N = 12, 3000


def even(x):
    return np.full(len(x), 1 / len(x))


def basis_of(seed, rank, dim=DIM):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, rank)))[0]


def rows(inside: GaussianMixture, basis, seed=0, n=N):
    """Rows whose law is `inside` along the basis and N(0, I) across it, whitened."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, len(basis)))
    x = z - z @ basis @ basis.T + inside.draw(n, rng=rng) @ basis.T
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / n)).T


def cosine(one, other) -> float:
    """Of the largest angle between the spans of two orthonormal bases."""
    return float(np.linalg.svd(one.T @ other)[1].min())


TWO = GaussianMixture(
    [0.5, 0.3, 0.2],
    [[-1.2, 0.3], [1.0, 1.0], [1.5, -2.0]],
    [0.2 * np.eye(2), 0.1 * np.eye(2), [[0.2, 0.1], [0.1, 0.3]]],
)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_embedded_mixture_is_a_product(rank):
    inside, basis = random_mixture(rank, 3, 2), basis_of(1, rank, 5)
    x = np.random.default_rng(0).normal(size=(40, 5))
    across = np.linalg.svd(basis)[0][:, rank:]
    normal = multivariate_normal(np.zeros(5 - rank)).logpdf(x @ across)
    want = inside.log_density(x @ basis) + normal
    got = embedded(inside, basis).log_density(x)
    assert np.all(np.abs(got - want) <= roundoff(10**4, 1 + np.abs(want)))


def test_across_the_basis_nothing_changes_at_any_level():
    inside, basis = random_mixture(2, 3, 2), basis_of(1, 2, 5)
    mixture = embedded(inside, basis)
    x = np.random.default_rng(0).normal(size=(20, 5))
    across = np.linalg.svd(basis)[0][:, 2:]
    assert np.abs(mixture.score(x) @ across + x @ across).max() <= roundoff(10**4, 10)


def test_two_modes_are_the_least_gaussian_direction():
    inside = GaussianMixture([0.5, 0.5], [[-0.9], [0.9]], [[[0.19]], [[0.19]]])
    basis = basis_of(3, 1)
    x = rows(inside, basis)
    none = np.empty((DIM, 0))
    value, found = least_gaussian(x, even(x), none, rng=np.random.default_rng(0))
    # Kurtosis -2 (.9)^4 = -1.3; that of another direction is sqrt(24 / n) times at most the norm
    # of 12 normals, .5 with room to spare.
    assert abs(found @ basis[:, 0]) >= 0.95
    assert value > 0.5 * 1.3**2 / 48


def test_what_components_differ_in_is_told_by_their_rows():
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=N)
    x = rng.standard_normal((N, DIM))
    x[:, 4] *= np.where(label == 0, 0.5, 1.3)
    basis = np.eye(DIM)[:, :1]
    left = x - x @ basis @ basis.T
    told, found = most_telling(left, even(x), np.eye(2)[label], basis)
    assert abs(found[4]) >= 0.97
    want = np.mean([0.5 * (s**2 - 1 - np.log(s**2)) for s in (0.5, 1.3)])
    assert abs(told / want - 1) <= 0.25


def test_turning_raises_the_likelihood_and_keeps_the_basis_orthonormal():
    basis = basis_of(2, 2)
    x = rows(TWO, basis)
    start = np.linalg.qr(basis + 0.15 * np.random.default_rng(1).standard_normal(basis.shape))[0]
    inside = EMCells(3).fit(x @ start, even(x), seed=0)
    step = turned(start, inside, x, even(x))
    assert np.abs(step.T @ step - np.eye(2)).max() <= roundoff(10**3, 1)
    assert criterion(step, inside, x, even(x)) < criterion(start, inside, x, even(x))
    assert cosine(step, basis) > cosine(start, basis)


def test_a_mixture_in_two_of_many_directions_is_found():
    basis = basis_of(2, 2)
    x = rows(TWO, basis)
    mixture = SubspaceCells(3).fit(x, even(x), seed=0)
    values, vectors = np.linalg.eigh(mixture.covariances[0] - np.eye(DIM))
    far = np.abs(values) > 1e-8
    assert far.sum() == 2
    assert cosine(vectors[:, far], basis) >= 0.97
    # Held out, it beats EM in all directions, which has 273 parameters for these 3 components.
    fresh = rows(TWO, basis, seed=9)
    full = EMCells(3).fit(x, even(x), seed=0)
    assert mixture.log_density(fresh).mean() > full.log_density(fresh).mean() + 0.01


def test_on_one_gaussian_no_direction_is_worth_it():
    x = rows(random_mixture(1, 1, 0), basis_of(1, 1), n=2000)
    mixture = SubspaceCells(2).fit(x, even(x), seed=0)
    assert mixture.n_components == 1
    assert (mixture.covariances[0] == np.eye(DIM)).all()


def test_a_subspace_says_what_it_is():
    assert str(SubspaceCells(4)) == "4 EM components in up to 8 directions"
