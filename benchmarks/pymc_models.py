"""The flows, models and samplers of `./dev bench pymc`, and how their cost is counted.

Costs are processor seconds of the process and its children, not seconds of the wall clock: other
programs on the machine then add little. Every sampler runs in one process.
"""

import argparse
import json
import logging
import os
import resource
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pymc as pm

from symscore import GaussianMixture, ScoreFlow, ScoreLadder
from symscore.baselines.stack import sampling_options
from symscore.errors import SymscoreWarning
from symscore.learn.field import PiecewiseScore
from symscore.learn.frame import Whitening
from symscore.learn.hermite import n_features
from symscore.progress import progress_bar
from symscore.pymc import LearnedScore
from symscore.schedule import NoiseLevel, Schedule

HAS_NUTPIE = find_spec("nutpie") is not None
SAMPLERS = ("PyMC", "nutpie") if HAS_NUTPIE else ("PyMC",)
Say = Callable[[str], None]
Show = Callable[[str, int, int], None]


def processor_seconds() -> float:
    """Return the processor time of this process and of the compilers that it started."""
    kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, kinds))


def overlapping_cells(dim: int, cells: int) -> GaussianMixture:
    """Return components with sd of about .25 to .5 and means of sd 2."""
    rng = np.random.default_rng([dim, cells])
    roots = rng.normal(size=(cells, dim, dim))
    covariances = 0.05 * (roots @ roots.swapaxes(1, 2) + np.eye(dim))
    return GaussianMixture(
        rng.dirichlet(np.full(cells, 5.0)), 2 * rng.normal(size=(cells, dim)), covariances
    )


def flow_of_mixture(
    mixture: GaussianMixture, *, degree: int = -1, amplitude: float = 0.02
) -> ScoreFlow:
    """Return the flow of a mixture's own denoisers, or with random deviations from them.

    `degree` is that of the deviations, whose coefficients have sd `amplitude`; -1 stands for none,
    and the flow's density is then the mixture's but for the error of the steps.
    """
    frame = Whitening(*moments(mixture))
    inverse = np.linalg.inv(frame.scale_tril)
    crude = GaussianMixture(
        mixture.weights,
        frame.whiten(mixture.means),
        inverse @ mixture.covariances @ inverse.T,
    )
    smallest = float(np.linalg.eigvalsh(crude.covariances).min()) ** 0.5
    schedule = Schedule.up_to(10 / smallest)
    size = n_features(crude.dim, degree) if degree >= 0 else 0
    rng = np.random.default_rng(0)
    fields = [
        PiecewiseScore(
            crude,
            NoiseLevel.from_kappa(kappa),
            amplitude * rng.normal(size=(crude.n_components, size, crude.dim)),
        )
        for kappa in schedule.field_kappas.tolist()
    ]
    names = [f"x{j}" for j in range(crude.dim)]
    return ScoreFlow(ScoreLadder(frame, schedule, tuple(fields), tuple(names)))


def moments(mixture: GaussianMixture) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (d,) of a mixture and the Cholesky factor (d, d) of its covariance."""
    mean = mixture.weights @ mixture.means
    away = mixture.means - mean
    within = np.einsum("c,cij->ij", mixture.weights, mixture.covariances)
    return mean, np.linalg.cholesky(within + (mixture.weights[:, None] * away).T @ away)


def normal_model(
    prior: ScoreFlow | GaussianMixture, y: np.ndarray, sigma: float, *, latent: bool = True
) -> pm.Model:
    """Return the model of x with this prior and of y ~ N(x, sigma^2 I) as observed.

    A GaussianMixture becomes a ``pm.Mixture`` of ``pm.MvNormal``.
    """
    with pm.Model() as model, warnings.catch_warnings():
        # Chains that stay in one mode are what is measured.
        warnings.simplefilter("ignore", SymscoreWarning)
        if isinstance(prior, ScoreFlow):
            x = LearnedScore("x", prior, latent=latent)
        else:
            components = pm.MvNormal.dist(prior.means, chol=prior.chol_covariances)
            x = pm.Mixture("x", prior.weights, components)
        pm.Normal("y", x, pm.Data("sigma", sigma), observed=pm.Data("observed", y))
    return model


@dataclass(frozen=True, eq=False)
class Run:
    """Draws of x (chain, draw, d), and what they took; steps and seconds count the tuning too."""

    draws: np.ndarray
    steps: int
    seconds: float  # compilation left out
    divergences: int


def sample_pymc(
    model: pm.Model, draws: int, *, tune: int, chains: int, depth: int, seed: int
) -> Run:
    """Sample by PyMC's own NUTS, whose statistics hold the processor time of every draw."""
    options = sampling_options() | {"cores": 1, "progressbar": False}
    with model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = pm.sample(
            draws,
            tune=tune,
            chains=chains,
            random_seed=seed,
            nuts_sampler="pymc",
            nuts={"max_treedepth": depth},
            discard_tuned_samples=False,
            compute_convergence_checks=False,
            **options,
        )
    groups = [trace["warmup_sample_stats"], trace["sample_stats"]]
    steps, seconds = (
        sum(group[name].values.sum() for group in groups)
        for name in ("n_steps", "process_time_diff")
    )
    diverging = int(groups[1]["diverging"].values.sum())
    return Run(trace["posterior"]["x"].values, int(steps), float(seconds), diverging)


def sample_nutpie(
    model: pm.Model, draws: int, *, tune: int, chains: int, depth: int, seed: int
) -> Run:
    """Sample by nutpie; its threads are this process's."""
    import nutpie

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = nutpie.compile_pymc_model(model)
        began = processor_seconds()
        trace = nutpie.sample(
            compiled,
            draws=draws,
            tune=tune,
            chains=chains,
            cores=1,
            seed=seed,
            maxdepth=depth,
            progress_bar=False,
        )
        seconds = processor_seconds() - began
    groups = [trace["warmup_sample_stats"], trace["sample_stats"]]
    steps = sum(int(group["n_steps"].values.sum()) for group in groups)
    diverging = int(groups[1]["diverging"].values.sum())
    return Run(trace["posterior"]["x"].values, steps, seconds, diverging)


SAMPLE = {"PyMC": sample_pymc, "nutpie": sample_nutpie}


def parser(text: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all tables share; `text` is a module's docstring."""
    made = argparse.ArgumentParser(description=text.splitlines()[0])
    made.add_argument("--quick", action="store_true", help="a few lines of each table")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--json", action="store_true", help="print one JSON object instead")
    return made


def print_tables(
    tables: dict[str, Callable[[argparse.Namespace, Say, Show], object]],
    options: argparse.Namespace,
) -> None:
    """Run the tables one after the other, printing lines as they come or one JSON object."""
    logging.getLogger("pymc").setLevel(logging.ERROR)
    say: Say = (lambda text: None) if options.json else (lambda text: print(text, flush=True))
    load = os.getloadavg()[0]
    say(f"PyMC {pm.__version__}; load {load:.1f} on {os.cpu_count()} cores when this began")
    results: dict[str, object] = {"pymc": pm.__version__, "load": load}
    with progress_bar(quiet=options.json) as show:
        for name, table in tables.items():
            say("")
            results[name] = table(options, say, show)
    if options.json:
        print(json.dumps(results))


def columns(name: str, *figures: object, width: int = 11) -> str:
    """Return one line of a table."""
    return f"{name:<24}" + "".join(f" {figure!s:>{width}}" for figure in figures)
