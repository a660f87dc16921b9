"""Bounds of a few functions in integers and fractions alone."""

from fractions import Fraction
from math import ceil, factorial, frexp, isqrt

from symscore.errors import NotCertified

GUARD = 40


def exp_units(x: Fraction, bits: int) -> int:
    r"""Return n with :math:`n \le 2^P e^{-x} \le n + 2` for x >= 0, P = `bits`.

    :math:`e^{x / 2^s}` by its series at :math:`x / 2^s \le 2^{-8}`, then its inverse, then s
    squarings, with s + 40 more bits. The series falls short by at most 1.01 units for every term,
    two for x and two for the cut; inverting adds one, and squaring a number in [0, 1] turns an
    error of e units into at most 2 e + 2.

    Examples
    --------
    >>> exp_units(Fraction(1), 20), round(2**20 * 2.718281828459045**-1)
    (385749, 385750)
    """
    squarings = ceil(x).bit_length() + 8
    working = bits + GUARD + squarings
    y = (x.numerator << working) // (x.denominator << squarings)
    total, term, terms = 1 << working, 1 << working, 0
    while term:
        terms += 1
        term = (term * y >> working) // terms
        total += term
    value, lost = (1 << 2 * working) // total, terms + 6
    for _ in range(squarings):
        value = value * value >> working
        lost = 2 * lost + 2
    if 2 * lost >= 1 << working - bits:
        raise NotCertified(f"Expected fewer lost units in exp(-{float(x):.3g}).")
    return max(0, value - lost >> working - bits)


def short(value: float) -> Fraction:
    """Return a rational of some twenty bits near a positive float, for choices, not for bounds.

    Examples
    --------
    >>> short(1 / 3)
    Fraction(349525, 1048576)
    """
    mantissa, exponent = frexp(value)
    return Fraction(int(mantissa * (1 << 20)) or 1, 1 << 20) * Fraction(2) ** exponent


def pi_bounds(bits: int) -> tuple[Fraction, Fraction]:
    r"""Return rationals around pi, at most :math:`2^{-P}` apart, by Machin's formula.

    .. math:: \pi = 16 \arctan \tfrac15 - 4 \arctan \tfrac1{239}

    Examples
    --------
    >>> low, high = pi_bounds(24)
    >>> low < Fraction(3141592653, 10**9) < high < Fraction(355, 113)
    True
    """
    low5, high5 = _arctan_inverse(5, bits + 8)
    low239, high239 = _arctan_inverse(239, bits + 8)
    return 16 * low5 - 4 * high239, 16 * high5 - 4 * low239


def root_below(value: Fraction, bits: int = 64) -> Fraction:
    r"""Return a rational below the square root, by at most :math:`2^{-P}`.

    Examples
    --------
    >>> root_below(Fraction(2), 4)
    Fraction(11, 8)
    """
    return Fraction(isqrt((value.numerator << 2 * bits) // value.denominator), 1 << bits)


def root_above(value: Fraction, bits: int = 64) -> Fraction:
    r"""Return a rational above the square root, by at most :math:`2^{-P}`."""
    return root_below(value, bits) + Fraction(1, 1 << bits)


def cos_below(angle: Fraction) -> Fraction:
    """Return a lower bound of the cosine: its series, cut after a negative term.

    Examples
    --------
    >>> cos_below(Fraction(0))
    Fraction(1, 1)
    """
    return sum(((-1) ** m * angle ** (2 * m) / factorial(2 * m) for m in range(12)), Fraction(0))


def _arctan_inverse(n: int, bits: int) -> tuple[Fraction, Fraction]:
    """Enclose ``arctan(1/n)`` between two partial sums of its alternating series."""
    total, m = Fraction(0), 0
    while True:
        term = Fraction(1, (2 * m + 1) * n ** (2 * m + 1))
        if m % 2 == 0 and term < Fraction(1, 1 << bits):
            return total, total + term
        total += -term if m % 2 else term
        m += 1
