"""Hermite moments of mixtures, and the Hermite coefficients of their scores."""

from fractions import Fraction
from math import comb
from typing import Literal

import sympy
from flint import fmpq
from sympy import Expr

from symscore.errors import BadOption, ResourceLimit, UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.arithmetic.moments import Exponent, exponents, lowered
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.gaussian_reference import gaussian_coefficients
from symscore.exact.expansions.hermite import factorials
from symscore.exact.expansions.parameters import ParameterRing, moment_table, parameters
from symscore.exact.mixture import ExactMixture
from symscore.exact.numbers import ExactLike, as_exact

Coefficients = tuple[dict[Exponent, Expr], ...]
Enclosures = tuple[dict[Exponent, Enclosure], ...]

# The moments of three components in three variables up to degree 20 take a second.
MOST_MOMENTS = 2000
MOST_DIGITS = 300


def hermite_moments(
    mixture: ExactMixture, degree: int, variance: ExactLike = 1
) -> dict[Exponent, Expr]:
    r"""Return the expectations of all Hermite polynomials up to a total degree.

    .. math:: \eta_k = E_M[H_k(x; V)] = \sum_i w_i \, \partial_s^k
        \exp\bigl(s \cdot m_i + \tfrac12 s^T (C_i - V I) s\bigr) \Big|_{s=0}

    by a recurrence, so without derivatives. Where every covariance is ``V I``, these are the
    moments ``sum_i w_i m_i^k`` of the means alone; in every case ``mixture.at(alpha)`` has those of
    `mixture` times ``alpha^|k|`` (with V = 1, Mehler).

    Parameters
    ----------
    mixture : ExactMixture
        Symbols are welcome.
    degree : int
    variance : exact scalar
        V; at 0 these are the moments ``E_M[x^k]``.

    Raises
    ------
    BadOption
        If the degree is negative.
    ResourceLimit
        If there are more than 2000 of them.

    Examples
    --------
    >>> hermite_moments(ExactMixture(["1/2", "1/2"], [1, 2], [1, 1]), 3)
    {(0,): 1, (1,): 3/2, (2,): 5/2, (3,): 9/2}
    """
    _check_degree(mixture.dim, degree)
    spread = as_exact(variance, "variance")
    ring = ParameterRing.of([*parameters(mixture), spread])
    table = moment_table(mixture, ring, degree, ring.element(spread))
    return {k: ring.expression(value) for k, value in table.items()}


def hermite_coefficients(
    mixture: ExactMixture,
    degree: int,
    reference: ExactLike | Literal["mixture"] = "mixture",
    *,
    relative: bool = False,
    digits: int = 12,
) -> Coefficients | Enclosures:
    r"""Return the inner products of a score with the orthonormal Hermite polynomials.

    .. math:: a_{j,k} = E_{\mathrm{reference}}[s_j(x) \, h_k(x; V)], \qquad
        h_k = \frac{H_k(x; V)}{\sqrt{V^{|k|} k!}}

    What they are depends on the reference.

    * ``reference="mixture"``: the expectation is over the mixture itself and V = 1. By Stein's
      identity ``a_jk = -sqrt(k_j) E_M[h_(k - e_j)]``, which is exact, in symbols too. The h_k are
      not orthogonal under the mixture: these are the right-hand sides of the normal equations, and
      :func:`project_score` solves them.
    * ``reference=V``, a positive rational: the expectation is over N(0, V). There the h_k are
      orthonormal, and ``s = sum_k a_k h_k`` is the expansion of the score in L2(N(0, V)). These
      numbers are transcendental, so each comes as an enclosure
      (:mod:`symscore.exact.expansions.gaussian_reference`). In one dimension only, where degree 40
      takes about a second.

    Parameters
    ----------
    mixture : ExactMixture
    degree : int
    reference : "mixture" or exact scalar
    relative : bool
        Whether to expand the score relative to the standard normal, ``s + x``.
    digits : int
        Width of every enclosure, ``10^-digits``; exact results need none.

    Returns
    -------
    tuple of d dict
        For each coordinate j, from index k to an expression or an :class:`Enclosure`.

    Raises
    ------
    BadOption
        If the degree is negative, the reference is neither, or digits are not in 1..300.
    BadData
        If a Gaussian reference is asked for and a parameter is a symbol.
    ResourceLimit
        If there are too many indices, or a Gaussian reference is asked for and components are
        so many deviations apart that the quadrature needs too many nodes.
    UnsupportedInstance
        If a Gaussian reference is asked for in more than one dimension.
    NotCertified
        If the digits are not reached.

    Examples
    --------
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> hermite_coefficients(two, 3)
    ({(0,): 0, (1,): -1, (2,): 0, (3,): -sqrt(6)/2},)
    >>> odd = hermite_coefficients(two, 3, reference=1)[0][(3,)]
    >>> round(float(odd.midpoint), 12)
    -0.148437190787
    """
    _check_degree(mixture.dim, degree)
    if not 1 <= digits <= MOST_DIGITS:
        raise BadOption(f"Expected digits from 1 to {MOST_DIGITS}; got {digits!r}.")
    if reference == "mixture":
        return _under_mixture(mixture, degree, relative)
    spread = as_exact(reference, "reference")
    if not spread.is_Rational or spread <= 0:
        raise BadOption(f'Expected reference "mixture" or a positive rational; got {reference!r}.')
    if mixture.dim > 1:
        raise UnsupportedInstance(
            f"Expected one dimension for a Gaussian reference; got {mixture.dim}: the reference "
            '"mixture" is exact in every dimension.'
        )
    variance = fmpq(int(spread.p), int(spread.q))
    width = Fraction(1, 10**digits)
    law = RationalMixture.of(mixture)
    found = gaussian_coefficients(law, degree, variance, width, relative=relative)
    coefficients: dict[Exponent, Enclosure] = {(k,): value for k, value in enumerate(found)}
    return (coefficients,)


def _under_mixture(mixture: ExactMixture, degree: int, relative: bool) -> Coefficients:
    eta = hermite_moments(mixture, degree + 1)
    coefficients = []
    for j in range(mixture.dim):
        entries = {}
        for k in exponents(mixture.dim, degree):
            # E[(s + x)_j He_k] = E[x_j He_k - d_j He_k], and x_j - d_j raises the index.
            raised = (*k[:j], k[j] + 1, *k[j + 1 :])
            lower = -k[j] * eta[lowered(k, j)] if k[j] else sympy.Integer(0)
            entries[k] = (eta[raised] if relative else lower) / sympy.sqrt(factorials(k))
        coefficients.append(entries)
    return tuple(coefficients)


def _check_degree(dim: int, degree: int) -> None:
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 0:
        raise BadOption(f"Expected a degree that is an integer of at least 0; got {degree!r}.")
    if comb(dim + degree, dim) > MOST_MOMENTS:
        raise ResourceLimit(
            f"Expected at most {MOST_MOMENTS} moments; degree {degree} in {dim} variables has "
            f"{comb(dim + degree, dim)}: lower the degree."
        )
