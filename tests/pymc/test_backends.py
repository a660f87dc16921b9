"""Linkers, samplers and the other things that PyMC does with a model: what docs/pymc.md lists.

Each test samples or evaluates one small model whose answer is known without PyMC.
"""

import re
import sys
from pathlib import Path
from textwrap import dedent

import cloudpickle
import numpy as np
import pymc as pm
import pytest
from numpy.testing import assert_allclose
from pymc.exceptions import ImputationWarning
from pytensor.compile.mode import Mode
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal, norm

from symscore.arrays import FloatArray
from symscore.baselines.stack import sampling_options
from symscore.pymc import LearnedScore
from tests.pymc.backends import (
    RUN,
    SIGMA,
    Answer,
    Y,
    by_batches,
    sampled_apart,
    weak_likelihood,
)
from tests.tolerances import FALSE_ALARM, monte_carlo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pymc.md"
PYMC_6 = int(pm.__version__.split(".")[0]) >= 6
pytestmark = [
    pytest.mark.slow,
    # Options renamed between PyMC 5 and 6, and what samplers say of the machine.
    pytest.mark.filterwarnings(
        "ignore::DeprecationWarning",
        "ignore::FutureWarning",
        "ignore:.*will not be used in the compiled JAX graph:UserWarning",
    ),
]
MODES = {
    "C": Mode(linker="cvm", optimizer="fast_run"),
    "numba": "NUMBA",
    "JAX": "JAX",
}


@pytest.fixture(scope="module")
def answer(flow) -> Answer:
    return Answer.of(flow)


@pytest.fixture
def model(flow) -> pm.Model:
    return weak_likelihood(flow)


# ---- samplers


@pytest.mark.parametrize("linker", MODES)
def test_nuts_of_pymc(model, answer, linker):
    if linker == "JAX":
        pytest.importorskip("jax")
    with model:
        trace = pm.sample(
            nuts_sampler="pymc", cores=1, compile_kwargs={"mode": MODES[linker]}, **RUN
        )
    answer.require(trace.posterior["x"].to_numpy())


def test_sampler_of_choice(model, answer):
    """What `pm.sample` takes where it is told nothing."""
    with model:
        trace = pm.sample(cores=1, **RUN)
    answer.require(trace.posterior["x"].to_numpy())


@pytest.mark.parametrize("backend", ["numba", "jax"])
def test_nutpie(model, answer, backend):
    pytest.importorskip("nutpie")
    pytest.importorskip(backend)
    with model:
        trace = pm.sample(
            nuts_sampler="nutpie", nuts_sampler_kwargs={"backend": backend}, cores=1, **RUN
        )
    answer.require(trace.posterior["x"].to_numpy())


@pytest.mark.parametrize("sampler", ["numpyro", "blackjax"])
def test_samplers_in_jax(model, answer, sampler):
    pytest.importorskip(sampler)
    # Chains in parallel need more than JAX's one device, which PyMC can only ask for before JAX
    # has started: BlackJAX then fails, NumPyro goes on with one chain at a time.
    together = {"chain_method": "vectorized"}
    with model:
        trace = pm.sample(nuts_sampler=sampler, nuts_sampler_kwargs=together, **RUN)
    answer.require(trace.posterior["x"].to_numpy())


@pytest.mark.parametrize("step", [pm.Metropolis, pm.DEMetropolisZ])
def test_steps_without_gradients(model, answer, step):
    with model:
        trace = pm.sample(step=step(), cores=1, **RUN | {"draws": 6000, "tune": 2000, "chains": 4})
    answer.require(trace.posterior["x"].to_numpy())


@pytest.mark.filterwarnings("ignore:More chains .* than draws:UserWarning")
def test_sequential_monte_carlo(model, answer):
    """Particles of one run hang together in ways that ArviZ does not see: runs are compared."""
    with model:
        trace = pm.sample_smc(draws=400, chains=16, cores=1, random_seed=22, progressbar=False)
    answer.require_runs(trace.posterior["x"].to_numpy())


def test_variational_inference(model, answer):
    """A Gaussian in the latent space, which has no steps as the likelihood has there.

    It was seen to go .4 of the way from prior to posterior, however long it runs.
    """
    with model:
        found = pm.fit(10_000, method="advi", random_seed=23, progressbar=False)
        x = found.sample(20_000, random_seed=24).posterior["x"].to_numpy()
    answer.require_roughly(x[0], 0.75)


@pytest.mark.parametrize("start_method", ["fork", "spawn", "forkserver"])
def test_processes(flow, answer, tmp_path, start_method):
    if sys.platform == "win32" and start_method != "spawn":
        pytest.skip("Windows only spawns")
    x, _ = sampled_apart(flow, tmp_path, nuts_sampler="pymc", cores=2, mp_ctx=start_method)
    answer.require(x)


def test_processes_that_run_jax(flow, answer, tmp_path):
    pytest.importorskip("jax")
    options = {"nuts_sampler": "pymc", "compile_kwargs": {"mode": "JAX"}}
    x, _ = sampled_apart(flow, tmp_path, cores=2, mp_ctx="spawn", **options)
    answer.require(x)


def test_without_a_compiler(flow, answer, tmp_path):
    options = {} if PYMC_6 else {"compile_kwargs": {"mode": "NUMBA"}}
    x, _ = sampled_apart(flow, tmp_path, flags="cxx=", nuts_sampler="pymc", cores=1, **options)
    answer.require(x)


def test_single_precision(flow, answer, tmp_path):
    x, _ = sampled_apart(flow, tmp_path, flags="floatX=float32", nuts_sampler="pymc", cores=1)
    assert x.dtype == np.float32
    answer.require(x)


# ---- points and predictions


def test_highest_density(flow, model):
    draws = flow.draw(100_000, rng=np.random.default_rng(25))

    def log_posterior(x: FloatArray) -> FloatArray:
        return flow.log_density(x) + norm.logpdf(Y, x.sum(axis=1), SIGMA)

    values = log_posterior(draws)
    with model:
        found = pm.find_MAP(start={"x": draws[values[:1000].argmax()]}, progressbar=False)["x"]
    assert log_posterior(found[None])[0] >= values.max()


def test_prior_predictive(flow, model):
    with model:
        trace = pm.sample_prior_predictive(draws=2000, random_seed=26)
    x = trace.prior["x"].to_numpy().reshape(-1, 2)
    y = trace.prior_predictive["y"].to_numpy().ravel()
    for values in (*flow.to_latent(x).T, (y - x.sum(axis=1)) / SIGMA):
        assert kstest(values, "norm").pvalue > FALSE_ALARM


def test_posterior_predictive(flow, model):
    """Of every draw its own y; and new points of the density itself, moved by a drawn mu."""
    x = flow.draw(5, rng=np.random.default_rng(27))
    options = sampling_options() | RUN
    with model:
        trace = pm.sample(nuts_sampler="pymc", **options | {"cores": 1})
        predicted = pm.sample_posterior_predictive(trace, random_seed=28, progressbar=False)
    y = predicted.posterior_predictive["y"].to_numpy()
    residual = (y - trace.posterior["x"].to_numpy().sum(axis=-1)) / SIGMA
    assert kstest(residual.ravel(), "norm").pvalue > FALSE_ALARM
    with pm.Model():
        mu = pm.Normal("mu")
        LearnedScore("x", flow, loc=mu, observed=x)
        trace = pm.sample(nuts_sampler="pymc", **options | {"cores": 1, "chains": 1, "draws": 300})
        predicted = pm.sample_posterior_predictive(trace, random_seed=29, progressbar=False)
    found = predicted.posterior_predictive["x"].to_numpy()[0]
    assert found.shape == (300, 5, 2)
    moved = found - trace.posterior["mu"].to_numpy()[0][:, None, None]
    for values in flow.to_latent(moved.reshape(-1, 2)).T:
        assert kstest(values, "norm").pvalue > FALSE_ALARM


def test_log_likelihood(flow):
    x = flow.draw(4, rng=np.random.default_rng(30))
    with pm.Model():
        mu = pm.Normal("mu")
        LearnedScore("x", flow, loc=mu, observed=x)
        options = sampling_options() | RUN | {"cores": 1, "chains": 1, "draws": 20, "tune": 20}
        trace = pm.sample(nuts_sampler="pymc", compute_convergence_checks=False, **options)
        pm.compute_log_likelihood(trace, progressbar=False)
    got = trace.log_likelihood["x"].to_numpy()[0]
    centred = x - trace.posterior["mu"].to_numpy()[0][:, None, None]
    want = flow.log_density(centred.reshape(-1, 2)).reshape(20, 4)
    assert_allclose(got, want, rtol=1e-12)


# ---- models


GRID = np.linspace(0.0, 1.0, 2001)


def posterior_share(log_p: FloatArray) -> FloatArray:
    """Mean and standard deviation of w, uniform, given points of densities (n, 2): on a grid."""
    with np.errstate(divide="ignore"):
        log_w = np.log(np.stack([GRID, 1 - GRID]))
    log_posterior = logsumexp(log_w[:, None] + log_p.T[:, :, None], axis=0).sum(axis=0)
    weights = np.exp(log_posterior - log_posterior.max())
    weights /= weights.sum()
    mean = weights @ GRID
    return np.array([mean, np.sqrt(weights @ (GRID - mean) ** 2)])


@pytest.mark.parametrize("kind", ["components", "batch"])
def test_mixtures(flow, other_flow, kind):
    """The share of either part, from points of both."""
    rng = np.random.default_rng(31)
    x = np.concatenate([flow.draw(12, rng=rng), other_flow.draw(28, rng=rng)])
    log_p = np.stack([flow.log_density(x), other_flow.log_density(x)], axis=1)
    if kind == "components":
        centre, wide = np.zeros(2), 4.0 * np.eye(2)
        log_p[:, 1] = multivariate_normal(centre, wide).logpdf(x)
        parts = [LearnedScore.dist(flow), pm.MvNormal.dist(centre, wide)]
    else:
        parts = LearnedScore.dist([flow, other_flow])
    with pm.Model():
        w = pm.Uniform("w")
        pm.Mixture("x", w=pm.math.stack([w, 1 - w]), comp_dists=parts, observed=x)
        trace = pm.sample(nuts_sampler="pymc", **sampling_options() | RUN | {"cores": 1})
    mean, sd = posterior_share(log_p)
    found, tolerance = by_batches(trace.posterior["w"].to_numpy().reshape(40, -1).mean(axis=1))
    assert tolerance < sd
    assert abs(found - mean) < tolerance


def test_interventions(flow, model):
    x = flow.draw(1, rng=np.random.default_rng(32))[0]
    y = pm.draw(pm.do(model, {"x": x})["y"], draws=2000, random_seed=33)
    assert kstest((y - x.sum()) / SIGMA, "norm").pvalue > FALSE_ALARM
    given = pm.observe(pm.do(model, {}), {"x": x})
    want = flow.log_density(x[None])[0] + norm.logpdf(Y, x.sum(), SIGMA)
    # PyMC takes the logarithm of a constant 3.0 in single precision.
    assert_allclose(given.compile_logp()({}), want, rtol=np.finfo(np.float32).eps)


def test_missing_rows(flow):
    """They are drawn from the density."""
    data = np.ma.masked_invalid([[np.nan, np.nan], flow.draw(1, rng=np.random.default_rng(34))[0]])
    with pm.Model():
        with pytest.warns(ImputationWarning):
            LearnedScore("x", flow, observed=data)
        trace = pm.sample(nuts_sampler="pymc", **sampling_options() | RUN | {"cores": 1})
    drawn = flow.to_latent(trace.posterior["x"].to_numpy()[:, :, 0].reshape(-1, 2))
    found, tolerance = by_batches(drawn.reshape(40, -1, 2).mean(axis=1))
    assert np.all(np.abs(found) < tolerance)
    assert np.all(tolerance < 0.5)


def test_partly_missing_rows(flow):
    """The rest of a row is drawn given what is seen of it."""
    seen = flow.draw(1, rng=np.random.default_rng(34))[0]
    data = np.ma.masked_array(seen[None], mask=[[False, True]])
    with pm.Model():
        with pytest.warns(ImputationWarning):
            LearnedScore("x", flow, observed=data)
        trace = pm.sample(nuts_sampler="pymc", **sampling_options() | RUN | {"cores": 1})
    drawn = trace.posterior["x"].to_numpy()[..., 0, 1]
    grid = seen[1] + np.linspace(-15.0, 15.0, 6001)
    density = np.exp(flow.log_density(np.stack([np.full_like(grid, seen[0]), grid], axis=1)))
    mean = np.average(grid, weights=density)
    found, tolerance = by_batches(drawn.reshape(40, -1).mean(axis=1))
    assert tolerance < np.sqrt(np.average((grid - mean) ** 2, weights=density))
    assert abs(found - mean) < tolerance


def test_data_of_another_length(flow):
    x = flow.draw(7, rng=np.random.default_rng(35))
    with pm.Model() as model:
        data = pm.Data("data", x[:4])
        LearnedScore("x", flow, observed=data, shape=data.shape)
    log_density = model.compile_logp()
    for rows in (x[:4], x):
        model.set_data("data", rows)
        assert_allclose(log_density({}), flow.log_density(rows).sum(), rtol=1e-12)
    with model:
        assert pm.draw(model["x"]).shape == (7, 2)


def test_minibatches(flow):
    """The log density of a random part, scaled up, is right in the mean."""
    x = flow.draw(50, rng=np.random.default_rng(36))
    with pm.Model() as model:
        LearnedScore("x", flow, observed=pm.Minibatch(x, batch_size=10), total_size=len(x))
    log_density = model.compile_logp()
    found = np.array([log_density({}) for _ in range(2000)])
    of_rows = flow.log_density(x)
    tolerance = monte_carlo(len(found), 50 * of_rows.std() / np.sqrt(10))
    assert abs(found.mean() - of_rows.sum()) < tolerance


def test_pickled_models(model):
    point = model.initial_point()
    again = cloudpickle.loads(cloudpickle.dumps(model))
    assert again.compile_logp()(point) == model.compile_logp()(point)


# ---- the page


@pytest.mark.filterwarnings("ignore::pymc.exceptions.ImputationWarning")
def test_python_of_the_page_runs():
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(dedent(block), PAGE.name, "exec"), names)
    assert [variable.name for variable in names["model"].value_vars] == ["x_flow__"]
    assert names["effective"] > 10_000
    # As in the examples: five standard errors of chains with 500 effective draws.
    assert abs(names["by_chains"] - names["by_weights"]) < 0.1
    models = ("shifted", "imputing", "mixture", "scalar", "derived", "growing")
    for model in (names[name] for name in models):
        assert np.isfinite(model.compile_logp(mode="FAST_COMPILE")(model.initial_point()))
