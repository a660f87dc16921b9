"""What a user declares of columns, and what chart comes of it."""

import warnings

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, CircleCut
from symscore.flow.charts import Chart
from symscore.flow.declared import declared_chart

NAMES = ("theta[0]", "theta[1]", "theta[2]", "rate", "angle")


def rows(n: int = 50) -> FloatArray:
    rng = np.random.default_rng(0)
    return np.column_stack(
        [rng.dirichlet([2, 3, 4], n), rng.exponential(size=n), 0.1 * rng.normal(size=n)]
    )


def declare(bounds=None, transforms=None, names=NAMES, x=None) -> Chart:
    x = rows()[:, : len(names)] if x is None else x
    return declared_chart(names, bounds, transforms, x, np.ones(len(x)))


def shown(chart: Chart) -> list[tuple]:
    return [(b.kind, b.names, b.lower, b.upper) for b in chart.blocks]


INF = np.inf
THETA, REST = NAMES[:3], [("free", ("rate",), -INF, INF), ("free", ("angle",), -INF, INF)]
FREE = [("free", (name,), -INF, INF) for name in THETA]


@pytest.mark.parametrize(
    ("bounds", "transforms", "blocks"),
    [
        (None, None, FREE + REST),
        ({}, {}, FREE + REST),
        (None, {"theta": "simplex"}, [("simplex", THETA, -INF, INF), *REST]),
        (None, {THETA: "simplex"}, [("simplex", THETA, -INF, INF), *REST]),
        (None, {(0, 1, 2): "simplex"}, [("simplex", THETA, -INF, INF), *REST]),
        (None, {(-5, "theta[1]", 2): "simplex"}, [("simplex", THETA, -INF, INF), *REST]),
        ({"rate": (0, None)}, None, [*FREE, ("lower", ("rate",), 0.0, INF), REST[1]]),
        ({"rate": (0, INF)}, None, [*FREE, ("lower", ("rate",), 0.0, INF), REST[1]]),
        ({3: (None, 99)}, None, [*FREE, ("upper", ("rate",), -INF, 99.0), REST[1]]),
        ({"rate": (None, None)}, None, FREE + REST),
        (None, {"rate": "positive"}, [*FREE, ("lower", ("rate",), 0.0, INF), REST[1]]),
        (
            {"rate": (None, 99)},
            {"rate": "positive"},
            [*FREE, ("interval", ("rate",), 0.0, 99.0), REST[1]],
        ),
        (
            {"theta": (0, 1)},
            None,
            [*[("interval", (name,), 0.0, 1.0) for name in THETA], *REST],
        ),
        (
            [None, None, None, (-1, None), (-2, 2)],
            None,
            [*FREE, ("lower", ("rate",), -1.0, INF), ("interval", ("angle",), -2.0, 2.0)],
        ),
        (
            np.array([[-INF, INF]] * 4 + [[-2, 2]]),
            None,
            [*FREE, REST[0], ("interval", ("angle",), -2.0, 2.0)],
        ),
        (
            {"angle": (-2, 2)},
            {"angle": "circular", "theta": "positive"},
            [
                *[("lower", (name,), 0.0, INF) for name in THETA],
                REST[0],
                ("circle", ("angle",), -2.0, 2.0),
            ],
        ),
    ],
)
def test_what_is_declared_is_what_comes(bounds, transforms, blocks):
    assert shown(declare(bounds, transforms)) == blocks


def test_ordered_columns():
    x = np.sort(rows(), axis=1)
    chart = declare(None, {("rate", "angle"): "ordered"}, x=x)
    assert shown(chart)[3:] == [("ordered", ("rate", "angle"), -INF, INF)]


@pytest.mark.parametrize(
    ("bounds", "transforms", "message"),
    [
        ({"speed": (0, 1)}, None, "a column among theta.*, angle; got 'speed'"),
        ({5: (0, 1)}, None, "got 5"),
        ({True: (0, 1)}, None, "got True"),
        (None, {"speed": "positive"}, "got 'speed'"),
        (None, {"rate": "log"}, "among positive, simplex, ordered, circular for 'rate'; got 'log'"),
        (None, {"rate": None}, "got None"),
        (None, {"theta": "interval"}, "An interval is declared by its bounds"),
        (None, "positive", "a mapping from column to transform; got 'positive'"),
        (None, ["positive"], "a mapping from column to transform"),
        (None, {"rate": "positive", 3: "circular"}, "one transform a column; 3 has another"),
        (None, {"theta": "simplex", "theta[1]": "positive"}, "has another one already"),
        ({"rate": (0, 1), 3: (0, 2)}, None, "one pair of bounds a column; 'rate' has two"),
        ({"theta": (0, 1), "theta[2]": (0, 2)}, None, r"'theta\[2\]' has two"),
        ({"rate": (1, None)}, {"rate": "positive"}, "leave out 'positive'"),
        ({"rate": (None, -1)}, {"rate": "positive"}, "lower < upper"),
        (None, {"rate": "simplex"}, "two columns or more, side by side, for 'simplex'; got rate"),
        (None, {"rate": "ordered"}, "two columns or more"),
        (None, {("theta[0]", "rate"): "simplex"}, "put them next to each other"),
        (None, {("rate", "theta[2]"): "ordered"}, "put them next to each other"),
        (None, {("rate", "rate"): "ordered"}, "two columns or more"),
        ({"theta": (0, 1)}, {"theta": "simplex"}, "no bounds of simplex columns"),
        ([(0, 1)], None, "bounds for the 5 columns .* got"),
        ((0, 1), None, "bounds for the 5 columns"),
        (3.0, None, "bounds for the 5 columns .* got 3.0"),
        ({"rate": 3.0}, None, r"\(lower, upper\) for 'rate', numbers or None; got 3.0"),
        ({"rate": (0, 1, 2)}, None, r"\(lower, upper\) for 'rate'"),
        ({"rate": ("zero", 1)}, None, r"\(lower, upper\) for 'rate'"),
        ({"rate": (1, 0)}, None, "lower < upper for 'rate'; got 1, 0"),
        ({"rate": (1, 1)}, None, "lower < upper"),
        ({"rate": (np.nan, 1)}, None, "lower < upper"),
        ({"rate": (INF, None)}, None, "lower < upper"),
        ({"rate": (0, 1e308)}, None, "Leave that side open"),
        ({"angle": (0, None)}, {"angle": "circular"}, "finite bounds of one turn of 'angle'"),
    ],
)
def test_misuse_is_refused(bounds, transforms, message):
    with pytest.raises(BadOption, match=message):
        declare(bounds, transforms)


@pytest.mark.parametrize(
    ("bounds", "transforms", "cell", "message"),
    [
        ({"rate": (0, None)}, None, (7, 3, -0.5), r"'rate' in \(0, inf\); got -0.5 in row 7"),
        ({"rate": (0, None)}, None, (7, 3, 0.0), "got 0 in row 7, and 1 such row"),
        ({"rate": (None, 99)}, None, (2, 3, 99.0), "got 99 in row 2"),
        (None, {"angle": "circular"}, (1, 4, 3.2), "'angle' in .*; got 3.2 in row 1"),
        (None, {"theta": "simplex"}, (4, 0, 0.99), r"theta\[2\] that sum to one; got .* in row 4"),
        (None, {"theta": "ordered"}, (0, 0, 9.0), "in ascending order; got .* in row 0"),
    ],
)
def test_rows_outside_are_named(bounds, transforms, cell, message):
    x = np.sort(rows(), axis=1) if transforms == {"theta": "ordered"} else rows()
    x[cell[:2]] = cell[2]
    with pytest.raises(BadData, match=message):
        declare(bounds, transforms, x=x)


# ---- where a circle is cut


def cut_of(angles, bounds=None, weights=None) -> float:
    x = np.asarray(angles, dtype=float)[:, None]
    weights = np.ones(len(x)) if weights is None else weights
    limits = None if bounds is None else [bounds]
    chart = declared_chart(("angle",), limits, {0: "circular"}, x, weights)
    return chart.blocks[0].cut


def wrapped(angles: FloatArray) -> FloatArray:
    return (angles + np.pi) % (2 * np.pi) - np.pi


@pytest.mark.parametrize("centre", [0.0, 1.0, np.pi, -2.5])
def test_a_circle_is_cut_opposite_to_the_data(centre):
    rng = np.random.default_rng(0)
    angles = wrapped(centre + rng.vonmises(0, 8, size=500))
    away = wrapped(np.array([cut_of(angles) - centre - np.pi]))[0]
    assert abs(away) < 1.0  # the data end 1.9 short of the antipode or so
    assert cut_of(angles) == cut_of(rng.permutation(angles))
    assert cut_of(angles) == cut_of(np.repeat(angles, 2))
    assert cut_of(angles) == cut_of(angles, weights=np.full(500, 2.0))


def test_the_cut_is_amid_an_empty_arc():
    # A quarter of the turn is empty, from 90 to 180 degrees.
    angles = np.concatenate([np.arange(0, 90.5), np.arange(180, 360)])
    assert abs(cut_of(angles, (0, 360)) - 135) <= 1


@pytest.mark.parametrize("step", [1.0, 5.0, 10.0, 22.5, 90.0])
def test_rounded_angles_are_never_on_the_cut(step):
    """A value on the cut would be sent to the end of the line, far from its neighbours."""
    rng = np.random.default_rng(0)
    angles = step * np.floor((rng.vonmises(0, 1, size=2000) + np.pi) / (2 * np.pi) * 360 / step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CircleCut)
        cut = cut_of(angles, (0, 360))
    gap = np.abs((angles - cut + 180) % 360 - 180).min()
    assert gap >= 0.49 * step


def test_a_uniform_angle_is_cut_with_a_warning():
    angles = np.random.default_rng(0).uniform(-np.pi, np.pi, size=5000)
    with pytest.warns(CircleCut, match="'angle' is cut open at .* its density is 0.[89]"):
        cut = cut_of(angles)
    assert -np.pi <= cut < np.pi


def test_weights_of_zero_do_not_hold_a_cut():
    angles = np.array([-0.1, 0.0, 0.1, np.pi - 0.01])
    weights = np.array([1.0, 1.0, 1.0, 0.0])
    assert abs(abs(cut_of(angles, weights=weights)) - np.pi) < 0.02
