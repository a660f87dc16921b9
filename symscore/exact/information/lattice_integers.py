r"""Fisher information of mixtures with a shared covariance, in plain integers.

The theorem of :mod:`symscore.exact.information.lattice_bounds`, computed again with nothing but
Python's integers and fractions, so that a certificate made with python-flint can be checked without
it. A number in [0, 1] is stored as a multiple of :math:`2^{-P}`; every operation rounds, by at most
one such unit, and the units lost are counted.

Coordinates come from the Gram matrix of the means
(:mod:`symscore.exact.information.gram_coordinates`).
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, cos, log, pi, prod, sqrt
from typing import final

from symscore.errors import NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact.arithmetic.integers import (
    cos_below,
    exp_units,
    pi_bounds,
    root_above,
    root_below,
    short,
)
from symscore.exact.information.gram_coordinates import (
    Components,
    components,
    inverse,
    squared_diameter,
)

MOST_RANK = 3
# About a minute.
MOST_POINTS = 5_000_000


@final
@dataclass(frozen=True, slots=True)
class Axis:
    """The points ``(n + 1/2) step`` of one axis, and the precision of the coordinate on it."""

    step: Fraction
    indices: range
    precision: Fraction

    @property
    def spacing(self) -> Fraction:
        """An upper bound of the step in standard deviations."""
        return root_above(self.step**2 * self.precision)

    @property
    def size(self) -> int:
        """Number of points, which ``len`` could not say of a very long range."""
        return self.indices.stop - self.indices.start

    def point(self, n: int) -> Fraction:
        """Return the point of index n."""
        return (n + Fraction(1, 2)) * self.step


def fisher_interval(
    weights: tuple[Fraction, ...],
    means: tuple[tuple[Fraction, ...], ...],
    covariance: tuple[tuple[Fraction, ...], ...],
    width: Fraction,
) -> tuple[Fraction, Fraction]:
    r"""Enclose :math:`J = E|\nabla \log p|^2` of a mixture with one covariance.

    Parameters
    ----------
    weights : (k,) tuple of Fraction
    means : (k, d) tuple of tuples of Fraction
    covariance : (d, d) tuple of tuples of Fraction
    width : Fraction
        The most that upper - lower may be.

    Returns
    -------
    lower, upper : Fraction

    Raises
    ------
    UnsupportedInstance
        If the means span more than three dimensions.
    ResourceLimit
        If the lattice would have more than five million points.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> half, one = Fraction(1, 2), Fraction(1)
    >>> low, high = fisher_interval((half, half), ((-one,), (one,)), ((one,),), Fraction(1, 10**9))
    >>> round(float(low), 9), high - low < Fraction(1, 10**9)
    (0.550400491, True)
    """
    precision = inverse(covariance)
    trace = sum((row[i] for i, row in enumerate(precision)), Fraction(0))
    parts = components(weights, means, precision)
    if not parts.precisions:
        return trace, trace
    if len(parts.precisions) > MOST_RANK:
        raise UnsupportedInstance(
            f"expected means that span at most {MOST_RANK} dimensions, got {len(parts.precisions)}."
        )
    low, high = _spread(parts, width)
    if high - low > width:
        raise NotCertified(
            f"Expected the lattice sum within {float(width):.3g}; got {float(high - low):.3g}."
        )
    return trace - high, trace - low


def _spread(parts: Components, width: Fraction) -> tuple[Fraction, Fraction]:
    """Enclose the integral of the posterior spread."""
    try:
        height, axes = _choice(parts, width)
    except (ArithmeticError, ValueError):
        raise ResourceLimit(
            "Expected parameters within the range of float64: rescale them."
        ) from None
    points = prod(axis.size for axis in axes)
    if points * max(6, len(parts.weights) ** 2) > 6 * MOST_POINTS:
        raise ResourceLimit(
            f"Expected a lattice of at most {MOST_POINTS} points; this width needs {points}: ask "
            "for fewer digits."
        )
    return spread_on(parts, axes, height, _bits(parts, points, width))


def _bits(parts: Components, points: int, width: Fraction) -> int:
    """Return bits at which the units lost, some hundred a point and pair, are below the width."""
    pairs = len(parts.weights) ** 2
    scale = ceil(max(map(max, parts.gaps)) / width)
    return (scale * points * pairs).bit_length() + 24


def spread_on(
    parts: Components, axes: list[Axis], height: Fraction, bits: int
) -> tuple[Fraction, Fraction]:
    """Enclose the integral of the posterior spread by the sum over one lattice.

    Parameters
    ----------
    parts : Components
    axes : list of Axis
        One a coordinate.
    height : Fraction
        Of the theorem's strip.
    bits : int
        Of a unit.
    """
    units, lost = _sum(parts, axes, bits)
    low, high = _volume(axes, bits)
    largest = max(map(max, parts.gaps))
    outside, aliasing = _outside(parts, axes, bits), _aliasing(parts, axes, height, bits)
    return (
        low * largest * Fraction(units, 1 << bits) - aliasing,
        high * largest * Fraction(units + lost, 1 << bits) + outside + aliasing,
    )


def _choice(parts: Components, width: Fraction) -> tuple[Fraction, list[Axis]]:
    """Choose the strip and the axes, in floats: the bounds, in integers, show if they serve."""
    rank = len(parts.precisions)
    prior = 2 * float(parts.prior_spread)
    target = log(64 * rank * max(1.0, prior / float(width)))
    diameter = sqrt(float(squared_diameter(parts)))
    strips = [min(40.0, 3.05 / diameter) * 0.96**i for i in range(150)]

    def spacing(a: float) -> float:
        return 2 * pi * a / (target + a * a / 2 - log(cos(a * diameter / 2)))

    height = max(strips, key=spacing)
    reach = sqrt(2 * (target + log(2 + float(max(map(max, parts.gaps))) / prior))) + 1
    axes = []
    for j, precision in enumerate(parts.precisions):
        root = sqrt(float(precision))
        step = short(spacing(height) / root)
        centres = [float(mean[j]) for mean in parts.means]
        first = int((min(centres) - reach / root) / float(step)) - 2
        last = int((max(centres) + reach / root) / float(step)) + 2
        axes.append(Axis(step, range(first, last + 1), precision))
    return short(height), axes


def _sum(parts: Components, axes: list[Axis], bits: int) -> tuple[int, int]:
    r"""Return the sum of the spread over the lattice, in units of the largest gap, and its error.

    Without the factors :math:`\sqrt{\delta_j / 2 \pi}` all weighted densities are at most 1. They
    are computed from below, within e units. The spread rises with each of them, at a rate between 0
    and the largest gap, :math:`\partial f / \partial p_i = |g_i - \sum_j r_j g_j|^2`. So k e units,
    and three for each pair's own rounding, bound what a point's term falls short by.
    """
    k, largest = len(parts.weights), max(map(max, parts.gaps))
    pairs = [(i, j, _units(parts.gaps[i][j] / largest, bits)) for i in range(k) for j in range(i)]
    tables = [
        [[_density(axis, n, mean[j], bits) for mean in parts.means] for n in axis.indices]
        for j, axis in enumerate(axes)
    ]
    total = 0
    for rows in product(*tables[:-1]):
        prefix = [_units(weight, bits) for weight in parts.weights]
        for row in rows:
            prefix = [part * entry >> bits for part, entry in zip(prefix, row, strict=True)]
        if any(prefix):
            total += _line(prefix, tables[-1], pairs, bits)
    points = prod(axis.size for axis in axes)
    # A weight is one unit short, a density two; a product adds both and two of its own.
    missing = 1 + 4 * len(axes)
    return total, points * (k * missing + 3 * len(pairs))


def _line(
    prefix: list[int], table: list[list[int]], pairs: list[tuple[int, int, int]], bits: int
) -> int:
    total = 0
    for row in table:
        parts = [part * entry >> bits for part, entry in zip(prefix, row, strict=True)]
        density = sum(parts)
        if density:
            for i, j, gap in pairs:
                total += (parts[i] * parts[j] // density) * gap >> bits
    return total


def _density(axis: Axis, n: int, mean: Fraction, bits: int) -> int:
    return exp_units((axis.point(n) - mean) ** 2 * axis.precision / 2, bits)


def _volume(axes: list[Axis], bits: int) -> tuple[Fraction, Fraction]:
    r"""Enclose :math:`\prod_j h_j \sqrt{\delta_j / 2 \pi}`."""
    square = prod((axis.step**2 * axis.precision for axis in axes), start=Fraction(1))
    low, high = pi_bounds(bits)
    return (
        root_below(square / (2 * high) ** len(axes), bits),
        root_above(square / (2 * low) ** len(axes), bits),
    )


def _outside(parts: Components, axes: list[Axis], bits: int) -> Fraction:
    r"""Bound the sum of the spread over all points left out, times the cells' volume.

    Beyond z >= 1 standard deviations on an axis of spacing :math:`\eta`, a component's densities
    sum to at most :math:`P(|Z| > z) + 2 \eta \phi(z) \le (1 + \eta) e^{-z^2/2}`; along a whole axis
    to at most :math:`1 + \eta \phi(0) \le 1 + \eta`. And the spread is at most the mean square
    distance of the scores from that of the first component.
    """
    everywhere = prod(1 + axis.spacing for axis in axes)
    total = Fraction(0)
    for weight, mean, gap in zip(parts.weights, parts.means, parts.gaps[0], strict=True):
        for axis, entry in zip(axes, mean, strict=True):
            first, last = axis.point(axis.indices[0]), axis.point(axis.indices[-1])
            radius = min(entry - first, last - entry)
            square = radius**2 * axis.precision
            if radius <= 0 or square < 1:
                raise NotCertified("Expected a lattice that reaches beyond all means.")
            total += (
                weight * gap * everywhere * Fraction(exp_units(square / 2, bits) + 2, 1 << bits)
            )
    return total


def _aliasing(parts: Components, axes: list[Axis], height: Fraction, bits: int) -> Fraction:
    """Evaluate the theorem's bound from above."""
    angle = height * root_above(squared_diameter(parts)) / 2
    cosine = cos_below(angle)
    if angle >= Fraction(157, 100) or cosine <= 0:
        raise NotCertified("Expected a strip without zeros of the density.")
    # Both exponentials are to keep some digits, whatever a unit is elsewhere.
    fine = bits + ceil(height**2)
    growth = Fraction(1 << fine, exp_units(height**2 / 2, fine))
    rate = 2 * pi_bounds(bits)[0] * height / max(axis.spacing for axis in axes)
    q = Fraction(exp_units(rate, fine + ceil(rate)) + 2, 1 << fine + ceil(rate))
    if q >= 1:
        raise NotCertified("Expected a finer lattice, or a unit of more bits.")
    return growth / cosine * parts.prior_spread * _dual_sum(q, len(axes))


def _dual_sum(q: Fraction, rank: int) -> Fraction:
    """Return ``sum over n != 0 in Z^rank of q^max|n_j|``."""
    if rank == 1:
        return 2 * q / (1 - q)
    if rank == 2:
        return 8 * q / (1 - q) ** 2
    return 24 * q * (1 + q) / (1 - q) ** 3 + 2 * q / (1 - q)


def _units(value: Fraction, bits: int) -> int:
    """Round a number in [0, 1] down to units."""
    return (value.numerator << bits) // value.denominator
