"""Rows made ready: canonical, screened, whitened."""

import warnings

import numpy as np
import pytest

from symscore.errors import BadData, OutliersLeftOut
from symscore.learn.prepared import Prepared, prepare
from tests.flows import random_mixture
from tests.tolerances import roundoff

NAMES = ("a", "b")
N = 255  # with one outlier 256: dividing by their number is exact


@pytest.fixture
def x():
    return random_mixture(2, 3, 21).draw(N, rng=np.random.default_rng(0))


def ready(x, weights=None, groups=None) -> Prepared:
    return prepare(x, np.ones(len(x)) if weights is None else weights, groups, NAMES)


def assert_same(one: Prepared, other: Prepared) -> None:
    """Assert that everything that is learned from is the same to the last bit."""
    pairs = (
        (one.x, other.x),
        (one.weights, other.weights),
        (one.frame.loc, other.frame.loc),
        (one.frame.scale_tril, other.frame.scale_tril),
    )
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert (one.rounding, one.spikes) == (other.rounding, other.spikes)


def test_rows_are_whitened_and_weights_sum_to_one(x):
    found = ready(x)
    assert abs(found.weights.sum() - 1) <= roundoff(N, 1)
    assert np.abs(found.weights @ found.x).max() <= roundoff(8 * N, 10)
    covariance = (found.weights[:, None] * found.x).T @ found.x
    assert np.abs(covariance - np.eye(2)).max() <= roundoff(16 * N, 10)
    back = found.frame.unwhiten(found.x)
    order = np.lexsort(x.T[::-1])
    assert np.abs(back - x[order]).max() <= roundoff(64, np.abs(x).max())
    assert (found.left_out, found.spikes, found.rounding, found.groups) == ((), (), 0.0, None)


def test_the_order_of_rows_is_nothing(x):
    assert_same(ready(x[np.random.default_rng(1).permutation(N)]), ready(x))


def test_repeating_rows_is_weighting_them(x):
    counts = np.random.default_rng(2).integers(0, 4, size=N)
    weighted, repeated = ready(x, counts.astype(float)), ready(np.repeat(x, counts, axis=0))
    assert_same(weighted, repeated)
    # A weight of three is one row that counts as three, three rows are three.
    assert repeated.n_effective == counts.sum()
    assert weighted.n_effective == counts.sum() ** 2 / (counts**2).sum()


@pytest.mark.parametrize("scale", [2.0**-30, 3.0, 1000.0])
def test_whole_multiples_of_weights_are_nothing(x, scale):
    counts = np.random.default_rng(2).integers(1, 4, size=N).astype(float)
    assert_same(ready(x, scale * counts), ready(x, counts))


def test_powers_of_two_only_move_the_frame(x):
    scale = np.array([2.0**10, 2.0**-5])
    found, want = ready(x * scale), ready(x)
    assert (found.x == want.x).all()
    assert (found.frame.loc == want.frame.loc * scale).all()
    assert (found.frame.scale_tril == want.frame.scale_tril * scale[:, None]).all()


def test_an_isolated_row_is_left_out_by_name(x):
    with pytest.warns(OutliersLeftOut, match=r"Left out 1 isolated row.*: row 7, the first being"):
        found = ready(np.insert(x, 7, [1e6, -3.0], axis=0))
    assert found.left_out == (7,)
    assert_same(found, ready(x))


def test_repetitions_of_an_isolated_row_are_all_named(x):
    far = [[1e6, 0.0]]
    with pytest.warns(OutliersLeftOut, match=r"Left out 3 .*: row 0, 1, 257, the first"):
        found = ready(np.concatenate([far, far, x, far]))
    assert found.left_out == (0, 1, 257)


def test_a_long_list_of_rows_is_cut_short(x):
    far = 1e6 * (1 + np.arange(16.0).reshape(8, 2))
    with pytest.warns(
        OutliersLeftOut, match=r"Left out 8 .*: row 0, 1, 2, 3, 4, \.\.\., the first"
    ):
        ready(np.concatenate([far, x]))


def test_rows_of_weight_zero_are_neither_used_nor_named(x):
    found = ready(np.concatenate([x, [[1e6, 0.0]]]), np.append(np.ones(N), 0.0))
    assert found.left_out == ()
    assert_same(found, ready(x))


def test_groups_stay_with_their_rows(x):
    groups = np.arange(N) % 7
    with pytest.warns(OutliersLeftOut):
        found = ready(np.concatenate([[[1e6, 0.0]], x]), groups=np.append(3, groups))
    assert len(found.groups) == len(found.x) == N
    order = np.lexsort(x.T[::-1])
    assert (found.groups == groups[order]).all()


def test_equal_rows_of_two_groups_stay_apart(x):
    found = ready(np.concatenate([x, x]), groups=np.repeat([0, 1], N))
    assert len(found.x) == 2 * N


def test_heavy_tails_do_not_stretch_the_frame(x):
    rng = np.random.default_rng(5)
    tails = rng.standard_t(1.1, size=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutliersLeftOut)
        found = ready(np.column_stack([tails, rng.normal(size=2000)]))
    quartiles = np.quantile(found.x[:, 0], [0.25, 0.75])
    # The centre is not crushed to a point, as it is by moments of such tails.
    assert quartiles[1] - quartiles[0] > 0.2
    plain = np.quantile(tails / tails.std(), [0.25, 0.75])
    assert plain[1] - plain[0] < 0.1


def test_a_grid_is_noticed_in_whitened_units(x):
    found = ready(np.round(x * 4) / 4)
    assert found.rounding == 0.25 / np.diagonal(found.frame.scale_tril).min()


def test_a_spike_is_noticed_in_the_units_of_the_data(x):
    x[:60, 1] = 0.125
    (spike,) = ready(x).spikes
    assert (spike.column, spike.value) == ("b", 0.125)
    assert abs(spike.share - 60 / N) <= roundoff(N, 1)


def test_a_column_that_is_constant_but_for_an_outlier_is_refused(x):
    x[:, 1] = 2.0
    rows = np.concatenate([x, [[0.0, 1e9]]])
    with pytest.warns(OutliersLeftOut), pytest.raises(BadData, match="column 'b' is constant"):
        ready(rows)


def test_a_constant_column_is_refused(x):
    x[:, 0] = 1.5
    with pytest.raises(BadData, match="column 'a' is constant"):
        ready(x)
