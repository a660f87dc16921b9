import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.testing import assert_no_rvs
from scipy.linalg import solve_triangular

from symscore.errors import BadData, BadOption
from symscore.pymc import LearnedScore
from symscore.pymc.ops import FlowOp
from symscore.pymc.parameters import anchor

pytestmark = pytest.mark.filterwarnings("ignore::symscore.errors.SeparatedModes")
LOG_2PI = np.log(2 * np.pi)
LOC = np.array([0.3, -2.0])
TRIL = np.array([[1.7, 0.0], [-0.4, 0.6]])
Y, SIGMA = 0.7, 1.3


def log_normal(residual, sigma=1.0):
    return -0.5 * (residual / sigma) ** 2 - 0.5 * LOG_2PI - np.log(sigma)


def flow_ops(function):
    nodes = function.maker.fgraph.apply_nodes
    return sorted(type(node.op).__name__ for node in nodes if isinstance(node.op, FlowOp))


def log_density(flow, x, loc=LOC, tril=TRIL):
    y = solve_triangular(tril, (x - loc).T, lower=True).T
    return flow.log_density(y) - np.log(np.diagonal(tril)).sum()


@pytest.fixture
def z():
    return np.random.default_rng(5).normal(size=(6, 2))


@pytest.fixture
def x(flow, z):
    return LOC + flow.from_latent(z) @ TRIL.T


def moved(flow, **options):
    """A model whose place and scale are themselves unknown."""
    with pm.Model() as model:
        loc = pm.Normal("loc", 0.0, 1.0, shape=2)
        scale = pt.exp(pm.Normal("log_scale", 0.0, 1.0, shape=2))
        tril = pt.stack([pt.stack([scale[0], 5.0]), pt.stack([loc[0], scale[1]])])
        LearnedScore("x", flow, loc=loc, scale_tril=tril, **options)
    return model


def parts(vector):
    """Place, scale and rest of a vector of `loc`, `log_scale` and rest."""
    tril = np.diag(np.exp(vector[2:4]))
    tril[1, 0] = vector[0]
    return vector[:2], tril, vector[4:]


def log_prior(vector):
    return log_normal(vector[:4]).sum()


def at(vector, **rest):
    return {"loc": vector[:2], "log_scale": vector[2:4], **rest}


@pytest.mark.parametrize("loc", [None, 0.4, LOC])
@pytest.mark.parametrize("tril", [None, TRIL])
def test_density_in_place(flow, x, loc, tril):
    got = pm.logp(LearnedScore.dist(flow, loc=loc, scale_tril=tril), x).eval()
    want = log_density(flow, x, 0.0 if loc is None else loc, np.eye(2) if tril is None else tril)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-10)


def test_without_place_and_scale_no_trace_of_them(flow, optimised):
    value = pt.dvector()
    plain = pytensor.function([value], pm.logp(LearnedScore.dist(flow), value), mode=optimised)
    same = LearnedScore.dist(flow, loc=np.zeros(2), scale_tril=np.eye(2))
    also = pytensor.function([value], pm.logp(same, value), mode=optimised)
    assert len(plain.maker.fgraph.apply_nodes) == len(also.maker.fgraph.apply_nodes) <= 2


@pytest.mark.parametrize("size", [None, (4,), (3, 2)])
def test_draws_in_place(flow, size):
    got = pm.draw(LearnedScore.dist(flow, loc=LOC, scale_tril=TRIL, size=size), random_seed=3)
    y = pm.draw(LearnedScore.dist(flow, size=size), random_seed=3)
    assert got.shape == (*(size or ()), 2)
    np.testing.assert_allclose(got, LOC + y @ TRIL.T, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("shape", [(2,), (3, 2)])
def test_the_sampler_sees_no_determinant(flow, shape, optimised):
    """Non-centred in place and scale too: their prior terms and N(z; 0, I) are all there is."""
    with moved(flow, shape=shape) as model:
        pm.Normal("y", model["x"].sum(), SIGMA, observed=Y)
    assert_no_rvs(model.logp())
    assert flow_ops(model.compile_logp(mode=optimised).f) == ["FromLatent"]
    assert flow_ops(model.compile_dlogp(mode=optimised).f) == ["FromLatent", "LatentPullback"]


def test_latent_log_density_and_gradient(flow, z, check_gradient, optimised):
    with moved(flow) as model:
        pm.Normal("y", model["x"].sum(), SIGMA, observed=Y)
    logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)

    def by_hand(vectors):
        values = []
        for vector in vectors:
            loc, tril, latent = parts(vector)
            x = loc + tril @ flow.from_latent(latent[None])[0]
            likelihood = log_normal(Y - x.sum(), SIGMA)
            values.append(log_prior(vector) + log_normal(latent).sum() + likelihood)
        return np.array(values)

    vectors = np.column_stack([0.5 * z[:, ::-1], 0.3 * z, z])
    points = [at(vector, x_flow__=vector[4:]) for vector in vectors]
    np.testing.assert_allclose([logp(p) for p in points], by_hand(vectors), rtol=1e-12)
    check_gradient(by_hand, vectors, np.array([dlogp(p) for p in points]))


def test_observed_log_density_and_gradient(flow, z, x, check_gradient):
    model = moved(flow, observed=x)
    logp, dlogp = model.compile_logp(), model.compile_dlogp()

    def by_hand(vectors):
        values = []
        for vector in vectors:
            loc, tril, _ = parts(vector)
            values.append(log_prior(vector) + log_density(flow, x, loc, tril).sum())
        return np.array(values)

    vectors = np.column_stack([LOC + 0.1 * z, 0.1 * z])
    points = [at(vector) for vector in vectors]
    got = [logp(p) for p in points]
    np.testing.assert_allclose(got, by_hand(vectors), rtol=1e-11)
    check_gradient(by_hand, vectors, np.array([dlogp(p) for p in points]))


def test_centred_log_density_and_gradient(flow, z, check_gradient):
    model = moved(flow, latent=False)
    assert [v.name for v in model.value_vars] == ["loc", "log_scale", "x_frame__"]
    frame = flow.ladder.frame
    logp, dlogp = model.compile_logp(), model.compile_dlogp()

    def by_hand(vectors):
        values = []
        for vector in vectors:
            u = vector[4:]
            y = frame.unwhiten(u[None])
            log_q = flow.log_density(y)[0] + np.log(np.diagonal(frame.scale_tril)).sum()
            values.append(log_prior(vector) + log_q)
        return np.array(values)

    u = frame.whiten(flow.from_latent(z))
    vectors = np.column_stack([0.5 * z[:, ::-1], 0.3 * z, u])
    points = [at(vector, x_frame__=vector[4:]) for vector in vectors]
    np.testing.assert_allclose([logp(p) for p in points], by_hand(vectors), rtol=0, atol=1e-9)
    check_gradient(by_hand, vectors, np.array([dlogp(p) for p in points]))


def test_start_is_the_image_of_the_anchor(flow):
    with pm.Model() as model:
        LearnedScore("x", flow, loc=LOC, scale_tril=TRIL)
    z = model.initial_point()["x_flow__"]
    np.testing.assert_allclose(flow.from_latent(z[None])[0], anchor(flow), rtol=1e-10)
    start = pm.distributions.distribution.support_point(model["x"]).eval()
    np.testing.assert_allclose(start, LOC + TRIL @ anchor(flow), rtol=1e-13)


def test_single_precision(flow, z, optimised):
    with pytensor.config.change_flags(floatX="float32"):
        model = moved(flow)
        logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)
    point = {"loc": z[0], "log_scale": 0.1 * z[1], "x_flow__": z[2]}
    narrow = {name: value.astype("float32") for name, value in point.items()}
    np.testing.assert_allclose(logp(narrow), moved(flow).compile_logp()(point), rtol=1e-4)
    assert flow_ops(dlogp.f) == []


def test_a_place_for_every_row(flow, x):
    loc = np.arange(12.0).reshape(6, 2)
    got = pm.logp(LearnedScore.dist(flow, loc=loc), x + loc).eval()
    np.testing.assert_allclose(got, flow.log_density(x), rtol=0, atol=1e-10)
    assert pm.draw(LearnedScore.dist(flow, loc=loc)).shape == (6, 2)


WRONG = {
    "loc": {"loc": np.zeros(3)},
    "scale_tril: shape": {"scale_tril": np.eye(3)},
    "scale_tril: vector": {"scale_tril": np.ones(2)},
    "scale_tril: upper": {"scale_tril": TRIL.T},
    "scale_tril: negative": {"scale_tril": -TRIL},
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_parts_are_refused(flow, case):
    with pytest.raises(BadData, match=r"Expected (a lower-triangular )?(loc|scale_tril)"):
        LearnedScore.dist(flow, **WRONG[case])


def test_a_simplex_is_not_moved(shares):
    with pytest.raises(BadOption, match="sum to one"):
        LearnedScore.dist(shares, loc=1.0)
