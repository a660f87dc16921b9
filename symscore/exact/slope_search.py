r"""Branch and bound for the worst slope of a learned denoiser.

Over a box with centre m,

.. math:: D'(y) \in D'(m) + \sum_k \partial_k D'(\text{box}) \, (y - m)_k,

and D'(box) itself is taken where that says more. The box with the largest bound is divided, until
all bounds are below a target or one value is above it. In a rectangle only: beyond,
:mod:`symscore.exact.far_slopes` bounds the slope by a formula.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import final

from flint import arb, fmpq

from symscore.errors import NotCertified
from symscore.exact.balls import ball_of
from symscore.exact.cell_balls import Matrix, Vector
from symscore.exact.slope_forms import Slope, SlopeForm

MOST_BOXES = 50_000

# Centre and half-width along every axis.
Rectangle = tuple[tuple[fmpq, fmpq], ...]
# From a matrix of balls to a bound, from above, of a number for all matrices inside.
Measure = Callable[[Matrix], arb]
# Called with the number of boxes looked at so far.
Watch = Callable[[int], None]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A rectangle, a bound of the measure all over it, and the axis along which to divide it."""

    area: Rectangle
    bound: arb
    axis: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search knows of the supremum of a measure.

    Attributes
    ----------
    boxes : tuple of Box
        They cover the rectangle.
    upper : arb
        A bound from above.
    worst : tuple of fmpq or None
        A point at which the measure exceeds the target.
    value : arb
        A bound of the measure there, from below.
    """

    boxes: tuple[Box, ...]
    upper: arb
    worst: tuple[fmpq, ...] | None
    value: arb


def search(
    form: SlopeForm,
    area: Rectangle,
    above: Measure,
    below: Measure,
    target: arb,
    watch: Watch,
) -> Found:
    """Bound a measure of D' over a rectangle until all bounds are at most `target`, or one is not.

    Parameters
    ----------
    form : SlopeForm
    area : Rectangle
    above, below : Measure
        Bounds of the measure from above, and from below at a point.
    target : arb
        An exact number.
    watch : callable

    Raises
    ------
    NotCertified
        If the boxes allowed leave the question open.
    """
    heap: list[tuple[float, int, Box]] = []
    looked, pending = 0, [area]
    while True:
        for part in pending:
            looked += 1
            watch(looked)
            box, value = _look(form, part, above, below, target)
            # Floats order the boxes; what counts is decided in balls.
            heappush(heap, (-float(box.bound), looked, box))
            if value > target:
                return Found(_boxes(heap), arb.pos_inf(), tuple(m for m, _ in part), value)
        if heap[0][2].bound <= target:
            boxes = _boxes(heap)
            return Found(boxes, _highest(boxes), None, arb.neg_inf())
        if looked > MOST_BOXES:
            raise NotCertified(
                f"Expected to bound the slope of a learned denoiser by {float(target):.3g}; "
                f"{MOST_BOXES} boxes reached {float(heap[0][2].bound):.3g}."
            )
        worst = heappop(heap)[2]
        pending = _divided(worst)


def _look(
    form: SlopeForm, area: Rectangle, above: Measure, below: Measure, target: arb
) -> tuple[Box, arb]:
    """Return a box and, where it is not below the target, a bound from below at its centre."""
    mid = [ball_of(m) for m, _ in area]
    half = [ball_of(h) * arb(0, 1) for _, h in area]
    slope = form.over(mid, half)
    bound, axis = _finite(above(slope[0])), _widest(slope, half)
    if bound <= target:
        return Box(area, bound, axis), arb.neg_inf()
    point = form.at(mid)
    near = [
        [
            entry + sum((slope[1][k][i][j] * h for k, h in enumerate(half)), arb(0))
            for j, entry in enumerate(row)
        ]
        for i, row in enumerate(point)
    ]
    value = below(point)
    bound = min((bound, _finite(above(near))), key=float)
    return Box(area, bound, axis), value if value.is_finite() else arb.neg_inf()


def _widest(slope: Slope, half: Vector) -> int:
    """Return the axis along which D' may change most over a box."""
    if len(half) == 1:
        return 0
    changes = [
        sum((abs(entry) for row in change for entry in row), arb(0)).abs_upper() * h.rad()
        for change, h in zip(slope[1], half, strict=True)
    ]
    if not all(change.is_finite() for change in changes):
        changes = [h.rad() for h in half]
    return max(range(len(changes)), key=lambda k: float(changes[k]))


def _divided(box: Box) -> list[Rectangle]:
    mid, half = box.area[box.axis]
    parts = ((mid - half / 2, half / 2), (mid + half / 2, half / 2))
    return [(*box.area[: box.axis], part, *box.area[box.axis + 1 :]) for part in parts]


def _boxes(heap: list[tuple[float, int, Box]]) -> tuple[Box, ...]:
    return tuple(box for _, _, box in heap)


def _highest(boxes: Iterable[Box]) -> arb:
    highest = arb.neg_inf()
    for box in boxes:
        highest = highest.max(box.bound)
    return highest


def _finite(bound: arb) -> arb:
    return bound if bound.is_finite() else arb.pos_inf()
