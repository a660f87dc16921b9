"""From measurements to the figures of the tables and pictures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.question_degree import CELLS, MOST
from benchmarks.question_families import SPREAD, Family
from benchmarks.question_growth import exponent, geometric_mean, needed
from benchmarks.question_size import EM, OURS, TARGETS, Point

METHODS = (OURS, EM)
Found = Mapping[Family, Mapping[int, list[Point]]]


def value_on(axis: str, family: Family) -> float:
    """Return what varies along an axis."""
    return {"d": family.dim, "k": family.components, "separation": family.separation}[axis]


def size_summary(axes: Mapping[str, Sequence[Family]], found: Found) -> dict[str, Any]:
    """Return rows needed and exponents along every axis, and what the theorems say."""
    return {
        "axes": {axis: _axis(axis, families, found) for axis, families in axes.items()},
        "theorems": theorems(),
    }


def _axis(axis: str, families: Sequence[Family], found: Found) -> dict[str, Any]:
    rows = [_family(value_on(axis, family), family, found[family]) for family in families]
    values = [value for row in rows for value in [row["value"]] * row["seeds"]]

    def slope(method: str, figure: str, target: int) -> tuple[float, float]:
        every = [v for row in rows for v in row["methods"][method][f"every_{figure}"][target]]
        fit = exponent(values, every)
        return fit.value, fit.half_width

    return {
        "rows": rows,
        "exponents": {
            method: {
                figure: [slope(method, figure, i) for i in range(len(TARGETS))]
                for figure in ("rows", "seconds")
            }
            for method in METHODS
        },
        "parameters": exponent(
            [row["value"] for row in rows], [row["parameters"] for row in rows]
        ).value,
    }


def _family(value: float, family: Family, seeds: Mapping[int, list[Point]]) -> dict[str, Any]:
    methods = {}
    for method in METHODS:
        passed = [[needed(points, method, t) for points in seeds.values()] for t in TARGETS]
        methods[method] = {
            "rows": [geometric_mean([p.rows for p in own]) for own in passed],
            "seconds": [geometric_mean([p.seconds for p in own]) for own in passed],
            "reached": [sum(math.isfinite(p.rows) for p in own) for own in passed],
            "every_rows": [[p.rows for p in own] for own in passed],
            "every_seconds": [[p.seconds for p in own] for own in passed],
        }
    return {
        "value": value,
        "parameters": family.parameters,
        "seeds": len(seeds),
        "largest": max(point.n for points in seeds.values() for point in points),
        "methods": methods,
        "curves": [[(p.n, p.reached) for p in points] for points in seeds.values()],
    }


def theorems() -> list[str]:
    """Return what Theorem 2 of 2404.18893 and Theorem 1.2 of 2404.18869 promise, in one's units.

    The first exponent is a polynomial that is not specified: what it is a polynomial of is given,
    with log R = 1. Of the second the constant C is not specified.
    """
    lines = []
    for accuracy in TARGETS:
        log = math.log(1 / accuracy)
        # k = 2, equal weights, condition SPREAD^2, log R = 1.
        argument = 2 * SPREAD**2 / (0.5 * accuracy)
        exponent_b = (log**3 + 1) * log**4
        lines += [
            f"promised for TV {accuracy:g}, arXiv 2404.18893, Theorem 2: d^poly(k tau / (w eps)), w"
            f" the least weight, for k = 2 at least d^poly({argument:.0f})",
            "  arXiv 2404.18869, Theorem 1.2, equal covariances: (d ln(1/delta))^(C (ln^3(1/eps) "
            f"+ (R/sigma)^6) ln^4(1/eps)), at R = sigma an exponent of {exponent_b:.0f} C",
        ]
    return lines


def degree_summary(
    rows: Sequence[Mapping[str, Any]], certificates: Mapping[int, Mapping[int, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Return one row for every separation, number of rows and number of cells."""
    found = []
    for mu, n in dict.fromkeys((row["mu"], row["n"]) for row in rows):
        own = [row for row in rows if (row["mu"], row["n"]) == (mu, n)]
        asked = [_cells_asked_for(row) for row in own]
        for count in CELLS:
            votes = float(np.mean([cells == count for cells in asked]))
            found.append(
                {"mu": mu, "n": n, "cells": count, "votes": votes}
                | _degrees([row[str(count)] for row in own], certificates[mu][count]["degree"])
            )
    return found


def _cells_asked_for(row: Mapping[str, Any]) -> int:
    """Return the number of cells whose best degree has the least held-out risk on a sample."""
    return min(CELLS, key=lambda count: min(row[str(count)]["held_out"]))


def _degrees(own: Sequence[Mapping[str, Any]], certified: int | None) -> dict[str, Any]:
    errors = np.array([row["rms"] for row in own])
    picked = np.array([int(np.argmin(row["held_out"])) for row in own])
    mean = np.sqrt((errors**2).mean(axis=0))
    learned = certified is not None and certified <= MOST
    return {
        "certified": certified,
        "best": int(mean.argmin()),
        "held_out": float(np.median(picked)),
        "least": int(picked.min()),
        "most": int(picked.max()),
        "error_best": float(mean.min()),
        "error_held_out": float(np.sqrt((errors[np.arange(len(own)), picked] ** 2).mean())),
        "error_at_certified": float(mean[certified]) if learned else None,
        "errors": mean.tolist(),
    }
