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
from symscore.errors import FieldShrunk, caller_level
from symscore.flow.probes import neighbours, probes
from symscore.learn.batch import denoise_batch, jacobian_batch
from symscore.learn.blend import SoftScore
from symscore.learn.ladder import ScoreLadder
from symscore.schedule import StepRule

MARGIN = 0.1
BISECTIONS = 12
ROWS = 400  # of noised data per step, and as many of own draws
DESCENTS = (1.0, 1.0, 0.3, 0.3, 0.1, 0.1)  # steps of the search, in standard deviations of a cell
WORST = 32  # points that a step of the search goes on from
CAUTION = 0.8  # on a factor that passes at the points seen
CLEAN = 2  # searches in a row, at fresh points, that a mended step must pass
ATTEMPTS = 12  # mendings before a deviation is dropped


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
    """Check every step at data, own draws, around and between cells, and downhill from the worst.

    A step that fails is mended and then searched again at fresh points, until it passes twice.

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
    kappas = ladder.schedule.kappas
    # Own draws go through the mended steps: what is checked is where the flow really leads.
    draws = np.hypot(1.0, kappas[0]) * rng.standard_normal((ROWS, ladder.dim))
    fields, checks = list(ladder.fields), []
    for i, h in enumerate(np.diff(kappas).tolist()):
        step = Step(fields[2 * i], fields[2 * i + 1], h, ladder.schedule.rule)
        step, check = _made_sound(step, rows, draws, rng=rng)
        fields[2 * i], fields[2 * i + 1] = step.first, step.second
        checks.append(check)
        draws = step.push(draws)
    shrunk = sum(check.factors != (1.0, 1.0) for check in checks)
    if shrunk:
        warnings.warn(
            f"The learned deviation was scaled down at {shrunk} of {len(checks)} steps to keep the "
            "flow a bijection; more rows, fewer cells or a larger ridge avoid this.",
            FieldShrunk,
            stacklevel=caller_level(),
        )
    return replace(ladder, fields=tuple(fields)), tuple(checks)


@final
@dataclass(frozen=True, eq=False)
class Step:
    """The two fields of a step, its length and its rule."""

    first: SoftScore
    second: SoftScore
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

    def push(self, y: FloatArray) -> FloatArray:
        """Return the step's image of y (n, d)."""
        value = denoise_batch(self.first.packed, y)
        stage = denoise_batch(self.second.packed, y + self.rule.a * self.h * value)
        return y + self.h * ((1 - self.rule.w) * value + self.rule.w * stage)


def _made_sound(
    step: Step, rows: FloatArray, draws: FloatArray, *, rng: np.random.Generator
) -> tuple[Step, StepCheck]:
    """Search a step at fresh points, mending it until it passes `CLEAN` searches in a row."""
    seen, factors, clean, mendings = np.empty((0, rows.shape[1])), (1.0, 1.0), 0, 0
    while True:
        fresh = np.concatenate([draws, probes(step.first, rows, rng=rng)])
        points, lowest = search(step, fresh, rng=rng)
        seen = np.concatenate([seen, points])
        if lowest.min() >= MARGIN:
            clean += 1
            if mendings == 0 or clean == CLEAN:
                break
            continue
        clean, mendings = 0, mendings + 1
        step, scaled = _mend(step, seen, 0.0 if mendings > ATTEMPTS else CAUTION)
        factors = factors[0] * scaled[0], factors[1] * scaled[1]
    if mendings:
        lowest = step.lowest(seen)
    return step, StepCheck(len(seen), float(lowest[:, 0].min()), float(lowest[:, 1].min()), factors)


def _smallest(matrices: FloatArray) -> FloatArray:
    symmetric = (matrices + matrices.swapaxes(1, 2)) / 2
    return np.asarray(np.linalg.eigvalsh(symmetric)[:, 0], dtype=np.float64)


def _mend(step: Step, points: FloatArray, caution: float) -> tuple[Step, tuple[float, float]]:
    """Scale the first deviation down until G' passes, then the second until K' does."""
    first = _largest_factor(
        lambda f, y: replace(step, first=step.first.scaled(f)).lowest(y)[:, 0], points, caution
    )
    step = replace(step, first=step.first.scaled(first))
    second = _largest_factor(
        lambda f, y: replace(step, second=step.second.scaled(f)).lowest(y)[:, 1], points, caution
    )
    return replace(step, second=step.second.scaled(second)), (first, second)


def _largest_factor(
    smallest: Callable[[float, FloatArray], FloatArray], points: FloatArray, caution: float
) -> float:
    """Return 1 where that passes, else `caution` times the largest factor that does."""
    # The smallest eigenvalue is concave in the factor: a point that passes at 1 does so below.
    failing = points[smallest(1.0, points) < MARGIN]
    if not len(failing):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if smallest(middle, failing).min() >= MARGIN:
            low = middle
        else:
            high = middle
    return caution * low


def search(
    step: Step, points: FloatArray, *, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Add points by random descent from the worst of all so far; return lowest values too."""
    lowest = step.lowest(points)
    for scale in DESCENTS:
        # The two stages have their own worst points.
        worst = np.concatenate([points[lowest[:, k].argsort()[:WORST]] for k in (0, 1)])
        moved = neighbours(step.first, worst, scale, rng=rng)
        points = np.concatenate([points, moved])
        lowest = np.concatenate([lowest, step.lowest(moved)])
    return points, lowest
