"""Flows that end in a chart: support, normalisation, derivatives, modes."""

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from scipy.special import expit

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow
from tests.charts import ONE, SEVERAL
from tests.flows import make_ladder, random_frame, random_mixture, two_modes
from tests.tolerances import derivative, roundoff


def charted(*blocks: Block, degree: int = 1, cells: int = 3, **options) -> ScoreFlow:
    chart = Chart(blocks)
    d = len(chart.free_names)
    crude = random_mixture(d, cells, d, spread=0.8)
    ladder = make_ladder(crude, degree=degree, frame=random_frame(d, 1), **options)
    return ScoreFlow(renamed(ladder, chart.free_names), chart)


def renamed(ladder, names):
    return type(ladder)(ladder.frame, ladder.schedule, ladder.fields, tuple(names))


FLOWS = {name: charted(block) for name, block in {**ONE, **SEVERAL}.items()}
FLOWS["mixed"] = charted(
    Block("interval", ("share",), 0.0, 1.0),
    Block("simplex", ("p", "q", "r")),
    Block("free", ("x",)),
)
each_flow = pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)


def latent(flow: ScoreFlow, n: int) -> FloatArray:
    return np.random.default_rng(n).normal(size=(n, flow.latent_dim))


def without_chart(flow: ScoreFlow) -> ScoreFlow:
    return ScoreFlow(flow.ladder)


# ---- maps


@each_flow
def test_the_chart_comes_last(flow):
    plain, z = without_chart(flow), latent(flow, 100)
    v = plain.from_latent(z)
    x = flow.from_latent(z)
    assert (x == flow.chart.from_free(v)).all()
    assert x.shape == (100, flow.dim)
    # Going back through x moves v by the rounding of x: compare at the v that x has.
    again = flow.chart.to_free(x)
    want = plain.log_density(again) - flow.chart.log_det(again)
    assert np.all(np.abs(flow.log_density(x) - want) <= roundoff(64, 1 + np.abs(want)))
    assert (flow.to_latent(x) == plain.to_latent(again)).all()
    assert (flow.latent_path(z) == plain.latent_path(z)).all()


@each_flow
def test_round_trip_of_draws(flow):
    z = latent(flow, 200)
    x = flow.from_latent(z)
    assert np.abs(flow.to_latent(x) - z).max() <= 1e-8  # the promise
    assert np.abs(flow.from_latent(flow.to_latent(x)) / x - 1).max() <= 1e-8


@each_flow
def test_pullback_is_the_derivative_of_the_map(flow):
    z = latent(flow, 10)
    cotangent = np.random.default_rng(0).normal(size=(10, flow.dim))
    if flow.chart.blocks[0].kind == "circle":  # no difference across the seam of the turn
        x = flow.from_latent(z)[:, 0]
        block = flow.chart.blocks[0]
        far = np.minimum(x - block.lower, block.upper - x) > 0.1
        z, cotangent = z[far], cotangent[far]
    slope, error = derivative(flow.from_latent, z, step=2.0**-14)
    want = np.einsum("nij,ni->nj", slope, cotangent)
    limit = np.einsum("nij,ni->nj", error, np.abs(cotangent))
    assert np.all(np.abs(flow.latent_pullback(z, cotangent) - want) <= limit)
    assert np.median(limit) <= 1e-5 * np.abs(want).max()


@each_flow
def test_score_is_the_gradient_of_the_log_density(flow):
    """Of the extension to all positive x, on a simplex."""
    x = flow.from_latent(0.5 * latent(flow, 8))
    scale = np.ones(flow.dim) if flow.dim > 1 else np.exp(flow.chart.log_det(flow.chart.to_free(x)))
    step = 2.0**-13 * min(float(np.min(scale)), float(np.abs(x).min()), 1.0)
    want, error = derivative(flow.log_density, x, step=step, noise=1e-12)
    value, score = flow.log_density_and_score(x)
    assert np.all(np.abs(score - want) <= error)
    assert np.median(error) <= 1e-4 * np.abs(want).max()
    assert (value == flow.log_density(x)).all()
    assert (score == flow.score(x)).all()


def test_a_simplex_knows_no_direction_along_its_sum():
    flow = FLOWS["simplex"]
    x = flow.from_latent(latent(flow, 50))
    score = flow.score(x)
    # x . grad of a function that ignores the scale of x; terms are of size x * score.
    assert np.all(np.abs((x * score).sum(axis=1)) <= roundoff(64, np.abs(x * score).sum(axis=1)))
    moved = flow.log_density(1.7 * x) - flow.log_density(x)
    slope = 1 + np.abs(x * score).sum(axis=1)
    assert np.all(np.abs(moved) <= roundoff(5000, slope))


# ---- density


def panels(edges: FloatArray, nodes: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre places and weights on every interval between edges."""
    place, weight = leggauss(nodes)
    half = np.diff(edges) / 2
    middle = (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * place).ravel(), (half[:, None] * weight).ravel()


@pytest.mark.parametrize("name", ONE)
def test_mass_on_a_line_is_one(name):
    """By quadrature in x itself, between edges that are even in the coordinate."""
    flow = FLOWS[name]
    v = without_chart(flow).from_latent(np.array([[-9.0], [9.0]]))[:, 0]
    edges = np.unique(flow.chart.from_free(np.linspace(*v, 200)[:, None])[:, 0])
    block = flow.chart.blocks[0]
    if block.kind == "circle":  # a full turn, whose ends lie inside the line
        edges = np.unique(np.concatenate([[block.lower], edges, [block.upper]]))
    mass = []
    for nodes in (8, 10):
        x, weight = panels(edges, nodes)
        mass.append(np.exp(flow.log_density(x[:, None])) @ weight)
    assert abs(mass[1] - 1) <= 10 * abs(mass[1] - mass[0]) + 1e-10
    assert abs(mass[1] - mass[0]) <= 1e-6


@pytest.mark.parametrize("kind", ["simplex", "ordered"])
def test_mass_in_the_plane_is_one(kind):
    names = ("p", "q", "r") if kind == "simplex" else ("a", "b")
    flow = charted(Block(kind, names), degree=-1, max_ratio=2.0)
    mass = []
    for nodes in (3, 4):
        if kind == "simplex":  # over p in (0, 1) and q in (0, 1 - p)
            x, weight = panels(expit(np.arange(-13, 13.1, 0.75)), nodes)
            first, share = (part.ravel() for part in np.meshgrid(x, x, indexing="ij"))
            points = np.column_stack([first, (1 - first) * share, (1 - first) * (1 - share)])
            weights = np.outer(weight, weight).ravel() * (1 - first)
        else:
            x, weight = panels(np.arange(-9, 9.1, 0.5), nodes)
            gap, step = panels(np.exp(np.arange(-10, 10.1, 0.6)), nodes)
            first, further = (part.ravel() for part in np.meshgrid(x, gap, indexing="ij"))
            points = np.column_stack([first, first + further])
            weights = np.outer(weight, step).ravel()
        mass.append(np.exp(flow.log_density(points)) @ weights)
    assert abs(mass[1] - 1) <= abs(mass[1] - mass[0]) + 1e-6
    assert abs(mass[1] - mass[0]) <= 1e-2


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("lower", [[2.5], [0.0], [-1e300]]),
        ("upper", [[-1.5], [7.0]]),
        ("interval", [[-1.0], [3.0], [9.0]]),
        ("ordered", [[0.0, 0.0, 1.0], [0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]),
        ("simplex", [[0.5, 0.5, 0.0, 0.0], [0.5, 0.7, -0.2, 0.2], [0.0, 0.0, 0.0, 1.0]]),
    ],
)
def test_nothing_lies_outside_the_support(name, outside):
    flow = FLOWS[name]
    inside = flow.from_latent(latent(flow, 2))
    rows = np.concatenate([inside[:1], outside, inside[1:]])
    value, score = flow.log_density_and_score(rows)
    assert np.all(np.isneginf(value[1:-1]))
    assert np.all(score[1:-1] == 0)
    assert (value[[0, -1]] == flow.log_density(inside)).all()
    assert (score[[0, -1]] == flow.score(inside)).all()
    with pytest.raises(BadData, match="in row 1"):
        flow.to_latent(rows)


def test_a_circle_takes_every_turn():
    flow = FLOWS["degrees"]
    x = flow.from_latent(latent(flow, 20))
    once, twice = flow.log_density(x), flow.log_density(x - 720.0)
    # x - 720 is rounded, by an ulp of 720.
    assert np.all(np.abs(once - twice) <= roundoff(64, 720.0) * (1 + np.abs(flow.score(x)[:, 0])))


@pytest.mark.parametrize("tail", [1.0, 2.0])
def test_draws_of_heavy_tails_stay_in_the_support(tail):
    flow = charted(
        *[Block(b.kind, (name,), b.lower, b.upper, b.cut) for name, b in ONE.items()],
        Block("ordered", ("a", "b")),
        Block("simplex", ("p", "q", "r")),
        degree=-1,
        cells=1,
        max_ratio=2.4,
    )
    z = np.random.default_rng(0).standard_t(tail, size=(40_000, flow.latent_dim))
    x = flow.from_latent(np.clip(z, -1e6, 1e6))
    assert np.isfinite(x).all()
    flow.chart.require_support(x)
    assert np.isfinite(flow.chart.to_free(x)).all()


# ---- modes


def test_modes_are_those_of_the_coordinates():
    ladder = renamed(make_ladder(two_modes(6.0)), ("a", "b"))
    flow = ScoreFlow(
        ladder, Chart([Block("lower", ("a",), 1.0), Block("interval", ("b",), 0.0, 1.0)])
    )
    modes = flow.modes(1000, rng=np.random.default_rng(0))
    inner = ScoreFlow(ladder).modes(1000, rng=np.random.default_rng(0))
    assert len(modes) == 2
    assert modes.names == ("a", "b")
    assert (modes.locations == flow.chart.from_free(inner.locations)).all()
    assert (modes.log_densities == flow.log_density(modes.locations)).all()
    assert (modes.counts == inner.counts).all()
    assert (modes.depths == inner.depths).all()
    assert list(modes.to_frame().columns[:2]) == ["a", "b"]


# ---- misuse


def test_a_chart_of_other_coordinates_is_refused():
    ladder = make_ladder(two_modes(4.0))
    with pytest.raises(BadOption, match="coordinates x0, x1; got one of p, q"):
        ScoreFlow(ladder, Chart([Block("simplex", ("p", "q", "r"))]))


def test_dimensions_and_shapes():
    flow = FLOWS["mixed"]
    assert (flow.dim, flow.latent_dim) == (5, 4)
    assert flow.names == ("share", "p", "q", "r", "x")
    assert flow.draw(3, rng=np.random.default_rng(0)).shape == (3, 5)
    assert flow.to_latent(np.empty((0, 5))).shape == (0, 4)
    assert flow.score(np.empty((0, 5))).shape == (0, 5)
    with pytest.raises(BadData, match=r"z of shape \(any, 4\); got \(2, 5\)"):
        flow.from_latent(np.zeros((2, 5)))
    with pytest.raises(BadData, match=r"x of shape \(any, 5\); got \(2, 4\)"):
        flow.log_density(np.zeros((2, 4)))
    with pytest.raises(BadData, match=r"cotangent of shape \(any, 5\)"):
        flow.latent_pullback(np.zeros((2, 4)), np.zeros((2, 4)))
