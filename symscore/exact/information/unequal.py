r"""Fisher information where two statistics tell the components apart: a lattice sum.

.. math:: J = \sum_i w_i \operatorname{tr} C_i^{-1} - \int_{R^2} f, \qquad
    \int f = h^2 \sum_{k \in Z^2} f(hk) + \text{error},

with the error bounded by the strips of :mod:`symscore.exact.information.strips`, for any
covariances.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

from flint import arb, fmpq, fmpq_mat

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed, precision, within
from symscore.exact.arithmetic.rational import RationalMixture, dot
from symscore.exact.information.peaks import Peak
from symscore.exact.information.plane import Plane, plane_of
from symscore.exact.information.statistic import Gap
from symscore.exact.information.strips import Strips

Progress = Callable[[float], None]
Square = tuple[int, int, tuple[arb, arb, arb, arb, arb, arb]]

# About a minute of sums.
MOST_POINTS = 4_000_000
WIDEST_SPACING = fmpq(4)
BOUND_BITS = 64
# A sum that is not narrow at this precision will not become so.
MOST_BITS = 1024


def spread_by_strips(
    mixture: RationalMixture, width: Fraction, *, progress: Progress | None = None
) -> Enclosure:
    """Enclose J through the posterior spread in the plane, summed over a lattice.

    Three components of similar covariances take half a second for 6 digits and less than a second
    for 10; four eccentric ones about 4 and 10 seconds. One component within another costs no more
    however small it is; three whose scales differ by a factor of 10 or more are mostly refused.

    Parameters
    ----------
    mixture : RationalMixture
        In d dimensions, d > 1, with any covariances.
    width : Fraction
        The greatest width allowed.
    progress : callable, optional
        Told the share of the lattice's rows that have been summed.

    Raises
    ------
    UnsupportedInstance
        If not exactly two statistics tell the components apart, or the sum would take more than
        four million points or its bound more than twenty thousand boxes; nothing has been summed
        then.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> from symscore.exact import ExactMixture
    >>> covariances = [[[1, 0], [0, 1]], [[2, 0], [0, 1]]]
    >>> two = ExactMixture(["1/2", "1/2"], [[0, 0], [0, 1]], covariances)
    >>> mixture = RationalMixture.of(two)
    >>> float(spread_by_strips(mixture, Fraction(1, 10**6)).midpoint)
    1.50028...
    """
    plane, trace = plane_of(mixture)
    levelled = plane.levelled()
    share = width / 8
    with precision(BOUND_BITS):
        strips, reach = _within_reach(levelled, ball_of(share))
        spacing, bound = _widest(strips, ball_of(share))
        error = within(bound) + strips.unsummed(ball_of(spacing)).union(arb(0))
        _refuse_many(strips, spacing)
    scaled = levelled.image(fmpq_mat([[1 / spacing, 0], [0, 1 / spacing]]))

    def information(bits: int) -> arb:
        return ball_of(trace) - lattice_sum(scaled, reach, progress) - error

    return narrowed(information, width, most=MOST_BITS)


def lattice_sum(plane: Plane, reach: fmpq, progress: Progress | None = None) -> arb:
    r"""Return the sum of f over the integer points in at least two of the components' ellipses.

    The ellipses are :math:`(x - m_i)^T A_i (x - m_i) \le q`, q the `reach`; points near their
    boundaries may be summed too.
    """
    peaks, squares = Peak.all_of(plane), [_square(gap) for gap in plane.gaps]
    limit, total = ball_of(reach), arb(0)
    spans = [(limit * ball_of(covariance[1][1])).sqrt() for covariance in plane.law.covariances]
    ends = list(zip((peak.mean[1] for peak in peaks), spans, strict=True))
    low = min(_floor(mean - span) for mean, span in ends)
    high = max(_ceiling(mean + span) for mean, span in ends)
    for y in range(low, high + 1):
        for first, last in _ranges([_cut(peak, y, limit) for peak in peaks]):
            total += _row(peaks, squares, y, (first, last))
        if progress is not None:
            progress((y - low + 1) / (high - low + 1))
    return total


def _within_reach(plane: Plane, share: arb) -> tuple[Strips, fmpq]:
    """Return strips whose closed-form bounds leave nearly all of a share to the boxes."""
    reach = fmpq(30)
    while True:
        strips = Strips(plane, reach)
        spacing = ball_of(WIDEST_SPACING)
        if strips.unsummed(spacing) < share and strips.outside(spacing) < share / 100:
            return strips, reach
        reach *= fmpq(11, 10)


def _widest(strips: Strips, share: arb) -> tuple[fmpq, arb]:
    """Return about the greatest spacing that is accurate enough, and the bound on its error."""
    spacing = WIDEST_SPACING
    while True:
        bound = strips.bound(ball_of(spacing), share)
        if bound is not None:
            return spacing, bound
        spacing *= fmpq(7, 8)


def _refuse_many(strips: Strips, spacing: fmpq) -> None:
    areas = [float(arb.pi() * strips.reach / peak.root_det) for peak in strips.peaks]
    points = sum(min(pair) for pair in combinations(areas, 2)) / float(ball_of(spacing)) ** 2
    if points > MOST_POINTS:
        raise UnsupportedInstance(
            f"expected components whose lattice sum takes {MOST_POINTS} points at most; these take "
            f"about {points:.2g}."
        )


def _square(gap: Gap) -> Square:
    """Return the coefficients of ``|slope t + offset|^2``: xx, xy, yy, x, y and 1."""
    a, b = (tuple(row[axis] for row in gap.slope) for axis in range(2))
    c = gap.offset
    parts = (dot(a, a), 2 * dot(a, b), dot(b, b), 2 * dot(a, c), 2 * dot(b, c), dot(c, c))
    xx, xy, yy, x, y, one = map(ball_of, parts)
    return gap.first, gap.second, (xx, xy, yy, x, y, one)


def _cut(peak: Peak, y: int, limit: arb) -> tuple[int, int] | None:
    """Return integers around the x where a row crosses a component's ellipse, if it does."""
    a, b, _ = peak.precision
    lag = y - peak.mean[1]
    room = (limit - lag * lag * peak.root_det**2 / a) / a
    if room < 0:
        return None
    middle, half = peak.mean[0] - b / a * lag, room.nonnegative_part().sqrt()
    return _floor(middle - half), _ceiling(middle + half)


def _ranges(cuts: list[tuple[int, int] | None]) -> list[tuple[int, int]]:
    """Return the union of the ranges that two components have in common, as disjoint ranges.

    Examples
    --------
    >>> _ranges([(0, 3), (2, 9), (8, 12), None])
    [(2, 3), (8, 9)]
    """
    merged: list[tuple[int, int]] = []
    crossed = [cut for cut in cuts if cut is not None]
    common = ((max(a, c), min(b, d)) for (a, b), (c, d) in combinations(crossed, 2))
    for first, last in sorted(pair for pair in common if pair[0] <= pair[1]):
        if merged and first <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def _row(peaks: list[Peak], squares: list[Square], y: int, ends: tuple[int, int]) -> arb:
    """Sum f over a row of points: densities by products along it, gaps by differences."""
    first, last = ends
    densities, ratios, changes = [], [], []
    for peak in peaks:
        a, b, c = peak.precision
        u, v = first - peak.mean[0], y - peak.mean[1]
        densities.append(peak.factor * (-(a * u * u + 2 * b * u * v + c * v * v) / 2).exp())
        ratios.append((-a * (u + arb(0.5)) - b * v).exp())
        changes.append((-a).exp())
    indices = [(i, j) for i, j, _ in squares]
    heights, steps, bends = [], [], []
    for _, _, (xx, xy, yy, x1, y1, one) in squares:
        heights.append((xx * first + xy * y + x1) * first + (yy * y + y1) * y + one)
        steps.append(xx * (2 * first + 1) + xy * y + x1)
        bends.append(2 * xx)
    total = arb(0)
    for _ in range(first, last + 1):
        spread = arb(0)
        for (i, j), height in zip(indices, heights, strict=True):
            spread += densities[i] * densities[j] * height
        total += spread / sum(densities, arb(0))
        densities = [p * r for p, r in zip(densities, ratios, strict=True)]
        ratios = [r * c for r, c in zip(ratios, changes, strict=True)]
        heights = [h + s for h, s in zip(heights, steps, strict=True)]
        steps = [s + b for s, b in zip(steps, bends, strict=True)]
    return total


def _floor(value: arb) -> int:
    return int(value.lower().floor().unique_fmpz())


def _ceiling(value: arb) -> int:
    return int(value.upper().ceil().unique_fmpz())
