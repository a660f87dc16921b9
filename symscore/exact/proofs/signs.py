"""Polynomial inequalities that can be read off from coefficients."""

from collections.abc import Mapping

import sympy
from sympy import Expr, Symbol


def is_nonnegative(expression: Expr, starts: Mapping[Symbol, Expr | int]) -> bool:
    r"""Return whether a polynomial has no negative coefficient once its symbols are shifted.

    .. math:: p(x) \ge 0 \text{ for all } x_i \ge a_i \quad\text{if}\quad
        p(a + y) = \sum_k c_k y^k \text{ with } c_k \ge 0 .

    *True* is a proof; *False* says nothing.

    Parameters
    ----------
    expression : sympy.Expr
        Polynomial with rational coefficients.
    starts : mapping from sympy.Symbol to rational
        All its symbols, each with the least value that it takes.

    Examples
    --------
    >>> from sympy import symbols
    >>> x = symbols("x")
    >>> is_nonnegative(x**2 - 1, {x: 1}), is_nonnegative(x**2 - 2, {x: 1})
    (True, False)
    """
    moved = expression.subs({s: s + start for s, start in starts.items()}, simultaneous=True)
    polynomial = sympy.Poly(sympy.expand(moved), *starts)
    return all(bool(c.is_Rational) and bool(c >= 0) for c in polynomial.coeffs())
