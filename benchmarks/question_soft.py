"""What the held-out risk asks for among the default recipe's own cells, soft and damped."""

from typing import Any

import numpy as np

from benchmarks.question_degree import FOLDS, LEVEL, PAIRS, clean_law, law_on_grid, noised_law
from symscore.learn.folds import fold_labels
from symscore.learn.partition import EMCells, KMeansCells, Partition
from symscore.learn.select import Candidate, Sample, cross_fit, fit_cells

PARTITIONS: tuple[Partition, ...] = (
    *(EMCells(k) for k in (1, 2, 3, 4, 6, 8)),
    *(KMeansCells(k) for k in (2, 4, 8, 16)),
)
DEGREES = (1, 2, 3)
RIDGES = (1e-3, 1e-2, 1e-1)


def measure(mu: int, n: int, seed: int) -> dict[str, Any]:
    """Choose among all candidates at the level by cross-fitting.

    Returns
    -------
    dict
        The partition chosen, its number of cells, the degree of the deviation (-1 for none) and
        the root of E|s - g|^2 over the true law.
    """
    scale = float(np.hypot(1, mu / LEVEL.alpha))
    rows = clean_law(mu).draw(n, rng=np.random.default_rng([seed, n, mu])) / scale
    folds = fold_labels(n, None, FOLDS, seed=seed)
    sample = Sample(rows, np.full(n, 1 / n), folds, seed)
    # alpha x + sigma z is a multiple of kappa x + z, and kappa x = (kappa scale) (x / scale).
    kappa = LEVEL.kappa * scale
    candidates = [Candidate(p, d, r) for p in PARTITIONS for d in DEGREES for r in RIDGES]
    candidates += [Candidate(p, 0, np.inf) for p in PARTITIONS]
    cells = {partition: fit_cells(sample, partition) for partition in PARTITIONS}
    crossed = cross_fit(
        sample, np.array([kappa]), candidates, cells, [0], progress=lambda *step: None
    )
    best = candidates[crossed.best(0)]
    crude = cells[best.partition].whole
    sums = sample.all_statistics(crude, 0, kappa, degree=best.degree, rho=best.rho, pairs=PAIRS)
    field = sums.field(best.degree, best.ridge)
    grid, mass = law_on_grid(mu)
    score = noised_law(mu).score(grid[:, None])[:, 0]
    denoised = scale * field.denoise(grid[:, None] * field.level.sigma / LEVEL.sigma)[:, 0]
    learned = (LEVEL.alpha * denoised - grid) / LEVEL.sigma**2
    return {
        "partition": str(best.partition),
        "cells": crude.n_components,
        "degree": field.degree,
        "rms": float(np.sqrt(mass @ (learned - score) ** 2)),
    }
