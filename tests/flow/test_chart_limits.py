"""Charts at the ends of what floats can hold, and what is no chart or outside one."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from symscore.errors import BadData, BadOption
from symscore.flow.charts import IDENTITY, Block, Chart
from symscore.learn.packed import BLOCKS, LEVELS, Packed
from tests.charts import CHARTS, ONE, PI
from tests.tolerances import EPS, roundoff

each_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
each_one = pytest.mark.parametrize("block", ONE.values(), ids=ONE)

# ---- the ends of what floats can hold


@each_chart
@pytest.mark.parametrize("far", [30.0, 37.0, 40.0, 709.0, 710.0, 800.0, 1e6, 1e300])
def test_far_coordinates_stay_inside(chart, far):
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(40, len(chart.free_names)))
    x = chart.from_free(far * signs)
    assert np.isfinite(x).all()
    chart.require_support(x)
    assert np.isfinite(chart.to_free(x)).all()
    if far <= 1e6:
        assert np.isfinite(chart.log_det(far * signs)).all()


@each_one
def test_elementwise_maps_are_monotone(block):
    v = np.concatenate([np.linspace(-800, 800, 4001), np.linspace(-40, 40, 4001)])
    v.sort()
    x = Chart((block,)).from_free(v[:, None])[:, 0]
    if block.kind == "circle":
        x = np.where(x < block.cut, x + (block.upper - block.lower), x)
    assert np.all(np.diff(x) >= 0)
    middle = np.abs(v) < 10
    assert np.all(np.diff(x[middle][:: 4001 // 800]) > 0)


@pytest.mark.parametrize("bound", [0.0, 1.0, -3.5, 1e-300, 1e10, -1e299])
def test_numbers_next_to_a_bound_come_back(bound):
    above, below = np.nextafter(bound, np.inf), np.nextafter(bound, -np.inf)
    lower, upper = Block("lower", ("a",), lower=bound), Block("upper", ("a",), upper=bound)
    interval = Block("interval", ("a",), bound - 1 - abs(bound), bound)
    for block, x in [(lower, above), (upper, below), (interval, below)]:
        chart = Chart((block,))
        v = chart.to_free([[x]])
        assert np.isfinite(v).all()
        assert chart.from_free(v) == x


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        (1.0, 1.0 + 2 * EPS),
        (1.0, 1.0 + 4 * EPS),
        (1 - EPS / 2, 1 + EPS),
        (0.0, 1e-323),
        (0.0, 1e-300),
        (-4e299, 4e299),
        (1e299, 2e299),
    ],
)
@pytest.mark.parametrize("kind", ["interval", "circle"])
def test_tiny_and_huge_widths(lower, upper, kind):
    chart = Chart([Block(kind, ("a",), lower, upper, lower)])
    x = chart.from_free(np.array([-800, -37, -1, 0, 1, 37, 800])[:, None])
    assert np.all((x > lower) & (x < upper))
    v = chart.to_free(x)
    assert np.isfinite(v).all()
    assert np.all(np.diff(v[:, 0]) >= 0)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.floats(-25, 25))
def test_round_trip_of_intervals(lower, width, v):
    chart = Chart([Block("interval", ("a",), lower, lower + width)])
    x = chart.from_free([[v]])
    share = expit(-abs(v))
    moved = (abs(lower) + width) / (width * share)  # ulps of x in v
    assert abs(chart.to_free(x)[0, 0] - v) <= roundoff(16, 1 + abs(v) + moved) or moved * EPS > 0.1


def test_a_circle_at_its_cut_and_its_ends():
    chart = CHARTS["circle"]
    v = chart.to_free([[-PI], [PI], [1.0], [np.nextafter(1.0, -4)]])[:, 0]
    assert v[0] == v[1]  # the two ends are one place
    assert np.all(np.abs(v[2:]) >= 34)  # the cut, from either side, is far out but not lost
    assert v[2] < 0 < v[3]
    x = chart.from_free(np.linspace(-40, 40, 2001)[:, None])
    assert np.all((x >= -PI) & (x < PI))
    assert x[0] == np.nextafter(1.0, 4)
    again = chart.from_free(chart.to_free(x))
    # Rounding (x - cut) modulo a turn costs an ulp of the turn.
    gap = np.abs(again - x)
    assert np.all(np.minimum(gap, 2 * PI - gap) <= roundoff(16, 2 * PI))


def test_a_simplex_of_nearly_nothing():
    chart, x = CHARTS["simplex"], np.array([[1e-300, 0.25, 0.5, 0.25]])
    v = chart.to_free(x)
    assert np.all(np.abs(chart.from_free(v) / x - 1) <= roundoff(32, 700.0))
    assert np.abs(chart.log_det(v)[0] - np.log(4) - np.log(x).sum()) <= roundoff(64, 1400.0)


def test_a_simplex_ignores_rounding_of_the_sum():
    chart, x = CHARTS["simplex"], np.array([[0.1, 0.2, 0.3, 0.4]])
    assert np.all(np.abs(chart.to_free(x * (1 + 9e-7)) - chart.to_free(x)) <= roundoff(32, 4.0))
    assert np.array_equal(chart.to_free(x.astype(np.float32)), chart.to_free(np.float32(x)))


# ---- what is no chart, and what is outside one


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("round", ("a",)), "a kind among free, lower"),
        (("simplex", ("a",)), "two columns or more"),
        (("ordered", ()), "two columns or more"),
        (("free", ("a", "b")), "one column"),
        (("free", ("a",), 0.0), "unfit for 'free'"),
        (("lower", ("a",)), "unfit for 'lower'"),
        (("lower", ("a",), 0.0, 1.0), "unfit for 'lower'"),
        (("upper", ("a",), 0.0), "unfit for 'upper'"),
        (("interval", ("a",), 0.0), "unfit for 'interval'"),
        (("interval", ("a",), 1.0, 0.0), "lower < upper for 'a'"),
        (("interval", ("a",), 1.0, 1.0 + EPS), "with numbers between them"),
        (("interval", ("a",), -1e308, 1e308), "Leave that side open"),
        (("interval", ("a",), 0.0, 1.7e308), "Leave that side open"),
        (("circle", ("a",), 0.0, 1.0), r"a cut in \[0"),
        (("circle", ("a",), 0.0, 1.0, 1.0), r"a cut in \[0"),
        (("simplex", ("a", "b"), 0.0, 1.0), "unfit for 'simplex'"),
    ],
)
def test_blocks_that_are_none_are_refused(arguments, message):
    with pytest.raises(BadOption, match=message):
        Block(*arguments)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("lower", [[3.0], [2.5], [1.0]], r"'a' in \(2.5, inf\); got 2.5 in row 1, and 2 such"),
        ("upper", [[-1.5]], r"'a' in \(-inf, -1.5\); got -1.5 in row 0"),
        ("interval", [[0.0], [3.0]], r"'a' in \(-1, 3\); got 3 in row 1"),
        ("circle", [[4.0]], r"'a' in \[-3.14159, 3.14159\]; got 4 in row 0"),
        ("ordered", [[1.0, 2.0, 2.0]], r"ascending order; got \[1.0, 2.0, 2.0\] in row 0"),
        ("simplex of two", [[0.5, 0.5], [0.5, 0.6]], r"sum to one; got \[0.5, 0.6\] in row 1"),
        ("simplex of two", [[1.0, 0.0]], "positive a, b that sum to one"),
    ],
)
def test_rows_outside_are_named(name, rows, message):
    with pytest.raises(BadData, match=message):
        CHARTS[name].to_free(rows)


def test_the_identity():
    free = Chart.free(["a", "b"])
    assert free.is_free
    assert IDENTITY.is_free
    assert not CHARTS["simplex"].is_free
    x = np.random.default_rng(0).normal(size=(5, 2))
    assert (free.from_free(x) == x).all()
    assert (free.to_free(x) == x).all()
    assert (free.log_det(x) == 0).all()
    packed = Packed(np.empty(0), np.zeros(LEVELS, dtype=np.int64))
    assert free.attached(packed) is packed
    assert CHARTS["simplex"].attached(packed).layout[BLOCKS] == 1


def test_names_of_columns_and_coordinates():
    chart = Chart([Block("simplex", ("p", "q", "r")), Block("free", ("x",))])
    assert chart.names == ("p", "q", "r", "x")
    assert chart.free_names == ("p", "q", "x")


@each_chart
def test_charts_equal_their_copies(chart):
    assert copy.copy(chart) == chart
    assert pickle.loads(pickle.dumps(chart)) == chart
    assert hash(Chart(chart.blocks)) == hash(chart)
