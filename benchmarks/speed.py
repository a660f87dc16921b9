"""Seconds of fits, densities and draws, beside scikit-learn's and neural flows' in the same run.

    ./dev bench speed [fit] [million] [evaluate] [growth] [--quick] [--seed 1] [--json FILE]

Each word is one of the tables; all four are the default.

fit       a default fit beside scikit-learn's BIC scan (1 to 25 components, three starts each) and
          zuko's and FlowJAX's spline flows where installed, with log densities of fresh rows
million   10^6 rows (10^5 with --quick) beside scikit-learn's 1, 5, 10 and 25 components, one start
          each; peak memory of either process
evaluate  log density, its gradient and draws of 10^5 points, beside zuko's flow
growth    how seconds grow with rows, dimensions, cells and levels

Seconds are those of a wall clock, so ratios mean more than figures. Warm means that the compiled
kernels are loaded; the cold figure is a process of its own with an empty cache of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.baselines import Estimate, em_bic
from benchmarks.methods import FLOWS, METHODS, quiet
from benchmarks.targets import random_mixture, ring, target
from symscore import ScoreDensity
from symscore.arrays import FloatArray
from symscore.recipes import Auto

ROWS = 5000
FRESH = 5000  # rows whose mean log density is compared
TARGETS = ("separated", "overlapping", "ring", "moons", "scales")
Row = dict[str, Any]


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="fewer targets, smaller sizes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    options = parser.parse_args()
    unknown = sorted(set(options.tables) - set(TABLES))
    if unknown:
        parser.error(f"Expected tables among {', '.join(TABLES)}; got {', '.join(unknown)}.")
    found: dict[str, Any] = {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
    _say(f"{found['cores']} cores, load {found['load']:.1f} when this began")
    with quiet():
        warm_up(options.seed)
        for name in options.tables or TABLES:
            _say(f"\n{name}")
            found[name] = []
            for row in TABLES[name](options.quick, options.seed):
                found[name].append(row)
                _say("  " + "  ".join(f"{key} {_shown(value)}" for key, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def warm_up(seed: int) -> None:
    """Load the kernels, whose compilation is no part of a warm figure."""
    rows = np.random.default_rng(seed).standard_normal((300, 2))
    for dim in (1, 2):
        flow = ScoreDensity(random_state=seed).fit(rows[:, :dim]).flow_
        flow.log_density_and_score(flow.draw(10, rng=np.random.default_rng(seed)))


def timed(work: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """Return the seconds that `work` takes, and what it returns."""
    began = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - began, result


def child(
    *arguments: object, cold: bool = False, flags: Sequence[str] = ("--warm",)
) -> dict[str, float]:
    """Return what a process of its own measured; a cold one finds no compiled kernels."""
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "NUMBA_CACHE_DIR": empty} if cold else dict(os.environ)
        command = [sys.executable, "-m", "benchmarks._speed_child", *map(str, arguments)]
        done = subprocess.run(
            [*command, *(() if cold else flags)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def fit_table(quick: bool, seed: int) -> Iterator[Row]:
    """Yield a row a target: seconds of every method, and what fresh rows think of the fits."""
    yield {"cold fit, separated": child("ours", "separated", ROWS, seed, cold=True)["seconds"]}
    yield from missing()
    for name in TARGETS[::2] if quick else TARGETS:
        truth = target(name)
        data = truth.draw(ROWS, rng=np.random.default_rng(seed))
        fresh = truth.draw(FRESH, rng=np.random.default_rng([seed, 1]))
        ours, estimate = timed(ScoreDensity(random_state=seed).fit, data)
        scan, best = timed(em_bic, data, truth, seed)
        nats = float(estimate.flow_.log_density(fresh).mean())
        row: Row = {"target": name, "symscore": ours, "BIC scan": scan, "to scan": ours / scan}
        row |= {"nats": nats, "BIC nats": float(best.log_density(fresh).mean())}
        for peer in FLOWS:
            if not METHODS[peer].missing:
                seconds, flow = timed(METHODS[peer].fit, data, truth, seed)
                row |= {f"{peer} s": seconds, f"{peer} to ours": seconds / ours}
                row[f"{peer} nats"] = float(flow.log_density(fresh).mean())
        yield row


def missing() -> Iterator[Row]:
    """Yield a row for each peer that is not installed, with what would bring it."""
    for peer in FLOWS:
        if METHODS[peer].missing:
            yield {"left out": peer, "for want of": ", ".join(METHODS[peer].missing)}


def million_table(quick: bool, seed: int) -> Iterator[Row]:
    """Yield a row a target: seconds and peak memory of ours and of scikit-learn's fits."""
    n = 100_000 if quick else 1_000_000
    for name in ("separated", "ring"):
        ours = child("ours", name, n, seed)
        theirs = child("mixtures", name, n, seed)
        yield {
            "target": name,
            "n": n,
            "symscore": ours["seconds"],
            "scikit-learn": theirs["seconds"],
            "ratio": ours["seconds"] / theirs["seconds"],
            "peak MB": ours["peak_mb"],
            "of which before": ours["peak_before_mb"],
            "scikit-learn's peak": theirs["peak_mb"],
        }


def evaluate_table(quick: bool, seed: int) -> Iterator[Row]:
    """Yield a row a method: seconds for the log density, with its gradient, and for draws."""
    n = 10_000 if quick else 100_000
    for name in ("separated", "ring"):
        truth = target(name)
        data = truth.draw(ROWS, rng=np.random.default_rng(seed))
        points = truth.draw(n, rng=np.random.default_rng([seed, 1]))
        flow = ScoreDensity(random_state=seed).fit(data).flow_
        both, _ = timed(flow.log_density_and_score, points)
        row: Row = {"target": name, "points": n}
        row |= seconds_of(Estimate(flow.log_density, flow.draw), points)
        row["with gradient"] = both
        yield row
        if find_spec("zuko"):
            yield {"peer": "zuko", **zuko_seconds(data, points), "ours with gradient": both}


def seconds_of(estimate: Estimate, points: FloatArray) -> dict[str, float]:
    """Return the seconds of the log density at points and of as many draws."""
    density, _ = timed(estimate.log_density, points)
    draws, _ = timed(lambda: estimate.draw(len(points), rng=np.random.default_rng(0)))
    return {"log density": density, "draws": draws}


def zuko_seconds(data: FloatArray, points: FloatArray) -> dict[str, float]:
    """Return the seconds of a spline flow of the size that is trained; they need no training."""
    import torch
    from zuko.flows import NSF

    from benchmarks.flow_peers import TRANSFORMS, WIDTH

    flow = NSF(data.shape[1], transforms=TRANSFORMS, hidden_features=(WIDTH, WIDTH))
    scaled = (points - data.mean(axis=0)) / data.std(axis=0)

    def gradient() -> None:
        x = torch.as_tensor(scaled, dtype=torch.float32).requires_grad_()
        flow().log_prob(x).sum().backward()

    with torch.no_grad():
        x = torch.as_tensor(scaled, dtype=torch.float32)
        density, _ = timed(lambda: flow().log_prob(x))
        draws, _ = timed(lambda: flow().sample((len(points),)))
    return {"log density": density, "draws": draws, "with gradient": timed(gradient)[0]}


def growth_table(quick: bool, seed: int) -> Iterator[Row]:
    """Yield a row a setting: seconds of a fit, and microseconds a point of what it learned."""
    rows = (500, 1000, 2000, 5000) if quick else (500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
    for n in rows:
        yield {"rows": n, **cost(ring().draw(n, rng=np.random.default_rng(seed)), Auto(), seed)}
    for dim in (1, 2, 3, 5) if quick else (1, 2, 3, 5, 8, 10):
        data = random_mixture(dim).draw(2000, rng=np.random.default_rng(seed))
        yield {"dim": dim, **cost(data, Auto(), seed)}
    data = ring().draw(2000, rng=np.random.default_rng(seed))
    for cells in (4, 8, 16, 32):
        recipe = Auto(kmeans=(cells,), em=(), plain=False)
        yield {"cells": cells, **cost(data, recipe, seed)}
    for ratio in (2.0, 1.5, 1.25) if quick else (2.0, 1.5, 1.25, 1.1):
        yield {"ratio of levels": ratio, **cost(data, Auto(max_ratio=ratio), seed)}


def cost(data: FloatArray, recipe: Auto, seed: int) -> Row:
    """Return the seconds of a fit, and microseconds a point of density, gradient and draws."""
    warm = ScoreDensity(recipe=recipe, random_state=seed).fit(data[:200])
    warm.flow_.log_density_and_score(data[:2])
    seconds, fitted = timed(ScoreDensity(recipe=recipe, random_state=seed).fit, data)
    points, flow = data[:2000], fitted.flow_
    found = seconds_of(Estimate(flow.log_density, flow.draw), points)
    found["with gradient"], _ = timed(flow.log_density_and_score, points)
    levels = len(flow.ladder.fields)
    cells = sum(m.crude.n_components for field in flow.ladder.fields for m in field.members)
    return {
        "fit": seconds,
        "levels": levels,
        "cells a level": cells / levels,
        **{f"{name} us": 1e6 * value / len(points) for name, value in found.items()},
    }


TABLES: dict[str, Callable[[bool, int], Iterator[Row]]] = {
    "fit": fit_table,
    "million": million_table,
    "evaluate": evaluate_table,
    "growth": growth_table,
}


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
