"""Exact expressions in LaTeX, arranged as one would write them in a paper."""

import re
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import chain
from math import gcd, lcm
from operator import and_
from typing import Any

import sympy
from sympy import Add, Expr, Integer, Matrix, MatrixBase, Mul, Pow, Rational, Symbol
from sympy.core.alphabets import greeks
from sympy.printing.latex import LatexPrinter

from symscore.errors import BadData

_PLAIN_NAME = re.compile(r"[A-Za-z]+[0-9]*(?:[_^](?:[A-Za-z]+|[0-9]+))*", re.ASCII)
_MACRO_NAME = re.compile(
    rf"\\(?:{'|'.join(greeks)})(?:[_^](?:[A-Za-z]|[0-9]))*", re.ASCII | re.IGNORECASE
)
_ESCAPES = {
    **{character: f"\\{character}" for character in "#$%&_{} "},
    "\\": r"\backslash{}",
    "^": r"\hat{}",
    "~": r"\sim{}",
}


def to_latex(expression: Expr | MatrixBase | Sequence[Any]) -> str:
    r"""Return an expression as LaTeX, without the dollar signs.

    The value is that of the expression, only the arrangement changes, by exact algebra: terms over
    one denominator become one fraction, and common factors come out of sums, so that the score of
    a mixture reads

    .. math:: - \frac{\sum_i c_i (x - m_i) e^{q_i(x)}}{\sum_i c_i e^{q_i(x)}}

    with whole c_i where possible. Symbols whose names LaTeX would take for commands are escaped.

    Parameters
    ----------
    expression : sympy.Expr, matrix, or sequence
        A sequence is printed as a column, nested sequences as a matrix.

    Raises
    ------
    BadData
        On anything else.

    Examples
    --------
    >>> from sympy import symbols
    >>> from symscore.exact import ExactMixture
    >>> x = symbols("x")
    >>> print(to_latex(ExactMixture(["1/3", "2/3"], [0, 2], [1, 1]).responsibilities(x)[0]))
    \frac{e^{- x^{2} / 2}}{2 e^{- \left(x - 2\right)^{2} / 2} + e^{- x^{2} / 2}}
    """
    if isinstance(expression, Iterable) and not isinstance(expression, str | MatrixBase | Expr):
        expression = Matrix(list(expression))
    if isinstance(expression, MatrixBase):
        shown: Any = expression.applyfunc(arranged)
    elif isinstance(expression, Expr):
        shown = arranged(expression)
    else:
        raise BadData(
            f"Expected a SymPy expression or several; got {expression!a:.60}: read_expression "
            "turns text into one."
        )
    names = {symbol: _name(symbol.name) for symbol in shown.free_symbols}
    escaped = {symbol: name for symbol, name in names.items() if name is not None}
    return _PaperPrinter({"symbol_names": escaped}).doprint(shown)


class _PaperPrinter(LatexPrinter):
    """Writes numeric fractions in exponents on one line: e^{-x^2 / 2}."""

    def _print_ExpBase(self, expr: Expr, exp: str | None = None) -> str:  # noqa: N802
        powers = expr.exp.atoms(Pow)
        # SymPy would write a / (2 v) as a / 2 v.
        folds = not any(power.exp.could_extract_minus_sign() for power in powers)
        outer = self._settings["fold_short_frac"]
        self._settings["fold_short_frac"] = folds
        try:
            return super()._print_ExpBase(expr, exp)
        finally:
            self._settings["fold_short_frac"] = outer


def _name(name: str) -> str | None:
    """Return what to print for a name that SymPy would pass on as it is, else None."""
    if _PLAIN_NAME.fullmatch(name) or _MACRO_NAME.fullmatch(name):
        return None
    shown = "".join(_ESCAPES.get(c, c) for c in name if c.isprintable())
    return rf"\mathrm{{{shown}}}"


def arranged(expression: Expr) -> Expr:
    """Return the same value with common denominators and common factors taken out."""
    # The symbols in exponents: the point and the means, but not the weights.
    exponentials = expression.atoms(sympy.exp)
    moving = frozenset().union(*(exponential.free_symbols for exponential in exponentials))
    return _arranged(expression, moving)


def _arranged(expression: Expr, moving: frozenset[Symbol]) -> Expr:
    if not expression.args:
        return expression
    parts = [_arranged(part, moving) for part in expression.args]
    match expression:
        case Add():
            return _over_common_denominators(parts, moving)
        case Mul():
            return _with_primitive_factors(parts, moving)
        case Pow(exp=Integer()):
            return _with_primitive_factors([Pow(*parts)], moving)
    return expression.func(*parts)


def _over_common_denominators(terms: Sequence[Expr], moving: frozenset[Symbol]) -> Expr:
    numerators: dict[Expr, list[Expr]] = {}
    for term in terms:
        factors = Mul.make_args(term)
        below = [factor for factor in factors if _is_denominator(factor)]
        above = [factor for factor in factors if not _is_denominator(factor)]
        numerators.setdefault(Mul(*below), []).append(Mul(*above))
    return Add(
        *(
            Add(*above) if below == 1 else _with_primitive_factors([Add(*above), below], moving)
            for below, above in numerators.items()
        )
    )


def _is_denominator(factor: Expr) -> bool:
    return (
        isinstance(factor, Pow)
        and isinstance(factor.exp, Integer)
        and factor.exp < 0
        and isinstance(factor.base, Add)
    )


def _with_primitive_factors(factors: Iterable[Expr], moving: frozenset[Symbol]) -> Expr:
    """Return the product, with sums reduced to sums without common factors."""
    reduced: list[Expr] = []
    for factor in chain.from_iterable(map(Mul.make_args, factors)):
        base, exponent = factor.as_base_exp()
        if isinstance(base, Add) and isinstance(exponent, Integer):
            reduced += [part**exponent for part in _factored(base, moving)]
        else:
            reduced.append(factor)
    return Mul(*reduced)


def _factored(total: Add, moving: frozenset[Symbol]) -> list[Expr]:
    """Return a rational number, what all terms share, and the sum without them."""
    coefficients, products = zip(*(term.as_coeff_Mul() for term in total.args), strict=True)
    rationals = [c if isinstance(c, Rational) else Integer(1) for c in coefficients]
    content = Rational(gcd(*(int(c.p) for c in rationals)), lcm(*(int(c.q) for c in rationals)))
    if _is_turned(total, moving):
        content = -content
    shared = reduce(and_, (set(Mul.make_args(product)) for product in products)) - {Integer(1)}
    # One by one: SymPy would multiply a lone sum out with the rational number.
    divisors = [1 / content, *(1 / factor for factor in shared)]
    return [content, *shared, Add(*(Mul(term, *divisors) for term in total.args))]


def _is_turned(total: Add, moving: frozenset[Symbol]) -> bool:
    """Whether to write 2 - x as -(x - 2); a weight 1 - w stays as it is."""
    signs = [
        bool(coefficient.is_negative)
        for coefficient, product in (term.as_coeff_Mul() for term in total.args)
        if product.free_symbols & moving
    ]
    if 2 * sum(signs) == len(signs) > 0:
        return bool(total.could_extract_minus_sign())
    return 2 * sum(signs) > len(signs)
