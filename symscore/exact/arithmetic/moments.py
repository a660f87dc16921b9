r"""Moments of Gaussian mixtures, and the matrices of least squares that they fill.

One recurrence, which is Stein's identity for one Gaussian,

.. math:: E[x_j x^a] = m_j E[x^a] + \sum_l C_{jl} a_l E[x^{a - e_l}],

gives every moment by additions and multiplications alone, in rationals or in any other ring.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from math import comb

from flint import fmpq, fmpq_mat

from symscore.errors import ResourceLimit
from symscore.exact.arithmetic.rational import RationalMixture, Row

Exponent = tuple[int, ...]
Moments = Mapping[Exponent, fmpq]

# Gram matrices of this order take seconds in rationals and tens of megabytes.
MOST_MONOMIALS = 1000


@cache
def exponents(dim: int, degree: int) -> tuple[Exponent, ...]:
    """Return the exponents of all monomials in `dim` variables up to `degree`, by total degree.

    Raises
    ------
    ResourceLimit
        If there are more than ``MOST_MONOMIALS ** 2`` of them.

    Examples
    --------
    >>> exponents(2, 2)
    ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    """
    count = comb(dim + degree, dim)
    if count > MOST_MONOMIALS**2:
        raise ResourceLimit(
            f"Expected at most {MOST_MONOMIALS**2} monomials; degree {degree} in {dim} variables "
            f"has {count}: lower the degree."
        )
    return tuple(a for total in range(degree + 1) for a in _of_total(dim, total))


def moments(mixture: RationalMixture, degree: int) -> dict[Exponent, fmpq]:
    r"""Return all moments up to a total degree, exactly.

    .. math:: \mu_a = E_M[x^a] = \sum_i w_i E_{N(m_i, C_i)}[x^a], \qquad |a| \le \mathrm{degree}

    Parameters
    ----------
    mixture : RationalMixture
    degree : int

    Returns
    -------
    dict
        From exponent to rational.

    Examples
    --------
    >>> from symscore.exact import ExactMixture
    >>> two = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]))
    >>> moments(two, 4)[(4,)]
    10
    """
    totals = dict.fromkeys(exponents(mixture.dim, degree), fmpq(0))
    for weight, mean, covariance in zip(
        mixture.weights, mixture.means, mixture.covariances, strict=True
    ):
        for a, value in gaussian_moments(mean, covariance, degree).items():
            totals[a] += weight * value
    return totals


def gaussian_moments(mean: Row, covariance: tuple[Row, ...], degree: int) -> dict[Exponent, fmpq]:
    r"""Return ``E[x^a]`` under ``N(mean, covariance)`` for all ``|a| <= degree``.

    Examples
    --------
    >>> gaussian_moments((fmpq(0),), ((fmpq(1),),), 4)[(4,)]
    3
    """
    dim = len(mean)
    table = {(0,) * dim: fmpq(1)}
    for a in exponents(dim, degree)[1:]:
        j = next(i for i, power in enumerate(a) if power)
        lower = lowered(a, j)
        table[a] = mean[j] * table[lower] + sum(
            (
                covariance[j][i] * power * table[lowered(lower, i)]
                for i, power in enumerate(lower)
                if power
            ),
            fmpq(0),
        )
    return table


def gram(table: Moments, basis: tuple[Exponent, ...]) -> fmpq_mat:
    r"""Return the matrix ``E[x^a x^b]`` over a basis of monomials.

    Raises
    ------
    ResourceLimit
        If the basis has more than ``MOST_MONOMIALS`` members.
    """
    if len(basis) > MOST_MONOMIALS:
        raise ResourceLimit(
            f"Expected at most {MOST_MONOMIALS} monomials; got {len(basis)}: lower the degree."
        )
    return fmpq_mat([[table[added(a, b)] for b in basis] for a in basis])


def added(a: Exponent, b: Exponent) -> Exponent:
    """Return the exponent of the product of two monomials."""
    return tuple(map(sum, zip(a, b, strict=True)))


def lowered(a: Exponent, j: int) -> Exponent:
    """Return the exponent with one factor ``x_j`` fewer."""
    return (*a[:j], a[j] - 1, *a[j + 1 :])


def _of_total(dim: int, total: int) -> Iterator[Exponent]:
    if dim == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        yield from ((first, *rest) for rest in _of_total(dim - 1, total - first))
