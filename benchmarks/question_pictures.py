"""The pictures of the three questions, in colours that colour-blind readers tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

from benchmarks.question_crude import CHOSEN, EM, PLUG_IN
from benchmarks.question_degree import RMS
from benchmarks.question_size import EM as TRUE_EM
from benchmarks.question_size import OURS, TARGETS
from benchmarks.question_tables import crude_means

# Okabe and Ito's palette.
BLACK, ORANGE, SKY, GREEN, BLUE, RED = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00",
)  # fmt: skip
STYLE = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "savefig.dpi": 160,
}
AXIS_LABELS = {
    "d": "dimension $d$",
    "k": "components $k$",
    "separation": "separation of nearest means (sd)",
}
GUIDE = 50  # rows a parameter, a line to compare with
SHOWN_CELLS = {1: BLUE, 2: RED}


def draw_sizes(summary: Mapping[str, Any], path: Path) -> None:
    """Draw the rows needed and the seconds of a fit to them along every axis."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 4.6), layout="constrained")
        grid = figure.subplots(2, len(summary["axes"]), sharey="row", sharex="col")
        for column, (axis, own) in zip(grid.T, summary["axes"].items(), strict=True):
            values = [row["value"] for row in own["rows"]]
            for method, mark, filled in ((OURS, "o-", True), (TRUE_EM, "s--", False)):
                for i, colour in enumerate((SKY, BLUE)):
                    _with_seeds(column[0], own["rows"], method, "rows", i, mark, colour, filled)
                _with_seeds(column[1], own["rows"], method, "seconds", 1, mark, BLUE, filled)
            guide = [GUIDE * row["parameters"] for row in own["rows"]]
            column[0].plot(values, guide, ":", color="#7F7F7F", label=f"$n = {GUIDE} p$")
            for axes in column:
                axes.set(xscale="log", yscale="log")
                _plain_ticks(axes, values)
            column[1].set_xlabel(AXIS_LABELS[axis])
        grid[0, 0].set_ylabel("rows $n$ needed")
        grid[1, 0].set_ylabel(f"CPU seconds of a fit, TV {TARGETS[1]:g}")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
        figure.savefig(path)


def _with_seeds(
    axes: Axes,
    rows: Sequence[Mapping[str, Any]],
    method: str,
    figure: str,
    target: int,
    mark: str,
    colour: str,
    filled: bool,
) -> None:
    """Draw geometric means, and the range over seeds as bars."""
    values = np.array([row["value"] for row in rows])
    every = [row["methods"][method][f"every_{figure}"][target] for row in rows]
    middle = np.array([row["methods"][method][figure][target] for row in rows])
    seen = np.isfinite(middle)
    low = np.array([np.nanmin(v) if s else np.nan for v, s in zip(every, seen, strict=True)])
    high = np.array([np.nanmax(v) if s else np.nan for v, s in zip(every, seen, strict=True)])
    axes.errorbar(
        values[seen],
        middle[seen],
        yerr=(middle[seen] - low[seen], high[seen] - middle[seen]),
        fmt=mark,
        color=colour,
        markerfacecolor=colour if filled else "white",
        elinewidth=0.8,
        capsize=1.5,
        label=f"{method}, TV {TARGETS[target]:g}",
    )


def _plain_ticks(axes: Axes, values: Sequence[float]) -> None:
    axes.set_xticks(values)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())


def draw_crude(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw total variation against the distance of the crude mixture, a panel for each kind."""
    lines = {
        PLUG_IN: (BLACK, "--", "", "plugged in"),
        EM: (GREEN, "--", "s", "EM from there"),
        "degree 0": ("#C6DBEF", "-", ".", "ladder, degree 0"),
        "degree 1": ("#6BAED6", "-", ".", "degree 1"),
        "degree 2": ("#2171B5", "-", ".", "degree 2"),
        "degree 3": ("#08306B", "-", ".", "degree 3"),
        CHOSEN: (RED, "-", "o", "degree and ridge held out"),
    }
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    distances = sorted({row["distance"] for row in rows})
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.6 + 1.7 * len(kinds), 2.9), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
        for axes, kind in zip(panels, kinds, strict=True):
            means = [crude_means(rows, kind, distance) for distance in distances]
            for use, (colour, line, mark, label) in lines.items():
                tv = [mean[use] or np.nan for mean in means]  # the truth itself has none
                axes.plot(distances, tv, line, marker=mark, color=colour, label=label)
            axes.set(yscale="log", ylim=(0.007, 1), xticks=[0, 1, 2])
            axes.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], minor=False)
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(f"distance $\\delta$, {kind}")
        panels[0].set_ylabel("total variation")
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=5)
        figure.savefig(path)


def draw_degrees(
    rows: Sequence[Mapping[str, Any]],
    certificates: Mapping[int, Mapping[int, Mapping[str, Any]]],
    path: Path,
) -> None:
    """Draw learned and certified score errors against the degree, a panel for each separation."""
    numbers = sorted({row["n"] for row in rows})
    separations = list(dict.fromkeys(row["mu"] for row in rows))
    shades = dict(zip(numbers, np.linspace(0.35, 1, len(numbers)), strict=True))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.3 + 1.7 * len(separations), 3.3), layout="constrained")
        panels = np.atleast_1d(figure.subplots(1, len(separations), sharey=True))
        for axes, mu in zip(panels, separations, strict=True):
            for count, colour in SHOWN_CELLS.items():
                name = "one cell" if count == 1 else "two cells"
                curve = certificates[mu][count]["rms"]
                axes.plot(curve, ":", color=colour, label=f"{name}, certified best")
                for row in rows:
                    if (row["mu"], row["cells"]) == (mu, count):
                        _learned(axes, row, colour, shades[row["n"]], name)
            axes.axhline(RMS, color=BLACK, linewidth=0.7, label=f"error {RMS:g}")
            axes.plot([], [], "o", color="#7F7F7F", markerfacecolor="white", label="held out")
            axes.set(yscale="log", ylim=(8e-3, 1.5), xlim=(-0.5, 20.5), xticks=range(0, 21, 5))
            axes.set_xlabel(f"degree, $\\mu = {mu}$")
        panels[0].set_ylabel("score error (rms)")
        handles, labels = panels[0].get_legend_handles_labels()
        # Columns of two: the same line for one cell above and for two below.
        half = len(numbers) + 1
        order = [i for pair in zip(range(half), range(half, 2 * half), strict=True) for i in pair]
        order += range(2 * half, len(labels))
        figure.legend(
            [handles[i] for i in order],
            [labels[i] for i in order],
            loc="outside upper center",
            ncols=half + 1,
            columnspacing=1.2,
            handlelength=1.5,
        )
        figure.savefig(path)


def _learned(axes: Axes, row: Mapping[str, Any], colour: str, shade: float, name: str) -> None:
    """Draw the errors learned from n rows, with a ring at the degree held out."""
    errors, degree = row["errors"], round(row["held_out"])
    axes.plot(errors, "-", color=colour, alpha=shade, label=f"{name}, $n$ = {row['n']}")
    axes.plot(degree, errors[degree], "o", color=colour, alpha=shade, markerfacecolor="white")
