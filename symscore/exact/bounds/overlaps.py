r"""What a point says about its component, bounded by how much the components overlap.

With the Bhattacharyya coefficients :math:`b_{ij} = \int \sqrt{N_i N_j}`, the mutual information I
of :mod:`symscore.exact.bounds.label_information` has, in any dimension and with any covariances,

.. math:: I \ge -\sum_i w_i \log \sum_j w_j b_{ij} .

*Proof* (Kolchinsky and Tracey 2017, their :math:`\alpha = 1/2`). With
:math:`g = \sum_j w_j N_j^{1/2}`, :math:`-I = \sum_i w_i E_i \log(N_i^{-1/2} g) +
\sum_i w_i E_i \log(p / (N_i^{1/2} g))`. The second sum is
:math:`\int p \sum_i r_i \log(p / (N_i^{1/2} g))`, by Jensen at most
:math:`\int p \log (\sum_i w_i N_i^{1/2} / g) = 0`; the first is by Jensen at most
:math:`\sum_i w_i \log E_i[N_i^{-1/2} g]`. QED

The bound is I where components coincide or lie far apart, and may be a third too small between.
"""

from fractions import Fraction

from flint import arb

from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.bhattacharyya import (
    Overlap,
    overlap_by_moments,
    overlap_by_natural_parameters,
)


def by_moments(mixture: RationalMixture, width: Fraction) -> Enclosure:
    r"""Enclose I between the bound and the entropy of the weights.

    With C the mean of two covariances,

    .. math:: b_{ij} = \frac{(\det C_i \det C_j)^{1/4}}{(\det C)^{1/2}}
        e^{-(m_i - m_j)^T C^{-1} (m_i - m_j) / 8}.

    Each end is within `width` of its formula; the interval itself may be wider.
    """
    return _between(mixture, width, overlap_by_moments)


def by_natural_parameters(mixture: RationalMixture, width: Fraction) -> Enclosure:
    r"""Enclose I between the same ends, by another formula.

    With the natural parameters :math:`\eta = (P, P m)`, P the precision, and the cumulant function
    :math:`A(P, b) = \frac12 b^T P^{-1} b - \frac12 \log \det P`,

    .. math:: \log b_{ij} = A\left( \frac{\eta_i + \eta_j}{2} \right)
        - \frac{A(\eta_i) + A(\eta_j)}{2}.
    """
    return _between(mixture, width, overlap_by_natural_parameters)


def _between(mixture: RationalMixture, width: Fraction, overlap: Overlap) -> Enclosure:
    def bound(_: int) -> arb:
        total = arb(0)
        for i, weight in enumerate(mixture.weights):
            shared = ball_of(weight)
            for j, other in enumerate(mixture.weights):
                if i != j:
                    shared += ball_of(other) * overlap(mixture, i, j)
            total -= ball_of(weight) * shared.log()
        return total

    def most(_: int) -> arb:
        return sum((-ball_of(w) * ball_of(w).log() for w in mixture.weights), arb(0))

    lower = max(narrowed(bound, width).lower, Fraction(0))
    return Enclosure(lower, max(narrowed(most, width).upper, lower))
