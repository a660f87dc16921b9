"""What counts as exact: the only way a number or a symbol enters the exact layer."""

import re
from collections.abc import Iterable
from fractions import Fraction
from numbers import Rational
from typing import NoReturn, TypeAlias

import sympy
from sympy import Expr, MatrixBase

from symscore.errors import BadData

ExactLike: TypeAlias = int | Fraction | str | Expr

# Fraction("1e999999999") would build a number of a billion digits; Python's own limit on the
# digits of an integer read from text is the same.
MAX_EXPONENT = 4300


def exact_float(value: float) -> sympy.Rational:
    r"""Return the rational number that a float64 stands for.

    .. math:: x = m \, 2^e, \qquad m, e \in \mathbb{Z}

    Parameters
    ----------
    value : float
        Finite.

    Returns
    -------
    sympy.Rational

    Raises
    ------
    BadData
        If `value` is not a float or not finite.

    Examples
    --------
    >>> exact_float(0.25)
    1/4
    >>> exact_float(0.1)
    3602879701896397/36028797018963968
    """
    if not isinstance(value, float):
        raise BadData(
            f"Expected a float; got {value!r} of type {type(value).__name__}: "
            "whatever is exact already needs no exact_float."
        )
    try:
        fraction = Fraction(value)
    except (OverflowError, ValueError):
        raise BadData(f"Expected a finite float; got {value!r}.") from None
    return sympy.Rational(fraction.numerator, fraction.denominator)


def as_exact(value: ExactLike, name: str) -> Expr:
    """Return `value` as a SymPy expression without any rounding.

    Parameters
    ----------
    value : int, Fraction, str or sympy.Expr
        A string is read by :class:`fractions.Fraction` (``"1/3"``, ``"0.1"`` is one tenth) and is
        never evaluated as code.
    name : str
        What the value is, for the message.

    Raises
    ------
    BadData
        On a float, a string that is no fraction, or an expression that contains a float, is not
        finite or is not real.
    """
    if isinstance(value, Expr):
        return _checked(value, name)
    if isinstance(value, Rational):
        return sympy.Rational(int(value.numerator), int(value.denominator))
    if isinstance(value, str):
        return _parsed(value, name)
    if isinstance(value, float):
        _refuse_float(value, name)
    raise BadData(
        f'Expected {name} to be an int, Fraction, SymPy expression or string such as "1/3"; '
        f"got {value!r} of type {type(value).__name__}."
    )


def as_exact_vector(
    values: ExactLike | Iterable[ExactLike] | MatrixBase, name: str
) -> tuple[Expr, ...]:
    """Return a tuple of exact expressions; a bare scalar stands for a vector of length one."""
    if isinstance(values, MatrixBase):
        values = values.flat()
    if isinstance(values, str) or not isinstance(values, Iterable):
        return (as_exact(values, name),)
    return tuple(as_exact(value, f"{name}[{i}]") for i, value in enumerate(values))


def _refuse_float(value: float, name: str) -> NoReturn:
    raise BadData(
        f"Expected an exact value for {name}; got the float {value!r}. Write the string "
        f'"{value!r}" or a Fraction for the decimal number, or exact_float({value!r}) for the '
        "binary number that the float stands for."
    )


def _checked(value: Expr, name: str) -> Expr:
    floats = value.atoms(sympy.Float)
    if floats:
        _refuse_float(float(floats.pop()), name)
    infinite = value.has(sympy.nan, sympy.oo, -sympy.oo, sympy.zoo)
    if infinite or value.is_extended_real is False or not value.is_commutative:
        raise BadData(f"Expected {name} to be finite and real; got {value}.")
    return value


def _parsed(text: str, name: str) -> Expr:
    try:
        exponent = re.search(r"e([-+]?[\d_]+)\s*$", text, re.IGNORECASE)
        if exponent and abs(int(exponent[1])) > MAX_EXPONENT:
            raise ValueError
        fraction = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise BadData(
            f'Expected {name} as a fraction such as "1/3" or "0.25"; got {text[:60]!r}. '
            "Strings are never evaluated: pass sympy.Symbol(...) for a symbol."
        ) from None
    return sympy.Rational(fraction.numerator, fraction.denominator)
