import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.logprob.basic import logccdf
from scipy.special import log_ndtr, ndtr, ndtri
from scipy.stats import kstwo

from symscore.errors import BadData, BadOption
from symscore.pymc import LearnedScalar
from symscore.pymc.ops import FlowOp, to_latent
from symscore.pymc.parameters import anchor

pytestmark = pytest.mark.filterwarnings("ignore::symscore.errors.SeparatedModes")
LOG_2PI = np.log(2 * np.pi)
Y, SIGMA = 0.7, 1.3
FALSE_ALARM = 1e-6


def log_normal(residual, sigma=1.0):
    return -0.5 * (residual / sigma) ** 2 - 0.5 * LOG_2PI - np.log(sigma)


def log_density(flow, x):
    return flow.log_density(np.ravel(x)[:, None]).reshape(np.shape(x))


def latent(flow, x):
    return flow.to_latent(np.ravel(x)[:, None]).reshape(np.shape(x))


def image(flow, z):
    return flow.from_latent(np.ravel(z)[:, None]).reshape(np.shape(z))


def flow_ops(function):
    nodes = function.maker.fgraph.apply_nodes
    return sorted(type(node.op).__name__ for node in nodes if isinstance(node.op, FlowOp))


@pytest.fixture(params=["line", "rate"])
def one(request):
    """Flows of one column: unbounded, and above 2."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def z():
    return np.random.default_rng(5).normal(size=7)


@pytest.fixture
def x(one, z):
    return image(one, z)


def test_log_density(one, x):
    value = LearnedScalar.dist(one)
    np.testing.assert_array_equal(pm.logp(value, x).eval(), log_density(one, x))
    assert pm.logp(value, x[0]).eval().shape == ()
    wide = LearnedScalar.dist(one, loc=0.5, scale=2.0)
    got = pm.logp(wide, 0.5 + 2 * x).eval()
    np.testing.assert_allclose(got, log_density(one, x) - np.log(2), rtol=0, atol=1e-10)


def test_distribution_function_is_that_of_the_latent_point(one, x):
    value = LearnedScalar.dist(one)
    got = pm.logcdf(value, x).eval()
    np.testing.assert_allclose(got, log_ndtr(latent(one, x)), rtol=1e-13)
    survival = logccdf(value, x).eval()
    np.testing.assert_allclose(survival, log_ndtr(-latent(one, x)), rtol=1e-13)


def test_distribution_function_far_out(line, rate):
    far = np.array([-np.inf, -1e300, -1e3, 1e3, 1e300, np.inf])
    np.testing.assert_array_equal(
        pm.logcdf(LearnedScalar.dist(line), far).eval()[[0, 1, 4, 5]], [-np.inf, -np.inf, 0, 0]
    )
    got = pm.logcdf(LearnedScalar.dist(line), far).eval()[2:4]
    np.testing.assert_allclose(got, log_ndtr(latent(line, far[2:4])), rtol=1e-12)
    got = pm.logcdf(LearnedScalar.dist(rate), [-5.0, 2.0, np.inf]).eval()
    np.testing.assert_array_equal(got, [-np.inf, -np.inf, 0])


def test_quantiles_are_exact(one):
    p = np.array([1e-12, 0.01, 0.35, 0.5, 0.99])
    got = pm.icdf(LearnedScalar.dist(one), p).eval()
    np.testing.assert_allclose(got, image(one, ndtri(p)), rtol=1e-12)
    wide = pm.icdf(LearnedScalar.dist(one, loc=1.0, scale=3.0), p).eval()
    np.testing.assert_allclose(wide, 1 + 3 * got, rtol=1e-14)


def test_quantiles_at_the_ends(line, rate):
    ends = np.array([0.0, 1.0, -0.1, 1.1])
    got = pm.icdf(LearnedScalar.dist(line), ends).eval()
    np.testing.assert_array_equal(got, [-np.inf, np.inf, np.nan, np.nan])
    got = pm.icdf(LearnedScalar.dist(rate), ends).eval()
    assert 2 < got[0] <= np.nextafter(2.0, 3.0)
    assert got[1] > 1e300


def test_gradients(one, x, check_gradient):
    value = pt.dvector()
    variable = LearnedScalar.dist(one, size=len(x))
    for of in (pm.logp, pm.logcdf):
        graph = of(variable, value)
        gradient = pytensor.function([value], pytensor.grad(graph.sum(), value))(x)
        function = pytensor.function([value], graph)
        check_gradient(lambda v, f=function: f(v[:, 0]), x[:, None], gradient[:, None])
    p = ndtr(latent(one, x))
    quantile = pm.icdf(variable, value)
    gradient = pytensor.function([value], pytensor.grad(quantile.sum(), value))(p)
    # dx/dp = 1 / q(x).
    np.testing.assert_allclose(gradient, np.exp(-log_density(one, x)), rtol=1e-9)


def test_derivative_of_the_inverse(one, x, z):
    points = pt.dmatrix()
    total = to_latent(points, *one.packed).sum()
    got = pytensor.function([points], pytensor.grad(total, points))(x[:, None])[:, 0]
    # dz/dx = q(x) / phi(z).
    np.testing.assert_allclose(got, np.exp(log_density(one, x) - log_normal(z)), rtol=1e-9)
    lost = [[np.nan]]
    assert pytensor.function([points], pytensor.grad(total, points))(lost) == 0


def test_no_nan_in_the_gradient_far_out(line):
    value = pt.dvector()
    total = pm.logcdf(LearnedScalar.dist(line, size=4), value).sum()
    got = pytensor.function([value], pytensor.grad(total, value))([-1e300, -1e4, 1e4, 1e300])
    assert got[0] == got[3] == 0
    assert got[1] > 0
    assert got[2] >= 0


@pytest.mark.parametrize("shape", [None, (3,), (2, 3)])
def test_the_sampler_sees_the_map_and_nothing_else(one, shape, optimised):
    with pm.Model() as model:
        loc, scale = pm.Normal("loc"), pm.Exponential("scale", 1.0)
        x = LearnedScalar("x", one, loc=loc, scale=scale, shape=shape)
        pm.Normal("y", x.sum(), SIGMA, observed=Y)
    assert flow_ops(model.compile_logp(mode=optimised).f) == ["FromLatent"]
    assert flow_ops(model.compile_dlogp(mode=optimised).f) == ["FromLatent", "LatentPullback"]
    start = model.initial_point()["x_flow__"]
    np.testing.assert_allclose(image(one, start), anchor(one)[0] + np.zeros(shape or ()), rtol=1e-9)


@pytest.mark.parametrize("centred", [False, True])
def test_free_log_density_and_gradient(one, z, x, centred, check_gradient, optimised):
    with pm.Model() as model:
        variable = LearnedScalar("x", one, latent=not centred)
        pm.Normal("y", variable, SIGMA, observed=Y)
    (name,) = model.initial_point()
    frame, free = one.ladder.frame, one.chart.to_free(x[:, None])
    points = frame.whiten(free)[:, 0] if centred else z

    def by_hand(rows):
        if not centred:
            images = image(one, rows[:, 0])
            return log_normal(rows[:, 0]) + log_normal(Y - images, SIGMA)
        v = frame.unwhiten(rows)
        images = one.chart.from_free(v)[:, 0]
        # The chart of `rate` is 2 + e^v, of which log |d/dv| is v.
        log_det = frame.log_det + (0.0 if one.chart.is_free else v[:, 0])
        return log_density(one, images) + log_det + log_normal(Y - images, SIGMA)

    logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)
    got = [logp({name: point}) for point in points]
    np.testing.assert_allclose(got, by_hand(points[:, None]), rtol=0, atol=1e-10)
    gradient = np.array([dlogp({name: point}) for point in points])
    check_gradient(by_hand, points[:, None], gradient)


def test_draws_follow_the_distribution_function(one):
    n = 5000
    draws = pm.draw(LearnedScalar.dist(one, loc=1.0, scale=2.0, size=n), random_seed=2)
    p = np.sort(ndtr(latent(one, (draws - 1) / 2)))
    gaps = np.maximum(p - np.arange(n) / n, np.arange(1, n + 1) / n - p)
    assert gaps.max() < kstwo.isf(FALSE_ALARM, n)


@pytest.mark.parametrize(("lower", "upper"), [(None, 3.0), (2.5, None), (2.5, 4.0)])
def test_truncated(rate, lower, upper):
    base = LearnedScalar.dist(rate)
    low = 0.0 if lower is None else ndtr(latent(rate, lower))
    high = 1.0 if upper is None else ndtr(latent(rate, upper))
    x = np.array([2.6, 2.9])
    got = pm.logp(pm.Truncated.dist(base, lower=lower, upper=upper, size=2), x).eval()
    np.testing.assert_allclose(got, log_density(rate, x) - np.log(high - low), rtol=1e-10)
    n = 2000
    draws = pm.draw(pm.Truncated.dist(base, lower=lower, upper=upper, size=n), random_seed=3)
    p = np.sort((ndtr(latent(rate, draws)) - low) / (high - low))
    gaps = np.maximum(p - np.arange(n) / n, np.arange(1, n + 1) / n - p)
    assert gaps.max() < kstwo.isf(FALSE_ALARM, n)


def test_truncated_and_free(rate, check_gradient):
    with pm.Model() as model:
        pm.Truncated("x", LearnedScalar.dist(rate), lower=2.5, upper=4.0)
    dlogp = model.compile_dlogp()
    (name,) = model.initial_point()
    logp = model.compile_logp()
    points = np.array([[-1.0], [0.3], [1.2]])
    check_gradient(
        lambda rows: np.array([logp({name: row[0]}) for row in rows]),
        points,
        np.array([dlogp({name: row[0]}) for row in points]),
    )


def test_censored(line):
    y = np.array([-1.0, 0.0, 0.4, 2.0])
    with pm.Model() as model:
        loc = pm.Normal("loc")
        pm.Censored("y", LearnedScalar.dist(line, loc=loc), lower=-1.0, upper=2.0, observed=y)
    got = model.compile_logp(vars=[model["y"]], sum=False)({"loc": 0.3})[0]
    low, high = log_ndtr(latent(line, -1.3)), log_ndtr(-latent(line, 1.7))
    want = [low, *log_density(line, y[1:3] - 0.3), high]
    np.testing.assert_allclose(got, want, rtol=1e-9)
    assert np.isfinite(model.compile_dlogp()({"loc": 0.3}))


def test_clipped_and_shifted(line):
    """A likelihood that PyMC derives: clip(mu + x)."""
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.CustomDist(
            "y",
            mu,
            dist=lambda mu, size: pm.math.clip(mu + LearnedScalar.dist(line, size=size), -1.0, 2.0),
            observed=np.array([-1.0, 0.5]),
        )
    got = model.compile_logp(vars=[model["y"]], sum=False)({"mu": 0.3})[0]
    want = [log_ndtr(latent(line, -1.3)), log_density(line, 0.2)]
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_mixture_with_another_distribution(line):
    parts = [LearnedScalar.dist(line), pm.Normal.dist(0.0, 1.0)]
    got = pm.logp(pm.Mixture.dist([0.3, 0.7], parts), 0.4).eval()
    want = np.log(0.3 * np.exp(log_density(line, 0.4)) + 0.7 * np.exp(log_normal(0.4)))
    np.testing.assert_allclose(got, want, rtol=1e-10)


def test_a_batch_of_flows(line, rate):
    flows, x = [line, rate], np.array([[0.2, 2.7], [0.4, 3.0], [-1.0, 2.2]])
    want = np.stack([log_density(f, x[:, i]) for i, f in enumerate(flows)], axis=1)
    variable = LearnedScalar.dist(flows, size=(3, 2))
    np.testing.assert_array_equal(pm.logp(variable, x).eval(), want)
    cdf = np.stack([log_ndtr(latent(f, x[:, i])) for i, f in enumerate(flows)], axis=1)
    np.testing.assert_allclose(pm.logcdf(variable, x).eval(), cdf, rtol=1e-12)
    p = np.array([0.2, 0.7])
    quantiles = [image(f, ndtri(q)) for f, q in zip(flows, p, strict=True)]
    got = pm.icdf(LearnedScalar.dist(flows), p).eval()
    np.testing.assert_allclose(got, quantiles, rtol=1e-12)
    assert pm.draw(variable).shape == (3, 2)
    with pm.Model() as model:
        pm.Mixture("m", [0.5, 0.5], LearnedScalar.dist(flows), observed=x[:, 1])
    assert np.isfinite(model.compile_logp()({}))
    with pm.Model(), pytest.raises(BadData, match="length 2 for the 2 flows"):
        LearnedScalar("x", flows, shape=(3,))
    with pm.Model(), pytest.raises(BadData, match="length 2 for the 2 flows"):
        LearnedScalar("x", flows, observed=np.zeros(3))


def test_observed(line, rate):
    x = image(line, np.array([[0.1, -0.3], [1.0, 2.0]]))
    with pm.Model() as model:
        LearnedScalar("x", line, observed=x)
    np.testing.assert_array_equal(model.compile_logp(sum=False)({})[0], log_density(line, x))
    with pm.Model(), pytest.raises(BadData, match="NaN in row 1"):
        LearnedScalar("x", line, observed=[0.1, np.nan])
    with pm.Model(), pytest.raises(BadData, match="row 2"):
        LearnedScalar("x", rate, observed=[2.1, 2.2, 1.9])


def test_a_place_for_every_number(line):
    loc, scale = np.arange(3.0), np.array([[1.0], [2.0]])
    variable = LearnedScalar.dist(line, loc=loc, scale=scale)
    assert pm.draw(variable).shape == (2, 3)
    x = loc + scale * 0.4
    got = pm.logp(variable, x).eval()
    np.testing.assert_allclose(got, log_density(line, 0.4) - np.log(scale) + 0 * x, rtol=1e-9)


def test_single_precision(line, optimised):
    with pytensor.config.change_flags(floatX="float32"):
        with pm.Model() as model:
            pm.Normal("y", LearnedScalar("x", line), 1.0, observed=0.5)
        dlogp = model.compile_dlogp(mode=optimised)
    assert model["x"].dtype == "float32"
    assert flow_ops(dlogp.f) == ["FromLatent", "LatentPullback"]


def test_only_one_column_on_a_line(flow, shares):
    with pytest.raises(BadOption, match="one column; got one of a, b: use LearnedScore"):
        LearnedScalar.dist(flow)


def test_repr(line):
    with pm.Model():
        x = LearnedScalar("x", line)
    assert x.str_repr() == "x ~ LearnedScalar(flow of a)"
