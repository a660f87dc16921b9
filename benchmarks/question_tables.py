"""The tables of the three questions, as lines of text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.question_crude import CHOSEN, DEGREES, EM, PLUG_IN
from benchmarks.question_degree import CELLS, RMS
from benchmarks.question_size import EM as TRUE_EM
from benchmarks.question_size import OURS, TARGETS

USES = (PLUG_IN, EM, *(f"degree {d}" for d in DEGREES), CHOSEN)
SHORT = {PLUG_IN: "plug-in", EM: "EM", CHOSEN: "held out"}


def size_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table of rows needed, the exponents, and what the theorems say."""
    most, least = TARGETS
    for axis, own in summary["axes"].items():
        yield f"\nRows for TV {most:g} / {least:g} by {axis}; else d = 2, k = 2, separation 3"
        yield (
            f"{axis:<12}{'p':>5}{'symscore':>18}{'EM, true k':>18}{'rows/p, both':>14}"
            f"{'CPU s, both':>14}   most rows, seeds that reached {least:g}"
        )
        for row in own["rows"]:
            ours, em = row["methods"][OURS], row["methods"][TRUE_EM]
            shares = [found["rows"][1] / row["parameters"] for found in (ours, em)]
            yield (
                f"{row['value']:<12g}{row['parameters']:>5}"
                f"{_two(ours['rows']):>18}{_two(em['rows']):>18}"
                f"{shares[0]:>7.0f}{shares[1]:>7.0f}"
                f"{ours['seconds'][1]:>8.1f}{em['seconds'][1]:>6.2f}"
                f"   {row['largest']}, {ours['reached'][1]}/{row['seeds']} and "
                f"{em['reached'][1]}/{row['seeds']}"
            )
        for method, found in own["exponents"].items():
            yield (
                f"  exponent in {axis}, {method:<11} n({most:g}) {_slope(found['rows'][0])}, "
                f"n({least:g}) {_slope(found['rows'][1])}, CPU seconds at n({least:g}) "
                f"{_slope(found['seconds'][1])}"
            )
        yield f"  exponent in {axis} of the parameters p: {own['parameters']:.2f}"
    yield ""
    yield from summary["theorems"]


def _two(values: Sequence[float]) -> str:
    return " / ".join("-" if np.isnan(value) else f"{value:.0f}" for value in values)


def _slope(found: Sequence[float]) -> str:
    return f"{found[0]:.2f} +- {found[1]:.2f}"


def crude_lines(rows: Sequence[Mapping[str, Any]], n: int) -> Iterator[str]:
    """Yield the mean total variation of every use of a crude mixture, by kind and distance."""
    seeds = len({row["seed"] for row in rows})
    yield f"TV from a crude mixture at a distance from the truth, n = {n}, mean of {seeds} seeds"
    yield f"{'perturbed':<14}{'distance':>9}" + "".join(f"{SHORT.get(u, u):>10}" for u in USES)
    for kind, distance in dict.fromkeys((row["kind"], row["distance"]) for row in rows):
        own = crude_means(rows, kind, distance)
        yield f"{kind:<14}{distance:>9g}" + "".join(f"{own[use]:>10.4f}" for use in USES)
    yield "degree D: its ridge alone is held out; held out: degree and ridge, level by level"


def crude_means(rows: Sequence[Mapping[str, Any]], kind: str, distance: float) -> dict[str, float]:
    """Return the mean over seeds of every use at one kind and distance."""
    own = [r["reached"] for r in rows if (r["kind"], r["distance"]) == (kind, distance)]
    return {use: float(np.mean([reached[use] for reached in own])) for use in USES}


def degree_lines(summary: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield certified degrees beside those of least error and of least held-out risk."""
    yield f"1/2 N(-mu, 1) + 1/2 N(mu, 1): degrees for a score error of {RMS:g} (rms), and learned"
    yield (
        f"{'mu':>3}{'cells':>6}{'certified':>10}{'n':>7}{'best':>6}{'held out':>14}"
        f"{'error best':>12}{'held out':>10}{'certified':>11}"
    )
    for row in summary:
        certified = "-" if row["certified"] is None else str(row["certified"])
        at_certified = row["error_at_certified"]
        picked = f"{row['held_out']:.0f} ({row['least']}-{row['most']})"
        yield (
            f"{row['mu']:>3}{row['cells']:>6}{certified:>10}{row['n']:>7}{row['best']:>6}"
            f"{picked:>14}{row['error_best']:>12.4f}{row['error_held_out']:>10.4f}"
            + (f"{at_certified:>11.4f}" if at_certified is not None else f"{'-':>11}")
        )
    yield "best: least mean error over the truth; held out: least cross-fitted risk, median (range)"
    yield "last column: learned at the certified degree; what is learned is clipped as a denoiser"
    yield from _votes(summary)


def _votes(summary: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield how often the held-out risk asked for each number of cells."""
    yield "\nCells that the held-out risk asks for: share of samples, and the median degree there"
    yield f"{'mu':>3}{'n':>7}" + "".join(f"{count:>10} cells" for count in CELLS)
    for mu, n in dict.fromkeys((row["mu"], row["n"]) for row in summary):
        own = [row for row in summary if (row["mu"], row["n"]) == (mu, n)]
        yield f"{mu:>3}{n:>7}" + "".join(
            f"{row['votes']:>8.0%}, D {row['held_out']:.0f} ".rjust(16) for row in own
        )


def soft_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what the held-out risk chose among the default recipe's own cells."""
    yield "\nThe default's soft, damped cells at this level, chosen by held-out risk, seed by seed"
    yield f"{'mu':>3}{'n':>7}{'error':>9}  chosen"
    for mu, n in dict.fromkeys((row["mu"], row["n"]) for row in rows):
        own = [row for row in rows if (row["mu"], row["n"]) == (mu, n)]
        error = float(np.sqrt(np.mean([row["rms"] ** 2 for row in own])))
        chosen = "; ".join(f"{row['partition']}, {_deviation(row['degree'])}" for row in own)
        yield f"{mu:>3}{n:>7}{error:>9.4f}  {chosen}"


def _deviation(degree: int) -> str:
    return "no deviation" if degree < 0 else f"degree {degree}"
