"""Marginals and conditionals against closed forms, and where a grid could be fooled."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import kstest, multivariate_normal, norm

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, CoarseIntegral, NoDensity
from symscore.flow import lines
from symscore.flow.charts import Block, Chart
from symscore.flow.flow import ScoreFlow
from symscore.flow.lines import Line, Lines
from symscore.mixture import GaussianMixture
from tests.flows import make_flow, make_ladder, random_frame, random_mixture, two_modes
from tests.tolerances import EPS, FALSE_ALARM, gaussian_variance, roundoff

GAUSSIAN = make_flow(
    GaussianMixture(
        [1.0], [[0.5, -0.2, 1.0]], [[[1.0, 0.6, 0.1], [0.6, 0.8, 0.3], [0.1, 0.3, 2.0]]]
    )
)
PAIR = make_flow(random_mixture(2, 2, 0), degree=1, frame=random_frame(2, 0))
SETTLED = 2 * lines.TOLERANCE


def law(flow: ScoreFlow) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of a flow of one Gaussian, which is affine."""
    ends = flow.from_latent(np.vstack([np.zeros(flow.dim), np.eye(flow.dim)]))
    root = (ends[1:] - ends[0]).T
    return ends[0], root @ root.T


def ridge(sd: float) -> ScoreFlow:
    """Two coordinates of variance one whose difference has the standard deviation `sd`."""
    rho = 1 - sd**2 / 2
    return make_flow(GaussianMixture([1.0], np.zeros((1, 2)), [[[1.0, rho], [rho, 1.0]]]))


# ---- marginals


def test_a_marginal_of_all_columns_permutes_them():
    x = GAUSSIAN.draw(20, rng=np.random.default_rng(0))
    marginal = GAUSSIAN.marginal(["x2", "x0", "x1"])
    assert marginal.names == ("x2", "x0", "x1")
    assert (marginal.log_density(x[:, [2, 0, 1]]) == GAUSSIAN.log_density(x)).all()
    drawn = marginal.draw(20, rng=np.random.default_rng(0))
    assert (drawn == x[:, [2, 0, 1]]).all()
    assert (GAUSSIAN.marginal("x1").draw(20, rng=np.random.default_rng(0)) == x[:, [1]]).all()


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_one_column_of_a_gaussian_is_integrated_out(left_out):
    kept = [j for j in (2, 0, 1) if j != left_out]
    mean, covariance = law(GAUSSIAN)
    x = mean[kept] + np.array([[0.0, 0.0], [1.0, -1.0], [4.0, 3.0], [-20.0, 15.0]])
    got = GAUSSIAN.marginal([f"x{j}" for j in kept]).log_density(x)
    want = multivariate_normal(mean[kept], covariance[np.ix_(kept, kept)]).logpdf(x)
    assert np.all(np.abs(got - want) <= SETTLED + roundoff(10**4, 1 + np.abs(want)))


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_marginal_of_a_learned_shape_is_its_integral(left_out):
    """Against adaptive quadrature, at draws and well off them."""
    x = np.append(PAIR.draw(3, rng=np.random.default_rng(0))[:, 1 - left_out], [-6.0, 8.0])
    got = PAIR.marginal(f"x{1 - left_out}").log_density(x[:, None])
    spread = PAIR.draw(500, rng=np.random.default_rng(1))[:, left_out]
    ends = spread.min() - 3 * np.ptp(spread), spread.max() + 3 * np.ptp(spread)
    for value, found in zip(x, got, strict=True):
        top = found - np.log(np.ptp(spread))

        def density(other, value=value, top=top):
            point = [value, other] if left_out else [other, value]
            return np.exp(PAIR.log_density([point])[0] - top)

        mass, error = quad(density, *ends, points=np.quantile(spread, [0.1, 0.5, 0.9]), limit=200)
        assert abs(np.log(mass) + top - found) <= SETTLED + 10 * error / mass


def test_a_marginal_of_exact_fields_is_nearly_that_of_the_mixture():
    mixture = two_modes(5.0)
    flow = make_flow(mixture)
    x = np.array([[-2.5], [1.0], [3.0]])
    want = np.log(norm.pdf(x[:, 0], -2.5) + norm.pdf(x[:, 0], 2.5)) - np.log(2)
    # A hundredth of the variance is smoothed away: log N moves by |u^2 - 1| / 200 of it, u < 3.
    assert np.all(np.abs(flow.marginal("x0").log_density(x) - want) <= 0.05)
    assert np.abs(flow.marginal("x1").log_density([[0.0]]) - norm.logpdf(0)) <= 0.05


BOUNDED = ScoreFlow(
    replace(make_ladder(two_modes(3.0)), names=("rate", "share")),
    Chart([Block("lower", ("rate",), 1.0), Block("interval", ("share",), -1.0, 3.0)]),
)


def test_a_marginal_of_bounded_columns_has_mass_one():
    places = np.linspace(-7, 7, 29)
    for j, (name, block) in enumerate(zip(BOUNDED.names, BOUNDED.chart.blocks, strict=True)):
        chart = Chart((block,))
        x, slope = chart.from_free(places[:, None]), np.exp(chart.log_det(places[:, None]))
        mass = (np.exp(BOUNDED.marginal(name).log_density(x)) * slope).sum() / 2
        assert abs(mass - 1) <= 1e-6, j


def test_a_marginal_of_bounded_columns_follows_the_coordinates():
    plain = ScoreFlow(BOUNDED.ladder)
    v = np.array([[-2.0], [0.3], [1.0]])
    chart = Chart(BOUNDED.chart.blocks[:1])
    want = plain.marginal("rate").log_density(v) - chart.log_det(v)
    got = BOUNDED.marginal("rate").log_density(chart.from_free(v))
    assert np.all(np.abs(got - want) <= SETTLED + roundoff(10**4, 10.0))


def test_a_marginal_is_nothing_off_its_support():
    got = BOUNDED.marginal("rate").log_density([[1.0], [2.0], [-3.0]])
    assert np.isneginf(got[[0, 2]]).all()
    assert np.isfinite(got[1])
    assert (got[1:2] == BOUNDED.marginal("rate").log_density([[2.0]])).all()


# ---- conditionals


def conditional_law(flow: ScoreFlow, j: int, given: dict[int, float]) -> tuple[float, float]:
    mean, covariance = law(flow)
    others = list(given)
    gain = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, j])
    shift = np.array([given[k] for k in others]) - mean[others]
    return mean[j] + gain @ shift, float(covariance[j, j] - gain @ covariance[others, j]) ** 0.5


def test_a_conditional_of_a_gaussian_is_one():
    centre, sd = conditional_law(GAUSSIAN, 1, {0: 2.0, 2: -1.0})
    conditional = GAUSSIAN.condition({"x2": -1.0, "x0": 2.0})
    assert conditional.names == ("x1",)
    x = centre + sd * np.linspace(-6, 6, 13)
    want = norm(centre, sd).logpdf(x)
    limit = SETTLED + roundoff(10**4, 30.0)
    assert np.all(np.abs(conditional.log_density(x) - want) <= limit)
    assert (conditional.log_density(x[:, None]) == conditional.log_density(x)).all()
    n = 400_000
    drawn = conditional.draw(n, rng=np.random.default_rng(0))
    assert drawn.shape == (n, 1)
    assert kstest((drawn[:, 0] - centre) / sd, ndtr).pvalue > FALSE_ALARM
    low, high = gaussian_variance(n)
    assert low <= np.mean((drawn[:, 0] - centre) ** 2) / sd**2 <= high


def test_a_conditional_of_bounded_columns():
    """Its distribution function by adaptive quadrature of its own density."""
    conditional = BOUNDED.condition({"rate": 1.4})
    places = np.linspace(-1, 3, 2001)[1:-1]
    density = np.exp(conditional.log_density(places))
    assert np.isneginf(conditional.log_density([-1.0, 3.0, 5.0])).all()
    steps = np.diff(places) * (density[1:] + density[:-1]) / 2
    assert abs(steps.sum() - 1) <= 1e-4
    drawn = conditional.draw(20_000, rng=np.random.default_rng(0))[:, 0]
    assert np.all((drawn > -1) & (drawn < 3))
    below = np.append(0, np.cumsum(steps))
    assert kstest(drawn, lambda x: np.interp(x, places, below)).pvalue > FALSE_ALARM


def test_a_conditional_times_a_marginal_is_the_density():
    x = PAIR.draw(4, rng=np.random.default_rng(2))
    first = PAIR.marginal("x0").log_density(x[:, :1])
    for row, density, part in zip(x, PAIR.log_density(x), first, strict=True):
        got = PAIR.condition({"x0": row[0]}).log_density(row[1:])
        assert abs(got[0] + part - density) <= SETTLED + roundoff(64, 1 + abs(density))


# ---- where a grid could be fooled


def test_modes_far_apart():
    flow = make_flow(two_modes(28.0))
    weights = []
    for x1 in (0.0, 2.0):
        conditional = flow.condition({"x1": x1})
        assert conditional.line.change <= lines.TOLERANCE
        drawn = conditional.draw(10_000, rng=np.random.default_rng(0))[:, 0]
        assert np.abs(np.abs(drawn) - 14).max() < 7
        weights.append(np.mean(drawn > 0))
    # Halves, to six standard errors of .005.
    assert np.all(np.abs(np.array(weights) - 0.5) <= 0.03)
    mean = np.log(norm.pdf(0.0))
    assert abs(flow.marginal("x1").log_density([[0.0]])[0] - mean) <= 0.05


def test_a_narrow_ridge():
    flow = ridge(1e-2)
    mean, covariance = law(flow)
    got = flow.marginal("x0").log_density([[0.0], [1.5]])
    want = norm(mean[0], covariance[0, 0] ** 0.5).logpdf([0.0, 1.5])
    # Rounding of the fields is magnified by their slopes, 1 / sd.
    assert np.all(np.abs(got - want) <= SETTLED + 1e5 * EPS / 1e-2)
    centre, sd = conditional_law(flow, 1, {0: 1.5})
    drawn = flow.condition({"x0": 1.5}).draw(20_000, rng=np.random.default_rng(0))[:, 0]
    assert kstest((drawn - centre) / sd, ndtr).pvalue > FALSE_ALARM


SPIKE = -8 + 16.5 * 77 / 128  # halfway between two of 65 nodes from -8 to 8.5
SPIKY = make_flow(
    GaussianMixture([0.8, 0.2], [[0.0, 0.0], [0.0, SPIKE]], [np.eye(2), np.diag([1.0, 1e-4])])
)


def test_a_spike_between_the_nodes_is_seen():
    conditional = SPIKY.condition({"x0": 0.0})
    drawn = conditional.draw(20_000, rng=np.random.default_rng(0))[:, 0]
    near = np.mean(np.abs(drawn - SPIKE) < 0.05)
    assert abs(near - 0.2) < 0.03


def test_a_grid_that_does_not_know_of_the_spike_misses_it():
    """Why the first step is that of the narrowest component."""
    along = Lines.along(SPIKY, 1)
    assert along.step <= 0.0076  # three quarters of .01, and of the smoothing of a tenth of it
    seen = along.through(np.zeros(2))
    assert seen.change <= lines.TOLERANCE
    assert seen.nodes[1] - seen.nodes[0] <= along.step / 2
    nodes = np.linspace(-8, 8.5, 65)
    rows = np.column_stack([np.zeros(65), nodes])
    fooled = Line(np.zeros(2), along.chart, nodes, SPIKY.log_density(rows))
    assert fooled.log_integral < seen.log_integral + np.log(0.85)


def test_an_integral_that_cannot_settle_warns(monkeypatch):
    monkeypatch.setattr(lines, "MOST_NODES", 200)
    flow = ridge(1e-2)
    with pytest.warns(CoarseIntegral, match="1 of 1 integrals along 'x1' have not settled") as seen:
        flow.marginal("x0").log_density([[0.0]])
    assert seen[0].filename == __file__
    with pytest.warns(CoarseIntegral, match="'x0'") as seen:
        flow.condition({"x1": 0.0})
    assert seen[0].filename == __file__


# ---- refusals


LINKED = ScoreFlow(
    replace(make_ladder(random_mixture(3, 1, 0)), names=("p", "q", "x")),
    Chart([Block("simplex", ("p", "q", "r")), Block("free", ("x",))]),
)


@pytest.mark.parametrize(
    ("flow", "names", "message"),
    [
        (GAUSSIAN, "x0", "leave out x1, x2. This marginal draws; for a density, learn one"),
        (LINKED, ["p", "q", "x"], "leave out r"),
        (LINKED, ["p", "x"], "leave out q, r"),
    ],
)
def test_marginals_without_a_density_still_draw(flow, names, message):
    marginal = flow.marginal(names)
    drawn = marginal.draw(5, rng=np.random.default_rng(0))
    assert drawn.shape == (5, len(marginal.names))
    with pytest.raises(NoDensity, match=message):
        marginal.log_density(drawn)


def test_a_column_beside_a_simplex_is_integrated_out():
    x = LINKED.draw(2, rng=np.random.default_rng(0))
    plain = ScoreFlow(LINKED.ladder)
    v = LINKED.chart.to_free(x)
    want = plain.marginal(["p", "q"]).log_density(v[:, :2]) - LINKED.chart.log_det(v)
    got = LINKED.marginal(["p", "q", "r"]).log_density(x[:, :3])
    assert np.all(np.abs(got - want) <= SETTLED + roundoff(10**4, 1 + np.abs(want)))


@pytest.mark.parametrize("names", [[], "y", ["x0", "x0"], ["x0", "y"]])
def test_marginals_of_no_columns_are_refused(names):
    with pytest.raises(BadOption, match="Expected distinct columns among x0, x1, x2"):
        GAUSSIAN.marginal(names)


@pytest.mark.parametrize(
    ("flow", "values", "error", "message"),
    [
        (GAUSSIAN, {}, BadOption, "values of columns among x0, x1, x2; got none"),
        (GAUSSIAN, {"x0": 0.0, "y": 1.0}, BadOption, "got 'x0', 'y'"),
        (GAUSSIAN, {"x0": 0.0}, NoDensity, "got x1, x2. In a PyMC model"),
        (GAUSSIAN, {"x0": 0.0, "x1": 0.0, "x2": 0.0}, NoDensity, "got none"),
        (GAUSSIAN, {"x0": 0.0, "x1": np.nan}, BadData, "finite values"),
        (LINKED, {"p": 0.2, "q": 0.3, "x": 0.0}, NoDensity, "one unlinked column"),
        (BOUNDED, {"rate": 0.5}, BadData, "values of positive density"),
    ],
)
def test_conditionals_that_are_none_are_refused(flow, values, error, message):
    with pytest.raises(error, match=message):
        flow.condition(values)
