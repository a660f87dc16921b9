r"""Moments of a Gaussian over an interval, in balls, by two formulas that share nothing.

.. math:: I_k = \int_a^b x^k N(x; m, v) \, dx, \qquad -\infty \le a < b \le \infty
"""

from collections.abc import Callable
from math import comb
from typing import TypeAlias

from flint import arb, fmpq

from symscore.exact.arithmetic.balls import ball_of

# An end of an interval; None is infinity.
End: TypeAlias = fmpq | None
Incomplete: TypeAlias = Callable[[fmpq, fmpq, End, End, int], list[arb]]


def by_recurrence(mean: fmpq, variance: fmpq, lower: End, upper: End, degree: int) -> list[arb]:
    r"""Return I_0, ..., I_degree by parts.

    .. math:: I_k = m I_{k-1} + v (k - 1) I_{k-2} - v \bigl[x^{k-1} N(x; m, v)\bigr]_a^b

    which is the integral of the derivative of ``x^{k-1} N``; I_0 is a difference of error
    functions, taken on the side where it does not cancel.

    Parameters
    ----------
    mean, variance : fmpq
    lower, upper : fmpq or None
        None stands for minus, or plus, infinity.
    degree : int

    Examples
    --------
    >>> by_recurrence(fmpq(0), fmpq(1), None, None, 4)[4]
    3.00000000000000
    """
    v = ball_of(variance)
    found = [_mass(mean, variance, lower, upper)]
    ends = [(sign, end) for sign, end in ((1, lower), (-1, upper)) if end is not None]
    edges = [sign * v * density(mean, variance, end) for sign, end in ends]
    for k in range(1, degree + 1):
        value = mean * found[k - 1] + sum(edges, arb(0))
        if k > 1:
            value += (k - 1) * v * found[k - 2]
        found.append(value)
        edges = [edge * end for edge, (_, end) in zip(edges, ends, strict=True)]
    return found


def by_gamma(mean: fmpq, variance: fmpq, lower: End, upper: End, degree: int) -> list[arb]:
    r"""Return I_0, ..., I_degree through incomplete gamma functions.

    .. math::

        \int_0^z y^j N(y; 0, v) \, dy = \frac{(2v)^{j/2}}{2 \sqrt\pi}
            \gamma\!\left(\frac{j + 1}{2}, \frac{z^2}{2v}\right), \quad z \ge 0, \qquad
        I_k = \sum_j \binom kj m^{k-j} \int_{a-m}^{b-m} y^j N(y; 0, v) \, dy

    Takes what :func:`by_recurrence` takes.

    Examples
    --------
    >>> by_gamma(fmpq(0), fmpq(1), fmpq(0), None, 2)[2]
    [0.50000000000000... +/- ...]
    """
    left = None if lower is None else lower - mean
    right = None if upper is None else upper - mean
    central = [_central(variance, left, right, j) for j in range(degree + 1)]
    return [
        sum((comb(k, j) * mean ** (k - j) * central[j] for j in range(k + 1)), arb(0))
        for k in range(degree + 1)
    ]


def density(mean: fmpq, variance: fmpq, at: fmpq) -> arb:
    r"""Return ``N(at; mean, variance)``.

    Examples
    --------
    >>> density(fmpq(0), fmpq(1), fmpq(0))
    [0.398942280401433 +/- ...]
    """
    v = at - mean
    return ball_of(-v * v / (2 * variance)).exp() / (2 * arb.pi() * ball_of(variance)).sqrt()


def _mass(mean: fmpq, variance: fmpq, lower: End, upper: End) -> arb:
    """Return I_0 with a small relative error, on whichever side of the mean the interval is."""
    root = (2 * ball_of(variance)).sqrt()

    def beyond(end: End) -> arb:
        return arb(0) if end is None else (ball_of(end) / root).erfc()

    left = None if lower is None else lower - mean
    right = None if upper is None else upper - mean
    if left is not None and left >= 0:
        return (beyond(left) - beyond(right)) / 2
    if right is not None and right <= 0:
        return (beyond(-right) - beyond(None if left is None else -left)) / 2
    return 1 - (beyond(None if left is None else -left) + beyond(right)) / 2


def _central(variance: fmpq, left: End, right: End, power: int) -> arb:
    """Return the integral of ``y^power N(y; 0, variance)`` from left to right."""
    if right is not None and right <= 0:
        mirrored = _central(variance, -right, None if left is None else -left, power)
        return (-1) ** power * mirrored
    if left is not None and left >= 0:
        return _outside(variance, left, power) - (
            arb(0) if right is None else _outside(variance, right, power)
        )
    whole = _outside(variance, fmpq(0), power)
    above = whole - (arb(0) if right is None else _outside(variance, right, power))
    below = whole - (arb(0) if left is None else _outside(variance, -left, power))
    return above + (-1) ** power * below


def _outside(variance: fmpq, end: fmpq, power: int) -> arb:
    """Return the integral of ``y^power N(y; 0, variance)`` from `end` >= 0 to infinity."""
    order = ball_of(fmpq(power + 1, 2))
    scale = (2 * ball_of(variance)).sqrt() ** power / (2 * arb.pi().sqrt())
    if end == 0:
        return scale * order.gamma()
    return scale * ball_of(end * end / (2 * variance)).gamma_upper(order)
