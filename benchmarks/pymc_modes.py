"""Which form to sample when modes are far apart: through the flow, x itself, or SMC.

    ./dev bench pymc modes [--quick] [--seed 1] [--json]

The prior is the flow of a true mixture with two, four or twenty-five unit modes, weights 1 : 2 : 3
in turn, 4 to 28 standard deviations apart. Nothing is learned, so that the sampler alone errs. The
likelihood N(y; x, s^2 I) is weak (s is the spread of the whole prior), or sharp (s is a fifth of a
mode's): at one mode, or midway between two. Sharp ones only see modes next to y, so that two modes
stand for all.

The true masses are sums of the flow's own density times the likelihood over a lattice around all
modes. Four chains from PyMC's default starts; trees of NUTS end at depth 8. ESS is the least bulk
effective sample size of a coordinate, per processor second of sampling with its tuning. SMC's
seconds are those of all of `pm.sample_smc`, compilation too.
"""

import argparse
import warnings
from dataclasses import dataclass

import arviz as az
import numpy as np
import pymc as pm
import xarray as xr

from benchmarks.pymc_models import (
    HAS_NUTPIE,
    Run,
    Say,
    Show,
    columns,
    flow_of_mixture,
    moments,
    normal_model,
    parser,
    print_tables,
    processor_seconds,
    sample_nutpie,
    sample_pymc,
)
from symscore import GaussianMixture, ScoreFlow

DISTANCES = (4, 7, 14, 28)
SHARP = 0.2
METHODS = ("latent", "centred", "SMC")
CHAINS = 4
DRAWS = 500
DEPTH = 8
# Of the lattices, in units of a mode's sd: a border between modes 4 sd apart, where the posterior
# is cut in two, makes the sums err by less than 1e-3.
STEP, REACH = 0.4, 5.5
# For sharp likelihoods. Midway between modes 28 sd apart the posterior lies up to .6 from y.
FINE, MOVED = SHARP / 4, 6 * SHARP + 1


@dataclass(frozen=True)
class Likelihood:
    """One observation y with standard deviation `sigma`."""

    name: str
    y: tuple[float, float]
    sigma: float


def square_of_modes(count: int, distance: float) -> GaussianMixture:
    """Return unit modes in a row of two or on a square lattice, `distance` apart."""
    across = 2 if count == 2 else round(count**0.5)
    grid = np.stack(np.meshgrid(np.arange(across), np.arange(count // across)), axis=-1)
    weights = 1.0 + np.arange(count) % 3
    return GaussianMixture(
        weights / weights.sum(), distance * grid.reshape(-1, 2), np.tile(np.eye(2), (count, 1, 1))
    )


def likelihoods(mixture: GaussianMixture) -> list[Likelihood]:
    """Return the weak one and, with two modes, the sharp ones."""
    mean, chol = moments(mixture)
    weak = Likelihood("weak", tuple(mean), float(np.sqrt((chol**2).sum() / 2)))
    if mixture.n_components > 2:
        return [weak]
    middle = mixture.means.mean(axis=0)
    return [
        weak,
        Likelihood("sharp, at a mode", tuple(mixture.means[0]), SHARP),
        Likelihood("sharp, midway", tuple(middle), SHARP),
    ]


def nearest(mixture: GaussianMixture, x: np.ndarray) -> np.ndarray:
    """Return the number of the mode next to each point (..., d)."""
    return ((x[..., None, :] - mixture.means) ** 2).sum(axis=-1).argmin(axis=-1)


def true_masses(flow: ScoreFlow, mixture: GaussianMixture, likelihood: Likelihood) -> np.ndarray:
    """Return the posterior mass of every mode, by a sum over the points that matter."""
    y, corner = np.asarray(likelihood.y), mixture.means[0]
    narrow = likelihood.sigma < 1
    centres = y[None] if narrow else mixture.means
    longest, reach = (FINE, MOVED) if narrow else (STEP, REACH)
    # Borders between modes, half a distance from the corner and so on, run midway between points.
    half = np.abs(mixture.means[1] - corner).max() / 2
    step = half / np.ceil(half / longest)
    low = np.floor(((centres - corner).min(axis=0) - reach) / step)
    high = np.ceil(((centres - corner).max(axis=0) + reach) / step)
    axes = [corner[j] + step * (0.5 + np.arange(low[j], high[j])) for j in range(2)]
    x = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=1)
    x = x[((x[:, None] - centres) ** 2).sum(axis=2).min(axis=1) < reach**2]
    log_mass = flow.log_density(x) - 0.5 * (((x - y) / likelihood.sigma) ** 2).sum(axis=1)
    mass = np.exp(log_mass - log_mass.max())
    return np.bincount(nearest(mixture, x), mass, mixture.n_components) / mass.sum()


def sample(flow: ScoreFlow, likelihood: Likelihood, method: str, seed: int) -> Run:
    """Return draws of the posterior."""
    y = np.asarray(likelihood.y)
    model = normal_model(flow, y, likelihood.sigma, latent=method != "centred")
    if method == "SMC":
        return sample_smc(model, seed)
    nuts = sample_nutpie if HAS_NUTPIE else sample_pymc
    return nuts(model, DRAWS, tune=DRAWS, chains=CHAINS, depth=DEPTH, seed=seed)


def sample_smc(model: pm.Model, seed: int) -> Run:
    """Sample by sequential Monte Carlo, in the latent form: its moves then need no inversion."""
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        began = processor_seconds()
        trace = pm.sample_smc(
            draws=DRAWS,
            chains=CHAINS,
            cores=1,
            random_seed=seed,
            progressbar=False,
            compute_convergence_checks=False,
        )
        seconds = processor_seconds() - began
    return Run(trace["posterior"]["x"].values, 0, seconds, 0)


def judge(run: Run, mixture: GaussianMixture, truth: np.ndarray) -> dict[str, float]:
    """Return half the sum of the errors of all masses, the diagnostics and the speed."""
    hits = np.bincount(nearest(mixture, run.draws).ravel(), minlength=truth.size)
    data = xr.Dataset({"x": (("chain", "draw", "column"), run.draws)})
    effective = float(az.ess(data)["x"].min())
    return {
        "mass error": float(0.5 * np.abs(hits / hits.sum() - truth).sum()),
        "rhat": float(az.rhat(data)["x"].max()),
        "ess": effective,
        "ess per second": effective / run.seconds,
        "seconds": run.seconds,
        "divergences": run.divergences,
        "steps per draw": run.steps / (2 * DRAWS * CHAINS),
    }


def run(options: argparse.Namespace, say: Say, show: Show) -> list[dict[str, object]]:
    """Print a line a method and return the figures."""
    settings = [
        (count, distance)
        for count in ((2,) if options.quick else (2, 4, 25))
        for distance in ((7,) if options.quick else DISTANCES)
    ]
    sampler = "nutpie" if HAS_NUTPIE else "PyMC's NUTS"
    say(f"Modes of posteriors by {sampler} and SMC, {CHAINS} chains of {DRAWS} draws")
    headings = ("method", "mass error", "R-hat", "ESS", "ESS / s", "seconds", "diverg.", "steps")
    say(columns("modes, sd, likelihood", *headings))
    found = []
    for done, (count, distance) in enumerate(settings):
        mixture = square_of_modes(count, distance)
        flow = flow_of_mixture(mixture)
        for likelihood in likelihoods(mixture):
            truth = true_masses(flow, mixture, likelihood)
            name = f"{count}, {distance}, {likelihood.name}"
            for method in METHODS:
                show("modes", done, len(settings))
                figures = judge(sample(flow, likelihood, method, options.seed), mixture, truth)
                found.append(
                    {
                        "modes": count,
                        "distance": distance,
                        "likelihood": likelihood.name,
                        "method": method,
                        "masses": truth.tolist(),
                        **figures,
                    }
                )
                say(columns(name, method, *_shown(figures)))
    return found


def _shown(figures: dict[str, float]) -> list[str]:
    formats = (".3f", ".2f", ".0f", ".3g", ".1f", ".0f", ".0f")
    return [f"{figure:{form}}" for figure, form in zip(figures.values(), formats, strict=True)]


def main() -> None:
    """Print this table alone."""
    print_tables({"modes": run}, parser(__doc__).parse_args())


if __name__ == "__main__":
    main()
