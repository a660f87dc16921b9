r"""What polynomials of every degree capture of a score on cells, in one elimination.

Elimination of the Gram matrix :math:`G = L \operatorname{diag}(\delta) L^T` of the monomials in
the order of their degree, beside the inner products b with the score, leaves
:math:`\beta = L^{-1} b`: the coefficients, up to norms, of the score's expansion in the orthogonal
polynomials of Gram and Schmidt. So the energy that degree D captures,

.. math:: C_D = b_D^T G_D^{-1} b_D = \sum_{n \le N_D} \frac{\beta_n^2}{\delta_n},

is a partial sum of one series, and all degrees cost as much as the highest. On the line the
orthogonal polynomials obey a recurrence of three terms, and elimination takes squared instead of
cubed time (Chebyshev's algorithm).
"""

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, comb

from flint import arb, fmpq_mat

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import MOST_BITS, Enclosure, ball_of, precision
from symscore.exact.arithmetic.moments import added
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.distances.cell_moments import Table
from symscore.exact.distances.cell_scores import Source, by_divergence
from symscore.exact.distances.cells import Slabs

# Monomials of high degree are nearly dependent, on a half-line the more so: a first guess at the
# bits that are lost, for each degree.
LOST_ON_ALL, LOST_ON_HALVES = 6, 12


def energies(
    mixture: RationalMixture,
    metric: fmpq_mat,
    cells: Slabs,
    degree: int,
    width: Fraction,
    source: Source = by_divergence,
) -> tuple[Enclosure, ...]:
    r"""Enclose what polynomials of degree 0, 1, ..., D on every cell capture of a score.

    .. math:: C_n = \sum_c \sum_{jl} W_{jl} \,
        \langle P_{n,c} s_j, P_{n,c} s_l \rangle_{L^2(M; V_c)}

    Parameters
    ----------
    mixture : RationalMixture
    metric : (d, d) fmpq_mat
        W, positive definite; the identity gives the energy :math:`E |P_n s|^2`.
    cells : Slabs
    degree : int
        D.
    width : Fraction
        The most that an enclosure may be wide.
    source : callable
        Where moments and inner products on the cells come from.

    Returns
    -------
    tuple of D + 1 Enclosure

    Raises
    ------
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> from flint import fmpq
    >>> from symscore.exact.mixture import ExactMixture
    >>> two = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]))
    >>> line = Slabs((fmpq(1),), ())
    >>> found = energies(two, fmpq_mat([[1]]), line, 3, Fraction(1, 10**9))
    >>> [round(float(energy.midpoint), 6) for energy in found]
    [0.0, 0.5, 0.5, 0.538462]
    """
    lost = LOST_ON_ALL if cells.n_cells == 1 else LOST_ON_HALVES
    bits = ceil(1 / width).bit_length() + 64 + lost * degree
    while bits <= MOST_BITS:
        with precision(bits):
            balls = _energies(mixture, metric, cells, degree, source)
            found = tuple(map(Enclosure.of_ball, balls))
        if found and all(enclosure.width <= width for enclosure in found):
            return found
        bits *= 2
    raise NotCertified(
        f"Expected energies up to degree {degree} within {float(width):.3g}; {MOST_BITS} bits are "
        "too few: lower the highest degree."
    )


def _energies(
    mixture: RationalMixture, metric: fmpq_mat, cells: Slabs, degree: int, source: Source
) -> list[arb]:
    total = [arb(0)] * (degree + 1)
    weights = [[ball_of(entry) for entry in row] for row in metric.tolist()]
    for table, scores in source(mixture, cells, degree):
        if mixture.dim == 1:
            found = _on_an_interval(table, scores[0], degree)
            captured = [weights[0][0] * energy for energy in found]
        else:
            captured = _on_a_cell(table, scores, weights, degree)
        if len(captured) <= degree:
            return []
        total = [a + b for a, b in zip(total, captured, strict=True)]
    return total


def _on_an_interval(table: Table, score: Table, degree: int) -> list[arb]:
    r"""Return the energies of all degrees; fewer where the precision is too low for the others.

    With the monic orthogonal polynomials P_n, :math:`\sigma_{nl} = \int P_n x^l p` and
    :math:`\tau_{nl} = \int s P_n x^l p` both obey

    .. math:: \sigma_{n+1,l} = \sigma_{n,l+1} - a_n \sigma_{nl} - b_n \sigma_{n-1,l}, \qquad
        a_n = \frac{\sigma_{n,n+1}}{\sigma_{nn}} - \frac{\sigma_{n-1,n}}{\sigma_{n-1,n-1}},
        \quad b_n = \frac{\sigma_{nn}}{\sigma_{n-1,n-1}},

    and the energy of degree n is :math:`\sum_{m \le n} \tau_{m0}^2 / \sigma_{mm}`.
    """
    # Row n of sigma begins at l = n, that of tau at l = 0.
    sigma = [table[(i,)] for i in range(2 * degree + 1)]
    tau = [score[(i,)] for i in range(degree + 1)]
    before_sigma, before_tau = [arb(0)] * (len(sigma) + 2), [arb(0)] * len(tau)
    norm, slope, partial = arb(1), arb(0), arb(0)
    sums: list[arb] = []
    for n in range(degree + 1):
        if not sigma[0] > 0:
            return sums
        partial += tau[0] * tau[0] / sigma[0]
        sums.append(partial)
        if n == degree:
            break
        ratio = sigma[1] / sigma[0]
        a, b = ratio - slope, sigma[0] / norm
        after_sigma = [
            sigma[i + 1] - a * sigma[i] - b * before_sigma[i + 1] for i in range(1, len(sigma) - 1)
        ]
        after_tau = [tau[i + 1] - a * tau[i] - b * before_tau[i] for i in range(len(tau) - 1)]
        norm, slope = sigma[0], ratio
        before_sigma, sigma, before_tau, tau = sigma, after_sigma, tau, after_tau
    return sums


def _on_a_cell(
    table: Table, scores: list[Table], weights: list[list[arb]], degree: int
) -> list[arb]:
    """Return the energies of all degrees, or none where the precision is too low."""
    basis, dim = list(scores[0]), len(scores)
    rows = [
        [*(table[added(a, b)] for b in basis[i:]), *(score[a] for score in scores)]
        for i, a in enumerate(basis)
    ]
    partial, sums = arb(0), []
    for k, top in enumerate(rows):
        if not top[0] > 0:
            return []
        partial += _square(top[-dim:], weights) / top[0]
        sums.append(partial)
        for i in range(k + 1, len(rows)):
            factor = top[i - k] / top[0]
            rows[i] = [a - factor * b for a, b in zip(rows[i], top[i - k :], strict=True)]
    return [sums[comb(dim + n, dim) - 1] for n in range(degree + 1)]


def _square(betas: Sequence[arb], weights: list[list[arb]]) -> arb:
    return sum(
        (
            weight * a * b
            for a, row in zip(betas, weights, strict=True)
            for b, weight in zip(betas, row, strict=True)
        ),
        arb(0),
    )
