"""Fisher information by ball quadrature over one variable, two formulas for it."""

from fractions import Fraction

from flint import acb, arb, ctx, fmpq

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed
from symscore.exact.arithmetic.quadrature import (
    integral,
    support,
    tail_mass,
    tail_square,
    weighted_densities,
)
from symscore.exact.arithmetic.rational import RationalMixture, dot
from symscore.exact.information.statistic import Gap, Statistic, line_statistic


def spread_on_the_line(mixture: RationalMixture, width: Fraction) -> Enclosure:
    r"""Enclose J through the posterior spread, where one linear statistic carries it.

    .. math:: J = \sum_i w_i \operatorname{tr} C_i^{-1}
        - \int \sum_{i<j} \frac{p_i(t) \, p_j(t)}{p(t)} \, |g_i - g_j|^2(t) \, dt

    (:mod:`symscore.exact.information.statistic`), p_i the weighted density of component i's t. As
    the spread is at most the mean square distance of the g_i from any one of them, the part of the
    integral outside an interval is between 0 and :math:`\sum_i w_i E_i[|g_i - g_1|^2; t \text{
    outside}]`, a sum of error functions.

    Raises
    ------
    UnsupportedInstance
        If the components differ along more than one direction.
    NotCertified
        If the width is not reached.
    """
    found = line_statistic(mixture)
    return narrowed(lambda bits: ball_of(found.trace) - _spread(found), width)


def direct_on_the_line(mixture: RationalMixture, width: Fraction) -> Enclosure:
    r"""Enclose J in one dimension by its definition.

    .. math:: J = \int \frac{p'(x)^2}{p(x)} \, dx

    As :math:`s^2 \le \sum_i r_i g_i^2` (Jensen), the part outside an interval is between 0 and
    :math:`\sum_i w_i v_i^{-2} E_i[(x - m_i)^2; x \text{ outside}]`.

    Raises
    ------
    UnsupportedInstance
        In more than one dimension.
    NotCertified
        If the width is not reached.
    """
    if mixture.dim > 1:
        raise UnsupportedInstance(f"expected one dimension, got {mixture.dim}.")
    return narrowed(lambda bits: _direct(mixture), width)


def departure_on_the_line(mixture: RationalMixture, width: Fraction) -> Enclosure:
    r"""Enclose J through the departure of the score from that of the first component.

    .. math:: J = \sum_i w_i \operatorname{tr} C_i^{-1} - \sum_i w_i E_i |g_1 - g_i|^2
        + \int \frac{|\sum_i p_i (g_1 - g_i)|^2(t)}{p(t)} \, dt

    The posterior spread of the g_i is their mean square distance from g_1 less the square of the
    mean distance; the former is a polynomial, so its expectation is rational. The part of the
    integral outside an interval has the bound that :func:`spread_on_the_line` uses.

    Raises
    ------
    UnsupportedInstance
        If the components differ along more than one direction.
    NotCertified
        If the width is not reached.
    """
    found = line_statistic(mixture)
    law = found.law
    if law is None:
        raise UnsupportedInstance("expected components that differ.")
    known = found.trace - _mean_square_gap(found, law)
    return narrowed(lambda bits: ball_of(known) + _departure(found, law), width)


def _mean_square_gap(found: Statistic, law: RationalMixture) -> fmpq:
    total = fmpq(0)
    for gap in (gap for gap in found.gaps if gap.first == 0):
        a, b, c = _square(gap)
        (mean,), ((variance,),) = law.means[gap.second], law.covariances[gap.second]
        total += law.weights[gap.second] * (a * (mean**2 + variance) + b * mean + c)
    return total


def _departure(found: Statistic, law: RationalMixture) -> arb:
    gaps = [
        (gap.second, [ball_of(row[0]) for row in gap.slope], list(map(ball_of, gap.offset)))
        for gap in found.gaps
        if gap.first == 0
    ]
    densities = weighted_densities(law)

    def integrand(t: acb) -> acb:
        parts = densities(t)
        total = acb(0)
        for entry in range(len(gaps[0][1])):
            mean = acb(0)
            for i, slope, offset in gaps:
                mean += parts[i] * (slope[entry] * t + offset[entry])
            total += mean * mean
        return total / sum(parts, acb(0))

    ends = support(law, ctx.prec)
    return integral(integrand, ends) + _spread_tail(found, law, ends).union(arb(0))


def _spread(found: Statistic) -> arb:
    if found.law is None:
        return arb(0)
    squares = [_square(gap) for gap in found.gaps]
    pairs = [
        (gap.first, gap.second, *map(ball_of, square))
        for gap, square in zip(found.gaps, squares, strict=True)
    ]
    densities = weighted_densities(found.law)

    def integrand(t: acb) -> acb:
        parts = densities(t)
        total = acb(0)
        for i, j, a, b, c in pairs:
            total += parts[i] * parts[j] * ((a * t + b) * t + c)
        return total / sum(parts, acb(0))

    ends = support(found.law, ctx.prec)
    return integral(integrand, ends) + _spread_tail(found, found.law, ends).union(arb(0))


def _spread_tail(found: Statistic, law: RationalMixture, ends: tuple[fmpq, fmpq]) -> arb:
    """Bound the part of the spread outside of `ends` by the distances from component 0."""
    total = arb(0)
    for gap in found.gaps:
        if gap.first:
            continue
        i = gap.second
        a, b, c = _square(gap)
        (mean,), ((variance,),) = law.means[i], law.covariances[i]
        radius = min(mean - ends[0], ends[1] - mean)
        # (u + v)^2 <= 2 u^2 + 2 v^2, u what is linear in t - mean and v what stands at the mean.
        at_mean = (a * mean + b) * mean + c
        bound = a * tail_square(variance, radius) + at_mean * tail_mass(variance, radius)
        total += 2 * law.weights[i] * bound
    return total


def _square(gap: Gap) -> tuple[fmpq, fmpq, fmpq]:
    """Return the coefficients of ``|slope t + offset|^2``, the highest power first."""
    slope = tuple(row[0] for row in gap.slope)
    return dot(slope, slope), 2 * dot(slope, gap.offset), dot(gap.offset, gap.offset)


def _direct(mixture: RationalMixture) -> arb:
    pulls = [
        (ball_of(mean), 1 / ball_of(variance))
        for (mean,), ((variance,),) in zip(mixture.means, mixture.covariances, strict=True)
    ]
    densities = weighted_densities(mixture)

    def integrand(x: acb) -> acb:
        parts = densities(x)
        slope = acb(0)
        for part, (mean, precision) in zip(parts, pulls, strict=True):
            slope += part * (mean - x) * precision
        return slope * slope / sum(parts, acb(0))

    low, high = support(mixture, ctx.prec)
    tail = arb(0)
    for weight, (mean,), ((variance,),) in zip(
        mixture.weights, mixture.means, mixture.covariances, strict=True
    ):
        radius = min(mean - low, high - mean)
        tail += weight / variance**2 * tail_square(variance, radius)
    return integral(integrand, (low, high)) + tail.union(arb(0))
