"""The largest absolute value of a function on an interval, by branch and bound with balls."""

from collections.abc import Callable
from fractions import Fraction
from heapq import heappop, heappush
from typing import NamedTuple, TypeAlias

from flint import arb, fmpq

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import (
    MOST_BITS,
    MOST_EXPONENT,
    Enclosure,
    as_fmpq,
    ball_of,
    precision,
)

# From the middle and the radius of an interval to a ball around all values there.
Range: TypeAlias = Callable[[fmpq, fmpq], arb]
Function: TypeAlias = Callable[[arb], arb]
Prepare: TypeAlias = Callable[[], tuple[Function, Range]]

MOST_INTERVALS = 30_000


class _Part(NamedTuple):
    """A part of the interval. Least is what has no bound, then what has the highest one."""

    bounded: bool
    minus_top: Fraction
    middle: fmpq
    radius: fmpq


def supremum(prepare: Prepare, lower: Fraction, upper: Fraction, width: Fraction) -> Enclosure:
    r"""Enclose ``max |f(x)|`` over an interval.

    Intervals are halved, the one with the highest upper bound first, until

    .. math:: \max_i \sup |f(X_i)| - \max_i |f(x_i)| \le \mathrm{width}

    where the bound on the left is that of a ball and the ``x_i`` are the middles
    that were seen and both ends. A ball that is not finite bounds nothing, so it is halved first.

    Parameters
    ----------
    prepare : callable
        Called at every precision; returns two functions, one from a point to a ball around f there,
        one from middle and radius of an interval to a ball around all values of f on it.
    lower, upper : Fraction
    width : Fraction

    Raises
    ------
    NotCertified
        If that takes more than 30,000 intervals or the last precision.

    Examples
    --------
    >>> def over(middle, radius):
    ...     x = ball_of(middle - radius).union(ball_of(middle + radius))
    ...     return x * (1 - x)
    >>> ready = lambda: (lambda x: x * (1 - x), over)
    >>> found = supremum(ready, Fraction(0), Fraction(1), Fraction(1, 100))
    >>> found.lower <= Fraction(1, 4) <= found.upper
    True
    """
    bits = 64 + width.denominator.bit_length()
    while bits <= MOST_BITS:
        with precision(bits):
            found = _search(*prepare(), lower, upper, width, bits)
        if found is not None:
            return found
        bits *= 2
    raise NotCertified(
        f"Expected a supremum within {float(width):.3g}; {MOST_BITS} bits were not enough: ask for "
        "fewer digits."
    )


def _search(
    at: Function, over: Range, lower: Fraction, upper: Fraction, width: Fraction, bits: int
) -> Enclosure | None:
    """Return the enclosure, or None where balls of these bits are too wide for it."""
    best = max(_low(at(ball_of(end))) for end in (lower, upper))
    heap = [_part(over, as_fmpq((lower + upper) / 2), as_fmpq((upper - lower) / 2))]
    least = as_fmpq(upper - lower) / 2 ** (bits // 2)
    for _ in range(MOST_INTERVALS):
        part = heap[0]
        top = -part.minus_top
        if part.bounded and top - best <= width:
            return Enclosure(best, top)
        if part.radius < least:
            return None
        heappop(heap)
        half = part.radius / 2
        for middle in (part.middle - half, part.middle + half):
            best = max(best, _low(at(ball_of(middle))))
            heappush(heap, _part(over, middle, half))
    raise NotCertified(
        f"Expected a supremum within {float(width):.3g}; {MOST_INTERVALS} intervals were not "
        "enough: ask for fewer digits or a shorter interval."
    )


def _part(over: Range, middle: fmpq, radius: fmpq) -> _Part:
    ball = over(middle, radius)
    if not ball.is_finite() or ball.abs_upper() > arb(2) ** (MOST_EXPONENT // 2):
        return _Part(False, Fraction(0), middle, radius)
    return _Part(True, -Enclosure.of_ball(ball.abs_upper()).upper, middle, radius)


def _low(ball: arb) -> Fraction:
    """Return a lower bound of the absolute value; 0 where the ball says nothing."""
    return Enclosure.of_ball(ball.abs_lower()).lower if ball.is_finite() else Fraction(0)
