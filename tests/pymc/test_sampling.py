import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pymc as pm
import pytest

import symscore
from symscore.baselines.stack import sampling_options
from symscore.pymc import LearnedScore
from symscore.pymc.ops import FromLatent, LatentLogDet, LatentPullback, LogDensity

Y, SIGMA = -4.0, 6.0


def weak_likelihood(flow, **options):
    with pm.Model(coords={"param": flow.names}) as model:
        x = LearnedScore("x", flow, dims="param", **options)
        pm.Normal("y", x.sum(), SIGMA, observed=Y)
    return model


def left(flow, x):
    """Whether points (..., d) lie in the left mode, whose centre is (-1.5, .5) in the frame."""
    return flow.ladder.frame.whiten(x.reshape(-1, flow.dim))[:, 0].reshape(x.shape[:-1]) < 0


def importance_sampled(flow, draws=200_000):
    """Posterior mass of the left mode from draws of the prior, and its standard error."""
    x = flow.draw(draws, rng=np.random.default_rng(11))
    weights = np.exp(-0.5 * ((Y - x.sum(axis=1)) / SIGMA) ** 2)
    weights /= weights.sum()
    mass = weights[left(flow, x)].sum()
    return mass, np.sqrt((weights**2 * (left(flow, x) - mass) ** 2).sum())


def test_nuts_evaluates_the_map_alone(flow, optimised, monkeypatch):
    calls = dict.fromkeys((FromLatent, LatentPullback, LatentLogDet, LogDensity), 0)

    def counted(op_type):
        perform = op_type.perform

        def count(self, *args):
            calls[op_type] += 1
            return perform(self, *args)

        return count

    for op_type in calls:
        monkeypatch.setattr(op_type, "perform", counted(op_type))
    with weak_likelihood(flow):
        idata = pm.sample(
            100,
            tune=50,
            chains=1,
            cores=1,
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
            compile_kwargs={"mode": optimised},
            random_seed=12,
        )
        predictive = pm.sample_posterior_predictive(idata, progressbar=False, random_seed=13)
    steps = int(idata.sample_stats["n_steps"].sum())
    assert calls[FromLatent] > steps
    assert calls[LatentPullback] >= steps
    assert calls[LatentLogDet] == calls[LogDensity] == 0
    x = idata.posterior["x"]
    assert x.dims == ("chain", "draw", "param")
    assert set(np.unique(left(flow, x.values))) == {False, True}
    # Each predicted y is near the sum of its own draw: x was not drawn anew from the prior.
    residual = (predictive.posterior_predictive["y"].values - x.values.sum(axis=-1)) / SIGMA
    assert np.abs(residual).max() < 5.5  # false alarm 4e-6 over 100 draws
    assert abs((residual**2).mean() - 1) < 5.5 * np.sqrt(2 / residual.size)


@pytest.mark.slow
def test_masses_of_two_far_modes(flow):
    """Ten standard deviations apart; a chain that samples x itself never leaves its mode."""
    with weak_likelihood(flow):
        options = sampling_options() | {"progressbar": False}
        idata = pm.sample(1000, tune=1000, chains=2, random_seed=14, **options)
    share = left(flow, idata.posterior["x"].values)
    assert np.abs(np.diff(share.astype(int), axis=1)).sum(axis=1).min() > 100
    batches = share.reshape(40, -1).mean(axis=1)
    mass, error = importance_sampled(flow)
    # Six standard errors from 40 batches: false alarm 5e-7; sees a mass off by about .08.
    tolerance = 6 * np.hypot(batches.std(ddof=1) / np.sqrt(batches.size), error)
    assert tolerance < 0.1
    assert abs(batches.mean() - mass) < tolerance


@pytest.mark.slow
def test_posterior_predictive_of_observed_points(flow):
    x = flow.draw(4, rng=np.random.default_rng(15))
    with pm.Model():
        pm.Normal("free")
        LearnedScore("x", flow, observed=x)
        options = sampling_options() | {"progressbar": False}
        idata = pm.sample(500, tune=100, chains=1, random_seed=16, **options)
        predictive = pm.sample_posterior_predictive(idata, progressbar=False, random_seed=17)
    drawn = predictive.posterior_predictive["x"].values
    assert drawn.shape == (1, 500, 4, 2)
    z = flow.to_latent(drawn.reshape(-1, 2))
    # Five standard errors for each of two means: false alarm 1e-6.
    assert np.abs(z.mean(axis=0)).max() < 5 / np.sqrt(len(z))


WITHOUT_COMPILER = """
import sys
import pymc as pm
import pytensor
import symscore
from symscore.baselines.stack import sampling_options
from symscore.pymc import LearnedScore

assert pytensor.config.cxx == ""
with pm.Model():
    x = LearnedScore("x", symscore.load(sys.argv[1]))
    pm.Normal("y", x.sum(), 6.0, observed=-4.0)
    options = sampling_options() | {"cores": 1, "progressbar": False}
    print(*pm.sample(50, tune=50, chains=1, random_seed=1, **options).posterior["x"].shape)
"""


@pytest.mark.slow
def test_without_a_compiler(flow, tmp_path):
    symscore.save(flow, tmp_path / "model")
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER, str(tmp_path / "model")],
        env=os.environ | {"PYTENSOR_FLAGS": f"{flags},cxx=".lstrip(",")},
        cwd=Path(symscore.__path__[0]).parent,
        capture_output=True,
        text=True,
        timeout=300,  # PyTensor 2 in its own choice of mode takes longer than this
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["1", "50", "2"]
