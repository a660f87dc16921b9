"""What a tail bound depends on, and the choice of what its theorem leaves free."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from math import cos, exp, lgamma, log, pi, sin
from typing import Literal, final

from symscore.errors import BadOption
from symscore.exact.bounds.tail_theorems import weak_orderings

Method = Literal["strip", "noise"]
Norm = Literal["reference", "law"]

# theta in 128ths; 201 / 128 is the last below pi / 2.
MOST_ANGLE = 201
# Theorem B's order; what is left of its bound beyond is no sharper than theorem A's.
MOST_ORDER = 200
# Dilations are the 16 per octave from 2^-12 to 2^12.
OCTAVES = 12


@final
@dataclass(frozen=True, slots=True)
class TailInputs:
    r"""What a tail bound depends on.

    Parameters
    ----------
    radius : Fraction
        R > 0, of a ball that holds the law of mu.
    variance : Fraction
        sigma^2 > 0, of the noise.
    degree : int
        D >= 0, the highest degree of the polynomials.
    dim : int
        n >= 1.
    dilation : Fraction
        delta; 0 for the norm of L2(N(c, sigma^2 I)), positive for that of L2(P).
    witness : Fraction
        What the theorem leaves free: its angle theta, or its order m.
    """

    radius: Fraction
    variance: Fraction
    degree: int
    dim: int
    dilation: Fraction
    witness: Fraction

    @property
    def order(self) -> int:
        """The first degree that is left out, ``degree + 1``."""
        return self.degree + 1

    @property
    def squared(self) -> Fraction:
        """``R^2 / sigma^2``."""
        return self.radius**2 / self.variance

    @property
    def ratio(self) -> Fraction:
        """``rho^2 = (1 + delta) R^2 / sigma^2``."""
        return self.squared * (1 + self.dilation)


def sharpest(inputs: TailInputs, method: Method, norm: Norm) -> TailInputs:
    """Fill in the witness, and for the norm of the law the dilation, with the least bound.

    They are chosen in floats, on grids: whatever they are, the theorems hold.

    Raises
    ------
    BadOption
        If R / sigma is not between 10**-30 and 10**6.
    """
    if not Fraction(1, 10**60) <= inputs.squared <= 10**12:
        raise BadOption("Expected a radius from 1e-30 to 1e6 times sigma; got one outside.")
    choose = {"strip": _with_angle, "noise": _with_order}[method]
    if norm == "reference":
        return choose(inputs)[1]

    def dilated(index: int) -> tuple[float, TailInputs]:
        dilation = Fraction(16 + index % 16, 16) * Fraction(2) ** (index // 16)
        bound, chosen = choose(replace(inputs, dilation=dilation))
        factor = float(inputs.squared / (4 * dilation)) + inputs.dim / 4 * log(1 + dilation)
        return bound + factor, chosen

    return _least(dilated, -16 * OCTAVES, 16 * OCTAVES)[1]


def _with_angle(inputs: TailInputs) -> tuple[float, TailInputs]:
    def bound(index: int) -> tuple[float, TailInputs]:
        theta = Fraction(index, 128)
        return _log_strip(inputs, index), replace(inputs, witness=theta)

    return _least(bound, 1, MOST_ANGLE)


def _with_order(inputs: TailInputs) -> tuple[float, TailInputs]:
    orderings = weak_orderings(MOST_ORDER)

    def bound(m: int) -> tuple[float, TailInputs]:
        falling = lgamma(inputs.order - m + 1) - lgamma(inputs.order + 1)
        counted = log(2 * orderings[m]) if m else 0.0
        value = m / 2 * log(inputs.ratio) + counted + falling / 2
        return value, replace(inputs, witness=Fraction(m))

    return _least(bound, 0, min(inputs.order, MOST_ORDER))


def _log_strip(inputs: TailInputs, index: int) -> float:
    """Return the logarithm of theorem A's bound on T_d / R in floats: it only guides the choice."""
    log_x = 2 * log(index / 128) - log(inputs.ratio)
    terms = [
        value + m * log_x for m, value in enumerate(_log_coefficients(inputs.order, inputs.dim))
    ]
    most = max(terms)
    grown = most + log(sum(exp(term - most) for term in terms))
    return (log(_float_circle(index)) - grown) / 2


@lru_cache(maxsize=4)
def _log_coefficients(order: int, dim: int) -> list[float]:
    """Return the logarithms of the coefficients of G, a polynomial in x."""
    values = [0.0]
    for m in range(order):
        divisor = (m + 1) ** 2 if dim == 1 else (m + 1) * (dim + 2 * m)
        values.append(values[-1] + log((order - m) / divisor))
    return values


@cache
def _float_circle(index: int) -> float:
    angles = (pi / 2 * (i + 0.5) / 500 for i in range(500))
    return sum(1 / cos(index / 128 * sin(angle)) ** 2 for angle in angles) / 500


def _least(
    bound: Callable[[int], tuple[float, TailInputs]], low: int, high: int
) -> tuple[float, TailInputs]:
    """Return the least value of a function that falls and then rises, by bisection."""
    while low < high:
        middle = (low + high) // 2
        rises = bound(middle)[0] <= bound(middle + 1)[0]
        low, high = (low, middle) if rises else (middle + 1, high)
    return bound(low)
