r"""Fisher information where two statistics tell the components apart: Gauss-Legendre in boxes.

.. math:: J = \sum_i w_i \operatorname{tr} C_i^{-1} - \int_{R^2} f

with f as in :mod:`symscore.exact.information.box_plan`, which has the theorem.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import isqrt
from typing import final

from flint import arb, ctx, fmpq

from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed, precision
from symscore.exact.arithmetic.quadrature import tail_mass, tail_square
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.box_plan import Pair, Panel, Plan
from symscore.exact.information.peaks import Affine, Peak
from symscore.exact.information.plane import Plane, plane_of

Progress = Callable[[float], None]

BOUND_BITS = 64
# A sum that is not narrow at this precision will not become so.
MOST_BITS = 1024


def spread_by_boxes(
    mixture: RationalMixture, width: Fraction, *, progress: Progress | None = None
) -> Enclosure:
    """Enclose J through the posterior spread in the plane, by Gauss-Legendre rules in boxes.

    Three components of similar covariances take a second for 6 digits and two for 10; four
    eccentric ones, or scales that differ by a factor of 10, about 3 and 6 seconds.

    Parameters
    ----------
    mixture : RationalMixture
        In d dimensions, d > 1, with any covariances.
    width : Fraction
        The greatest width allowed.
    progress : callable, optional
        Told the share of the boxes that have been integrated.

    Raises
    ------
    UnsupportedInstance
        If not exactly two statistics tell the components apart.
    ResourceLimit
        If it would take more than two million points or twenty thousand boxes; nothing has been
        integrated then.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> from symscore.exact import ExactMixture
    >>> covariances = [[[1, 0], [0, 1]], [[2, 0], [0, 1]]]
    >>> two = ExactMixture(["1/2", "1/2"], [[0, 0], [0, 1]], covariances)
    >>> mixture = RationalMixture.of(two)
    >>> float(spread_by_boxes(mixture, Fraction(1, 10**6)).midpoint)
    1.50028...
    """
    plane, trace = plane_of(mixture)
    white = plane.whitened()
    with precision(BOUND_BITS):
        ends, tail = _ends(white, ball_of(width / 4))
        panels, error = Plan(white, ends, ball_of(width / 4)).divided()
        outside = tail.union(arb(0))

    def information(bits: int) -> arb:
        rule, total = Rule(white), ball_of(trace) - outside - error
        for count, panel in enumerate(panels):
            total -= rule.integral(panel)
            if progress is not None:
                progress((count + 1) / len(panels))
        return total

    return narrowed(information, width, most=MOST_BITS)


@final
class Rule:
    """The tensor Gauss-Legendre rule for one plane, at flint's present precision."""

    def __init__(self, plane: Plane) -> None:
        self.peaks = Peak.all_of(plane)
        self.gaps = {(gap.first, gap.second): Affine.of(gap) for gap in plane.gaps}

    def integral(self, panel: Panel) -> arb:
        """Return the rule's sum on a panel."""
        (x, y), (dx, dy) = panel.box.centre, panel.box.half
        columns = [(x + dx * node, weight) for node, weight in _legendre(panel.nodes[0], ctx.prec)]
        total = arb(0)
        for node, weight in _legendre(panel.nodes[1], ctx.prec):
            total += weight * self._row(panel.kept, columns, y + dy * node)
        return total * dx * dy

    def _row(self, kept: tuple[int, ...], columns: list[Pair], y: arb) -> arb:
        """Return the weighted sum of f over a row of nodes."""
        cuts = []
        for peak in (self.peaks[i] for i in kept):
            a, b, c = peak.precision
            lag = y - peak.mean[1]
            cuts.append((peak.factor, peak.mean[0], -a / 2, -b * lag, -c * lag * lag / 2))
        lines = [[(a, b * y + c) for a, b, c in self.gaps[kept[0], i].rows] for i in kept[1:]]
        total = arb(0)
        for x, weight in columns:
            densities = []
            for factor, mean, a, b, c in cuts:
                lag = x - mean
                densities.append(factor * ((a * lag + b) * lag + c).exp())
            first, second = [arb(0)] * len(lines[0]), arb(0)
            for density, line in zip(densities[1:], lines, strict=True):
                value = [a * x + b for a, b in line]
                first = [part + density * entry for part, entry in zip(first, value, strict=True)]
                second += density * sum((entry * entry for entry in value), arb(0))
            square = sum((part * part for part in first), arb(0))
            total += weight * (second - square / sum(densities, arb(0)))
        return total


def _ends(plane: Plane, share: arb) -> tuple[list[tuple[fmpq, fmpq]], arb]:
    """Return a rectangle, and a bound below a share on the integral outside of it."""
    reach = 5
    while True:
        ends = [_side(plane, axis, reach) for axis in (0, 1)]
        tail = _outside(plane, ends)
        if tail < share:
            return ends, tail
        reach += 1


def _side(plane: Plane, axis: int, reach: int) -> tuple[fmpq, fmpq]:
    """Return dyadic numbers about `reach` standard deviations to both sides of all components."""
    law, scale = plane.law, 64
    lows, highs = [], []
    for mean, covariance in zip(law.means, law.covariances, strict=True):
        variance = covariance[axis][axis] * scale * scale
        margin = reach * (isqrt(int(variance.p) // int(variance.q)) + 1)
        lows.append(int((mean[axis] * scale).floor()) - margin)
        highs.append(int((mean[axis] * scale).ceil()) + margin)
    return fmpq(min(lows), scale), fmpq(max(highs), scale)


def _outside(plane: Plane, ends: list[tuple[fmpq, fmpq]]) -> arb:
    r"""Bound the integral outside of a rectangle.

    There :math:`f \le \sum_i p_i |v_i|^2`, v_i relative to component 0, and
    :math:`|v_i(x)|^2 \le 2 |v_i(m_i)|^2 + 2 |v'_i|^2 |x - m_i|^2`. Along an axis, u the part of
    x - m_i on it, V its variance, B the distance to the nearer side: the other component is
    :math:`\kappa u` and an independent rest, so all follows from E[u^2; |u| > B] and P(|u| > B).
    """
    law, total = plane.law, arb(0)
    for gap in (gap for gap in plane.gaps if gap.first == 0):
        i = gap.second
        affine, mean = Affine.of(gap), law.means[i]
        still = affine.norm(*map(ball_of, mean))
        for axis, (low, high) in enumerate(ends):
            variance, other = (law.covariances[i][k][k] for k in (axis, 1 - axis))
            slope = law.covariances[i][0][1] / variance
            radius = min(mean[axis] - low, high - mean[axis])
            mass, square = tail_mass(variance, radius), tail_square(variance, radius)
            lengths = (1 + slope * slope) * square + (other - slope * slope * variance) * mass
            total += 2 * law.weights[i] * (still * still * mass + affine.stretch**2 * lengths)
    return total


@cache
def _legendre(count: int, bits: int) -> list[Pair]:
    """Return nodes and weights; `bits` is flint's precision, for the cache to know of."""
    return [arb.legendre_p_root(count, k, weight=True) for k in range(count)]
