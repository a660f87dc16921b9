r"""Fisher information of components so far apart that their overlap is below the width asked for.

With one covariance C, :math:`c_{ij} = |C^{-1}(m_i - m_j)|^2` and
:math:`\Delta_{ij}^2 = (m_i - m_j)^T C^{-1} (m_i - m_j)`, the posterior spread of
:mod:`symscore.exact.information.statistic` obeys

.. math:: 0 \le E_M W = \sum_{i<j} c_{ij} \int \frac{p_i p_j}{p}
    \le \sum_{i<j} \frac{c_{ij}}{2} \int \sqrt{p_i p_j}
    = \sum_{i<j} \frac{c_{ij}}{2} \sqrt{w_i w_j} \, e^{-\Delta_{ij}^2 / 8},

because :math:`p \ge p_i + p_j \ge 2 \sqrt{p_i p_j}`: a bound in every dimension.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

from flint import arb, fmpq

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, as_fraction, ball_of, precision
from symscore.exact.arithmetic.integers import exp_units, root_above
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.gram_coordinates import components, inverse
from symscore.exact.information.statistic import statistic

# Of a bound that is only to be below a width.
BITS = 128


def far_apart(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose J by the bound of the module's text, in balls.

    Raises
    ------
    UnsupportedInstance
        If covariances differ, or the components overlap too much for the width.
    """
    with precision(BITS):
        bound = arb(0)
        for gap, weights, square in _pairs(mixture):
            root = ball_of(weights).sqrt()
            bound += ball_of(gap) / 2 * root * (-ball_of(square) / 8).exp()
        trace = as_fraction(statistic(mixture).trace)
        return _below(trace, Enclosure.of_ball(bound).upper, width)


def far_apart_in_integers(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose J by the bound of the module's text, in integers.

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
    trace = sum((row[i] for i, row in enumerate(matrix)), Fraction(0))
    return _below(trace, bound, width)


def _pairs(mixture: RationalMixture) -> Iterator[tuple[fmpq, fmpq, fmpq]]:
    """Return ``c_ij``, ``w_i w_j`` and ``Delta_ij^2`` of every pair."""
    if not mixture.shares_covariance:
        raise UnsupportedInstance("expected one covariance for all components.")
    inverse = mixture.precision(0)
    for i in range(mixture.n_components):
        for j in range(i):
            shift = mixture.mean(i) - mixture.mean(j)
            pull = inverse * shift
            yield (
                (pull.transpose() * pull)[0, 0],
                mixture.weights[i] * mixture.weights[j],
                (shift.transpose() * pull)[0, 0],
            )


def _below(trace: Fraction, bound: Fraction, width: Fraction) -> Enclosure:
    if bound > width:
        raise UnsupportedInstance("expected components that overlap less than the width.")
    return Enclosure(trace - bound, trace)
