"""Users' exact numbers as flint has them."""

from collections.abc import Iterable
from typing import TypeAlias

from flint import fmpq

from symscore.errors import BadData
from symscore.exact.arithmetic.rational import Row
from symscore.exact.numbers import ExactLike, as_exact

RationalLike: TypeAlias = fmpq | ExactLike


def as_rational(value: RationalLike, name: str) -> fmpq:
    """Return the rational that an fmpq, int, Fraction, SymPy rational or string stands for.

    Raises
    ------
    BadData
        On a float, a symbol, or an irrational number.

    Examples
    --------
    >>> as_rational("0.25", "offset")
    1/4
    """
    if isinstance(value, fmpq):
        return value
    exact = as_exact(value, name)
    if not exact.is_Rational:
        raise BadData(f"Expected a rational number for {name}; got {exact}.")
    return fmpq(int(exact.p), int(exact.q))


def as_row(values: Iterable[RationalLike], name: str) -> Row:
    """Return a tuple of rationals.

    Examples
    --------
    >>> as_row([1, "1/3"], "offsets")
    (1, 1/3)
    """
    return tuple(as_rational(value, f"{name}[{i}]") for i, value in enumerate(values))
