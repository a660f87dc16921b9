"""Bounded columns: x has D columns, z and u have d coordinates."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from symscore.pymc import LearnedScore
from symscore.pymc.frames import pack_frame
from symscore.pymc.ops import (
    FlowOp,
    from_latent,
    latent_log_det,
    latent_pullback,
    log_density,
    to_latent,
)
from symscore.pymc.parameters import anchor

pytestmark = pytest.mark.filterwarnings("ignore::symscore.errors.SeparatedModes")
LOG_2PI = np.log(2 * np.pi)
Y, SIGMA = 0.7, 1.3


def log_normal(residual, sigma=1.0):
    return -0.5 * (residual / sigma) ** 2 - 0.5 * LOG_2PI - np.log(sigma)


def flow_ops(function):
    nodes = function.maker.fgraph.apply_nodes
    return sorted(type(node.op).__name__ for node in nodes if isinstance(node.op, FlowOp))


@pytest.fixture(params=["bounded", "shares"])
def chart_flow(request):
    """Flows of (2 columns, 2 coordinates) and (4, 3)."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def z(chart_flow):
    return np.random.default_rng(5).normal(size=(6, chart_flow.latent_dim))


@pytest.fixture
def x(chart_flow, z):
    return chart_flow.from_latent(z)


def test_ops_know_both_dimensions(chart_flow, z, x):
    packed, big, small = chart_flow.packed, chart_flow.dim, chart_flow.latent_dim
    shapes = {
        "x": from_latent(pt.dmatrix(), *packed).type.shape,
        "z": to_latent(pt.dmatrix(), *packed).type.shape,
        "bar": latent_pullback(pt.dmatrix(), pt.dmatrix(), *packed).type.shape,
        "score": log_density(pt.dmatrix(), *packed)[1].type.shape,
    }
    assert shapes == {
        "x": (None, big),
        "z": (None, small),
        "bar": (None, small),
        "score": (None, big),
    }
    value, score = log_density(x, *packed)
    pairs = {
        "x": (from_latent(z, *packed), x),
        "z": (to_latent(x, *packed), chart_flow.to_latent(x)),
        "value": (value, chart_flow.log_density(x)),
        "score": (score, chart_flow.score(x)),
        "bar": (
            latent_pullback(z, np.ones_like(x), *packed),
            chart_flow.latent_pullback(z, np.ones_like(x)),
        ),
    }
    for got, want in pairs.values():
        np.testing.assert_allclose(got.eval(), want, rtol=1e-12, atol=1e-12)
    log_det = latent_log_det(z, *packed).eval()
    want = log_normal(z).sum(axis=1) - chart_flow.log_density(x)
    np.testing.assert_allclose(log_det, want, rtol=0, atol=1e-9)


def test_gradient_of_the_log_determinant(chart_flow, z, check_gradient):
    points = pt.dmatrix()
    log_det = latent_log_det(points, *chart_flow.packed)
    function = pytensor.function([points], log_det)
    gradient = pytensor.function([points], pytensor.grad(log_det.sum(), points))(z)
    check_gradient(function, z, gradient)


def test_the_sampler_sees_the_map_and_nothing_else(chart_flow, z, check_gradient, optimised):
    with pm.Model() as model:
        pm.Normal("y", LearnedScore("x", chart_flow).sum(), SIGMA, observed=Y)
    logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)
    assert flow_ops(logp.f) == ["FromLatent"]
    assert flow_ops(dlogp.f) == ["FromLatent", "LatentPullback"]

    def by_hand(rows):
        images = chart_flow.from_latent(rows)
        return log_normal(rows).sum(axis=1) + log_normal(Y - images.sum(axis=1), SIGMA)

    got = [logp({"x_flow__": point}) for point in z]
    np.testing.assert_allclose(got, by_hand(z), rtol=1e-12)
    check_gradient(by_hand, z, np.array([dlogp({"x_flow__": point}) for point in z]))
    start = model.initial_point()["x_flow__"]
    assert start.shape == (chart_flow.latent_dim,)
    image = chart_flow.from_latent(start[None])[0]
    np.testing.assert_allclose(image, anchor(chart_flow), rtol=1e-9)


def test_centred_log_density_and_gradient(chart_flow, x, check_gradient):
    weights = np.arange(1.0, chart_flow.dim + 1)
    with pm.Model() as model:
        variable = LearnedScore("x", chart_flow, latent=False)
        pm.Normal("y", (weights * variable).sum(), SIGMA, observed=Y)
    frame, chart = chart_flow.ladder.frame, chart_flow.chart

    def log_det(v):
        """Log |dx/dv| by differences: of an independent set of columns."""
        columns = [j for j, name in enumerate(chart.names) if name in chart.free_names]
        jacobian = np.empty((len(v), frame.dim, frame.dim))
        for k, shift in enumerate(1e-6 * np.eye(frame.dim)):
            difference = chart.from_free(v + shift) - chart.from_free(v - shift)
            jacobian[:, :, k] = difference[:, columns] / 2e-6
        return np.linalg.slogdet(jacobian)[1]

    def by_hand(u):
        v = frame.unwhiten(u)
        images = chart.from_free(v)
        likelihood = log_normal(Y - images @ weights, SIGMA)
        return chart_flow.log_density(images) + frame.log_det + log_det(v) + likelihood

    u = frame.whiten(chart.to_free(x))
    logp, dlogp = model.compile_logp(), model.compile_dlogp()
    got = np.array([logp({"x_frame__": point}) for point in u])
    # Differences of step 1e-6 of values of size one are good to about 1e-9.
    np.testing.assert_allclose(got, by_hand(u), rtol=0, atol=1e-7)
    check_gradient(
        lambda rows: np.array([logp({"x_frame__": row}) for row in rows]),
        u,
        np.array([dlogp({"x_frame__": point}) for point in u]),
    )
    start = chart.from_free(frame.unwhiten(model.initial_point()["x_frame__"][None]))[0]
    np.testing.assert_allclose(start, anchor(chart_flow), rtol=1e-9)


def test_the_frame_is_a_flow_of_no_steps(chart_flow, x):
    packed, frame = pack_frame(chart_flow), chart_flow.ladder.frame
    v = chart_flow.chart.to_free(x)
    got = to_latent(x, *packed).eval()
    np.testing.assert_allclose(got, frame.whiten(v), rtol=0, atol=1e-12)
    np.testing.assert_allclose(from_latent(got, *packed).eval(), x, rtol=1e-12)


def test_observed(chart_flow, x, check_gradient):
    loc = None if chart_flow.dim != chart_flow.latent_dim else 0.25
    with pm.Model() as model:
        LearnedScore("x", chart_flow, loc=loc, observed=x + (loc or 0.0))
    got = model.compile_logp(sum=False)({})[0]
    np.testing.assert_allclose(got, chart_flow.log_density(x), rtol=0, atol=1e-9)


def test_outside_the_support(chart_flow, x):
    outside = x.copy()
    outside[1, 0] = -0.5
    value, score = log_density(outside, *chart_flow.packed)
    assert value.eval()[1] == -np.inf
    np.testing.assert_array_equal(score.eval()[1], 0)
    assert np.isnan(to_latent(outside, *chart_flow.packed).eval()[1]).all()
    assert np.isfinite(value.eval()[[0, 2, 3, 4, 5]]).all()


@pytest.mark.parametrize("size", [None, (4,), (3, 2)])
def test_draws(chart_flow, size):
    draws = pm.draw(LearnedScore.dist(chart_flow, size=size), random_seed=1)
    assert draws.shape == (*(size or ()), chart_flow.dim)
    chart_flow.chart.require_support(draws.reshape(-1, chart_flow.dim))


def test_dims_and_predictive_draws(shares):
    with pm.Model(coords={"param": shares.names}):
        x = LearnedScore("x", shares, dims="param")
        pm.Normal("y", x[0], 1.0, observed=0.3)
        prior = pm.sample_prior_predictive(10, random_seed=2).prior
    assert prior["x"].dims == ("chain", "draw", "param")
    np.testing.assert_allclose(prior["x"].values[..., :3].sum(axis=-1), 1.0, rtol=1e-12)


def test_a_batch(bounded, x, chart_flow):
    flows = [chart_flow, chart_flow]
    value = LearnedScore.dist(flows)
    want = [chart_flow.log_density(x[:1])[0], chart_flow.log_density(x[1:2])[0]]
    np.testing.assert_allclose(pm.logp(value, x[:2]).eval(), want, rtol=1e-12)
    for latent in (True, False):
        with pm.Model() as model:
            LearnedScore("x", flows, latent=latent)
        (point,) = model.initial_point().values()
        assert point.shape == (2, chart_flow.latent_dim)
        assert np.isfinite(model.compile_logp()(model.initial_point()))
