"""Ball arithmetic under a guard: who sets the precision, and how a ball becomes an enclosure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from threading import RLock
from typing import final

from flint import arb, ctx, fmpq

from symscore.errors import NotCertified

# flint has one precision for the whole process, so only one thread may compute at a time.
_LOCK = RLock()
START_BITS = 64
MOST_BITS = 1 << 14
# A ball that is not finite at this many precisions is not for want of bits.
MOST_INFINITE = 3
# What is nearer to zero than 2 to this power is rounded away from it in enclosures.
MOST_EXPONENT = 1 << 16


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Compute with balls of `bits` bits inside the block, alone among threads."""
    with _LOCK:
        before = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = before


@final
@dataclass(frozen=True, slots=True)
class Enclosure:
    """A real number known to lie between two rationals.

    Parameters
    ----------
    lower, upper : Fraction
        ``lower <= value <= upper``.

    Raises
    ------
    NotCertified
        If lower exceeds upper: such bounds enclose nothing, so their derivation was wrong.

    Examples
    --------
    >>> Enclosure(Fraction(1, 3), Fraction(1, 2)).width
    Fraction(1, 6)
    """

    lower: Fraction
    upper: Fraction

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise NotCertified(f"Expected lower <= upper; got {self.lower} and {self.upper}.")

    @classmethod
    def of_ball(cls, ball: arb) -> "Enclosure":
        """Return the end points of a ball, which are dyadic rationals.

        Raises
        ------
        NotCertified
            If the ball is not finite: nothing is known of the number.
        """
        if not ball.is_finite():
            raise NotCertified(f"Expected a finite ball; got {ball}.")
        return cls(-_above(-ball.lower()), _above(ball.upper()))

    @property
    def width(self) -> Fraction:
        """``upper - lower``."""
        return self.upper - self.lower

    @property
    def midpoint(self) -> Fraction:
        """The mean of both ends."""
        return (self.lower + self.upper) / 2

    def contains(self, other: "Enclosure") -> bool:
        """Whether `other` lies inside, ends included."""
        return self.lower <= other.lower and other.upper <= self.upper

    def overlaps(self, other: "Enclosure") -> bool:
        """Whether one number may lie in both."""
        return self.lower <= other.upper and other.lower <= self.upper


def narrowed(
    compute: Callable[[int], arb],
    width: Fraction,
    most: int = MOST_BITS,
    patience: int = MOST_INFINITE,
) -> Enclosure:
    """Double the precision until the ball that `compute` returns is as narrow as asked for.

    Parameters
    ----------
    compute : callable
        Takes a number of bits, to which flint's precision is set while it runs; returns a ball
        around one and the same number.
    width : Fraction
        The most that ``upper - lower`` may be.
    most : int
        Bits that no attempt exceeds; the first has some thirty more than the width.
    patience : int
        How many attempts may give no finite ball: more than a few only where that is for want of
        bits, as in the solution of linear equations.

    Raises
    ------
    NotCertified
        If the last attempt is still too wide, or as many as `patience` gave no finite ball.

    Examples
    --------
    >>> narrowed(lambda bits: arb(2).sqrt(), Fraction(1, 10**40)).width < Fraction(1, 10**40)
    True
    """
    bits, infinite = max(START_BITS, ceil(1 / width).bit_length() + 30), 0
    while True:
        with precision(bits):
            ball = compute(bits)
            # The ends of a ball are rounded outwards too.
            reached = Enclosure.of_ball(ball) if ball.is_finite() else None
        if reached is not None and reached.width <= width:
            return reached
        infinite += reached is None
        if 2 * bits > most or infinite == patience:
            got = "no finite ball" if reached is None else _shown(reached.width)
            raise NotCertified(
                f"Expected an enclosure no wider than {_shown(width)}; got {got} at {bits} "
                "bits: ask for fewer digits."
            )
        bits *= 2


def ball_of(value: Fraction | fmpq | int) -> arb:
    """Return the ball around a rational at the present precision.

    Examples
    --------
    >>> ball_of(Fraction(1, 4))
    0.250000000000000
    """
    return arb(as_fmpq(value))


def within(bound: arb) -> arb:
    """Return a ball around zero that holds every number of modulus at most `bound`.

    Raises
    ------
    NotCertified
        If the bound is not finite.

    Examples
    --------
    >>> within(arb(1) / 4).overlaps(arb(-1) / 4)
    True
    """
    if not bound.is_finite():
        raise NotCertified(f"Expected a finite bound; got {bound}.")
    return arb(0, bound.abs_upper())


def as_fmpq(value: Fraction | fmpq | int) -> fmpq:
    """Return the same rational as flint has it."""
    if isinstance(value, Fraction):
        return fmpq(value.numerator, value.denominator)
    return fmpq(value)


def as_fraction(value: fmpq) -> Fraction:
    """Return the same rational as Python has it.

    Examples
    --------
    >>> as_fraction(fmpq(2, 6))
    Fraction(1, 3)
    """
    return Fraction(int(value.p), int(value.q))


def _shown(value: Fraction) -> str:
    return f"2^{value.numerator.bit_length() - value.denominator.bit_length()}"


def _above(exact: arb) -> Fraction:
    """Return the dyadic rational, or one just above it where its exponent is out of all scale."""
    mantissa, exponent = (int(part) for part in exact.man_exp())
    size = exponent + mantissa.bit_length()
    if size > MOST_EXPONENT:
        raise NotCertified(f"Expected numbers below 2^{MOST_EXPONENT}; got one of {size} bits.")
    if size < -MOST_EXPONENT:
        return Fraction(int(mantissa > 0), 1 << MOST_EXPONENT)
    return Fraction(mantissa) * Fraction(2) ** exponent
