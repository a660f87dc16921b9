r"""How to divide the plane into boxes for a tensor Gauss-Legendre rule, and the error it leaves.

With :math:`v_i = g_i - g_a` the components' scores relative to one of them, the integrand of
:class:`symscore.exact.information.plane.Plane` is also

.. math:: f = \sum_i p_i |v_i|^2 - \frac{|\sum_i p_i v_i|^2}{p},

the variance of the v_i. The plane is divided into boxes until on each a tensor Gauss-Legendre rule
is proved to be accurate enough with few nodes. Nothing is asked of the components' scales.

*One variable.* If g is analytic and at most M in modulus inside the ellipse with foci -1, 1 and
semi-axes :math:`(\rho \pm 1/\rho) / 2`, its Chebyshev coefficients are at most
:math:`2 M \rho^{-k}`; n nodes integrate :math:`T_k` exactly for k < 2n and, by symmetry, for odd
k; for other k integral and sum are at most 2 / (k^2 - 1) and 2. So (Trefethen, *Approximation
Theory and Approximation Practice*, theorem 19.3) the error is at most

.. math:: \frac{64}{15} \, \frac{M \rho^{-2n}}{1 - \rho^{-2}}, \qquad n \ge 2.

*Two.* Weights are positive and sum to 2, so the error of the tensor rule is at most the sum of the
errors along both axes times 2, with one variable complex at a time.

*The modulus.* Let y be the imaginary part along that axis. The phases of p_i and p_j differ by
:math:`y \, \partial \log(p_i / p_j)` (:mod:`symscore.exact.information.strips`), an affine function
of the real parts. If all differ by at most :math:`2 \theta < \pi`, then :math:`|p| \ge \cos\theta
\sum_i |p_i|`, and by Cauchy's inequality

.. math:: |f| \le \left( 1 + \frac{1}{\cos\theta} \right) \sum_i |p_i| \, |v_i|^2.

*Components that do not count on a box.* Without those of a set D, f changes by at most
:math:`\max |v_i - v_j|^2 \sum_{i \in D} p_i`: pairs with one of D are at most that, the others
lose at most half of it, and the signs are opposite.
"""

from dataclasses import dataclass
from math import ceil, inf, log
from typing import final

from flint import arb, fmpq

from symscore.errors import ResourceLimit
from symscore.exact.arithmetic.balls import ball_of, within
from symscore.exact.information.peaks import Affine, Peak, greatest
from symscore.exact.information.plane import Plane

Pair = tuple[arb, arb]

# Values of rho, the greatest first.
ELLIPSES = (8.0, 5.0, 3.0, 2.0, 1.5, 1.25)
# The greatest theta that is tried.
STEEPEST = 1.4
MOST_NODES = 24
LEAST_RATIO = 1e-9
# About a minute of points.
MOST_POINTS = 2_000_000
MOST_BOXES = 20_000


@final
@dataclass(frozen=True, slots=True)
class Rectangle:
    """A box by its centre and half its sides, dyadic numbers."""

    centre: Pair
    half: Pair

    @property
    def area(self) -> arb:
        """Return its area."""
        return 4 * self.half[0] * self.half[1]

    def stretched(self, axis: int, factor: arb) -> "Rectangle":
        """Return the box that is longer along one axis."""
        dx, dy = self.half
        return Rectangle(self.centre, (dx, dy * factor) if axis else (dx * factor, dy))

    def halves(self, axis: int) -> "list[Rectangle]":
        """Return both halves of the box, cut across an axis."""
        (x, y), (dx, dy) = self.centre, self.half
        if axis:
            return [Rectangle((x, y + sign * dy / 2), (dx, dy / 2)) for sign in (-1, 1)]
        return [Rectangle((x + sign * dx / 2, y), (dx / 2, dy)) for sign in (-1, 1)]


@final
@dataclass(frozen=True, slots=True)
class Panel:
    """A box, the components that count on it, and the nodes that it needs along each axis."""

    box: Rectangle
    kept: tuple[int, ...]
    nodes: tuple[int, int]


@final
class Plan:
    """What to do on which box, for an error that is evenly spread over the plane."""

    def __init__(self, plane: Plane, ends: list[tuple[fmpq, fmpq]], share: arb) -> None:
        self.peaks = Peak.all_of(plane)
        self.gaps = {(gap.first, gap.second): Affine.of(gap) for gap in plane.gaps}
        self.tilts = {(tilt.first, tilt.second): Affine.of(tilt) for tilt in plane.tilts()}
        (left, right), (low, high) = ends
        self.root = Rectangle(
            (ball_of((left + right) / 2), ball_of((low + high) / 2)),
            (ball_of((right - left) / 2), ball_of((high - low) / 2)),
        )
        # For components that are dropped, and for the nodes along each axis.
        self.density = share / self.root.area / 3

    def divided(self) -> tuple[list[Panel], arb]:
        """Return the boxes to integrate on and a ball around zero of all errors together.

        Raises
        ------
        ResourceLimit
            If there are too many.
        """
        panels: list[Panel] = []
        error, points, boxes = arb(0), 0, 0
        stack = [self.root]
        while stack:
            boxes += 1
            if boxes > MOST_BOXES or points > MOST_POINTS:
                raise ResourceLimit(
                    f"Expected an integral of at most {MOST_BOXES} boxes and {MOST_POINTS} points; "
                    f"this one needs more: got {points} points before {len(stack)} last boxes. "
                    "Ask for fewer digits."
                )
            box = stack.pop()
            kept, lost = self._kept(box)
            if len(kept) < 2:
                error += lost * box.area
                continue
            (first, one), (second, two) = (self._needed(box, axis, kept) for axis in (0, 1))
            if max(first, second) > MOST_NODES:
                stack += box.halves(self._longer(box, kept, (first, second)))
                continue
            panels.append(Panel(box, kept, (first, second)))
            points += first * second
            error += (lost + one + two) * box.area
        return panels, within(error)

    def _kept(self, box: Rectangle) -> tuple[tuple[int, ...], arb]:
        """Return the components that count on a box, and what dropping the others loses."""
        steepest = greatest([_square(gap, box, arb(0), 0) for gap in self.gaps.values()])
        kept, lost = [], arb(0)
        for i, peak in enumerate(self.peaks):
            part = _highest(peak, box) * steepest
            if part < self.density / len(self.peaks):
                lost += part
            else:
                kept.append(i)
        return tuple(kept), lost

    def _needed(self, box: Rectangle, axis: int, kept: tuple[int, ...]) -> tuple[int, arb]:
        """Return how many nodes an axis needs and what error they leave, per area.

        The number is more than MOST_NODES where no ellipse allows fewer.
        """
        best, left = MOST_NODES + 1, arb(0)
        for rho in map(arb, ELLIPSES):
            wide = box.stretched(axis, (rho + 1 / rho) / 2)
            height = box.half[axis] * (rho - 1 / rho) / 2
            modulus = self.modulus(wide, axis, height, kept)
            if modulus is None:
                continue
            factor = arb(32) / 15 * modulus / (1 - rho**-2)
            ratio = float(factor / self.density)
            if not ratio < inf:
                continue
            # Zero where the components kept are one and the same.
            excess = log(max(ratio, LEAST_RATIO)) / (2 * log(float(rho)))
            if excess < best - 1:
                best = max(2, ceil(excess))
                left = factor * rho ** (-2 * best)
        return best, left

    def modulus(self, box: Rectangle, axis: int, height: arb, kept: tuple[int, ...]) -> arb | None:
        """Bound f of some components for real parts in a box and `height` along an axis.

        None where their phases may differ too much.
        """
        rows = [self.tilts[i, j].rows[axis] for k, i in enumerate(kept) for j in kept[k + 1 :]]
        theta = greatest([_largest(row, box) for row in rows]) * height / 2
        if not theta < STEEPEST:
            return None
        total = arb(0)
        for i in kept[1:]:
            peak = self.peaks[i]
            lift = (height * height * peak.precision[2 * axis] / 2).exp()
            gap = _square(self.gaps[kept[0], i], box, height, axis)
            total += _highest(peak, box) * lift * gap
        return (1 + 1 / theta.cos()) * total

    def _longer(self, box: Rectangle, kept: tuple[int, ...], nodes: tuple[int, int]) -> int:
        """Return the axis to cut: that of more nodes, or that of more standard deviations."""
        if nodes[0] != nodes[1]:
            return int(nodes[1] > nodes[0])
        lengths = [
            greatest([self.peaks[i].precision[2 * axis] for i in kept]) * box.half[axis] ** 2
            for axis in (0, 1)
        ]
        return int(not lengths[1] < lengths[0])


def _highest(peak: Peak, box: Rectangle) -> arb:
    """Bound a weighted density on a box."""
    near, _ = peak.nearest(*box.centre, *box.half)
    return peak.factor * (-near * near / 2).exp()


def _largest(row: tuple[arb, arb, arb], box: Rectangle) -> arb:
    """Return the greatest modulus of an affine function on a box."""
    a, b, c = row
    (x, y), (dx, dy) = box.centre, box.half
    return abs(a * x + b * y + c) + abs(a) * dx + abs(b) * dy


def _square(gap: Affine, box: Rectangle, height: arb, axis: int) -> arb:
    """Bound ``|gap|^2`` at points with real parts in a box and `height` along an axis."""
    total = arb(0)
    for row in gap.rows:
        far, still = _largest(row, box), row[axis] * height
        total += far * far + still * still
    return total
