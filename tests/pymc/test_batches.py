import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.distribution import support_point
from pytensor.graph.replace import vectorize_graph
from scipy.special import logsumexp

from symscore.errors import BadData, BadOption
from symscore.flow.kernels import push_rows
from symscore.pymc import LearnedScore
from symscore.pymc.batches import run_rows
from symscore.pymc.ops import from_latent, latent_log_det, latent_pullback, log_density, to_latent
from symscore.pymc.parameters import anchor, vectors

pytestmark = pytest.mark.filterwarnings("ignore::symscore.errors.SeparatedModes")
LOG_2PI = np.log(2 * np.pi)
Y, SIGMA = 0.7, 1.3


def log_normal(residual, sigma=1.0):
    return -0.5 * (residual / sigma) ** 2 - 0.5 * LOG_2PI - np.log(sigma)


@pytest.fixture(scope="module")
def flows(flow, wide_flow):
    """Two flows of different numbers of steps."""
    assert len(flow.packed.numbers) != len(wide_flow.packed.numbers)
    return [flow, wide_flow]


@pytest.fixture
def z():
    return np.random.default_rng(5).normal(size=(6, 2, 2))


@pytest.fixture
def x(flows, z):
    return each(lambda flow, rows: flow.from_latent(rows), flows, z)


def each(function, flows, points, *others):
    """Apply a function of a flow and points to every flow's own points (n, B, d)."""
    found = [function(f, *(p[:, i] for p in (points, *others))) for i, f in enumerate(flows)]
    return np.stack(found, axis=1)


def test_every_op_gives_each_flow_its_own_points(flows, z, x):
    numbers, layout, _ = vectors(flows)
    batch = numbers, layout
    np.testing.assert_array_equal(from_latent(z, *batch).eval(), x)
    value, score = log_density(x, *batch)
    np.testing.assert_array_equal(value.eval(), each(lambda f, p: f.log_density(p), flows, x))
    np.testing.assert_array_equal(score.eval(), each(lambda f, p: f.score(p), flows, x))
    np.testing.assert_array_equal(
        to_latent(x, *batch).eval(), each(lambda f, p: f.to_latent(p), flows, x)
    )
    np.testing.assert_array_equal(
        latent_pullback(z, x, *batch).eval(),
        each(lambda f, p, bar: f.latent_pullback(p, bar), flows, z, x),
    )
    alone = [latent_log_det(z[:, i], *f.packed).eval() for i, f in enumerate(flows)]
    np.testing.assert_array_equal(latent_log_det(z, *batch).eval(), np.stack(alone, axis=1))


def test_points_are_broadcast(flows, x):
    numbers, layout, _ = vectors(flows)
    point, rows = x[0, 0], x[:, :1]
    want = np.array([f.log_density(point[None])[0] for f in flows])
    np.testing.assert_array_equal(log_density(point, numbers, layout)[0].eval(), want)
    want = np.stack([f.log_density(rows[:, 0]) for f in flows], axis=1)
    got = log_density(rows, numbers, layout)[0]
    assert got.type.ndim == 2
    np.testing.assert_array_equal(got.eval(), want)
    across = log_density(x[:, 0], numbers[:, None], layout[:, None])[0]  # (2, 1) against (6,)
    np.testing.assert_array_equal(across.eval(), [f.log_density(x[:, 0]) for f in flows])


def test_points_for_another_number_of_flows_are_refused(flows):
    numbers, layout, _ = vectors(flows)
    points = pt.dmatrix()
    run = pytensor.function([points], log_density(points, numbers, layout)[0])
    with pytest.raises((ValueError, AssertionError)):  # whichever PyTensor's rewrites leave
        run(np.zeros((3, 2)))
    with pytest.raises(BadData, match=r"batch of flows of shape \(2,\); got \(3,\)"):
        run_rows(push_rows, numbers, layout, [np.zeros((3, 2))], [2])


def test_gradient_of_a_point_shared_by_all(flows, x):
    numbers, layout, _ = vectors(flows)
    point = pt.dvector()
    total = log_density(point, numbers, layout)[0].sum()
    got = pytensor.function([point], pytensor.grad(total, point))(x[0, 0])
    want = sum(f.score(x[:1, 0])[0] for f in flows)
    np.testing.assert_allclose(got, want, rtol=1e-14)


def test_vectorising_over_flows_and_points(flows, x):
    """Axes gained by the flows lead those that the points have."""
    numbers, layout = pt.dvector(), pt.lvector()
    points = pt.dmatrix()
    core = log_density(points, numbers, layout)[0]
    many, layouts = pt.dmatrix(), pt.lmatrix()
    of_flows = vectorize_graph(core, {numbers: many, layout: layouts})
    run = pytensor.function([points, many, layouts], of_flows)
    stacked, stacked_layout, _ = vectors(flows)
    want = np.stack([f.log_density(x[:, 0]) for f in flows])
    np.testing.assert_array_equal(run(x[:, 0], stacked, stacked_layout), want)
    both = vectorize_graph(core, {numbers: many, layout: layouts, points: pt.dtensor3("p")})
    assert both.type.ndim == 2


def test_a_batch_is_one_variable(flows, x):
    value = LearnedScore.dist(flows)
    assert value.type.shape == (2, 2)
    want = each(lambda f, p: f.log_density(p), flows, x)
    np.testing.assert_array_equal(pm.logp(value, x[0]).eval(), want[0])
    np.testing.assert_array_equal(pm.logp(LearnedScore.dist(flows, size=(6, 2)), x).eval(), want)
    np.testing.assert_array_equal(support_point(value).eval(), [anchor(f) for f in flows])


@pytest.mark.parametrize("size", [None, (2,), (500, 2)])
def test_draws(flows, size):
    got = pm.draw(LearnedScore.dist(flows, size=size), random_seed=1)
    assert got.shape == (*(size or (2,)), 2)
    if size == (500, 2):
        z = each(lambda f, p: f.to_latent(p), flows, got)
        # Five standard errors for each of eight figures: false alarm 5e-6.
        assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(500)
        assert np.abs((z**2).mean(axis=0) - 1).max() < 5 * np.sqrt(2 / 500)


@pytest.mark.parametrize("latent", [True, False])
def test_free_batches(flows, z, x, latent, check_gradient):
    with pm.Model() as model:
        variable = LearnedScore("x", flows, latent=latent)
        pm.Normal("y", variable.sum(), SIGMA, observed=Y)
    (name,) = model.initial_point()
    frames = [f.ladder.frame for f in flows]
    points = z if latent else each(lambda f, p: f.ladder.frame.whiten(p), flows, x)
    log_det = sum(frame.log_det for frame in frames)

    def by_hand(rows):
        rows = rows.reshape(-1, 2, 2)
        if latent:
            images = each(lambda f, p: f.from_latent(p), flows, rows)
            prior = log_normal(rows).sum(axis=(1, 2))
        else:
            images = each(lambda f, p: f.ladder.frame.unwhiten(p), flows, rows)
            prior = each(lambda f, p: f.log_density(p), flows, images).sum(axis=1) + log_det
        return prior + log_normal(Y - images.sum(axis=(1, 2)), SIGMA)

    logp, dlogp = model.compile_logp(), model.compile_dlogp()
    got = [logp({name: point}) for point in points]
    np.testing.assert_allclose(got, by_hand(points), rtol=0, atol=1e-10)
    gradient = np.array([dlogp({name: point}) for point in points])
    check_gradient(by_hand, points.reshape(6, 4), gradient)


def test_components_of_a_mixture(flows, x):
    """Which of two flows a point is from: their densities, weighed."""
    with pm.Model() as model:
        weights = pm.Dirichlet("w", [1.0, 1.0])
        pm.Mixture("m", weights, LearnedScore.dist(flows), observed=x[:, 0])
    (point,) = [model.initial_point()]
    w = np.exp(np.append(point["w_simplex__"], -point["w_simplex__"].sum()))
    w /= w.sum()
    densities = np.stack([f.log_density(x[:, 0]) for f in flows], axis=1)
    got = model.compile_logp(vars=[model["m"]], sum=False)(point)[0]
    np.testing.assert_allclose(got, logsumexp(densities + np.log(w), axis=1), rtol=1e-12)
    assert np.isfinite(model.compile_dlogp()(point)).all()
    assert pm.draw(model["m"], 3).shape == (3, 6, 2)


def test_observed_batches(flows, x):
    with pm.Model() as model:
        LearnedScore("x", flows, observed=x)
    want = each(lambda f, p: f.log_density(p), flows, x)
    np.testing.assert_array_equal(model.compile_logp(sum=False)({})[0], want)


def test_place_and_scale_of_every_flow(flows, x):
    loc, tril = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([np.eye(2), 2 * np.eye(2)])
    got = pm.logp(
        LearnedScore.dist(flows, loc=loc, scale_tril=tril), loc + x * np.array([[1.0], [2.0]])
    ).eval()
    want = each(lambda f, p: f.log_density(p), flows, x) - [0, 2 * np.log(2)]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)


def test_flows_of_other_dimensions_are_refused(flow, line, shares):
    with pytest.raises(BadOption, match="one number of columns"):
        LearnedScore.dist([flow, line])
    with pytest.raises(BadOption, match="empty list"):
        LearnedScore.dist([])
    with pytest.raises(BadOption, match="Expected a ScoreFlow"):
        LearnedScore.dist([flow, "flow"])
    assert LearnedScore.dist([shares, shares]).type.shape == (2, 4)


def test_shapes_that_do_not_fit_the_batch(flows):
    with pm.Model(coords={"three": range(3), "param": ("a", "b")}):
        for options in (
            {"shape": (3, 2)},
            {"shape": (2,)},
            {"dims": ("three", "param")},
            {"observed": np.zeros((3, 2))},
            {"observed": np.zeros((2, 3, 2))},
        ):
            with pytest.raises(BadData, match="length 2 for the 2 flows"):
                LearnedScore("x", flows, **options)
