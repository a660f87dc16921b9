"""The Bayesian mixture by NUTS: one sampling run, shared by the tests of it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymc as pm
import pytest

from symscore.baselines.em import fit_em
from symscore.baselines.mcmc import PosteriorPredictive, fit_mcmc
from symscore.baselines.stack import quiet, run_options, sampling_options
from symscore.data import old_faithful
from symscore.errors import BadOption
from tests.tolerances import monte_carlo, roundoff

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def estimate():
    return fit_mcmc(old_faithful().values, rng=np.random.default_rng(0))


@pytest.mark.slow
def test_the_chains_mix(estimate):
    assert estimate.diagnostics["components"] == 2
    assert estimate.diagnostics["divergences"] == 0
    assert estimate.diagnostics["rhat"] < 1.05
    assert estimate.diagnostics["ess"] > 100


@pytest.mark.slow
def test_the_posterior_predictive_is_near_maximum_likelihood(estimate):
    # With p = 11 parameters the posterior mean density loses about p / (2 n) = .02 nats a row to
    # the maximum, which it cannot exceed; twice that leaves room for the prior.
    samples = old_faithful().values
    best = fit_em(samples, rng=np.random.default_rng(1)).log_density(samples).mean()
    mean = estimate.log_density(samples).mean()
    assert best - 2 * 11 / (2 * len(samples)) <= mean <= best


@pytest.mark.slow
def test_draws_agree_with_the_density(estimate):
    # The mean of log p over draws of p is minus the entropy. The trapezoid rule has no error to
    # speak of here: its step is half of the narrowest component's standard deviation, and
    # its box ends four standard deviations beyond the extremes.
    samples = old_faithful().values
    draws = estimate.draw(4000, rng=np.random.default_rng(2))
    spread = 4 * samples.std(axis=0)
    axes = [
        np.linspace(a - s, b + s, 100)
        for a, b, s in zip(samples.min(axis=0), samples.max(axis=0), spread, strict=True)
    ]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    log_density = estimate.log_density(grid)
    mass = np.exp(log_density) * cell
    own = estimate.log_density(draws)
    assert mass.sum() == pytest.approx(1, abs=1e-6)
    assert abs(own.mean() - (mass * log_density).sum()) <= monte_carlo(4000, own.std())


@pytest.mark.slow
def test_it_runs_without_a_compiler():
    program = (
        "import numpy as np\n"
        "from symscore.baselines.mcmc import fit_mcmc\n"
        "samples = np.random.default_rng(0).normal(size=(60, 1))\n"
        "fit = fit_mcmc(samples, rng=np.random.default_rng(1), draws=20, tune=20)\n"
        "print(fit.diagnostics['components'])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTENSOR_FLAGS": "cxx="},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    # Nothing but the answer: no progress bar in a pipe.
    assert run.stdout == "1.0\n"


def test_the_posterior_predictive_is_the_mean_over_draws():
    from symscore.learn.frame import Whitening
    from symscore.mixture import GaussianMixture

    one = GaussianMixture([1.0], [[0.0]], [[[1.0]]])
    two = GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], [[[1.0]], [[4.0]]])
    density = PosteriorPredictive((one, two), Whitening([1.0], [[2.0]]))
    x = np.linspace(-5, 5, 11)[:, None]
    u = (x - 1) / 2
    expected = (np.exp(one.log_density(u)) + np.exp(two.log_density(u))) / 2 / 2
    # Exponentials of logarithms below 20 in size.
    slack = roundoff(100, 20.0)
    assert np.abs(np.exp(density.log_density(x)) / expected - 1).max() <= slack
    assert density.draw(5, rng=np.random.default_rng(0)).shape == (5, 1)
    assert density.draw(0, rng=np.random.default_rng(0)).shape == (0, 1)


@pytest.mark.parametrize("options", [{"draws": 3}, {"tune": -1}])
def test_too_few_draws_are_named(options):
    with pytest.raises(BadOption, match="Expected draws >= 4"):
        fit_mcmc(np.zeros((9, 1)), rng=np.random.default_rng(0), **options)


def test_the_options_are_those_of_the_stack(monkeypatch):
    from symscore.baselines import stack

    assert run_options()["cores"] in (1, 2)
    monkeypatch.setattr(stack.pytensor, "config", type("Config", (), {"cxx": ""}))
    options = sampling_options()
    if int(pm.__version__.split(".")[0]) < 6:
        assert options["compile_kwargs"] == {"mode": "NUMBA"}
    else:
        assert "compile_kwargs" not in options
    monkeypatch.setattr(stack.pytensor, "config", type("Config", (), {"cxx": "g++"}))
    assert "compile_kwargs" not in sampling_options()


def test_a_missing_compiler_is_told_once(monkeypatch, caplog):
    from symscore.baselines import stack

    monkeypatch.setattr(stack, "COMPILES_C", True)
    monkeypatch.setattr(stack.pytensor, "config", type("Config", (), {"cxx": ""}))
    stack._say_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        sampling_options()
        sampling_options()
    assert [record.message.startswith("No C++ compiler") for record in caplog.records] == [True]


def test_quiet_gives_the_log_back():
    logger = logging.getLogger("pymc")
    before = logger.level
    with quiet():
        assert logger.level == logging.ERROR
    assert logger.level == before
