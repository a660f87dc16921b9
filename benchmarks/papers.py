"""The three papers' recipes and the default on the same samples of known densities.

    ./dev bench papers [--quick] [--targets ring,random5] [--n 2000] [--seeds 3] [--json FILE]

TV is of the density: of the soft twin where a recipe's cells are hard. The energy distance is of
what the recipe itself draws, by its reverse diffusion where there is one, to fresh draws of the
truth; beside it is that of as many other draws of the truth, which is 0 up to chance. Where the
truth is a mixture of up to eight Gaussians and DDPMGradient finds as many, the errors of its
parameters are shown beside those of EM with the true number. Seconds are of the processor.

Targets are those of the accuracy benchmark with at most five columns. Results are kept in
.cache/bench-papers by what decides them, so an interrupted run goes on. --quick takes 1000 rows,
one seed and four targets.
"""

import argparse
import json
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import linear_sum_assignment

from benchmarks.accuracy import jobs
from benchmarks.baselines import STARTS, Estimate, em
from benchmarks.measured import Result, Sample, judge
from benchmarks.methods import TRUE_K, quiet
from benchmarks.remember import CACHE, PACKAGE, Memory, digest, fit_files, sources, stamp
from benchmarks.targets import MIXTURE, TARGETS, Target, target
from benchmarks.verdicts import Mean
from symscore import GaussianMixture, ScoreDensity
from symscore.atomic import atomic_path
from symscore.compare.metrics import energy_distance
from symscore.errors import SymscoreWarning
from symscore.recipes import Auto, DDPMGradient, GeneralMixture, Recipe, WarmStartVoronoi

MOST_COLUMNS = 5
QUICK = ("separated", "ring", "mw09-trimodal", "random5")
DRAWS = 4000  # of each sample in an energy distance
PAIRS = ("energy", "chance")
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba")
MEMORY = Memory(CACHE / "bench-papers")


# Each with the folder of its steps.
RECIPES: dict[str, tuple[Recipe, str | None]] = {
    "Auto": (Auto(), None),
    "GeneralMixture": (GeneralMixture(), "general_mixture"),
    "WarmStartVoronoi": (WarmStartVoronoi(), "warm_start"),
    "DDPMGradient": (DDPMGradient(), "ddpm"),
}


@final
@dataclass(frozen=True)
class ParameterErrors:
    """How far a mixture is from the true one, component by component, the largest of each.

    Attributes
    ----------
    mean : float
        Error of a mean, in standard deviations of its true component.
    covariance : float
        Frobenius norm of L^-1 (S' - S) L^-T for the true covariance S = L L^T.
    weight : float
    """

    mean: float
    covariance: float
    weight: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} sd, {self.covariance:.3f}, {self.weight:.4f}"


@final
@dataclass(frozen=True)
class Reached:
    """What a recipe reached on one sample.

    Attributes
    ----------
    density : Result
        Of the density; its seconds are the fit's.
    softening : float
        Seconds for the flow of the soft twin.
    energy, chance : sequence of two floats
        Energy distance, and its standard error, of own draws to draws of the truth, and of other
        draws of the truth.
    components : int or None
        Of the recovered mixture.
    parameters, em : ParameterErrors or None
        Of that mixture where the truth has as many components, and of EM with as many.
    """

    density: Result
    softening: float
    energy: Sequence[float]
    chance: Sequence[float]
    components: int | None = None
    parameters: ParameterErrors | None = None
    em: ParameterErrors | None = None

    @classmethod
    def of(cls, kept: dict[str, Any]) -> "Reached":
        """Return what was kept as JSON."""
        read = {name: kept[name] and ParameterErrors(**kept[name]) for name in ("parameters", "em")}
        return cls(**(kept | read | {"density": Result(**kept["density"])}))


def parameter_errors(found: GaussianMixture, truth: GaussianMixture) -> ParameterErrors | None:
    """Return the errors of the components matched by their means; None for unequal numbers."""
    if found.n_components != truth.n_components:
        return None
    roots = np.linalg.cholesky(truth.covariances)
    away = np.array(
        [
            np.linalg.norm(solve_triangular(root, (found.means - mean).T, lower=True), axis=0)
            for root, mean in zip(roots, truth.means, strict=True)
        ]
    )
    true, own = linear_sum_assignment(away)
    spreads = []
    for i, j in zip(true, own, strict=True):
        half = solve_triangular(roots[i], found.covariances[j] - truth.covariances[i], lower=True)
        spreads.append(float(np.linalg.norm(solve_triangular(roots[i], half.T, lower=True))))
    shares = np.abs(found.weights[own] - truth.weights[true])
    return ParameterErrors(float(away[true, own].max()), max(spreads), float(shares.max()))


def em_errors(sample: Sample, truth: GaussianMixture) -> ParameterErrors | None:
    """Return the errors of scikit-learn's EM with the true number of components."""
    with quiet():
        fitted = em(sample.data, truth.n_components, sample.seed, STARTS)
    mixture = GaussianMixture(fitted.weights_, fitted.means_, fitted.covariances_)
    return parameter_errors(mixture, truth)


@cache
def compiled(name: str) -> None:
    """Compile what a recipe needs, which is no part of its time."""
    rows = np.random.default_rng(0).standard_normal((100, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SymscoreWarning)
        fitted = ScoreDensity(RECIPES[name][0], random_state=0).fit(rows)
        fitted.soften().score_samples(fitted.sample(10))


def measure(sample: Sample, name: str) -> Reached:
    """Fit one recipe to a sample and judge its density, its draws and its parameters."""
    compiled(name)
    truth = sample.target
    began = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SymscoreWarning)
        fitted = ScoreDensity(RECIPES[name][0], random_state=sample.seed).fit(sample.data)
        seconds = time.process_time() - began
        soft = fitted.soften()
    softening = time.process_time() - began - seconds
    figures = judge(sample, Estimate(soft.flow_.log_density, soft.flow_.draw))
    note = ", ".join(dict.fromkeys(said.category.__name__ for said in caught))
    identity = (truth.name, name, len(sample.data), sample.seed)
    rng = np.random.default_rng([sample.seed, 2, zlib.crc32(truth.name.encode())])
    fresh, other = truth.draw(DRAWS, rng=rng), truth.draw(DRAWS, rng=rng)
    own, chance = (energy_distance(drawn, fresh) for drawn in (fitted.sample(DRAWS), other))
    mixture = fitted.report_.ladder.parameters
    found = None
    if mixture is not None and truth.group == MIXTURE:
        found = parameter_errors(mixture, truth.density)
    return Reached(
        Result(*identity, **figures, seconds=seconds, note=note),
        softening,
        (own.value, own.standard_error),
        (chance.value, chance.standard_error),
        None if mixture is None else mixture.n_components,
        found,
        None if found is None else em_errors(sample, truth.density),
    )


@cache
def stamp_of(name: str) -> str:
    """Return a name of the options, sources and versions that decide a recipe's results."""
    files, (recipe, folder) = fit_files(), RECIPES[name]
    if folder is not None:
        # What recipes share lies beside their folders.
        parts = (f"learn/{folder}", "learn", "learn/recipes")
        files |= {file for part in parts for file in (PACKAGE / part).glob("*.py")}
    return digest(repr(recipe), sources(files), stamp((), PACKAGES), DRAWS)


def remembered(sample: Sample, name: str) -> Reached:
    """Return a result from the memory, or measure and keep it."""
    truth = sample.target.log_density(sample.test[:100])
    key = digest(sample.data, sample.test, truth, sample.seed, name, stamp_of(name))
    kept = MEMORY.get(key)
    if kept is None:
        kept = asdict(measure(sample, name))
        MEMORY.put(key, kept)
    return Reached.of(kept)


def run(todo: Iterator[tuple[Target, int, str]], n: int, say: Callable[..., None]) -> list[Reached]:
    """Measure one job after the other; one that fails is reported and left out."""
    results = []
    for truth, seed, name in todo:
        try:
            reached = remembered(Sample.of(truth, n, seed), name)
        except Exception as error:  # one failure must not end a run of hours
            say(f"{truth.name}, seed {seed}, {name}: {type(error).__name__}: {error}")
            continue
        results.append(reached)
        own = reached.density
        say(f"{truth.name}, seed {seed}, {name}: TV {own.tv:.4f} {own.note}")
    return results


def table(results: Sequence[Reached]) -> Iterator[str]:
    """Yield a line for every target and recipe, figures averaged over seeds."""
    yield (
        f"{'':<40}{'seeds':>5}{'TV':>17}{'twin':>8}"
        f"{'energy':>20}{'of the truth':>20}{'fit, s':>9}{'soften, s':>11}"
    )
    groups: dict[tuple[str, str], list[Reached]] = {}
    for r in results:
        groups.setdefault((r.density.target, r.density.method), []).append(r)
    for (truth, name), done in groups.items():
        tv, twin, fit = (_over_seeds(done, part) for part in ("tv", "twin", "seconds"))
        energy, chance = (_mean_with_error([getattr(r, part) for r in done]) for part in PAIRS)
        soften = Mean.of([r.softening for r in done])
        yield (
            f"{truth:<22}{name:<18}{len(done):>5}{tv!s:>17}{twin.value:>8.4f}"
            f"{energy:>20}{chance:>20}{fit.value:>9.1f}{soften.value:>11.1f}"
        )


def parameter_table(results: Sequence[Reached]) -> Iterator[str]:
    """Yield what was recovered of every true mixture, seed by seed."""
    yield f"{'largest error of a mean, a covariance, a weight':<55}{TRUE_K}"
    for r in results:
        truth = target(r.density.target)
        if r.components is not None and truth.group == MIXTURE:
            other = f"k = {r.components}, the truth {truth.n_components}"
            shown = f"{r.parameters or other!s:<26}{r.em or ''!s}"
            yield f"{truth.name:<20}seed {r.density.seed:<4}{shown}".rstrip()


def _over_seeds(done: Sequence[Reached], figure: str) -> Mean:
    return Mean.of([getattr(r.density, figure) for r in done])


def _mean_with_error(pairs: Sequence[Sequence[float]]) -> str:
    """Return the mean over seeds and the standard error that the draws cause."""
    values, errors = np.array(pairs).T
    return f"{values.mean():.5f} +-{np.sqrt((errors**2).sum()) / len(errors):.5f}"


def _options() -> argparse.Namespace:
    known = [name for name in TARGETS if target(name).dim <= MOST_COLUMNS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1000 rows, one seed, four targets")
    parser.add_argument("--targets", help="comma-separated names")
    parser.add_argument("--n", type=int, help="rows to learn from")
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    options.n = options.n or (1000 if options.quick else 2000)
    options.seeds = options.seeds or (1 if options.quick else 3)
    usual = QUICK if options.quick else known
    options.targets = options.targets.split(",") if options.targets else usual
    if not set(options.targets) <= set(known):
        parser.error(f"expected targets among {', '.join(known)}")
    return options


def main() -> None:
    """Measure, print the tables, and write the figures."""
    options = _options()
    todo = jobs([target(name) for name in options.targets], options.seeds, list(RECIPES))
    results = run(todo, options.n, partial(print, file=sys.stderr, flush=True))
    print(f"{options.n} rows; energy distances of {DRAWS} draws; +- 95 % over seeds for TV")
    for line in (*table(results), *parameter_table(results)):
        print(line)
    if options.json is not None:
        figures = {"n": options.n, "results": [asdict(reached) for reached in results]}
        with atomic_path(options.json) as temporary:
            temporary.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
