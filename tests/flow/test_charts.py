"""Charts against their formulas in 50 digits."""

import mpmath
import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from symscore.arrays import FloatArray
from symscore.flow.chart_kernels import chart_pull, chart_score
from symscore.flow.charts import Block, Chart
from symscore.learn.packed import DIM, EVENT, LEVELS, Packed
from tests.charts import CHARTS
from tests.tolerances import roundoff

each_chart = pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)


@pytest.fixture(autouse=True)
def fifty_digits():
    with mpmath.workdps(50):
        yield


def coordinates(chart: Chart, n: int, *, sd: float = 3.0) -> FloatArray:
    return sd * np.random.default_rng(n).normal(size=(n, len(chart.free_names)))


# ---- the formulas of the table, in any arithmetic


def one_by_formula(block, v):
    a, b = mpmath.mpf(block.lower), mpmath.mpf(block.upper)
    match block.kind:
        case "free":
            return v
        case "lower":
            return a + mpmath.exp(v)
        case "upper":
            return b - mpmath.exp(-v)
        case "interval":
            return a + (b - a) / (1 + mpmath.exp(-v))
    x = mpmath.mpf(block.cut) + (b - a) / (1 + mpmath.exp(-v))
    return x - (b - a) if x >= b else x


def by_formula(chart, v):
    """The D numbers x of d numbers v."""
    x, rest = [], list(v)
    for block in chart.blocks:
        own, rest = rest[: block.n_coordinates], rest[block.n_coordinates :]
        if block.kind == "ordered":
            x.append(own[0])
            for step in own[1:]:
                x.append(x[-1] + mpmath.exp(step))
        elif block.kind == "simplex":
            powers = [mpmath.exp(value) for value in [*own, -mpmath.fsum(own)]]
            x += [power / mpmath.fsum(powers) for power in powers]
        else:
            x.append(one_by_formula(block, own[0]))
    return x


def back_by_formula(chart, x):
    """The d numbers v of D numbers x, any positive ones on a simplex."""
    v, rest = [], list(x)
    for block in chart.blocks:
        own, rest = rest[: len(block.names)], rest[len(block.names) :]
        a, b = mpmath.mpf(block.lower), mpmath.mpf(block.upper)
        if block.kind == "ordered":
            v += [own[0], *(mpmath.log(own[k] - own[k - 1]) for k in range(1, len(own)))]
        elif block.kind == "simplex":
            logs = [mpmath.log(value) for value in own]
            v += [log - mpmath.fsum(logs) / len(logs) for log in logs[:-1]]
        elif block.kind == "free":
            v.append(own[0])
        elif block.kind == "lower":
            v.append(mpmath.log(own[0] - a))
        elif block.kind == "upper":
            v.append(-mpmath.log(b - own[0]))
        else:
            start = a if block.kind == "interval" else mpmath.mpf(block.cut)
            part = own[0] - start + (b - a) * (own[0] < start)
            v.append(mpmath.log(part / (b - a - part)))
    return v


def slopes(function, at):
    """Derivatives of a function of a list, by central differences of 1e-20 in 50 digits."""
    h, columns = mpmath.mpf(10) ** -20, []
    for j in range(len(at)):
        up, down = list(at), list(at)
        up[j], down[j] = at[j] + h, at[j] - h
        columns.append((function(up) - function(down)) / (2 * h))
    return columns


def exactly(row: FloatArray) -> list:
    return [mpmath.mpf(value) for value in row.tolist()]


def log_det_by_formula(chart, v):
    """log |det| of the derivatives of x without the last column of every simplex."""
    kept, column = [], 0
    for block in chart.blocks:
        kept += range(column, column + block.n_coordinates)
        column += len(block.names)
    rows = [slopes(lambda at, i=i: by_formula(chart, at)[i], v) for i in kept]
    return mpmath.log(abs(mpmath.det(mpmath.matrix(rows))))


def magnitude(chart: Chart) -> float:
    """The largest number that rounding acts on besides x itself."""
    ends = [abs(end) for b in chart.blocks for end in (b.lower, b.upper) if np.isfinite(end)]
    return max([1.0, *ends])


# ---- maps and derivatives


@each_chart
def test_columns_follow_their_formulas(chart):
    v = coordinates(chart, 20)
    want = np.array([[float(value) for value in by_formula(chart, exactly(row))] for row in v])
    # exp(v) has the relative error |v| u; on a simplex v is up to the sum of all.
    size = (magnitude(chart) + np.abs(want)) * (1 + np.abs(v).sum(axis=1, keepdims=True))
    assert np.all(np.abs(chart.from_free(v) - want) <= roundoff(16, size))


@each_chart
def test_coordinates_follow_their_formulas(chart):
    x = chart.from_free(coordinates(chart, 20))
    found = chart.to_free(x)
    for row, got in zip(x, found, strict=True):
        want = np.array([float(value) for value in back_by_formula(chart, exactly(row))])
        # A difference x - bound is exact to an ulp of x or the bound, which its log magnifies.
        steep = np.exp(np.minimum(np.abs(want), 30)).max() * (magnitude(chart) + np.abs(row).max())
        assert np.all(np.abs(got - want) <= roundoff(32, 1 + np.abs(want) + steep))


@each_chart
def test_log_det_is_that_of_the_derivatives(chart):
    v = coordinates(chart, 5)
    want = np.array([float(log_det_by_formula(chart, exactly(row))) for row in v])
    terms = np.abs(v).sum(axis=1) + len(chart.names) * (1 + np.abs(v).max(axis=1))
    limit = roundoff(64, terms + np.log(magnitude(chart)))
    assert np.all(np.abs(chart.log_det(v) - want) <= limit)


def alone(chart: Chart) -> Packed:
    header = np.zeros(LEVELS, dtype=np.int64)
    header[[DIM, EVENT]] = len(chart.free_names), len(chart.names)
    return chart.attached(Packed(np.empty(0), header))


@each_chart
def test_pull_is_the_transposed_derivative(chart):
    rng, packed = np.random.default_rng(0), alone(chart)
    for v in coordinates(chart, 4):
        cotangent = rng.normal(size=len(chart.names))
        weights, out = exactly(cotangent), np.empty(len(v))

        def image(at, weights=weights):
            return mpmath.fdot(weights, by_formula(chart, at))

        want = np.array([float(slope) for slope in slopes(image, exactly(v))])
        chart_pull(*packed, v, 0, cotangent, out)
        size = np.abs(cotangent).sum() * (1 + np.abs(v).sum()) * (1 + np.exp(np.abs(v).max()))
        assert np.all(np.abs(out - want) <= roundoff(64, size * magnitude(chart)))


@each_chart
def test_score_is_the_derivative_in_the_columns(chart):
    """Of log q(v) = score . v, whose density in x is that less log |det|."""
    rng, packed = np.random.default_rng(1), alone(chart)
    for place in coordinates(chart, 4, sd=1.5):
        x = chart.from_free([place])[0]
        v = chart.to_free([x])[0]
        score, out = rng.normal(size=len(v)), np.empty(len(x))
        weights = exactly(score)

        def log_density(at, weights=weights):
            back = back_by_formula(chart, at)
            return mpmath.fdot(weights, back) - exact_log_det(chart, back)

        want = np.array([float(slope) for slope in slopes(log_density, exactly(x))])
        chart_score(*packed, np.concatenate([v, score]), 0, len(v), x, out)
        size = (1 + np.abs(score)).sum() * (1 + np.abs(v).sum()) * np.exp(3 * np.abs(v).max())
        assert np.all(np.abs(out - want) <= roundoff(64, size * magnitude(chart)))


def exact_log_det(chart, v):
    """log |det dx/dv| by the table, which the test of log_det ties to the derivatives."""
    total, rest = mpmath.mpf(0), list(v)
    for block in chart.blocks:
        own, rest = rest[: block.n_coordinates], rest[block.n_coordinates :]
        if block.kind == "ordered":
            total += mpmath.fsum(own[1:])
        elif block.kind == "simplex":
            shares = by_formula(Chart((block,)), own)
            total += mpmath.log(len(shares)) + mpmath.fsum(mpmath.log(share) for share in shares)
        elif block.kind in ("lower", "upper"):
            total += own[0] if block.kind == "lower" else -own[0]
        elif block.kind != "free":
            share = 1 / (1 + mpmath.exp(-own[0]))
            total += mpmath.log((mpmath.mpf(block.upper) - block.lower) * share * (1 - share))
    return total


def test_textbook_functions():
    v = coordinates(CHARTS["simplex"], 50)
    powers = softmax(np.column_stack([v, -v.sum(axis=1)]), axis=1)
    assert np.all(np.abs(CHARTS["simplex"].from_free(v) / powers - 1) <= roundoff(512, 1.0))
    v = np.linspace(-30, 30, 61)[:, None]
    x = CHARTS["interval"].from_free(v)
    assert np.all(np.abs(x - (4 * expit(v) - 1)) <= roundoff(16, 4.0))
    unit = Chart([Block("interval", ("p",), 0.0, 1.0)])
    p = np.array([1e-300, 1e-9, 0.25, 0.5, 0.75])
    assert np.all(np.abs(unit.to_free(p[:, None])[:, 0] - logit(p)) <= roundoff(16, 700.0))


@each_chart
def test_blocks_of_a_chart_do_not_see_each_other(chart):
    whole = CHARTS["all of them"]
    v = coordinates(whole, 10)
    x, log_det, column, first = whole.from_free(v), np.zeros(10), 0, 0
    for block in whole.blocks:
        part = Chart((block,))
        own = v[:, first : first + block.n_coordinates]
        assert (part.from_free(own) == x[:, column : column + len(block.names)]).all()
        log_det += part.log_det(own)
        column, first = column + len(block.names), first + block.n_coordinates
    assert np.all(np.abs(whole.log_det(v) - log_det) <= roundoff(32, np.abs(v).sum() + 100))
