"""Identities decided: true by algebra, false by a point, and refused where neither is found."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import final

import sympy
from flint import acb
from sympy import Expr, Symbol

from symscore.errors import BadData, NotCertified
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.numbers import ExactLike, as_exact
from symscore.exact.proofs.normal_form import NormalForm, generators
from symscore.exact.proofs.plain import generalised, plain, postorder
from symscore.exact.proofs.witness import PRECISIONS, excludes_zero, points, value_at
from symscore.exact.proofs.work import Work


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """What :func:`prove` found, with the evidence.

    Parameters
    ----------
    holds : bool
        Whether the two sides are equal.
    generators : tuple of sympy.Expr
        Where they are: the symbols, exponentials, roots and logarithms that the normal form is
        made of, in which the difference has the numerator zero.
    witness : tuple of (sympy.Symbol, Fraction)
        Where they are not: a point at which they differ.
    difference : tuple of two Enclosure, or None
        Where they are not: real and imaginary part of left - right at that point, at least one
        of which excludes zero.
    """

    holds: bool
    generators: tuple[Expr, ...] = ()
    witness: tuple[tuple[Symbol, Fraction], ...] = ()
    difference: tuple[Enclosure, Enclosure] | None = None


def prove(left: ExactLike, right: ExactLike = 0) -> Proof:
    r"""Decide whether two expressions are equal, with a proof of the answer.

    *True* means: for all real values of the symbols that their assumptions allow, wherever both
    sides are defined as real (or, with I in them, complex) expressions and no radicand or
    denominator vanishes. Roots have radicands that are not negative, logarithms positive
    arguments. The proof is algebra: both sides become quotients of polynomials in symbols,
    exponentials, roots and logarithms,

    .. math:: left - right = \frac{N}{D}, \qquad N = 0
        \text{ modulo } r_j^{q_j} = v_j, \quad i^2 = -1,

    where exponentials have arguments independent over the rationals and roots and logarithms
    coprime arguments. Equations between numbers lead there, so that no assumption on their
    independence is used.

    *False* is proved by a rational point at which a ball around left - right excludes zero.

    Parameters
    ----------
    left, right : int, Fraction, str or sympy.Expr
        Sums, products and powers of symbols, rationals, pi, E, I, exp, log, Abs, erf and
        trigonometric and hyperbolic functions. A string is a fraction such as ``"1/3"``.

    Returns
    -------
    Proof

    Raises
    ------
    BadData
        On a float, an infinity, or a denominator that is zero.
    NotCertified
        If the sides have other functions, are defined at none of the points tried, or have
        normal forms that differ although no point was found that tells them apart.
    ResourceLimit
        If the proof needs more than about two seconds of multiplications.

    Examples
    --------
    >>> from sympy import exp, symbols, tanh
    >>> x, w = symbols("x w")
    >>> prove(tanh(x), (exp(2 * x) - 1) / (exp(2 * x) + 1)).holds
    True
    >>> prove(tanh(x), (exp(x) - 1) / (exp(x) + 1)).witness
    ((x, Fraction(5424, 8633)),)
    """
    sides = plain([_expression(left, "left"), _expression(right, "right")])
    symbols = sorted((n for n in postorder(sides) if isinstance(n, Symbol)), key=_order)
    defined = _defined_points(sides, symbols)
    first = next(defined, None)
    if first is None:
        raise NotCertified(
            "Expected sides that are defined somewhere; they are at none of the points tried: "
            "give the symbols assumptions such as positive=True."
        )
    if (refuted := _refutation(sides, first)) is not None:
        return refuted
    simpler, work = generalised(sides), Work()
    if (simpler != sides and _are_equal(simpler, work)) or _are_equal(sides, work):
        return Proof(True, generators(sides))
    for point in defined:
        if (refuted := _refutation(sides, point)) is not None:
            return refuted
    raise NotCertified(
        "Expected an identity or a point that refutes it; got different normal forms and no "
        "such point: replace some symbols by numbers, or give them assumptions."
    )


def is_identity(left: ExactLike, right: ExactLike = 0) -> bool:
    """Return whether two expressions are equal: the answer of :func:`prove` alone.

    Examples
    --------
    >>> from sympy import Symbol, sqrt
    >>> is_identity(sqrt(3 + 2 * sqrt(2)) ** 2, 3 + sqrt(8))
    True
    >>> is_identity(sqrt(Symbol("x") ** 2), Symbol("x"))
    False
    """
    return prove(left, right).holds


def _expression(value: ExactLike, name: str) -> Expr:
    if not isinstance(value, Expr) or value.has(sympy.Float):
        return as_exact(value, name)
    if value.has(sympy.nan, sympy.oo, -sympy.oo, sympy.zoo) or not value.is_commutative:
        raise BadData(f"Expected {name} to be finite; got {value}.")
    return value


def _order(symbol: Symbol) -> tuple[str, str]:
    return symbol.name, str(sorted(symbol.assumptions0.items()))


Point = dict[Symbol, Fraction]


def _defined_points(sides: list[Expr], symbols: list[Symbol]) -> Iterator[Point]:
    return (point for point in points(symbols) if value_at(sides, point, PRECISIONS[0]) is not None)


def _are_equal(sides: list[Expr], work: Work) -> bool:
    form = NormalForm(sides, work)
    return form.value(sides[0]) == form.value(sides[1])


def _refutation(sides: list[Expr], point: Point) -> Proof | None:
    for bits in PRECISIONS:
        values = value_at(sides, point, bits)
        difference = values[0] - values[1] if values else acb(0)
        if excludes_zero(difference):
            parts = Enclosure.of_ball(difference.real), Enclosure.of_ball(difference.imag)
            return Proof(False, (), tuple(point.items()), parts)
    return None
