r"""Branch and bound for the worst slope of a learned denoiser over a rectangle.

Of the boxes whose bound exceeds a target the one with the largest is divided, until none is left or
a value exceeds the target. Over a box with centre m,

.. math:: D'(y) \in D'(m) + \sum_k \partial_k D'(\text{box}) \, (y - m)_k ,

and D'(box) itself is taken where that says more. Before that is computed,
:mod:`symscore.exact.bijections.completed_squares` is asked, whose bound does not suffer from gates
that change fast.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import final

from flint import arb, fmpq

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.bijections.cell_balls import Matrix, Vector
from symscore.exact.bijections.completed_squares import squares_bound
from symscore.exact.bijections.eigenvalues import defect_at_least, negativity
from symscore.exact.bijections.slope_forms import SlopeForm

MOST_BOXES = 20_000
SMALL = fmpq(1, 4)  # of the smallest standard deviation: from there on D' is expanded over a box

# Centre and half-width along every axis.
Rectangle = tuple[tuple[fmpq, fmpq], ...]
# From the middle and the balls around zero that reach to the sides, to a bound over the box and a
# bound from below at its middle; minus infinity where that was not looked at.
Look = Callable[[Vector, Vector], tuple[arb, arb]]
# Called with the number of boxes looked at so far.
Watch = Callable[[int], None]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search knows of the supremum of a number over a rectangle.

    Attributes
    ----------
    boxes : tuple of (Rectangle, arb)
        They cover the rectangle; with each a bound from above.
    upper : arb
        The largest of these bounds; infinite where the target is exceeded.
    worst : tuple of fmpq or None
        A point at which the number exceeds the target.
    """

    boxes: tuple[tuple[Rectangle, arb], ...]
    upper: arb
    worst: tuple[fmpq, ...] | None


def search(look: Look, area: Rectangle, target: arb, watch: Watch) -> Found:
    """Bound a number over a rectangle until all bounds are at most `target`, or a value is not.

    Raises
    ------
    NotCertified
        If the boxes allowed leave the question open.
    """
    open_boxes: list[tuple[float, int, Rectangle]] = []
    settled: list[tuple[Rectangle, arb]] = []
    looked, pending = 0, [area]
    while True:
        for part in pending:
            looked += 1
            watch(looked)
            bound, value = look(*_in_balls(part))
            if value > target:
                return Found((), arb.pos_inf(), tuple(mid for mid, _ in part))
            if bound <= target:
                settled.append((part, bound))
            else:
                # Floats only say which box comes next.
                order = -float(bound) if bound.is_finite() else -inf
                heappush(open_boxes, (order, looked, part))
        if not open_boxes:
            return Found(tuple(settled), _highest(bound for _, bound in settled), None)
        if looked > MOST_BOXES:
            raise NotCertified(
                f"Expected to bound the slope of a learned denoiser by {float(target):.3g}; "
                f"{MOST_BOXES} boxes reached {-open_boxes[0][0]:.3g}."
            )
        pending = _divided(heappop(open_boxes)[2])


def defect_of(form: SlopeForm, target: arb) -> Look:
    """Return the look at ``-lambda_min(sym D')``."""
    fine = [ball_of(SMALL) * spread for spread in _spreads(form)]

    def look(mid: Vector, half: Vector) -> tuple[arb, arb]:
        bound = squares_bound(form, mid, half)
        if bound <= target or not all(h.rad() <= f for h, f in zip(half, fine, strict=True)):
            return bound, arb.neg_inf()
        point, slope = form.at(mid), form.over(mid, half)
        near = _mean_value(point, slope[1], half)
        bounds = (bound, negativity(slope[0]), negativity(near))
        return min((b for b in bounds if b.is_finite()), key=float, default=arb.pos_inf()), (
            defect_at_least(point)
        )

    return look


def resistance_of(form: SlopeForm, length: arb) -> Look:
    """Return the look at ``-lambda_min(sym (I + length D')^-1)``."""

    def look(mid: Vector, half: Vector) -> tuple[arb, arb]:
        point, slope = form.at(mid), form.over(mid, half)
        near = _mean_value(point, slope[1], half)
        bounds = [negativity(_inverse(_step(m, length))) for m in (slope[0], near)]
        return min((b for b in bounds if b.is_finite()), key=float, default=arb.pos_inf()), (
            defect_at_least(_inverse(_step(point, length)))
        )

    return look


def _mean_value(point: Matrix, changes: list[Matrix], half: Vector) -> Matrix:
    return [
        [
            entry + sum((changes[k][i][j] * h for k, h in enumerate(half)), arb(0))
            for j, entry in enumerate(row)
        ]
        for i, row in enumerate(point)
    ]


def _step(slope: Matrix, length: arb) -> Matrix:
    return [
        [length * entry + (i == j) for j, entry in enumerate(row)] for i, row in enumerate(slope)
    ]


def _inverse(matrix: Matrix) -> Matrix:
    """Return the inverse, not finite where the matrix may be singular."""
    if len(matrix) == 1:
        return [[1 / matrix[0][0]]]
    (a, b), (c, d) = matrix
    det = a * d - b * c
    return [[d / det, -b / det], [-c / det, a / det]]


def _in_balls(area: Rectangle) -> tuple[Vector, Vector]:
    return [ball_of(mid) for mid, _ in area], [ball_of(half) * arb(0, 1) for _, half in area]


def _spreads(form: SlopeForm) -> Vector:
    """Return a lower bound of the cells' standard deviations along every axis."""
    return [
        min(
            (
                1 / cell.precision[k][k].sqrt()
                for block in form.blocks
                for cell in block.cells
                if cell.monomials
            ),
            key=float,
        )
        for k in range(len(form.blocks[0].cells[0].mean))
    ]


def _divided(area: Rectangle) -> list[Rectangle]:
    axis = max(range(len(area)), key=lambda k: area[k][1])
    mid, half = area[axis]
    parts = ((mid - half / 2, half / 2), (mid + half / 2, half / 2))
    return [(*area[:axis], part, *area[axis + 1 :]) for part in parts]


def _highest(bounds: Iterable[arb]) -> arb:
    highest = arb.neg_inf()
    for bound in bounds:
        highest = highest.max(bound)
    return highest
