"""The whitened frame, and what the data allow in it."""

import numpy as np
import pytest

from symscore.errors import BadData
from symscore.learn.frame import (
    Whitening,
    fit_whitening,
    rounding_step,
    uneven_step,
    whitened_step,
)
from tests.flows import random_frame, random_mixture
from tests.tolerances import roundoff

NAMES = ("a", "b", "c")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def x(rng):
    return random_mixture(3, 3, 1).draw(200, rng=rng) * [1.0, 30.0, 1e-3] + [5.0, 0.0, 1.0]


@pytest.fixture
def weights(rng):
    return rng.dirichlet(np.full(200, 3.0))


def test_whitened_data_have_mean_zero_and_unit_covariance(x, weights):
    frame = fit_whitening(x, weights, NAMES)
    u = frame.whiten(x)
    # Subtracting the mean loses the digits of |x| / sd, the triangular solve those of the factor.
    lost = (np.abs(x).max(axis=0) / np.sqrt(np.diagonal(np.cov(x.T)))).max()
    scale = lost * np.linalg.cond(np.corrcoef(x.T))
    assert np.abs(weights @ u).max() <= roundoff(8 * len(x), scale)
    assert np.abs((weights[:, None] * u).T @ u - np.eye(3)).max() <= roundoff(16 * len(x), scale)


def test_frame_is_that_of_numpys_weighted_moments(x, weights):
    frame = fit_whitening(x, weights, NAMES)
    covariance = np.cov(x.T, aweights=weights, ddof=0)
    sd = np.sqrt(np.diagonal(covariance))
    got = frame.scale_tril @ frame.scale_tril.T
    limit = roundoff(16 * len(x), (np.abs(x).max(axis=0) / sd).max() * np.outer(sd, sd))
    assert np.all(np.abs(got - covariance) <= limit)
    assert np.abs(frame.loc - np.average(x, axis=0, weights=weights)).max() <= roundoff(400, 30.0)


def test_whiten_and_unwhiten_are_inverse(rng):
    frame = random_frame(4, 2)
    u = rng.normal(size=(50, 4))
    x = frame.unwhiten(u)
    back = frame.whiten(x)
    scale = np.linalg.cond(frame.scale_tril) * (np.abs(u).max() + np.abs(frame.loc).max())
    assert np.abs(back - u).max() <= roundoff(64, 4 * scale)
    assert np.abs(x - (u @ frame.scale_tril.T + frame.loc)).max() == 0


def test_powers_of_two_change_no_bit(x, weights):
    scale = 2.0 ** np.array([3, -7, 12])
    plain, scaled = fit_whitening(x, weights, NAMES), fit_whitening(x * scale, weights, NAMES)
    assert (scaled.loc == plain.loc * scale).all()
    assert (scaled.scale_tril == plain.scale_tril * scale[:, None]).all()
    assert (scaled.whiten(x * scale) == plain.whiten(x)).all()


def test_weights_are_repetitions(x):
    counts = np.arange(200) % 3 + 1
    weighted = fit_whitening(x, counts / counts.sum(), NAMES)
    repeated = fit_whitening(
        np.repeat(x, counts, axis=0), np.full(counts.sum(), 1 / counts.sum()), NAMES
    )
    sd = np.sqrt(np.diagonal(np.cov(x.T)))
    ulps = roundoff(16 * counts.sum(), (np.abs(x).max(axis=0) / sd).max())
    for one, other in ((weighted.loc, repeated.loc), (weighted.scale_tril, repeated.scale_tril)):
        assert np.all(np.abs(one - other) <= ulps * np.broadcast_to(sd, other.shape[::-1]).T)


@pytest.mark.parametrize("value", [0.0, 7.25, 0.1, 1e9])
def test_a_constant_column_is_named(x, weights, value):
    x = x.copy()
    x[:, 1] = value
    with pytest.raises(BadData, match="column 'b' is constant"):
        fit_whitening(x, weights, NAMES)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_correlations_of_few_rows_are_shrunk_and_variances_kept(n):
    x = np.random.default_rng(n).normal(size=(n, 3)) * [1.0, 30.0, 1e-3]
    frame = fit_whitening(x, np.full(n, 1 / n), NAMES)
    covariance = frame.scale_tril @ frame.scale_tril.T
    sample = np.cov(x.T, ddof=0)
    sd = np.sqrt(np.diagonal(sample))
    share = n / (n + 3)
    want = share * sample + (1 - share) * np.diag(sd**2)
    assert np.all(np.abs(covariance - want) <= roundoff(64, 10 * np.outer(sd, sd)))


def test_five_rows_of_three_columns_are_not_shrunk():
    x = np.random.default_rng(0).normal(size=(5, 3))
    frame = fit_whitening(x, np.full(5, 0.2), NAMES)
    want = np.cov(x.T, ddof=0)
    assert np.abs(frame.scale_tril @ frame.scale_tril.T - want).max() <= roundoff(640, 10.0)


def test_columns_of_a_linear_relation_are_named(rng, weights):
    first, second = rng.normal(size=(2, 200))
    x = np.stack([first, 3 * second + 1, second], axis=1)
    with pytest.raises(BadData, match="exact linear relation between 'b', 'c': leave one"):
        fit_whitening(x, weights, NAMES)


def test_nearly_collinear_columns_are_kept(rng, weights):
    first, second = rng.normal(size=(2, 200))
    frame = fit_whitening(np.stack([first, first + 1e-3 * second], axis=1), weights, ("a", "b"))
    assert np.isfinite(frame.scale_tril).all()


@pytest.mark.parametrize(
    "tril", [[[1.0, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.0]], [[1.0, 0.0], [0.5, -1.0]]]
)
def test_what_is_no_frame_is_refused(tril):
    with pytest.raises(BadData, match="Expected a lower-triangular scale_tril"):
        Whitening(np.zeros(2), np.array(tril))


@pytest.mark.parametrize("step", [1.0, 0.1, 0.25, 1e-3, 60.0])
def test_a_grid_is_found(rng, step):
    column = step * rng.integers(-50, 50, size=500)
    # A decimal step is off by the rounding of the values that it is a difference of.
    assert abs(rounding_step(column) - step) <= roundoff(4, 50 * step)


@pytest.mark.parametrize(
    "column",
    [
        np.random.default_rng(1).normal(size=500),  # no value twice
        np.repeat(np.random.default_rng(1).normal(size=100), 3),  # repeated, on no grid
        np.append(np.arange(20.0), [3.0, 0.7]),  # one value off the grid
        np.full(10, 3.0),
        np.zeros(1),
    ],
)
def test_what_lies_on_no_grid_has_no_step(column):
    assert rounding_step(column) == 0.0


def test_the_largest_step_counts_in_whitened_units(rng):
    x = np.stack([rng.normal(size=400), 0.5 * rng.integers(-9, 9, 400), rng.integers(0, 9, 400)], 1)
    frame = Whitening(np.zeros(3), np.diag([1.0, 4.0, 16.0]))
    assert whitened_step(frame, x) == max(0.5 / 4, 1 / 16)


def test_logarithms_of_counts_have_a_step_of_their_own():
    # Half of the rows lie at 1 and 2, whose nearest neighbours are log 2 and log 3/2 away.
    column = np.log(np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], [20, 30, 20, 15, 15]))
    assert rounding_step(column) == 0.0
    assert abs(uneven_step(column) - np.median([np.log(1.5), np.log(4 / 3)])) <= roundoff(8, 2.0)
    frame = Whitening(np.zeros(1), np.array([[0.5]]))
    assert whitened_step(frame, column[:, None]) == uneven_step(column) / 0.5


def test_values_that_hardly_repeat_have_no_step():
    values = np.random.default_rng(1).normal(size=100)
    assert uneven_step(np.repeat(values, 4)) == 0.0
    assert uneven_step(np.zeros(50)) == 0.0
    # Where they repeat, as a chain that seldom moves, the step is that of the values, and tiny.
    assert 0 < uneven_step(np.repeat(values, 5)) < 0.05
