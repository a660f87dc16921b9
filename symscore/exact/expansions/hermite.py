r"""Hermite polynomials of any variance, in any number of variables.

``H_k(x; V)`` is the probabilists' family, monic, with generating function
``exp(s . x - V |s|^2 / 2) = sum_k H_k(x; V) s^k / k!``; multi-indices mean
``k! = prod_j k_j!`` and ``|k| = sum_j k_j``. For ``V = 1`` it is He_k, orthogonal under N(0, I);
for ``V = 0`` it is the monomial ``x^k``.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import comb, factorial, prod
from typing import Any, TypeAlias

import sympy
from sympy import Expr

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact.arithmetic.moments import Exponent
from symscore.exact.numbers import ExactLike, as_exact, as_exact_vector

Index: TypeAlias = int | Sequence[int]
Point: TypeAlias = ExactLike | Sequence[ExactLike]

MOST_HERMITE_DEGREE = 400


def hermite_e(k: Index, x: Point, variance: ExactLike = 1) -> Expr:
    r"""Return the monic Hermite polynomial ``H_k(x; V)``.

    .. math:: H_n(x; V) = \sum_{m \le n/2} \frac{n! \, (-V)^m}{2^m m! (n - 2m)!} x^{n - 2m},
        \qquad H_k(x; V) = \prod_j H_{k_j}(x_j; V)

    Parameters
    ----------
    k : int or (d,) sequence of int
        The index, of total at most 400.
    x : exact scalar or (d,) sequence
        Symbols or exact numbers.
    variance : exact scalar
        V, any sign.

    Raises
    ------
    BadOption
        If an index is negative.
    BadData
        If x has another length than k.
    ResourceLimit
        If the index is of total above 400.

    Examples
    --------
    >>> hermite_e(4, sympy.Symbol("x"))
    x**4 - 6*x**2 + 3
    >>> hermite_e((2, 1), (3, "1/2"))
    4
    """
    index, point = read_index(k), as_exact_vector(x, "x")
    if len(point) != len(index):
        raise BadData(f"Expected x with {len(index)} coordinates; got {len(point)}.")
    spread = as_exact(variance, "variance")
    return sympy.Mul(*(_one(n, entry, spread) for n, entry in zip(index, point, strict=True)))


def hermite_normalised(k: Index, x: Point, variance: ExactLike = 1) -> Expr:
    r"""Return the orthonormal Hermite polynomial ``h_k``.

    .. math:: h_k(x; V) = \frac{H_k(x; V)}{\sqrt{V^{|k|} \, k!}}, \qquad
        E_{N(0, V I)}[h_k h_l] = \delta_{kl}

    Parameters
    ----------
    k : int or (d,) sequence of int
    x : exact scalar or (d,) sequence
    variance : exact scalar
        V > 0.

    Raises
    ------
    BadOption
        If the variance is provably not positive.
    BadData, ResourceLimit
        As :func:`hermite_e` does.

    Examples
    --------
    >>> hermite_normalised(2, sympy.Symbol("x"))
    sqrt(2)*(x**2 - 1)/2
    """
    spread = as_exact(variance, "variance")
    if spread.is_Rational and spread <= 0:
        raise BadOption(f"Expected a positive variance; got {spread}.")
    index = read_index(k)
    return hermite_e(index, x, spread) / sympy.sqrt(spread ** sum(index) * factorials(index))


def hermite_product(left: Index, right: Index) -> dict[Exponent, int]:
    r"""Return the coefficients of the product of two Hermite polynomials ``H_k`` and ``H_l``.

    .. math:: H_k H_l = \sum_{r \le \min(k, l)} V^{|r|}
        \prod_j \binom{k_j}{r_j} \binom{l_j}{r_j} r_j! \; H_{k + l - 2r}

    Returned is the integer in front of each ``V^|r|``, where ``|r|`` is half the degree lost.

    Parameters
    ----------
    left, right : int or (d,) sequence of int
        k and l.

    Raises
    ------
    BadData
        If their lengths differ.
    BadOption, ResourceLimit
        As :func:`hermite_e` does.

    Examples
    --------
    >>> hermite_product(2, 1)
    {(3,): 1, (1,): 2}
    """
    k, other = read_index(left), read_index(right)
    if len(k) != len(other):
        raise BadData(f"Expected indices of one length; got {k} and {other}.")
    choices = product(*(range(min(pair) + 1) for pair in zip(k, other, strict=True)))
    return {
        tuple(a + b - 2 * c for a, b, c in zip(k, other, r, strict=True)): prod(
            comb(a, c) * comb(b, c) * factorial(c) for a, b, c in zip(k, other, r, strict=True)
        )
        for r in choices
    }


def monomials_to_hermite(polynomial: Mapping[Exponent, Any], variance: Any = 1) -> dict:
    r"""Return the coefficients in ``H_k(.; V)`` of a polynomial given by those of its monomials.

    .. math:: x^a = \sum_{r \le a/2} \frac{a! \, V^{|r|}}{2^{|r|} r! (a - 2r)!} H_{a - 2r}(x; V)

    Parameters
    ----------
    polynomial : mapping
        From exponent to coefficient, of any commutative ring that V belongs to.
    variance : ring element

    Returns
    -------
    dict
        From index to coefficient.

    Examples
    --------
    >>> monomials_to_hermite({(3,): 1})
    {(3,): 1, (1,): 3}
    """
    return _paired(polynomial, variance)


def hermite_to_monomials(expansion: Mapping[Exponent, Any], variance: Any = 1) -> dict:
    r"""Return the coefficients of the monomials of ``sum_k c_k H_k(.; V)``.

    .. math:: H_a(x; V) = \sum_{r \le a/2} \frac{a! \, (-V)^{|r|}}{2^{|r|} r! (a - 2r)!} x^{a - 2r}

    The inverse of :func:`monomials_to_hermite`.

    Examples
    --------
    >>> hermite_to_monomials({(3,): 1})
    {(3,): 1, (1,): -3}
    """
    return _paired(expansion, -variance)


def pairings(a: Exponent) -> Iterator[tuple[Exponent, int, int]]:
    r"""Yield ``a - 2r``, ``|r|`` and the number of ways to choose r_j disjoint pairs out of a_j.

    .. math:: \prod_j \frac{a_j!}{2^{r_j} r_j! (a_j - 2 r_j)!}

    Examples
    --------
    >>> list(pairings((4,)))
    [((4,), 0, 1), ((2,), 1, 6), ((0,), 2, 3)]
    """
    for r in product(*(range(entry // 2 + 1) for entry in a)):
        rest = tuple(entry - 2 * pairs for entry, pairs in zip(a, r, strict=True))
        yield rest, sum(r), prod(map(_matchings, a, r))


def factorials(k: Exponent) -> int:
    """Return ``k! = prod_j k_j!``."""
    return prod(map(factorial, k))


def read_index(k: Index) -> Exponent:
    """Return a multi-index as a tuple, a bare integer as one of length one."""
    index = (k,) if isinstance(k, int) else tuple(k)
    if not index or any(isinstance(n, bool) or not isinstance(n, int) or n < 0 for n in index):
        raise BadOption(f"Expected an index of integers of at least 0; got {k!r}.")
    if sum(index) > MOST_HERMITE_DEGREE:
        raise ResourceLimit(
            f"Expected a Hermite polynomial of degree at most {MOST_HERMITE_DEGREE}; got "
            f"{sum(index)}."
        )
    return index


def _one(n: int, x: Expr, variance: Expr) -> Expr:
    terms = (count * (-variance) ** pairs * x ** rest[0] for rest, pairs, count in pairings((n,)))
    return sympy.Add(*terms)


def _paired(polynomial: Mapping[Exponent, Any], variance: Any) -> dict:
    result: dict[Exponent, Any] = {}
    for a, value in polynomial.items():
        for rest, pairs, count in pairings(a):
            term = value * count * variance**pairs
            result[rest] = result[rest] + term if rest in result else term
    return result


def _matchings(total: int, pairs: int) -> int:
    return factorial(total) // (2**pairs * factorial(pairs) * factorial(total - 2 * pairs))
