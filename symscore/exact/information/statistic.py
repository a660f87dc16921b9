r"""What of a point the components of a mixture can be told apart by.

With the components' scores :math:`g_i(x) = -C_i^{-1}(x - m_i)` and responsibilities r_i, the
mixture's score is :math:`s = \sum_i r_i g_i`, and

.. math:: |s|^2 = \sum_i r_i |g_i|^2 - W, \qquad
    W = \tfrac12 \sum_{ij} r_i r_j |g_i - g_j|^2,

the spread of the g_i under the posterior of the component. As
:math:`E_M[r_i |g_i|^2] = w_i \operatorname{tr} C_i^{-1}`,

.. math:: J = E_M |s|^2 = \sum_i w_i \operatorname{tr} C_i^{-1} - E_M W.

The gradient of every :math:`\log (p_i / p_j)` is :math:`g_i - g_j`, and for all x it lies in the
span S of the columns of :math:`C_j^{-1} - C_1^{-1}` and of the vectors
:math:`C_1^{-1} m_1 - C_j^{-1} m_j`. So these ratios, and with them the r_i and W, do not change
along the orthogonal complement of S: they depend on :math:`t = T x` alone, the rows of T a basis
of S, and are the same functions of t under the law of t. An integral over R^d becomes one over
R^r, r = dim S; with a shared covariance, r is at most k - 1.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import final

from flint import fmpq, fmpq_mat

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.rational import RationalMixture, Row, entries, trace


@final
@dataclass(frozen=True, slots=True)
class Gap:
    """The difference of two components' scores, ``slope t + offset``.

    Parameters
    ----------
    first, second : int
        Indices i < j of the components.
    slope : (d, r) tuple of tuples of fmpq
    offset : (d,) tuple of fmpq
    """

    first: int
    second: int
    slope: tuple[Row, ...]
    offset: Row


@final
@dataclass(frozen=True, slots=True)
class Statistic:
    """A mixture seen through the linear statistic that tells its components apart.

    Parameters
    ----------
    rank : int
        r, the number of coordinates of t; 0 where all components are the same.
    law : RationalMixture or None
        The law of t; None where r = 0.
    gaps : tuple of Gap
        ``g_i - g_j`` for every pair i < j.
    trace : fmpq
        ``sum_i w_i tr(C_i^-1)``.
    """

    rank: int
    law: RationalMixture | None
    gaps: tuple[Gap, ...]
    trace: fmpq


def statistic(mixture: RationalMixture) -> Statistic:
    """Return the statistic of the module's text for a mixture.

    Examples
    --------
    >>> from symscore.exact import ExactMixture
    >>> square = [[1, 0], [0, 1]]
    >>> two = ExactMixture(["1/2", "1/2"], [[-1, 0], [1, 0]], [square, square])
    >>> found = statistic(RationalMixture.of(two))
    >>> found.rank, found.trace, found.law.means
    (1, 2, ((-1,), (1,)))
    """
    count = mixture.n_components
    precisions = [mixture.precision(i) for i in range(count)]
    pulls = [precision * mixture.mean(i) for i, precision in enumerate(precisions)]
    spanning = [
        row
        for i in range(1, count)
        for row in (
            *(precisions[i] - precisions[0]).tolist(),
            list(entries(pulls[0] - pulls[i])),
        )
    ]
    total = sum(
        (
            weight * trace(precision)
            for weight, precision in zip(mixture.weights, precisions, strict=True)
        ),
        fmpq(0),
    )
    if not any(map(any, spanning)):
        return Statistic(0, None, (), total)
    rows, rank = fmpq_mat(spanning).rref()
    basis = fmpq_mat([rows.tolist()[i] for i in range(rank)])
    # A symmetric matrix with columns in the span of the basis is (A T^t (T T^t)^-1) T.
    right = basis.transpose() * (basis * basis.transpose()).inv()
    gaps = tuple(
        Gap(
            i,
            j,
            tuple(tuple(row) for row in ((precisions[j] - precisions[i]) * right).tolist()),
            entries(pulls[i] - pulls[j]),
        )
        for i, j in combinations(range(count), 2)
    )
    return Statistic(rank, mixture.image(basis), gaps, total)


def line_statistic(mixture: RationalMixture) -> Statistic:
    """Return the statistic of a mixture that has one coordinate, or none.

    Raises
    ------
    UnsupportedInstance
        If the components differ along more than one direction.
    """
    found = statistic(mixture)
    if found.rank > 1:
        raise UnsupportedInstance(
            f"expected components that one linear statistic tells apart, these need {found.rank}."
        )
    return found
