"""Ball arithmetic under a guard: who sets the precision, and how a ball becomes an enclosure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from threading import RLock
from typing import final

from flint import arb, ctx, fmpq

from symscore.errors import NotCertified

# flint has one precision for the whole process, so only one thread may compute at a time.
_LOCK = RLock()
START_BITS = 96
MOST_BITS = 1 << 14


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
        return cls(_fraction(ball.lower()), _fraction(ball.upper()))

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
    start: int = START_BITS,
    most: int = MOST_BITS,
) -> Enclosure:
    """Double the precision until the ball that `compute` returns is as narrow as asked for.

    Parameters
    ----------
    compute : callable
        Takes a number of bits, to which flint's precision is set while it runs; returns a ball
        around one and the same number.
    width : Fraction
        The most that ``upper - lower`` may be.
    start, most : int
        Bits of the first and of the last attempt.

    Raises
    ------
    NotCertified
        If the last attempt is still too wide.

    Examples
    --------
    >>> narrowed(lambda bits: arb(2).sqrt(), Fraction(1, 10**40)).width < Fraction(1, 10**40)
    True
    """
    bits = start
    while True:
        with precision(bits):
            ball = compute(bits)
            # The ends of a ball are rounded outwards too.
            reached = Enclosure.of_ball(ball) if ball.is_finite() else None
        if reached is not None and reached.width <= width:
            return reached
        if 2 * bits > most:
            got = "no finite ball" if reached is None else f"{float(reached.width):.3g}"
            raise NotCertified(
                f"Expected an enclosure no wider than {float(width):.3g}; got {got} at {bits} "
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


def _fraction(exact: arb) -> Fraction:
    mantissa, exponent = (int(part) for part in exact.man_exp())
    return Fraction(mantissa) * Fraction(2) ** exponent
