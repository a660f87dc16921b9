r"""The lattice theorem for mixtures with a shared covariance: a sum, and what bounds its error.

Let :math:`u \in R^r` be coordinates in which every component is N(mu_i, I), D the diameter of the
mu_i, and :math:`f = \sum_{i<j} c_{ij} p_i p_j / p` with constants :math:`c_{ij} \ge 0`, the
posterior spread of :mod:`symscore.exact.information.statistic`.

**Theorem.** For spacings :math:`\eta_1 \ldots \eta_r \le \eta` and every :math:`0 < a < \pi / D`,

.. math:: \Big| \prod_j \eta_j \sum_{n \in Z^r} f(\eta n) - \int f \Big|
    \le N_a \sum_{n \ne 0} e^{-2 \pi a |n|_\infty / \eta}, \qquad
    N_a = \frac{e^{a^2 / 2}}{\cos(a D / 2)} \sum_{i<j} c_{ij} w_i w_j .

*Proof.* :math:`p_i(u + iy) = e^{|y|^2/2} e^{-i y \cdot (u - \mu_i)} p_i(u)`, so all phases lie in
an arc of length :math:`|y| D < \pi` and
:math:`|p(u + iy)| \ge e^{|y|^2/2} \cos(|y| D / 2) \, p(u)`: p has no zero in the tube
:math:`|y| \le a`, and there :math:`|f(u + iy)| \le e^{|y|^2/2} f(u) / \cos(|y| D / 2)`. The
integral of f over real u is the mean posterior spread, at most the prior one,
:math:`\sum_{i<j} c_{ij} w_i w_j`. By Poisson summation the error is a sum of Fourier transforms of
f at :math:`\xi = (n_j / \eta_j)`, n not 0, up to phases where the lattice does not contain the
origin; moving the contour by :math:`a \xi / |\xi|` bounds each by :math:`N_a e^{-2 \pi a |\xi|}`,
and :math:`|\xi| \ge |n|_\infty / \eta`. QED
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, cos, log, pi, prod, sqrt
from typing import final

from flint import arb, fmpq

from symscore.errors import ResourceLimit, UnsupportedInstance
from symscore.exact.arithmetic.balls import as_fmpq, ball_of
from symscore.exact.arithmetic.integers import short
from symscore.exact.arithmetic.quadrature import tail_mass
from symscore.exact.arithmetic.rational import RationalMixture, Row, dot
from symscore.exact.information.statistic import Statistic

# About half a minute.
MOST_POINTS = 10_000_000


@final
@dataclass(frozen=True, slots=True)
class Independent:
    """Components with one diagonal covariance, whose score differences are constant.

    Parameters
    ----------
    weights : (k,) tuple of fmpq
    means : (k, r) tuple of tuples of fmpq
    variances : (r,) tuple of fmpq
    gaps : (k, k) tuple of tuples of fmpq
        ``|g_i - g_j|^2``.
    """

    weights: Row
    means: tuple[Row, ...]
    variances: Row
    gaps: tuple[Row, ...]

    @property
    def prior_spread(self) -> fmpq:
        """``sum_{i<j} c_ij w_i w_j``."""
        return sum(
            (
                self.gaps[i][j] * self.weights[i] * self.weights[j]
                for i in range(len(self.weights))
                for j in range(i)
            ),
            fmpq(0),
        )

    @property
    def squared_diameter(self) -> fmpq:
        """The largest squared distance of two means, in standard deviations."""
        return max(
            sum(
                (
                    (a - b) ** 2 / variance
                    for a, b, variance in zip(one, two, self.variances, strict=True)
                ),
                fmpq(0),
            )
            for one in self.means
            for two in self.means
        )


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """The lattice points ``step n``, n from `first` to `last`, on one axis."""

    step: fmpq
    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of points."""
        return self.last - self.first + 1


@final
@dataclass(frozen=True, slots=True)
class Lattice:
    """A finite lattice, the strip ``|y| <= height`` of the theorem, and the cut for whole lines."""

    axes: tuple[Axis, ...]
    height: fmpq
    cut: fmpq

    @property
    def size(self) -> int:
        """Number of points."""
        return prod(axis.size for axis in self.axes)


def independent(found: Statistic, law: RationalMixture) -> Independent:
    """Turn the law's coordinates, by a rational unit triangular matrix, into independent ones."""
    lower, variances = _ldl(law.covariances[0])
    k = law.n_components
    gaps = [[fmpq(0)] * k for _ in range(k)]
    for gap in found.gaps:
        gaps[gap.first][gap.second] = gaps[gap.second][gap.first] = dot(gap.offset, gap.offset)
    means = tuple(_forward(lower, mean) for mean in law.means)
    return Independent(law.weights, means, variances, tuple(map(tuple, gaps)))


def choose_lattice(parts: Independent, width: Fraction) -> Lattice:
    """Choose a lattice for which the proved errors should stay below half the width.

    The choice is made in floating point; that it was good enough is seen from the bounds, which
    are evaluated in balls.
    """
    rank = len(parts.variances)
    # The largest log of a ratio of sizes here is that of the spread to the width.
    target = log(32 * rank * max(1.0, float(parts.prior_spread) / float(width)))
    diameter = sqrt(float(parts.squared_diameter))
    strips = [min(40.0, 3.1 / diameter) * 0.97**i for i in range(200)]

    def spacing(a: float) -> float:
        return 2 * pi * a / (target + a * a / 2 - log(cos(a * diameter / 2)))

    height = max(strips, key=spacing)
    # The greatest square distance of scores may be far above the prior spread.
    reach = sqrt(2 * (target + log(1 + _ratio(parts)))) + 1
    axes = tuple(
        _axis([mean[j] for mean in parts.means], variance, spacing(height), reach)
        for j, variance in enumerate(parts.variances)
    )
    lines = prod(axis.size for axis in axes[:-1])
    cut = as_fmpq(width) / (64 * lines)
    lattice = Lattice(axes, as_fmpq(short(height)), cut)
    # Work grows with the pairs of components; the limit is meant for four.
    if lattice.size * max(6, len(parts.weights) ** 2) > 6 * MOST_POINTS:
        raise ResourceLimit(
            f"Expected a lattice of at most {MOST_POINTS} points; this mixture at this width needs "
            f"{lattice.size}: ask for fewer digits."
        )
    return lattice


def _ratio(parts: Independent) -> float:
    return float(max(max(row) for row in parts.gaps) / parts.prior_spread)


def _axis(means: list[fmpq], variance: fmpq, spacing: float, reach: float) -> Axis:
    root = sqrt(float(variance))
    step = as_fmpq(short(spacing * root))
    margin = ceil(reach * root / float(step)) + 1
    first = int((min(means) / step).floor()) - margin
    last = int((max(means) / step).ceil()) + margin
    return Axis(step, first, last)


def outside(parts: Independent, lattice: Lattice) -> arb:
    """Bound the volume times the sum of f over all lattice points that are left out.

    f <= sum_i p_i |g_i - g_1|^2; beyond a mean a density falls, so its sum over the points beyond
    a bound is at most its integral there and one more term on each side.
    """
    total = arb(0)
    for i, mean in enumerate(parts.means):
        for j, (axis, variance) in enumerate(zip(lattice.axes, parts.variances, strict=True)):
            radius = min(mean[j] - axis.step * axis.first, axis.step * axis.last - mean[j])
            edge = _density(variance, radius)
            beyond = tail_mass(variance, radius) + 2 * ball_of(axis.step) * edge
            others = prod(
                (
                    1 + ball_of(other.step) * _density(value, fmpq(0))
                    for m, (other, value) in enumerate(
                        zip(lattice.axes, parts.variances, strict=True)
                    )
                    if m != j
                ),
                start=arb(1),
            )
            total += parts.weights[i] * parts.gaps[0][i] * beyond * others
    return total


def aliasing(parts: Independent, lattice: Lattice) -> arb:
    """Evaluate the theorem's bound."""
    height = ball_of(lattice.height)
    spacings = [
        ball_of(axis.step) / ball_of(variance).sqrt()
        for axis, variance in zip(lattice.axes, parts.variances, strict=True)
    ]
    spacing = spacings[0]
    for other in spacings[1:]:
        spacing = spacing.max(other)
    angle = height * ball_of(parts.squared_diameter).sqrt() / 2
    if not angle < arb.pi() / 2:
        raise UnsupportedInstance("expected a strip without zeros of the density.")
    factor = (height * height / 2).exp() / angle.cos() * ball_of(parts.prior_spread)
    return factor * _dual_sum((-2 * arb.pi() * height / spacing).exp(), len(spacings))


def _dual_sum(q: arb, rank: int) -> arb:
    """Return ``sum over n != 0 in Z^rank of q^max|n_j|``; (2m+1)^r - (2m-1)^r of them share m."""
    if rank == 1:
        return 2 * q / (1 - q)
    if rank == 2:
        return 8 * q / (1 - q) ** 2
    return 24 * q * (1 + q) / (1 - q) ** 3 + 2 * q / (1 - q)


def _density(variance: fmpq, distance: fmpq) -> arb:
    v, x = ball_of(variance), ball_of(distance)
    return (-x * x / (2 * v)).exp() / (2 * arb.pi() * v).sqrt()


def _ldl(covariance: Sequence[Row]) -> tuple[list[list[fmpq]], Row]:
    """Return L, unit lower triangular, and d with ``C = L diag(d) L^T``."""
    n = len(covariance)
    lower = [[fmpq(int(i == j)) for j in range(n)] for i in range(n)]
    pivots: list[fmpq] = []
    for i in range(n):
        for j in range(i):
            known = sum((lower[i][m] * lower[j][m] * pivots[m] for m in range(j)), fmpq(0))
            lower[i][j] = (covariance[i][j] - known) / pivots[j]
        known = sum((lower[i][m] ** 2 * pivots[m] for m in range(i)), fmpq(0))
        pivots.append(covariance[i][i] - known)
    return lower, tuple(pivots)


def _forward(lower: list[list[fmpq]], right: Row) -> Row:
    """Solve ``L v = right``."""
    solved: list[fmpq] = []
    for row, value in zip(lower, right, strict=True):
        solved.append(value - dot(tuple(row[: len(solved)]), tuple(solved)))
    return tuple(solved)
