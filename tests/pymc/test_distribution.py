import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.testing import assert_no_rvs

from symscore.errors import BadData, BadOption
from symscore.flow.flow import ScoreFlow
from symscore.pymc import LearnedScore
from symscore.pymc.ops import FlowOp
from symscore.pymc.parameters import anchor
from symscore.pymc.variables import LearnedScoreRV

LOG_2PI = np.log(2 * np.pi)
# The modes of the flows here are ten standard deviations apart, which is said where it matters.
pytestmark = pytest.mark.filterwarnings("ignore::symscore.errors.SeparatedModes")
Y, SIGMA = 0.7, 1.3


def log_normal(residual, sigma=1.0):
    return -0.5 * (residual / sigma) ** 2 - 0.5 * LOG_2PI - np.log(sigma)


def prior_and_likelihood(flow, **options):
    """A model of free points x, each with an observed sum."""
    with pm.Model() as model:
        x = LearnedScore("x", flow, **options)
        observed = np.full((options.get("shape") or (2,))[:-1], Y)
        pm.Normal("y", x.sum(axis=-1), SIGMA, observed=observed)
    return model


@pytest.fixture
def z():
    return np.random.default_rng(5).normal(size=(6, 2))


def flow_ops(function):
    nodes = function.maker.fgraph.apply_nodes
    return sorted(type(node.op).__name__ for node in nodes if isinstance(node.op, FlowOp))


@pytest.mark.parametrize("shape", [None, (2,), (3, 2), (2, 3, 2)])
def test_the_sampler_sees_the_map_and_nothing_else(flow, shape, optimised):
    model = prior_and_likelihood(flow, shape=shape)
    assert flow_ops(model.compile_logp(mode=optimised).f) == ["FromLatent"]
    assert flow_ops(model.compile_dlogp(mode=optimised).f) == ["FromLatent", "LatentPullback"]
    nuts = model.logp_dlogp_function(ravel_inputs=True, mode=optimised)
    assert flow_ops(nuts._pytensor_function) == ["FromLatent", "LatentPullback"]


def test_without_a_likelihood_the_sampler_sees_a_standard_normal(flow, z, optimised):
    with pm.Model() as model:
        LearnedScore("x", flow)
    logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)
    assert flow_ops(logp.f) == flow_ops(dlogp.f) == []
    np.testing.assert_allclose(logp({"x_flow__": z[0]}), log_normal(z[0]).sum(), rtol=1e-14)
    np.testing.assert_array_equal(dlogp({"x_flow__": z[0]}), -z[0])


def test_latent_log_density_and_gradient(flow, z, check_gradient, optimised):
    model = prior_and_likelihood(flow, shape=(2,))
    logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)

    def by_hand(z):
        residual = Y - flow.from_latent(z).sum(axis=1)
        return log_normal(z).sum(axis=1) + log_normal(residual, SIGMA)

    got = [logp({"x_flow__": point}) for point in z]
    np.testing.assert_allclose(got, by_hand(z), rtol=1e-13)
    check_gradient(by_hand, z, np.array([dlogp({"x_flow__": point}) for point in z]))


def test_without_rewriting_the_value_is_the_same(flow, z):
    """Both log determinants are then computed: they must be the same number."""
    model = prior_and_likelihood(flow)
    plain = model.compile_logp(mode=pytensor.compile.mode.Mode(linker="py", optimizer=None))
    assert "LatentLogDet" in flow_ops(plain.f)
    cancelled = model.compile_logp()
    np.testing.assert_allclose(plain({"x_flow__": z[0]}), cancelled({"x_flow__": z[0]}), rtol=1e-12)


def test_without_the_jacobian_it_is_the_density_of_x(flow, z, check_gradient):
    model = prior_and_likelihood(flow)
    logp = model.compile_logp(jacobian=False)
    dlogp = model.compile_dlogp(jacobian=False)

    def by_hand(z):
        x = flow.from_latent(z)
        return flow.log_density(x) + log_normal(Y - x.sum(axis=1), SIGMA)

    got = [logp({"x_flow__": point}) for point in z]
    np.testing.assert_allclose(got, by_hand(z), rtol=0, atol=1e-10)
    check_gradient(by_hand, z, np.array([dlogp({"x_flow__": point}) for point in z]))


def test_another_flows_transform_gets_no_shortcut(flow, other_flow, z):
    """A value that is the image under another flow has this flow's density."""
    from symscore.pymc.ops import from_latent

    value = from_latent(z, *other_flow.packed)
    got = pm.logp(LearnedScore.dist(flow), value).eval()
    np.testing.assert_array_equal(got, flow.log_density(other_flow.from_latent(z)))


def test_two_flows_in_one_model(flow, other_flow, z):
    with pm.Model() as model:
        LearnedScore("a", flow)
        LearnedScore("b", other_flow, observed=flow.from_latent(z))
        LearnedScore("c", other_flow)
    got = model.compile_logp()({"a_flow__": z[0], "c_flow__": z[1]})
    likelihood = other_flow.log_density(flow.from_latent(z)).sum()
    np.testing.assert_allclose(got, log_normal(z[:2]).sum() + likelihood, rtol=1e-12)


@pytest.mark.parametrize("latent", [True, False])
def test_single_precision(flow, z, latent, optimised):
    """A model in float32: the kernels work in float64, and the shortcut is still found."""
    with pytensor.config.change_flags(floatX="float32"):
        model = prior_and_likelihood(flow, latent=latent)
        logp, dlogp = model.compile_logp(mode=optimised), model.compile_dlogp(mode=optimised)
        (name,) = model.initial_point()
    assert model["x"].dtype == "float32"
    point = {name: z[0].astype("float32")}
    wide = prior_and_likelihood(flow, latent=latent)
    # Rounding x, of size 5, to 24 bits moves a density of slope 100 by 3e-5.
    np.testing.assert_allclose(logp(point), wide.compile_logp()(point), rtol=1e-4)
    np.testing.assert_allclose(dlogp(point), wide.compile_dlogp()(point), rtol=1e-3)
    if latent:
        assert flow_ops(dlogp.f) == ["FromLatent", "LatentPullback"]


@pytest.mark.parametrize("shape", [None, (3, 2)])
def test_centred_log_density_and_gradient(flow, z, shape, check_gradient):
    model = prior_and_likelihood(flow, shape=shape, latent=False)
    assert [v.name for v in model.value_vars] == ["x_frame__"]
    frame = flow.ladder.frame
    log_det = np.log(np.diagonal(frame.scale_tril)).sum()
    u = frame.whiten(flow.from_latent(z))
    logp, dlogp = model.compile_logp(), model.compile_dlogp()

    def by_hand(u):
        x = frame.unwhiten(u)
        return flow.log_density(x) + log_det + log_normal(Y - x.sum(axis=1), SIGMA)

    if shape is None:
        got = [logp({"x_frame__": point}) for point in u]
        np.testing.assert_allclose(got, by_hand(u), rtol=0, atol=1e-10)
        check_gradient(by_hand, u, np.array([dlogp({"x_frame__": point}) for point in u]))
    else:
        np.testing.assert_allclose(logp({"x_frame__": u[:3]}), by_hand(u[:3]).sum(), atol=1e-10)


def test_centred_start_is_the_anchor(flow):
    model = prior_and_likelihood(flow, latent=False)
    start = flow.ladder.frame.unwhiten(model.initial_point()["x_frame__"][None])[0]
    np.testing.assert_allclose(start, anchor(flow), rtol=1e-13)


@pytest.mark.parametrize("shape", [(2,), (3, 2)])
def test_latent_start_is_the_anchor(flow, shape):
    model = prior_and_likelihood(flow, shape=shape)
    start = model.initial_point()["x_flow__"]
    assert start.shape == shape
    image = flow.from_latent(start.reshape(-1, 2))
    np.testing.assert_allclose(image, np.broadcast_to(anchor(flow), image.shape), rtol=1e-10)


def test_anchor_lies_in_a_mode(flow):
    """The image of z = 0 need not, and a mean between two modes does not."""
    draws = flow.draw(2000, rng=np.random.default_rng(6))
    best = flow.log_density(anchor(flow)[None])[0]
    assert best >= np.quantile(flow.log_density(draws), 0.9)
    assert best > flow.log_density(draws.mean(axis=0)[None])[0] + 1


def test_observed_rows_are_independent(flow, z):
    x = flow.from_latent(z)
    with pm.Model() as model:
        LearnedScore("x", flow, observed=x)
    elementwise = model.compile_logp(sum=False)({})[0]
    np.testing.assert_array_equal(elementwise, flow.log_density(x))
    np.testing.assert_allclose(model.compile_logp()({}), flow.log_density(x).sum(), rtol=1e-14)
    assert model.free_RVs == []


def test_a_missing_density_makes_the_likelihood_zero(flow, z):
    x = flow.from_latent(z)
    x[3] = 1e300
    with pm.Model() as model:
        LearnedScore("x", flow, observed=x)
    assert model.compile_logp()({}) == -np.inf


def test_a_likelihood_that_moves(flow, z, check_gradient):
    """Data shifted by an unknown mu: the density's gradient reaches mu."""
    x = flow.from_latent(z)
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 1, shape=2)
        pm.Potential("shifted", pm.logp(LearnedScore.dist(flow), x - mu).sum())
    logp, dlogp = model.compile_logp(), model.compile_dlogp()
    points = 0.1 * z

    def by_hand(mus):
        likelihood = [flow.log_density(x - mu).sum() for mu in mus]
        return log_normal(mus).sum(axis=1) + likelihood

    np.testing.assert_allclose([logp({"mu": p}) for p in points], by_hand(points), rtol=1e-12)
    check_gradient(by_hand, points, np.array([dlogp({"mu": p}) for p in points]))


def test_one_variable(line):
    x = line.draw(5, rng=np.random.default_rng(0))
    with pm.Model() as model:
        LearnedScore("x", line, observed=x)
        LearnedScore("free", line)
    got = model.compile_logp()({"free_flow__": np.array([0.3])})
    np.testing.assert_allclose(got, line.log_density(x).sum() + log_normal(0.3), rtol=1e-12)


@pytest.mark.parametrize("size", [None, (), (4,), (3, 2), 5, 300])
def test_draws_are_those_of_the_flow(flow, size):
    numbers, layout = flow.packed
    leading = () if size is None else (size,) if isinstance(size, int) else size
    parameters = (numbers, layout, anchor(flow), np.zeros(2), np.eye(2))
    padded = [v.reshape((1,) * len(leading) + v.shape) for v in parameters]
    got = LearnedScoreRV().rng_fn(
        np.random.default_rng(7), *padded, None if size is None else leading
    )
    want = flow.draw(int(np.prod(leading)), rng=np.random.default_rng(7))
    np.testing.assert_array_equal(got, want.reshape(*leading, 2))
    assert pm.draw(LearnedScore.dist(flow, size=size), random_seed=1).shape == (*leading, 2)


def test_draws_in_a_model_are_standard_normal_in_latent_space(flow):
    n = 4000
    with pm.Model():
        x = LearnedScore("x", flow)
    z = flow.to_latent(pm.draw(x, n, random_seed=8))
    # Five standard errors for each of five figures: false alarm 3e-6; sees a mode lost or a mean
    # off by .08.
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(n)
    assert np.abs((z**2).mean(axis=0) - 1).max() < 5 * np.sqrt(2 / n)
    assert abs((z[:, 0] * z[:, 1]).mean()) < 5 / np.sqrt(n)


def test_prior_predictive_and_dims(flow):
    with pm.Model(coords={"param": flow.names, "group": ["u", "v", "w"]}):
        LearnedScore("x", flow, dims="param")
        LearnedScore("xs", flow, dims=("group", "param"))
        prior = pm.sample_prior_predictive(20, random_seed=9).prior
    assert prior["x"].dims == ("chain", "draw", "param")
    assert list(prior["x"].coords["param"].values) == ["a", "b"]
    assert prior["xs"].shape == (1, 20, 3, 2)
    assert np.isfinite(flow.log_density(prior["xs"].values.reshape(-1, 2))).all()


def test_repr_is_short(flow):
    model = prior_and_likelihood(flow)
    text = model.str_repr()
    assert "x ~ LearnedScore(" in text
    assert len(text) < 120
    assert len(model.str_repr(formatting="latex")) < 400


WRONG = {
    "shape": {"shape": (4, 3)},
    "shape is an int": {"shape": 3},
    "no event axis": {"shape": ()},
    "dims": {"dims": ("row", "three")},
    "observed": {"observed": np.zeros((5, 3))},
    "observed list": {"observed": [0.0, 0.0, 0.0]},
    "observed with dims": {"observed": np.zeros((5, 3)), "dims": ("row", "two")},
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("latent", [True, False])
def test_wrong_event_length_is_refused(flow, case, latent):
    coords = {"row": range(5), "two": range(2), "three": range(3)}
    with pm.Model(coords=coords), pytest.raises(BadData, match=r"length 2, one entry .* a, b; got"):
        LearnedScore("x", flow, latent=latent, **WRONG[case])


def test_whole_numbers_keep_their_fractional_density(flow):
    x = np.array([[1, 2], [0, -1]])
    got = pm.logp(LearnedScore.dist(flow), x).eval()
    np.testing.assert_array_equal(got, flow.log_density(x))


def test_one_value_for_many_variables(flow, z):
    x = flow.from_latent(z)
    got = pm.logp(LearnedScore.dist(flow, size=3), x[0]).eval()
    assert got.shape == (3,)
    np.testing.assert_array_equal(got, flow.log_density(x[:1])[0])


def test_data_containers(flow, z):
    x = flow.from_latent(z)
    with pm.Model() as model:
        data = pm.Data("data", x)
        LearnedScore("x", flow, observed=data)
        logp = model.compile_logp()
        np.testing.assert_allclose(logp({}), flow.log_density(x).sum(), rtol=1e-14)
        pm.set_data({"data": x[:4]})
        np.testing.assert_allclose(logp({}), flow.log_density(x[:4]).sum(), rtol=1e-14)
        wrong = pm.Data("wrong", np.zeros((5, 3)))
        with pytest.raises(BadData, match="got length 3"):
            LearnedScore("w", flow, observed=wrong)


def test_a_mutable_dim_is_checked(flow):
    with pm.Model() as model:
        model.add_coord("param", length=pytensor.shared(3))
        with pytest.raises(BadData, match="got length 3"):
            LearnedScore("x", flow, dims="param")


@pytest.mark.parametrize("wrong", [np.zeros((3, 2)), None, "flow", ScoreFlow])
def test_anything_but_a_flow_is_refused(wrong):
    with pytest.raises(BadOption, match="flow_"):
        LearnedScore.dist(wrong)
    with pm.Model(), pytest.raises(BadOption, match="Expected a ScoreFlow"):
        LearnedScore("x", wrong)


def test_a_deterministic_function_of_the_point(flow, z):
    """What a model makes of x is differentiable, and no random variable stays in its graph."""
    with pm.Model() as model:
        x = LearnedScore("x", flow)
        pm.Deterministic("radius", pt.sqrt((x**2).sum()))
        pm.Normal("y", model["radius"], SIGMA, observed=Y)
    assert_no_rvs(model.logp())
    radius = np.linalg.norm(flow.from_latent(z[:1]))
    want = log_normal(z[0]).sum() + log_normal(Y - radius, SIGMA)
    np.testing.assert_allclose(model.compile_logp()({"x_flow__": z[0]}), want, rtol=1e-12)
