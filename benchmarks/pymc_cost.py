"""What a learned density costs in PyMC: kernels, leapfrog steps and compilation.

    ./dev bench pymc cost [--quick] [--seed 1] [--json]

Flows are written down by hand: about 20 steps, deviations of degree 2, the same cells at every
level; one more is learned. Beside each stands a `pm.Mixture` of `pm.MvNormal` with as many
components as the flow has cells, fixed numbers and the same likelihood. Figures are processor time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pymc as pm

from benchmarks.pymc_models import (
    HAS_NUTPIE,
    SAMPLE,
    SAMPLERS,
    Say,
    Show,
    columns,
    flow_of_mixture,
    moments,
    normal_model,
    overlapping_cells,
    parser,
    print_tables,
    processor_seconds,
)
from benchmarks.targets import moons
from symscore import GaussianMixture, ScoreDensity, ScoreFlow
from symscore.flow.kernels import density_rows, pull_rows, push_rows
from symscore.recipes import Auto

FORMS = ("latent", "centred", "mixture")
KERNELS = [(dim, cells) for dim in (2, 5, 10) for cells in (4, 8, 16, 32)]
MODELS = [(2, 4), (2, 16), (2, 32), (5, 16)]
ROWS = 1000  # of a block in two dimensions
LEARNED_FROM = 2000
DEPTH = 5  # of trees: the cost of a step does not depend on it


def run(options: argparse.Namespace, say: Say, show: Show) -> dict[str, object]:
    """Print the three tables and return their figures."""
    return {
        "kernels": kernels(options, say, show),
        "steps": steps(options, say, show),
        "compilation": compilation(options, say, show),
    }


# ---- kernels


def kernels(options: argparse.Namespace, say: Say, show: Show) -> list[dict[str, float]]:
    """Time the compiled kernels, called from Python, for single points and for blocks of rows."""
    say("Microseconds a point: density with gradient; latent map with pull-back of a gradient")
    say(columns("d, cells, steps", *2 * ("alone", "in a block"), "map / dens."))
    settings = [(2, 4), (2, 16), (5, 16)] if options.quick else KERNELS
    found = []
    for done, (dim, cells) in enumerate(settings):
        show("kernels", done, len(settings))
        flow = flow_of_mixture(overlapping_cells(dim, cells), degree=2)
        row = kernel_times(flow, seed=options.seed)
        found.append({"dim": dim, "cells": cells, **row})
        name = f"{dim}, {cells}, {flow.ladder.schedule.n_steps}"
        ratio = row["map, alone"] / row["density, alone"]
        say(columns(name, *(f"{figure:.1f}" for figure in row.values()), f"{ratio:.2f}"))
    return found


def kernel_times(flow: ScoreFlow, *, seed: int) -> dict[str, float]:
    """Return microseconds a point, for single points and for blocks, on one core."""
    n = ROWS if flow.dim == 2 else ROWS // 5
    z = np.random.default_rng(seed).standard_normal((n, flow.dim))
    x, out = flow.from_latent(z), np.empty_like(z)
    value, score = np.empty(n), np.empty_like(z)

    def density(rows: slice) -> None:
        density_rows(*flow.packed, x[rows], value[rows], score[rows])

    def latent(rows: slice) -> None:
        push_rows(*flow.packed, z[rows], out[rows])
        pull_rows(*flow.packed, z[rows], score[rows], out[rows])

    singles, block = [slice(i, i + 1) for i in range(ROWS // 10)], [slice(0, n)]
    times = {}
    for name, work in (("density", density), ("map", latent)):
        work(slice(0, 1))
        times[f"{name}, alone"] = _seconds(work, singles) * 1e6 / len(singles)
        times[f"{name}, together"] = _seconds(work, block) * 1e6 / n
    return times


def _seconds(work: Callable[[slice], None], pieces: list[slice]) -> float:
    """Return the lesser time of two runs through the pieces."""
    least = np.inf
    for _ in range(2):
        began = processor_seconds()
        for piece in pieces:
            work(piece)
        least = min(least, processor_seconds() - began)
    return least


# ---- steps


def steps(options: argparse.Namespace, say: Say, show: Show) -> list[dict[str, object]]:
    """Time a leapfrog step of every form in every sampler."""
    say("Microseconds a leapfrog step; to the mixture's in brackets")
    say(columns("flow", *(f"{s}: {form}" for s in SAMPLERS for form in FORMS), width=15))
    cases: list[tuple[str, Callable[[], tuple[ScoreFlow, GaussianMixture]]]] = [
        (f"d = {dim}, {cells} cells", lambda d=dim, c=cells: by_hand(d, c))
        for dim, cells in ([(2, 16)] if options.quick else MODELS)
    ]
    if not options.quick:
        cases.append(("d = 2, learned", learned))
    found: list[dict[str, object]] = []
    for done, (name, make) in enumerate(cases):
        show("steps", done, len(cases))
        row = step_times(*make(), draws=30 if options.quick else 60, seed=options.seed)
        found.append({"flow": name, **row})
        figures = (_beside(row, sampler, form) for sampler in SAMPLERS for form in FORMS)
        say(columns(name, *figures, width=15))
    return found


def by_hand(dim: int, cells: int) -> tuple[ScoreFlow, GaussianMixture]:
    """Return a flow with these cells, and its cells as a mixture."""
    mixture = overlapping_cells(dim, cells)
    return flow_of_mixture(mixture, degree=2), mixture


def learned() -> tuple[ScoreFlow, GaussianMixture]:
    """Return a default fit to two moons, and the cells of its last level as a mixture."""
    draws = moons().draw(LEARNED_FROM, rng=np.random.default_rng(0))
    flow = ScoreDensity(Auto(), random_state=0).fit(draws).flow_
    frame = flow.ladder.frame
    crude = flow.ladder.fields[-1].members[0].crude
    covariances = frame.scale_tril @ crude.covariances @ frame.scale_tril.T
    return flow, GaussianMixture(crude.weights, frame.unwhiten(crude.means), covariances)


def step_times(
    flow: ScoreFlow, mixture: GaussianMixture, *, draws: int, seed: int
) -> dict[str, float]:
    """Return microseconds a step by sampler and form, all with one weak likelihood."""
    mean, chol = moments(mixture)
    sigma = float(np.sqrt((chol**2).sum() / mixture.dim))
    times = {}
    for sampler in SAMPLERS:
        for form in FORMS:
            prior = mixture if form == "mixture" else flow
            model = normal_model(prior, mean, sigma, latent=form == "latent")
            sampled = SAMPLE[sampler](model, draws, tune=draws, chains=1, depth=DEPTH, seed=seed)
            times[f"{sampler}: {form}"] = 1e6 * sampled.seconds / sampled.steps
    return times


def _beside(row: dict[str, float], sampler: str, form: str) -> str:
    figure, mixture = row[f"{sampler}: {form}"], row[f"{sampler}: mixture"]
    return f"{figure:.0f} ({figure / mixture:.2f})"


# ---- compilation


def compilation(options: argparse.Namespace, say: Say, show: Show) -> list[dict[str, object]]:
    """Time the compilation of a model with 16 cells, with empty caches and again with full ones."""
    say("Seconds from the model to its first gradient, with empty caches and again")
    say(columns("sampler: form", "empty", "again"))
    samplers = SAMPLERS[:1] if options.quick else SAMPLERS
    cases = [(sampler, form) for sampler in samplers for form in ("latent", "mixture")]
    found = []
    for done, (sampler, form) in enumerate(cases):
        show("compilation", done, len(cases))
        with tempfile.TemporaryDirectory() as caches:
            empty, again = (_compile_apart(sampler, form, Path(caches)) for _ in range(2))
        found.append({"sampler": sampler, "form": form, "empty": empty, "again": again})
        say(columns(f"{sampler}: {form}", f"{empty:.1f}", f"{again:.1f}"))
    return found


def _compile_apart(sampler: str, form: str, caches: Path) -> float:
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    code = "import sys; from benchmarks.pymc_cost import compile_once; compile_once(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, sampler, form],
        env=os.environ
        | {
            "PYTENSOR_FLAGS": f"{flags},base_compiledir={caches / 'pytensor'}".lstrip(","),
            "NUMBA_CACHE_DIR": str(caches / "numba"),
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def compile_once(sampler: str, form: str) -> None:
    """Print the processor seconds that one model takes to be built, compiled and evaluated."""
    mixture = overlapping_cells(2, 16)
    prior = mixture if form == "mixture" else flow_of_mixture(mixture, degree=2)
    began = processor_seconds()
    model = normal_model(prior, mixture.means[0], 2.0, latent=form == "latent")
    if sampler == "nutpie" and HAS_NUTPIE:
        import nutpie

        nutpie.compile_pymc_model(model)
    else:
        gradient = model.logp_dlogp_function(ravel_inputs=True)
        gradient.set_extra_values({})
        gradient(pm.blocking.DictToArrayBijection.map(model.initial_point()))
    print(json.dumps(processor_seconds() - began))


def main() -> None:
    """Print these tables alone."""
    print_tables({"cost": run}, parser(__doc__).parse_args())


if __name__ == "__main__":
    main()
