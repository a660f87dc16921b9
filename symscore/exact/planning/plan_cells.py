"""Slabs that keep the components of a mixture apart."""

from itertools import pairwise

from flint import arb, fmpq

from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.rational import RationalMixture, Row, column, dot, entries
from symscore.exact.distances.cells import Slabs

# Neighbours nearer than this many of the wider one's standard deviations share a cell.
APART = 2
HALVINGS = 10


def separating_slabs(mixture: RationalMixture, most: int) -> Slabs | None:
    r"""Return at most so many slabs, between components that do not overlap; None if all do.

    The slabs are perpendicular to Fisher's discriminant of the two components that are furthest
    apart,

    .. math:: n = (C_i + C_j)^{-1} (m_j - m_i).

    Along it, neighbours whose means are closer than two of the wider one's standard deviations
    share a cell; of the gaps between the others the widest are cut, near the point where both
    neighbours' weighted densities are equal, or in the middle if there is none between their means.

    Parameters
    ----------
    mixture : RationalMixture
    most : int
        Number of cells, at least 1.

    Examples
    --------
    >>> from symscore.exact.mixture import ExactMixture
    >>> separating_slabs(RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])), 2)
    Slabs(normal=(1,), offsets=(0,))
    >>> separating_slabs(RationalMixture.of(ExactMixture(["1/2", "1/2"], [0, 1], [1, 1])), 2)
    """
    normal = _discriminant(mixture)
    if normal is None:
        return None
    line = mixture.image(column(normal).transpose())
    order = sorted(range(line.n_components), key=lambda i: line.means[i][0])
    gaps = [(_gap(line, i, j), i, j) for i, j in pairwise(order)]
    wide = sorted((gap for gap in gaps if gap[0] >= APART**2), reverse=True)[: most - 1]
    offsets = sorted(_crossing(line, i, j) for _, i, j in wide)
    return Slabs(normal, tuple(offsets)) if offsets else None


def _discriminant(mixture: RationalMixture) -> Row | None:
    best, found = fmpq(0), None
    for i in range(mixture.n_components):
        for j in range(i):
            shift = mixture.mean(j) - mixture.mean(i)
            direction = entries((mixture.covariance(i) + mixture.covariance(j)).solve(shift))
            distance = dot(direction, entries(shift))
            if distance > best:
                best, found = distance, direction
    if found is None:
        return None
    unit = next(entry for entry in found if entry != 0)
    return tuple(entry / unit for entry in found)


def _gap(line: RationalMixture, i: int, j: int) -> fmpq:
    """Return the squared distance of two means over the larger variance."""
    shift = line.means[j][0] - line.means[i][0]
    return shift**2 / max(line.covariances[i][0][0], line.covariances[j][0][0])


def _crossing(line: RationalMixture, i: int, j: int) -> fmpq:
    r"""Return a short rational near where :math:`w_i N_i = w_j N_j` between the means.

    The logarithm of the ratio decreases from mean to mean, so bisection finds its only zero.
    """
    with precision(64):
        lower, upper = line.means[i][0], line.means[j][0]
        middle = (lower + upper) / 2
        if not (_log_ratio(line, i, j, lower) > 0 and _log_ratio(line, i, j, upper) < 0):
            return middle
        for _ in range(HALVINGS):
            ratio = _log_ratio(line, i, j, middle)
            if ratio.contains(0):
                break
            lower, upper = (middle, upper) if ratio > 0 else (lower, middle)
            middle = (lower + upper) / 2
    return middle


def _log_ratio(line: RationalMixture, i: int, j: int, x: fmpq) -> arb:
    (m,), ((v,),) = line.means[i], line.covariances[i]
    (n,), ((u,),) = line.means[j], line.covariances[j]
    heights = ball_of(line.weights[i] ** 2 * u / (line.weights[j] ** 2 * v)).log()
    return (heights + ball_of((x - n) ** 2 / u - (x - m) ** 2 / v)) / 2
