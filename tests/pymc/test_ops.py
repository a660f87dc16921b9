import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.gradient import NullTypeGradError
from pytensor.graph.replace import vectorize_graph

from symscore.errors import BadData
from symscore.pymc.ops import (
    FlowOp,
    from_latent,
    latent_log_det,
    latent_pullback,
    log_density,
    to_latent,
)

LOG_2PI = np.log(2 * np.pi)


@pytest.fixture
def z(rng):
    return rng.normal(size=(7, 2))


@pytest.fixture
def x(flow, z):
    return flow.from_latent(z)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def gradient(function, flow, points):
    """Gradient of a graph at each of its points, by PyTensor, from a sum of unequal weights."""
    variable, weights = pt.dmatrix(), 2.0 ** np.arange(len(points))
    total = (weights * function(variable, *flow.packed)).sum()
    weighted = pytensor.function([variable], pytensor.grad(total, variable))(points)
    return weighted / weights[:, None]


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,), (1, 1, 2)])
def test_values_on_any_leading_axes(flow, rng, batch):
    z = rng.normal(size=(*batch, 2))
    rows = z.reshape(-1, 2)
    x = flow.from_latent(rows)
    value, score = log_density(x.reshape(z.shape), *flow.packed)
    # The same kernel on the same rows: no rounding differs.
    np.testing.assert_array_equal(from_latent(z, *flow.packed).eval(), x.reshape(z.shape))
    np.testing.assert_array_equal(value.eval(), flow.log_density(x).reshape(batch))
    np.testing.assert_array_equal(score.eval(), flow.score(x).reshape(z.shape))
    assert value.eval().shape == batch
    back = to_latent(x.reshape(z.shape), *flow.packed).eval()
    np.testing.assert_array_equal(back, flow.to_latent(x).reshape(z.shape))


def test_many_rows_are_those_one_by_one(flow, rng):
    z = rng.normal(size=(200, 2))
    together = from_latent(z, *flow.packed).eval()
    np.testing.assert_array_equal(together, np.concatenate([flow.from_latent(r[None]) for r in z]))


def test_strided_and_integer_points(flow, rng):
    z = rng.normal(size=(5, 4))[:, ::2]
    np.testing.assert_array_equal(from_latent(z, *flow.packed).eval(), flow.from_latent(z))
    ones = np.ones((1, 2), dtype=np.int64)
    np.testing.assert_array_equal(from_latent(ones, *flow.packed).eval(), flow.from_latent(ones))


def test_log_det_is_what_the_density_lacks(flow, z, x):
    log_normal = -0.5 * (z**2).sum(axis=1) - LOG_2PI
    log_det = latent_log_det(z, *flow.packed).eval()
    # One way explicit steps, the other way Newton's inverse of each, good to thousands of ulps.
    np.testing.assert_allclose(log_normal - log_det, flow.log_density(x), rtol=0, atol=1e-10)


def test_gradient_of_the_density(flow, x, check_gradient):
    got = gradient(lambda v, *f: log_density(v, *f)[0], flow, x)
    np.testing.assert_array_equal(got, flow.score(x))
    check_gradient(flow.log_density, x, got)


def test_gradient_through_the_map(flow, z, check_gradient):
    def weighted(x):
        return np.sin(x[:, 0]) + x[:, 0] * x[:, 1]

    def graph(v, *f):
        x = from_latent(v, *f)
        return pt.sin(x[:, 0]) + x[:, 0] * x[:, 1]

    check_gradient(lambda v: weighted(flow.from_latent(v)), z, gradient(graph, flow, z))


def test_gradient_of_the_log_determinant(flow, z, check_gradient):
    variable = pt.dmatrix()
    value = pytensor.function([variable], latent_log_det(variable, *flow.packed))
    check_gradient(value, z, gradient(latent_log_det, flow, z))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_no_density_is_minus_infinity_with_zero_gradient(flow, x, bad):
    points = x.copy()
    points[2, 1] = bad
    value, score = log_density(points, *flow.packed)
    keep = np.arange(len(x)) != 2
    assert value.eval()[2] == -np.inf
    np.testing.assert_array_equal(score.eval()[2], [0, 0])
    np.testing.assert_array_equal(value.eval()[keep], flow.log_density(x)[keep])
    np.testing.assert_array_equal(score.eval()[keep], flow.score(x)[keep])
    assert np.isnan(to_latent(points, *flow.packed).eval()[2]).all()


def test_wrong_dimension_known_beforehand(flow):
    with pytest.raises(BadData, match="dimension 2, that of the flow; got 3"):
        from_latent(np.zeros((4, 3)), *flow.packed)
    with pytest.raises(BadData, match="got a scalar"):
        log_density(0.0, *flow.packed)


@pytest.mark.parametrize("op", [from_latent, log_density, latent_log_det, to_latent])
def test_wrong_dimension_seen_when_run(flow, op):
    variable = pt.dmatrix()
    run = pytensor.function([variable], op(variable, *flow.packed))
    with pytest.raises(BadData, match="dimension 2, that of the flow; got 3"):
        run(np.zeros((4, 3)))


def test_points_and_cotangents_must_match(flow):
    with pytest.raises(BadData, match="equal shapes"):
        latent_pullback(np.zeros((4, 2)), np.zeros((3, 2)), *flow.packed).eval()


def test_second_derivatives_are_refused_with_the_reason(flow):
    variable = pt.dvector()
    (first,) = pytensor.grad(log_density(variable, *flow.packed)[0], [variable])
    with pytest.raises(NullTypeGradError, match="Hessian of a learned density"):
        pytensor.grad(first.sum(), variable)
    (first,) = pytensor.grad(from_latent(variable, *flow.packed).sum(), [variable])
    with pytest.raises(NullTypeGradError, match="second derivative of a flow"):
        pytensor.grad(first.sum(), variable)
    with pytest.raises(NullTypeGradError, match="derivative of a flow's inverse"):
        pytensor.grad(to_latent(variable, *flow.packed).sum(), variable)


def test_vectorising_keeps_one_kernel_call(flow, z):
    point, points = pt.dvector(), pt.dmatrix()
    bar = pytensor.grad(from_latent(point, *flow.packed).sum(), point)
    batched = vectorize_graph(bar, {point: points})
    run = pytensor.function([points], batched)
    np.testing.assert_array_equal(run(z), flow.latent_pullback(z, np.ones_like(z)))
    cotangent = pt.dvector()
    one = latent_pullback(z[0], cotangent, *flow.packed)
    many = pytensor.function([points], vectorize_graph(one, {cotangent: points}))
    np.testing.assert_array_equal(many(z), flow.latent_pullback(np.tile(z[0], (7, 1)), z))
    ops = [type(node.op).__name__ for node in run.maker.fgraph.apply_nodes]
    assert ops.count("LatentPullback") == 1
    assert "Blockwise" not in ops


@pytest.mark.parametrize("op", [from_latent, log_density, latent_log_det, to_latent])
def test_shapes_are_known_without_running(flow, op, optimised):
    variable = pt.dtensor3()
    first = op(variable, *flow.packed)
    first = first[0] if isinstance(first, list) else first
    run = pytensor.function([variable], first.shape, mode=optimised)
    want = (4, 3) if op in (log_density, latent_log_det) else (4, 3, 2)
    assert tuple(run(np.zeros((4, 3, 2)))) == want
    assert not any(isinstance(node.op, FlowOp) for node in run.maker.fgraph.apply_nodes)
