"""What is odd about data: medians and spreads, isolated rows, heavy tails, spikes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symscore.learn.screening import (
    CLIP,
    FAR,
    GAP,
    LITTLE,
    clipped_tails,
    find_spikes,
    isolated_rows,
    robust_scale,
    weighted_median,
)
from tests.tolerances import monte_carlo, roundoff

TOO_FEW = 15


def even(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


def normal(n: int, dim: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim))


# ---- medians

values = st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 5)), min_size=1, max_size=30)


@given(values)
def test_weighted_median_is_that_of_repeated_values(pairs):
    x, counts = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    repeated = np.repeat(x, counts.astype(int))
    # Of an even number of values, the lower of the two in the middle.
    want = np.quantile(repeated, 0.5, method="inverted_cdf")
    assert weighted_median(x, counts) == want
    if len(repeated) % 2:
        assert want == np.median(repeated)


@given(values, st.integers(-8, 8))
def test_weighted_median_knows_no_scale_of_weights(pairs, power):
    x, counts = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    assert weighted_median(x, counts) == weighted_median(x, counts * 2.0**power)


def test_robust_scale_is_the_median_and_the_sd_of_a_gaussian():
    n = 20_000
    x = [3.0, -5.0] + normal(n) * [1.0, 40.0]
    centre, spread = robust_scale(x, even(n))
    # Asymptotic sd: of a median 1 / (2 f) = sqrt(pi / 2); of 1.4826 MAD, 1.167 sd
    # (efficiency 36.7 %).
    assert np.all(np.abs(centre - [3, -5]) <= monte_carlo(n, 1.2533 * np.array([1.0, 40.0])))
    assert np.all(np.abs(spread / [1.0, 40.0] - 1) <= monte_carlo(n, 1.167, comparisons=2))


def test_robust_scale_does_not_see_a_minority():
    x = normal(1001, 1)
    centre, spread = robust_scale(x, even(1001))
    x[np.argsort(x[:, 0])[-300:]] += 1e9
    moved, wider = robust_scale(x, even(1001))
    assert (moved == centre).all()
    assert wider < 3 * spread


def test_robust_scale_of_a_column_that_is_mostly_one_value_is_the_mean_deviation():
    x = np.array([[0.0]] * 7 + [[1.0], [-2.0], [3.0]])
    centre, spread = robust_scale(x, even(10))
    assert centre == 0
    assert abs(spread[0] - 0.6) <= roundoff(32, 0.6)


def test_robust_scale_of_a_constant_column_is_zero():
    assert robust_scale(np.full((5, 1), 7.0), even(5))[1] == 0


# ---- isolated rows


def with_rows(rows: list[list[float]], n: int = 500) -> np.ndarray:
    return np.concatenate([normal(n), np.array(rows, dtype=float).reshape(-1, 2)])


@pytest.mark.parametrize(
    "rows", [[[1e6, 0.0]], [[0.0, -1e12]], [[1e5, 1e5], [-1e5, 2e5], [3e5, 0.0]]]
)
def test_isolated_rows_far_out_are_found(rows):
    mask = isolated_rows(with_rows(rows), even(500 + len(rows)), TOO_FEW)
    assert mask[500:].all()
    assert not mask[:500].any()


@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, size: rng.normal(size=size),
        lambda rng, size: rng.standard_t(3, size=size),
        lambda rng, size: rng.lognormal(sigma=1.5, size=size),
        lambda rng, size: rng.exponential(size=size),
    ],
    ids=["Gaussian", "t", "lognormal", "exponential"],
)
def test_tails_that_thin_out_are_kept(draw, dim):
    for seed in range(20):
        x = draw(np.random.default_rng(seed), (400, dim))
        assert not isolated_rows(x, even(400), TOO_FEW).any()


def test_a_far_group_that_fills_a_cell_is_kept():
    far = 1e6 + normal(TOO_FEW, seed=1)
    x = np.concatenate([normal(500), far])
    assert not isolated_rows(x, even(len(x)), TOO_FEW).any()
    mask = isolated_rows(x[:-1], even(len(x) - 1), TOO_FEW)
    assert (np.flatnonzero(mask) == np.arange(500, 500 + TOO_FEW - 1)).all()


def test_a_row_of_much_weight_is_kept():
    x = with_rows([[1e6, 0.0]])
    for share, found in ((0.9 * LITTLE, True), (1.1 * LITTLE, False)):
        weights = np.append(np.full(500, (1 - share) / 500), share)
        assert isolated_rows(x, weights, TOO_FEW).any() == found


def test_what_is_left_has_no_isolated_rows():
    x = with_rows([[1e4, 0.0], [1e8, 0.0], [0.0, 1e12]])
    mask = isolated_rows(x, even(len(x)), TOO_FEW)
    assert mask.sum() == 3
    rest = x[~mask]
    assert not isolated_rows(rest, even(len(rest)), TOO_FEW).any()


@given(st.integers(0, 10**6), st.integers(-20, 20))
def test_powers_of_two_and_the_order_of_rows_are_nothing(seed, power):
    rng = np.random.default_rng(seed)
    x = rng.standard_cauchy(size=(80, 2)) ** 3
    order = rng.permutation(80)
    mask = isolated_rows(x, even(80), TOO_FEW)
    assert (isolated_rows(x * [2.0**power, 1.0], even(80), TOO_FEW) == mask).all()
    assert (isolated_rows(x[order], even(80), TOO_FEW) == mask[order]).all()
    assert mask.sum() < TOO_FEW


@given(st.integers(0, 10**6))
def test_isolated_rows_are_far_and_apart(seed):
    x = np.random.default_rng(seed).standard_cauchy(size=(300, 1)) ** 3
    mask = isolated_rows(x, even(300), TOO_FEW)
    if not mask.any():
        return
    centre, spread = robust_scale(x, even(300))
    radius = (np.abs(x - centre) / spread)[:, 0]
    assert radius[mask].min() > FAR
    assert radius[mask].min() > GAP * radius[~mask].max()


def test_few_rows_and_constant_columns_have_no_isolated_ones():
    for x in (np.zeros((1, 2)), np.zeros((30, 1)), np.array([[0.0], [1e9]])):
        assert not isolated_rows(x, even(len(x)), TOO_FEW).any()


# ---- heavy tails


def test_light_tails_are_not_touched():
    x = normal(500)
    assert clipped_tails(x, even(500)) is x


def test_heavy_columns_are_drawn_in_and_the_others_kept():
    x = np.column_stack([normal(2000, 1), np.random.default_rng(3).standard_cauchy(2000)])
    drawn_in = clipped_tails(x, even(2000))
    assert (drawn_in[:, 0] == x[:, 0]).all()
    centre, spread = robust_scale(x, even(2000))
    edge = CLIP * spread[1]
    inside = np.abs(x[:, 1] - centre[1]) <= edge
    assert (drawn_in[inside] == x[inside]).all()
    beyond = np.abs(drawn_in[~inside, 1] - centre[1])
    assert np.abs(beyond - edge).max() <= roundoff(16, edge)
    assert (np.sign(drawn_in[:, 1] - centre[1]) == np.sign(x[:, 1] - centre[1])).all()
    assert 0 < (~inside).sum() < 400


# ---- spikes


def spiked(share: float, n: int = 400, value: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Distinct rows, the share of which in one column is a single value, and even weights."""
    x = normal(n)
    x[: round(share * n), 1] = value
    return x, even(n)


def test_a_spike_is_named():
    x, weights = spiked(0.2)
    (spike,) = find_spikes(x, weights, ("a", "b"), len(x))
    assert (spike.column, spike.value) == ("b", 0.25)
    assert abs(spike.share - 0.2) <= roundoff(400, 0.2)


def test_continuous_columns_have_no_spikes():
    assert find_spikes(normal(400), even(400), ("a", "b"), 400) == ()


def test_rounded_columns_have_no_spikes():
    assert find_spikes(np.round(2 * normal(2000)) / 2, even(2000), ("a", "b"), 2000) == ()


@pytest.mark.parametrize("p", [0.5, 0.1])
def test_columns_of_two_values_have_no_spikes(p):
    x = np.random.default_rng(0).binomial(1, p, size=(200, 1)).astype(float)
    assert find_spikes(x, even(200), ("a",), 200) == ()


def test_zeros_among_positive_numbers_are_a_spike():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(500) < 0.3, 0.0, rng.exponential(size=500))[:, None]
    (spike,) = find_spikes(x, even(500), ("rain",), 500)
    assert spike.value == 0.0
    assert abs(spike.share - np.mean(x == 0)) <= roundoff(500, 1)


def test_weights_are_repetitions():
    x, _ = spiked(0.1)
    counts = np.random.default_rng(1).integers(1, 4, size=len(x)).astype(float)
    rows = np.repeat(x, counts.astype(int), axis=0)
    weighted = find_spikes(x, counts / counts.sum(), ("a", "b"), len(rows))
    (one,), (other,) = weighted, find_spikes(rows, even(len(rows)), ("a", "b"), len(rows))
    assert (one.column, one.value) == (other.column, other.value)
    assert abs(one.share - other.share) <= roundoff(2 * len(rows), 1)


def test_the_weight_of_a_few_rows_is_no_spike():
    # One of thirty rows has the weight of 4.9, or of 5.1, and stands far above its neighbours.
    x = np.arange(30.0)[:, None]
    for rows, found in ((4.9, False), (5.1, True)):
        weights = np.full(30, (1 - rows / 30) / 29)
        weights[12] = rows / 30
        assert bool(find_spikes(x, weights, ("a",), 30)) == found
