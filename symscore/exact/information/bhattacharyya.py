r"""Overlaps of the components of a mixture, :math:`b_{ij} = \int \sqrt{N_i N_j}`, two formulas."""

from collections.abc import Callable

from flint import arb, fmpq, fmpq_mat

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.rational import RationalMixture, entries

Overlap = Callable[[RationalMixture, int, int], arb]


def overlap_by_moments(mixture: RationalMixture, i: int, j: int) -> arb:
    r"""Return b_ij from means and covariances.

    With C the mean of the two covariances,

    .. math:: b_{ij} = \frac{(\det C_i \det C_j)^{1/4}}{(\det C)^{1/2}}
        e^{-(m_i - m_j)^T C^{-1} (m_i - m_j) / 8}.
    """
    first, second = mixture.covariance(i), mixture.covariance(j)
    middle = (first + second) / 2
    apart = mixture.mean(i) - mixture.mean(j)
    (square,) = entries(apart.transpose() * middle.solve(apart))
    scale = ball_of(first.det() * second.det() / middle.det() ** 2)
    return scale.root(4) * (-ball_of(square) / 8).exp()


def overlap_by_natural_parameters(mixture: RationalMixture, i: int, j: int) -> arb:
    r"""Return b_ij from the natural parameters :math:`\eta = (P, P m)`, P the precision.

    With the cumulant function :math:`A(P, b) = \frac12 b^T P^{-1} b - \frac12 \log \det P`,

    .. math:: \log b_{ij} = A\left( \frac{\eta_i + \eta_j}{2} \right)
        - \frac{A(\eta_i) + A(\eta_j)}{2}.
    """
    first, second = mixture.precision(i), mixture.precision(j)
    pulls = first * mixture.mean(i), second * mixture.mean(j)
    apart = _cumulant(first, pulls[0]) + _cumulant(second, pulls[1])
    middle = _cumulant((first + second) / fmpq(2), (pulls[0] + pulls[1]) / fmpq(2))
    return (middle - apart / 2).exp()


def _cumulant(precision: fmpq_mat, pull: fmpq_mat) -> arb:
    (square,) = entries(pull.transpose() * precision.solve(pull))
    return (ball_of(square) - ball_of(precision.det()).log()) / 2
