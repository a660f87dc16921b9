"""One posterior whose answer is known, and a program that samples it in a process of its own.

    python -m tests.pymc.backends MODEL DRAWS OPTIONS

reads a flow, samples with the options of ``pm.sample`` in the JSON text OPTIONS, and writes the
draws to the file DRAWS.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import arviz as az
import numpy as np
import pymc as pm
import xarray as xr
from scipy.stats import norm
from scipy.stats import t as student_t

import symscore
from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.pymc import LearnedScore
from tests.tolerances import FALSE_ALARM

Y, SIGMA = -4.0, 3.0
# Two-sided for a normal error: false alarm 6e-7.
Z = 5.0
RUN = {"tune": 500, "draws": 1000, "chains": 2, "random_seed": 21, "progressbar": False}


def weak_likelihood(flow: ScoreFlow, **options: Any) -> pm.Model:
    """Return the model x ~ flow, y ~ N(sum of x, 3^2), y = -4, which favours the lighter mode."""
    with pm.Model() as model:
        x = LearnedScore("x", flow, **options)
        pm.Normal("y", x.sum(), SIGMA, observed=Y)
    return model


def quantities(flow: ScoreFlow, x: FloatArray) -> FloatArray:
    """Return, for points (..., 2), whether they are in the left mode and their sum, (..., 2)."""
    points = x.reshape(-1, flow.dim)
    left = flow.ladder.frame.whiten(points)[:, 0] < 0
    return np.stack([left, points.sum(axis=1)], axis=-1).reshape(*x.shape[:-1], 2)


@final
@dataclass(frozen=True, eq=False)
class Answer:
    """Prior and posterior means (2,) of the quantities, and the standard error of the latter."""

    flow: ScoreFlow
    prior: FloatArray
    mean: FloatArray
    error: FloatArray

    @classmethod
    def of(cls, flow: ScoreFlow, draws: int = 400_000) -> "Answer":
        """Weigh independent draws of the prior by the likelihood."""
        found = quantities(flow, flow.draw(draws, rng=np.random.default_rng(20)))
        weights = norm.pdf(Y, found[:, 1], SIGMA)
        weights /= weights.sum()
        mean = weights @ found
        error = np.sqrt(weights**2 @ (found - mean) ** 2)
        return cls(flow, found.mean(axis=0), mean, error)

    def require(self, x: FloatArray) -> None:
        """Assert that chains of points (chain, draw, 2) have these means.

        Within five Monte Carlo standard errors, by ArviZ, which also counts what chains differ by;
        and draws of the prior, or chains that each stay in one mode, would have been told apart.
        """
        found = quantities(self.flow, np.asarray(x, dtype=np.float64))
        data = xr.Dataset({"x": (("chain", "draw", "quantity"), found)})
        error = az.mcse(data, method="mean")["x"].to_numpy()
        self._compare(found.mean(axis=(0, 1)), Z * np.hypot(error, self.error))

    def require_runs(self, x: FloatArray) -> None:
        """Assert that independent runs (run, draw, 2), of draws that depend, have these means."""
        means, tolerance = by_batches(quantities(self.flow, x).mean(axis=1))
        self._compare(means, np.hypot(tolerance, Z * self.error))

    def require_roughly(self, x: FloatArray, bound: float) -> None:
        """Assert that independent points (n, 2) of some approximation have nearly these means.

        `bound` is the error allowed as a share of what the likelihood changes.
        """
        self._compare(quantities(self.flow, x).mean(axis=0), bound * abs(self.prior - self.mean))

    def _compare(self, means: FloatArray, tolerance: FloatArray) -> None:
        assert np.all(tolerance < np.abs(self.prior - self.mean)), "too few draws to tell"
        assert np.all(np.abs(means - self.mean) < tolerance)


def by_batches(batches: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean of means of batches (n, ...), and how far from the truth it may be.

    By Student's t, as for independent batches.
    """
    n = len(batches)
    error = batches.std(axis=0, ddof=1) / np.sqrt(n)
    return batches.mean(axis=0), student_t.isf(FALSE_ALARM / 2, n - 1) * error


def sampled_apart(
    flow: ScoreFlow, folder: Path, *, flags: str = "", **options: Any
) -> tuple[FloatArray, str]:
    """Return the draws of this program, and what it printed, with more PyTensor flags."""
    symscore.save(flow, folder / "model")
    given = os.environ.get("PYTENSOR_FLAGS", "")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.pymc.backends",
            str(folder / "model"),
            str(folder / "draws.npy"),
            json.dumps(options),
        ],
        env=os.environ | {"PYTENSOR_FLAGS": f"{given},{flags}".strip(",")},
        cwd=Path(symscore.__path__[0]).parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return np.load(folder / "draws.npy"), run.stdout + run.stderr


def main() -> None:
    """Sample."""
    model, draws, options = sys.argv[1:]
    with weak_likelihood(symscore.load(model)):
        trace = pm.sample(**RUN | json.loads(options))
    np.save(draws, trace.posterior["x"].to_numpy())


if __name__ == "__main__":
    main()
