r"""Fisher information of components so far apart that their overlap is below the width asked for.

With the components' scores g_i, precisions P_i and overlaps :math:`b_{ij} = \int \sqrt{N_i N_j}`,
the posterior spread of :mod:`symscore.exact.information.statistic` obeys

.. math:: 0 \le E_M W = \sum_{i<j} \int \frac{p_i p_j}{p} |g_i - g_j|^2
    \le \sum_{i<j} \frac{\sqrt{w_i w_j}}{2} \int \sqrt{N_i N_j} \, |g_i - g_j|^2
    = \sum_{i<j} \frac{\sqrt{w_i w_j}}{2} \, b_{ij} \, E_{ij} |g_i - g_j|^2,

because :math:`p \ge p_i + p_j \ge 2 \sqrt{p_i p_j}`; and :math:`\sqrt{N_i N_j} / b_{ij}` is the
density of :math:`N(m, 2 (P_i + P_j)^{-1})`, :math:`m = (P_i + P_j)^{-1} (P_i m_i + P_j m_j)`, under
which the expectation of a quadratic function is rational. A bound in every dimension, for any
covariances.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations

from flint import arb, fmpq, fmpq_mat

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, as_fraction, ball_of, precision
from symscore.exact.arithmetic.integers import exp_units, root_above
from symscore.exact.arithmetic.rational import RationalMixture, trace
from symscore.exact.information.bhattacharyya import (
    Overlap,
    overlap_by_moments,
    overlap_by_natural_parameters,
)
from symscore.exact.information.gram_coordinates import components, inverse
from symscore.exact.information.statistic import statistic

# Of a bound that is only to be below a width.
BITS = 128

SquareGap = Callable[[RationalMixture, int, int], fmpq]


def far_apart(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose J by the bound of the module's text, in balls.

    Raises
    ------
    UnsupportedInstance
        If the components overlap too much for the width.
    """
    bound = _bound(mixture, overlap_by_moments, _gap_of_difference)
    return _below(as_fraction(statistic(mixture).trace), bound, width)


def far_apart_again(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose J by the same bound through natural parameters and products of scores.

    Raises
    ------
    UnsupportedInstance
        If the components overlap too much for the width.
    """
    bound = _bound(mixture, overlap_by_natural_parameters, _gap_of_products)
    total = sum(
        (weight * trace(mixture.covariance(i).inv()) for i, weight in enumerate(mixture.weights)),
        fmpq(0),
    )
    return _below(as_fraction(total), bound, width)


def far_apart_in_integers(mixture: RationalMixture, width: Fraction) -> Enclosure:
    r"""Enclose J by the bound of the module's text, in integers, where one covariance is shared.

    There :math:`b_{ij} = e^{-\Delta_{ij}^2 / 8}`, Delta the distance in standard deviations, and
    :math:`g_i - g_j` is constant.

    Raises
    ------
    UnsupportedInstance
        If covariances differ, or the components overlap too much for the width.
    """
    if not mixture.shares_covariance:
        raise UnsupportedInstance("expected one covariance for all components.")
    weights = tuple(map(as_fraction, mixture.weights))
    means = tuple(tuple(map(as_fraction, mean)) for mean in mixture.means)
    matrix = inverse(tuple(tuple(map(as_fraction, row)) for row in mixture.covariances[0]))
    parts = components(weights, means, matrix)
    bound = Fraction(0)
    for i, j in combinations(range(len(weights)), 2):
        gap = parts.gaps[i][j]
        # Beyond 2^20 the exponential is below every width; larger arguments only cost time.
        exponent = min(parts.squared_distance(i, j) / 8, Fraction(1 << 20))
        bits = BITS + width.denominator.bit_length() + gap.numerator.bit_length()
        factor = Fraction(exp_units(exponent, bits) + 2, 1 << bits)
        bound += gap / 2 * root_above(weights[i] * weights[j]) * factor
    total = sum((row[i] for i, row in enumerate(matrix)), Fraction(0))
    return _below(total, bound, width)


def _bound(mixture: RationalMixture, overlap: Overlap, square_gap: SquareGap) -> Fraction:
    with precision(BITS):
        total = arb(0)
        for i, j in combinations(range(mixture.n_components), 2):
            root = ball_of(mixture.weights[i] * mixture.weights[j]).sqrt()
            total += root / 2 * overlap(mixture, i, j) * ball_of(square_gap(mixture, i, j))
        return Enclosure.of_ball(total).upper


def _gap_of_difference(mixture: RationalMixture, i: int, j: int) -> fmpq:
    """Return ``E_ij |A x + b|^2``, ``A = P_j - P_i`` and ``b = P_i m_i - P_j m_j``."""
    first, second = mixture.precision(i), mixture.precision(j)
    pulls = first * mixture.mean(i), second * mixture.mean(j)
    slope = second - first
    middle = (first + second).inv()
    at_mean = slope * (middle * (pulls[0] + pulls[1])) + pulls[0] - pulls[1]
    return 2 * trace(slope * middle * slope) + _inner(at_mean, at_mean)


def _gap_of_products(mixture: RationalMixture, i: int, j: int) -> fmpq:
    """Return ``E_ij |g_i|^2 + E_ij |g_j|^2 - 2 E_ij g_i . g_j``."""
    precisions = [mixture.precision(i), mixture.precision(j)]
    means = [mixture.mean(i), mixture.mean(j)]
    both = precisions[0] + precisions[1]
    centre = both.solve(precisions[0] * means[0] + precisions[1] * means[1])
    scores = [p * (m - centre) for p, m in zip(precisions, means, strict=True)]

    def product(a: int, b: int) -> fmpq:
        spread = precisions[a] * both.solve(precisions[b])
        return 2 * trace(spread) + _inner(scores[a], scores[b])

    return product(0, 0) + product(1, 1) - 2 * product(0, 1)


def _inner(one: fmpq_mat, two: fmpq_mat) -> fmpq:
    return (one.transpose() * two)[0, 0]


def _below(total: Fraction, bound: Fraction, width: Fraction) -> Enclosure:
    if bound > width:
        raise UnsupportedInstance("expected components that overlap less than the width.")
    return Enclosure(total - bound, total)
