"""A posterior becomes a prior: names, shapes, supports, masses, correlations, refusals."""

import warnings
from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
import xarray
from pymc.distributions import transforms as tr

from symscore import ScoreDensity
from symscore.errors import (
    BadData,
    BadOption,
    ChainsDisagree,
    FewEffectiveDraws,
    NoDensity,
    NoModel,
)
from symscore.flow.flow import ScoreFlow
from symscore.pymc import posterior_as_prior
from symscore.recipes import Auto, HardCells
from tests.flows import make_flow, random_mixture
from tests.tolerances import FALSE_ALARM, monte_carlo

QUICK = Auto(em=(1, 2), kmeans=(), rhos=(3.0,), refined_degree=1, max_ratio=2.0)
LEFT, N, DRAWN = 0.3, 1200, 1200


class Unreached:
    """A recipe for what must be said before anything is learned."""

    def fit(self, *args, **options):
        raise AssertionError("The density was learned.")


def dataset(**columns: np.ndarray) -> xarray.Dataset:
    """Draws of variables (n, ...), dealt to four chains."""
    variables = {}
    for name, values in columns.items():
        axes = [f"{name}_dim_{j}" for j in range(values.ndim - 1)]
        variables[name] = (("chain", "draw", *axes), values.reshape(4, -1, *values.shape[1:]))
    return xarray.Dataset(variables)


def containers(posterior: xarray.Dataset):
    yield posterior
    yield {"posterior": posterior}
    yield xarray.DataTree.from_dict({"posterior": posterior})
    with warnings.catch_warnings():
        # ArviZ 0.23 warns of its successor when imported.
        warnings.simplefilter("ignore")
        import arviz
    if "InferenceData" in vars(arviz):
        yield arviz.InferenceData(posterior=posterior)


@pytest.fixture(scope="module")
def yesterday() -> xarray.Dataset:
    """Two modes of theta, 30 % at -2; in both, log sd goes with theta[0], and p with theta[1]."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(N, 3))
    theta = np.where(rng.random(N) < LEFT, -2.0, 2.0)[:, None] + 0.5 * z[:, :2]
    share = 1 / (1 + np.exp(-0.7 * z[:, 1] - 0.5 * rng.normal(size=N)))
    found = dataset(
        theta=theta,
        sd=np.exp(0.4 * z[:, 0] + 0.3 * z[:, 2]),
        p=np.stack([share, 1 - share], axis=1),
    )
    return found.rename(theta_dim_0="group").assign_coords(group=["u", "v"])


SUPPORTS = {"sd": "positive", "p": "simplex"}


@pytest.fixture(scope="module")
def today(yesterday: xarray.Dataset) -> tuple[pm.Model, dict]:
    with pm.Model() as model:
        prior = posterior_as_prior(
            yesterday,
            var_names={"theta": "theta", "sd": "scale", "p": "p"},
            transforms=SUPPORTS,
            dims={"p": "side"},
            recipe=QUICK,
            random_state=0,
        )
    return model, prior


@pytest.fixture(scope="module")
def drawn(today: tuple[pm.Model, dict]) -> xarray.Dataset:
    with today[0]:
        return pm.sample_prior_predictive(DRAWN, random_seed=1).prior.isel(chain=0)


def test_the_model_has_one_vector_and_a_deterministic_for_each_variable(today) -> None:
    model, prior = today
    assert [variable.name for variable in model.free_RVs] == ["posterior"]
    assert [variable.name for variable in model.deterministics] == ["theta", "scale", "p"]
    assert list(prior) == ["theta", "scale", "p"]
    assert [prior[name].type.shape for name in prior] == [(2,), (), (2,)]
    assert model.named_vars_to_dims["theta"] == ("group",)
    assert model.named_vars_to_dims["p"] == ("side",)
    assert "scale" not in model.named_vars_to_dims
    assert model.coords["group"] == ("u", "v")
    assert int(model.dim_lengths["side"].eval()) == 2
    columns = ("theta[0]", "theta[1]", "sd", "p[0]", "p[1]")
    assert model.coords["posterior_column"] == columns


def test_draws_have_labels_and_lie_in_the_support(drawn: xarray.Dataset) -> None:
    assert drawn["theta"].dims == ("draw", "group")
    assert drawn["group"].values.tolist() == ["u", "v"]
    assert drawn["scale"].shape == (DRAWN,)
    assert float(drawn["scale"].min()) > 0
    assert float(drawn["p"].min()) > 0
    sums = drawn["p"].sum(axis=1)
    assert float(np.abs(sums - 1).max()) <= 4 * np.finfo(float).eps
    np.testing.assert_array_equal(drawn["posterior"][:, 2], drawn["scale"])
    np.testing.assert_array_equal(drawn["posterior"][:, :2], drawn["theta"])


def test_masses_are_kept(yesterday: xarray.Dataset, drawn: xarray.Dataset) -> None:
    there = (yesterday["theta"].isel(group=0) < 0).mean()
    here = (drawn["theta"][:, 0] < 0).mean()
    # The fit knows no more of the mass than N draws do, and this is told from 4 N.
    sd = np.sqrt(LEFT * (1 - LEFT))
    assert abs(float(here - there)) < np.hypot(monte_carlo(N, sd), monte_carlo(DRAWN, sd))


def test_correlations_are_kept(yesterday: xarray.Dataset, drawn: xarray.Dataset) -> None:
    def free(theta: np.ndarray, scale: np.ndarray, p: np.ndarray) -> np.ndarray:
        theta = theta.reshape(-1, 2)
        logit = np.log(p.reshape(-1, 2)[:, 0]) - np.log(p.reshape(-1, 2)[:, 1])
        return np.column_stack([theta - 2 * np.sign(theta), np.log(scale.ravel()), logit])

    before = free(*(yesterday[name].to_numpy() for name in ("theta", "sd", "p")))
    after = free(*(drawn[name].to_numpy() for name in ("theta", "scale", "p")))
    products = [x[:, :, None] * x[:, None, :] for x in (before, after)]
    # Both know a second moment as well as their numbers of draws allow; 16 are compared.
    sds = products[0].std(axis=0)
    allowed = np.hypot(monte_carlo(N, sds, comparisons=16), monte_carlo(DRAWN, sds, comparisons=16))
    moments = [p.mean(axis=0) for p in products]
    assert np.all(np.abs(moments[0] - moments[1]) < allowed)
    # Of the sort that a product of marginals would lose, and larger than what is allowed.
    for i, j in [(0, 2), (1, 3)]:
        assert abs(moments[1][i, j]) > allowed[i, j]


def test_every_container_gives_the_same_prior(yesterday: xarray.Dataset) -> None:
    found = []
    for idata in containers(yesterday[["sd"]]):
        with pm.Model() as model:
            posterior_as_prior(
                idata, "joint", transforms={"sd": tr.log}, recipe=QUICK, random_state=0
            )
        found.append(pm.draw(model["sd"], random_seed=1))
    assert len(found) >= 3
    assert len(set(map(float, found))) == 1


def with_names(*names: str) -> ScoreFlow:
    flow = make_flow(random_mixture(len(names), 2, 0))
    return ScoreFlow(replace(flow.ladder, names=names))


def test_a_learned_density_is_taken_as_it_is() -> None:
    flow = with_names("mu", "w[0, 0]", "w[0, 1]", "w[1, 0]", "w[1, 1]")
    with pm.Model(coords={"row": ["r", "s"]}) as model:
        prior = posterior_as_prior(flow, "before", dims={"w": ("row", None)})
    assert {name: variable.type.shape for name, variable in prior.items()} == {
        "mu": (),
        "w": (2, 2),
    }
    assert model.named_vars_to_dims["w"] == ("row", None)
    x, mu, w = pm.draw([model["before"], prior["mu"], prior["w"]], random_seed=1)
    assert mu == x[0]
    np.testing.assert_array_equal(w, x[1:].reshape(2, 2))


def test_some_variables_of_a_learned_density() -> None:
    with pm.Model() as model:
        prior = posterior_as_prior(with_names("a", "b", "c"), var_names={"c": "d", "a": "a"})
    assert list(prior) == ["d", "a"]
    x, d, a = pm.draw([model["posterior"], prior["d"], prior["a"]], random_seed=1)
    assert (d, a) == (x[2], x[0])


def test_two_posteriors_in_one_model_and_one_in_a_part() -> None:
    with pm.Model() as model:
        posterior_as_prior(with_names("a", "b"), "first")
        posterior_as_prior(with_names("a", "b"), "second", var_names={"a": "a2", "b": "b2"})
        with pm.Model(name="part"):
            posterior_as_prior(with_names("c", "b"), "first")
    names = {variable.name for variable in model.free_RVs}
    assert names == {"first", "second", "part::first"}
    assert model.coords["part::first_column"] == ("c", "b")


def test_the_density_is_that_of_the_flow_in_its_own_columns() -> None:
    flow = make_flow(random_mixture(2, 1, 0))
    with pm.Model() as model:
        posterior_as_prior(flow, latent=False)
    (value,) = model.value_vars
    x = flow.draw(1, rng=np.random.default_rng(1))
    u = flow.ladder.frame.whiten(x)[0]
    log_det = np.log(np.diagonal(flow.ladder.frame.scale_tril)).sum()
    np.testing.assert_allclose(
        model.compile_logp()({value.name: u}), flow.log_density(x)[0] + log_det, rtol=1e-10
    )


def chains_apart(n: int = 600) -> xarray.Dataset:
    """Two chains that each stay in their mode, at -3 and at 3."""
    x = np.random.default_rng(2).normal([[-3.0], [3.0]], 0.5, size=(2, n))
    return xarray.Dataset({"x": (("chain", "draw"), x)})


def test_weighted_chains_give_modes_their_masses() -> None:
    with pm.Model() as model, warnings.catch_warnings():
        warnings.simplefilter("error")
        posterior_as_prior(chains_apart(), chain_weights=[1, 4], recipe=QUICK, random_state=0)
    x = pm.draw(model["x"], 4000, random_seed=3)
    # What is fitted has the shares by construction: only the draws are uncertain.
    assert abs(float((x < 0).mean()) - 0.2) < monte_carlo(4000, 0.4)


def test_a_chain_without_weight_leaves_no_trace() -> None:
    posterior = chains_apart()
    x = np.linspace(-5, 5, 11)[:, None]
    flows = [
        ScoreDensity.from_idata(draws, recipe=QUICK, random_state=0, chain_weights=weights).flow_
        for draws, weights in [(posterior, [0.0, 2.0]), (posterior.isel(chain=[1]), [1.0])]
    ]
    np.testing.assert_array_equal(flows[0].log_density(x), flows[1].log_density(x))


def refused(posterior, error, message, **options) -> None:
    """Expect an error before anything is learned."""
    with pm.Model(coords={"group": ["u", "v"]}):
        pm.Normal("known")
        with pytest.raises(error, match=message):
            posterior_as_prior(posterior, **({"recipe": Unreached()} | options))


REFUSED = {
    "no draws": ({}, BadData, "posterior group", {}),
    "unknown variable": (None, BadData, "Expected variables among .*got 'nu'", {"var_names": "nu"}),
    "no variable": (None, BadData, "got none", {"var_names": []}),
    "transform of none": (
        None,
        BadOption,
        "Expected transforms of sd; got one of 'theta'",
        {"var_names": ["sd"], "transforms": {"theta": "positive"}},
    ),
    "dims of none": (
        None,
        BadOption,
        "Expected dims of sd; got one of 'scale'",
        {"var_names": {"sd": "scale"}, "dims": {"scale": "side"}},
    ),
    "unknown transform": (
        None,
        BadOption,
        "Expected a transform of 'sd' among",
        {"var_names": ["sd"], "transforms": {"sd": "log"}},
    ),
    "a variable as keyword": (
        None,
        BadOption,
        "Expected options among random_state, recipe, verbose; got 'sd'. Variables are configured",
        {"sd": tr.log},
    ),
    "bounds": (None, BadOption, "got 'bounds'", {"bounds": {"sd": (0, None)}}),
    "taken name": (None, BadOption, "'known' is taken", {"var_names": {"sd": "known"}}),
    "one name twice": (None, BadOption, "'a' is taken", {"var_names": {"sd": "a", "theta": "a"}}),
    "name of the vector": (None, BadOption, "'sd' is taken", {"name": "sd", "var_names": "sd"}),
    "a simplex as it stands": (
        None,
        BadData,
        "the elements of 'p' sum to 1. Declare transforms={'p': 'simplex'}",
        {},
    ),
    "outside the support": (
        None,
        BadData,
        r"theta\[0\].*in row",
        {"var_names": "theta", "transforms": {"theta": "positive"}},
    ),
    "other weights": (
        None,
        BadData,
        r"Expected chain_weights of shape \(4\); got \(2,\)",
        {"var_names": "sd", "chain_weights": [1, 1]},
    ),
    "negative weights": (
        None,
        BadData,
        "Expected chain weights from 0 on",
        {"var_names": "sd", "chain_weights": [1, 1, 1, -1]},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_misuse_is_refused_before_learning(yesterday: xarray.Dataset, case: str) -> None:
    posterior, error, message, options = REFUSED[case]
    refused(yesterday if posterior is None else posterior, error, message, **options)


def test_labels_in_another_order_are_refused(yesterday: xarray.Dataset) -> None:
    swapped = yesterday.assign_coords(group=["v", "u"])
    refused(swapped, BadData, "the labels of dim 'group'", var_names="theta")


def normal(n: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


A, B, C = (normal(seed=seed) for seed in range(3))
DETERMINED = {
    "a transform": ({"tau": A, "half": -np.exp(A)}, "'half' is a function of 'tau'"),
    "a sum": (
        {"a": A, "b": B, "total": A - 2 * B},
        "'total' is a function of 'a', 'b'",
    ),
    "not centred": (
        {"mu": A, "tau": B, "eta": C, "theta": A + B * C},
        "'theta' is a function of 'mu', 'tau', 'eta'",
    ),
    "a constant": ({"a": A, "one": np.ones(400)}, "'one' is constant"),
}


@pytest.mark.parametrize("case", DETERMINED)
def test_variables_that_others_determine_are_refused(case: str) -> None:
    columns, message = DETERMINED[case]
    refused(dataset(**columns), BadData, f"{message}.*var_names=.*generating_model")


def test_variables_that_are_nearly_determined_are_not() -> None:
    near = {"a": A, "b": A + 1e-3 * B}
    far = {"a": np.append(A[1:], 1e9), "b": np.append(B[1:], 1e9)}
    for columns in (near, far):
        with pm.Model(), pytest.raises(AssertionError, match="The density was learned"):
            posterior_as_prior(dataset(**columns), recipe=Unreached())


def test_draws_that_are_no_numbers_are_refused() -> None:
    x = normal()
    x[7] = np.nan
    refused(dataset(x=x), BadData, "Expected finite draws of x; got nan at chain 0, draw 7")


def test_discrete_variables_are_refused() -> None:
    refused(dataset(k=np.arange(400)), BadData, "'k' is discrete, int64.*var_names")


def test_too_few_effective_draws_are_refused() -> None:
    advice = "at least 10 independent ones for 1 columns; those of 'x' are worth .*chain_weights"
    refused(chains_apart(), BadData, advice)
    few = xarray.Dataset({"x": (("chain", "draw"), normal(8).reshape(1, 8))})
    refused(few, BadData, "Run longer chains.$", chain_weights=[1.0])


def test_warnings_come_before_learning_and_blame_the_caller() -> None:
    rng = np.random.default_rng(0)
    held = np.repeat(rng.normal(size=(4, 10)), 40, axis=1) + 0.1 * rng.normal(size=(4, 400))
    shifted = rng.normal(size=(4, 400)) + np.array([[0.4], [0], [0], [-0.4]])
    for x, warning in [(held, FewEffectiveDraws), (shifted, ChainsDisagree)]:
        posterior = xarray.Dataset({"x": (("chain", "draw"), x)})
        with pm.Model(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(AssertionError, match="The density was learned"):
                posterior_as_prior(posterior, recipe=Unreached())
        assert {(w.category, w.filename) for w in caught} >= {(warning, __file__)}
        # As errors, which pytest makes of warnings here, they leave nothing to be learned.
        with pm.Model(), pytest.raises((warning, ChainsDisagree)):
            posterior_as_prior(posterior, recipe=Unreached())


def test_a_recipe_without_a_density_is_refused() -> None:
    with pm.Model(), pytest.raises(NoDensity, match="got hard ones"):
        posterior_as_prior(dataset(x=A), recipe=HardCells(), random_state=0)


def test_no_model_is_open() -> None:
    with pytest.raises(NoModel, match=r"in a block `with pm\.Model"):
        posterior_as_prior(dataset(x=normal()))


@pytest.mark.parametrize(
    "options", [{"transforms": {"a": "positive"}}, {"chain_weights": [1]}, {"random_state": 1}]
)
def test_a_learned_density_has_no_use_for_options_of_draws(options: dict) -> None:
    with pm.Model(), pytest.raises(BadOption, match=f"to use {next(iter(options))} on; got a dens"):
        posterior_as_prior(with_names("a", "b"), **options)


def test_a_generating_model_names_its_free_variables_and_their_supports() -> None:
    rng = np.random.default_rng(4)
    with pm.Model() as first:
        mu = pm.Normal("mu")
        sd = pm.HalfNormal("sd")
        pm.Uniform("u", 0.0, 2.0)
        pm.Deterministic("ratio", mu / sd)
        pm.Normal("y", mu, sd, observed=0.3)
    drawn = {
        "mu": rng.normal(size=400),
        "sd": rng.gamma(2.0, size=400),
        "u": rng.uniform(0, 2, 400),
    }
    posterior = dataset(**drawn, ratio=drawn["mu"] / drawn["sd"])
    with pm.Model() as second:
        prior = posterior_as_prior(
            posterior, generating_model=first, transforms={"mu": (-9, None)}, recipe=QUICK
        )
    assert list(prior) == ["mu", "sd", "u"]
    found = pm.draw(second["posterior"], 2000, random_seed=1)
    assert (found.min(axis=0) > [-9, 0, 0]).all()
    assert found[:, 2].max() < 2
    # A box or half line that were not declared would be left by more than one draw in a hundred.
    assert np.quantile(found[:, 1], FALSE_ALARM) > 0


def sampled(model: pm.Model, draws: int, **options):
    with model:
        return pm.sample(
            draws, tune=draws, chains=4, cores=1, nuts_sampler="pymc", progressbar=False,
            compute_convergence_checks=False, random_seed=1, **options,
        )  # fmt: skip


@pytest.mark.slow
def test_the_whole_road() -> None:
    """From a sampled model to one that is sampled with that posterior as its prior."""
    rng = np.random.default_rng(5)
    with pm.Model(coords={"group": ["u", "v"], "part": ["p", "q", "r"]}) as first:
        mu = pm.Normal("mu", 0, 2, dims="group")
        sd = pm.HalfNormal("sd", 1)
        pm.Uniform("u", -1, 2)
        pm.Dirichlet("share", 2 * np.ones(3), dims="part")
        pm.Normal("cuts", 0, 1, shape=2, transform=tr.ordered, initval=[-1.0, 1.0])
        angle = pm.VonMises("angle", 0.5, 3.0)
        pm.Normal("y", mu, sd, observed=rng.normal([0, 1], 0.5, size=(10, 2)))
        pm.Deterministic("ratio", mu / sd)
        # PyMC's circular transform lets an angle wander over the line, which upsets NUTS.
        step = pm.Metropolis([angle])
    yesterday = sampled(first, 400, step=step)
    with pm.Model(coords={"group": ["u", "v"]}) as second:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FewEffectiveDraws)
            prior = posterior_as_prior(
                yesterday, generating_model=first, recipe=QUICK, random_state=0
            )
        pm.Normal("y", prior["mu"], prior["sd"], observed=[0.2, 0.9])
        drawn = pm.sample_prior_predictive(500, random_seed=2).prior
    again = sampled(second, 100)
    for found in (drawn, again.posterior):
        for name in ("mu", "sd", "u", "share", "cuts", "angle"):
            assert found[name].shape[2:] == yesterday.posterior[name].shape[2:]
            assert np.isfinite(found[name].values).all()
        assert found["mu"].dims[2:] == ("group",)
        assert found["share"].dims[2:] == ("part",)
        assert found["part"].values.tolist() == ["p", "q", "r"]
        assert float(found["sd"].min()) > 0
        assert -1 < float(found["u"].min()) < float(found["u"].max()) < 2
        assert float(found["share"].min()) > 0
        assert float((found["cuts"][..., 1] - found["cuts"][..., 0]).min()) > 0
        assert float(np.abs(found["angle"]).max()) <= np.pi
