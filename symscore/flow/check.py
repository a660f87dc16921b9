"""The fit-time check that every step of a flow is a bijection, and the mending of fields that fail.

A step is a diffeomorphism if ``sym(G')`` and ``sym(K')`` are bounded below by a positive number
(docs/method.md). Both are affine in the deviation of the field concerned and hold for the crude
mixture, so that the factors by which a deviation may be scaled form an interval that contains 0.
Eigenvalues are sampled: this finds faults, it does not prove their absence.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import FieldShrunk
from symscore.learn.batch import jacobian_batch
from symscore.learn.field import PiecewiseScore
from symscore.learn.ladder import ScoreLadder
from symscore.schedule import StepRule

MARGIN = 0.1
SHELLS = (2.0, 4.0, 8.0, 20.0, 100.0)  # radii in standard deviations of a cell
BISECTIONS = 12
ROWS = 400  # of noised data per step


@final
@dataclass(frozen=True)
class StepCheck:
    """Smallest eigenvalues found at one step, and what was done about them."""

    n_points: int
    first_stage: float  # of sym(G')
    second_stage: float  # of sym(K')
    factors: tuple[float, float]  # by which the two deviations were scaled; 1 is untouched


def make_bijective(
    ladder: ScoreLadder, x: FloatArray, *, rng: np.random.Generator
) -> tuple[ScoreLadder, tuple[StepCheck, ...]]:
    """Check every step at noised data, shells, segments and the worst points' surroundings.

    Parameters
    ----------
    ladder : ScoreLadder
    x : (n, d) array
        Whitened data; at most 400 rows are used.
    rng : numpy.random.Generator

    Returns
    -------
    ScoreLadder
        With the deviations of failing fields scaled down, in order of evaluation.
    tuple of StepCheck
        One a step, from noise to data.
    """
    rows = x[rng.permutation(len(x))[:ROWS]]
    fields, checks = list(ladder.fields), []
    for i, h in enumerate(np.diff(ladder.schedule.kappas).tolist()):
        step = _Step(fields[2 * i], fields[2 * i + 1], h, ladder.schedule.rule)
        points, lowest = _search(step, _probes(step.first, rows, rng=rng), rng=rng)
        factors = 1.0, 1.0
        if lowest.min() < MARGIN:
            step, factors = _mend(step, points)
            lowest = step.lowest(points)
            fields[2 * i], fields[2 * i + 1] = step.first, step.second
        checks.append(
            StepCheck(len(points), float(lowest[:, 0].min()), float(lowest[:, 1].min()), factors)
        )
    shrunk = sum(check.factors != (1.0, 1.0) for check in checks)
    if shrunk:
        warnings.warn(
            f"The learned deviation was scaled down at {shrunk} of {len(checks)} steps to keep the "
            "flow a bijection; more rows, fewer cells or a larger ridge avoid this.",
            FieldShrunk,
            stacklevel=2,
        )
    return replace(ladder, fields=tuple(fields)), tuple(checks)


@final
@dataclass(frozen=True, eq=False)
class _Step:
    """The two fields of a step, its length and its rule."""

    first: PiecewiseScore
    second: PiecewiseScore
    h: float
    rule: StepRule

    def lowest(self, y: FloatArray) -> FloatArray:
        """Return the smallest eigenvalues of sym(G') and sym(K') at y, shape (n, 2)."""
        eye = np.eye(y.shape[1])
        value, slope = jacobian_batch(self.first.packed, y)
        inner = eye + self.rule.a * self.h * slope
        _, slope = jacobian_batch(self.second.packed, y + self.rule.a * self.h * value)
        b = self.rule.b
        outer = (1 - b) * np.linalg.inv(inner) + b * eye + self.rule.w * self.h * slope
        return np.stack([_smallest(inner), _smallest(outer)], axis=1)


def _smallest(matrices: FloatArray) -> FloatArray:
    symmetric = (matrices + matrices.swapaxes(1, 2)) / 2
    return np.asarray(np.linalg.eigvalsh(symmetric)[:, 0], dtype=np.float64)


def _mend(step: _Step, points: FloatArray) -> tuple[_Step, tuple[float, float]]:
    """Scale the first deviation down until G' passes, then the second until K' does."""
    first = _largest_factor(
        lambda f: replace(step, first=step.first.scaled(f)).lowest(points)[:, 0].min()
    )
    step = replace(step, first=step.first.scaled(first))
    second = _largest_factor(
        lambda f: replace(step, second=step.second.scaled(f)).lowest(points)[:, 1].min()
    )
    return replace(step, second=step.second.scaled(second)), (first, second)


def _largest_factor(smallest: Callable[[float], float]) -> float:
    """Return the largest factor on a deviation (1, or found by bisection) that passes."""
    if smallest(1.0) >= MARGIN:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if smallest(middle) >= MARGIN:
            low = middle
        else:
            high = middle
    return low


def _probes(field: PiecewiseScore, x: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    """Noised data, shells around the cells and segments between them, as y (n, d)."""
    kappa, crude = field.level.kappa, field.crude
    dim, cells = crude.dim, crude.n_components
    noised = kappa * x + rng.standard_normal(x.shape)
    directions = rng.standard_normal((2 * dim, dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    spread = np.linalg.cholesky(kappa**2 * crude.covariances + np.eye(dim))
    unit = np.einsum("cij,mj->cmi", spread, directions)
    shells = [kappa * crude.means[:, None] + radius * unit for radius in SHELLS]
    pairs = rng.integers(cells, size=(2, 4 * cells))
    share = rng.random((4 * cells, 1))
    segments = kappa * ((1 - share) * crude.means[pairs[0]] + share * crude.means[pairs[1]])
    return np.concatenate([noised, np.concatenate(shells, axis=1).reshape(-1, dim), segments])


def _search(
    step: _Step, points: FloatArray, *, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Add points by a short random descent from the worst; return lowest values too."""
    found, lowest = [points], [step.lowest(points)]
    for scale in (1.0, 0.3, 0.1):
        order = lowest[-1].min(axis=1).argsort()[:16]
        worst = found[-1][order]
        moves = scale * rng.standard_normal((8, *worst.shape))
        found.append((worst + moves).reshape(-1, points.shape[1]))
        lowest.append(step.lowest(found[-1]))
    return np.concatenate(found), np.concatenate(lowest)
