r"""The smallest degree that is certified to reach an error.

As spaces of polynomials grow with the degree, the error :math:`e_D` does not increase with it; a
degree D with :math:`e_D \le \varepsilon < e_{D-1}` is therefore the smallest of all that reach
:math:`\varepsilon`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import comb, isqrt
from typing import Any, final

from flint import fmpq

from symscore.errors import NotCertified, ResourceLimit
from symscore.exact.arithmetic.balls import Enclosure, as_fraction
from symscore.exact.arithmetic.spec import write_rational
from symscore.exact.certificate import widened
from symscore.exact.distances.cells import Slabs
from symscore.exact.planning.cell_energies import energies
from symscore.exact.planning.reduction import Reduction

# From a width to an enclosure of J that is at most so wide.
Information = Callable[[Fraction], Enclosure]

FIRST_DEGREE = 6
# Elimination takes a second or two a cell for so many unknowns, or on the line for that degree.
MOST_UNKNOWNS = 153
MOST_ON_THE_LINE = 128
# Widths of the enclosure of e^2, in units of the bound: each is tried where the last left it open.
WIDTHS = tuple(Fraction(1, 10**n) for n in (4, 8, 16, 32, 64))


@final
@dataclass(frozen=True, slots=True)
class Need:
    """A degree, and the certified errors that make it the smallest.

    Parameters
    ----------
    degree : int or None
        The smallest degree that reaches the error; None if none up to ``searched`` does.
    searched : int
        The highest degree tried.
    squared_error : Enclosure
        Of the squared error of ``degree``, or of ``searched`` if that is None.
    squared_error_below : Enclosure or None
        Of the degree that is smaller by one; None if there is none, or ``degree`` is None.
    """

    degree: int | None
    searched: int
    squared_error: Enclosure
    squared_error_below: Enclosure | None

    @property
    def rms(self) -> Enclosure:
        """The error itself."""
        return root(self.squared_error)

    @property
    def compared(self) -> tuple[int, ...]:
        """The degrees whose errors the enclosures are of."""
        if self.degree is None:
            return (self.searched,)
        return (self.degree, self.degree - 1) if self.degree else (0,)

    def __str__(self) -> str:
        return f"> {self.searched}" if self.degree is None else str(self.degree)

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them, rationals as strings."""
        below = self.squared_error_below
        return {
            "degree": self.degree,
            "searched": self.searched,
            "squared_error": written(self.squared_error),
            "squared_error_below": None if below is None else written(below),
        }


def needed_degree(
    information: Information, reduction: Reduction, cells: Slabs, squared: Fraction, most: int
) -> Need:
    r"""Find the smallest degree of polynomials on cells whose squared error is at most a bound.

    Parameters
    ----------
    information : callable
        From a width to an enclosure of the mixture's Fisher information.
    reduction : Reduction
        Of the same mixture.
    cells : Slabs
        In the coordinates of the reduction.
    squared : Fraction
        The bound, positive.
    most : int
        The highest degree that is tried.

    Raises
    ------
    NotCertified
        If the squared error of a degree is so near the bound that 64 digits do not tell which is
        larger.
    """
    for highest in _batches(most):
        found = _at_some_width(information, reduction, cells, squared, highest)
        if found.degree is not None:
            break
    return found


def _at_some_width(
    information: Information, reduction: Reduction, cells: Slabs, squared: Fraction, highest: int
) -> Need:
    """Return the answer for degrees up to `highest`, at the first width that settles it."""
    cause = None
    for share in WIDTHS:
        try:
            found = _decided(information, reduction, cells, squared, highest, share * squared)
        except (NotCertified, ResourceLimit) as error:
            if share == WIDTHS[0]:
                raise
            cause = error
            break
        if found is not None:
            return found
        reached = share
    digits = len(str(reached.denominator)) - 1
    raise NotCertified(
        f"Expected to tell the squared error of every degree from the bound {float(squared):.6g}; "
        f"at one of them both agree to {digits} digits: ask for a slightly different error."
    ) from cause


def _batches(most: int) -> Iterator[int]:
    """Yield growing degrees: the cost is cubic, so all tries together cost little more than one."""
    degree = min(FIRST_DEGREE, most)
    while True:
        yield degree
        if degree == most:
            return
        degree = min(degree * 3 // 2, most)


def _decided(
    information: Information,
    reduction: Reduction,
    cells: Slabs,
    squared: Fraction,
    highest: int,
    width: Fraction,
) -> Need | None:
    """Return the answer for degrees up to `highest`; None where the width leaves it open."""
    errors = squared_errors(information, reduction, cells, highest, width)
    for degree, error in enumerate(errors):
        if error.upper <= squared:
            return Need(degree, highest, error, errors[degree - 1] if degree else None)
        if error.lower <= squared:
            return None
    return Need(None, highest, errors[-1], None)


def squared_errors(
    information: Information, reduction: Reduction, cells: Slabs, degree: int, width: Fraction
) -> tuple[Enclosure, ...]:
    r"""Enclose the squared errors of degree 0, 1, ..., D, their ends short decimal fractions.

    .. math:: e_n^2 = J - E|\rho|^2 - C_n \quad (n \ge 1), \qquad e_0^2 = J - C_0

    with rho of :mod:`symscore.exact.planning.reduction` and C_n of
    :mod:`symscore.exact.planning.cell_energies`.
    """
    j = information(width / 2)
    captured = energies(reduction.law, reduction.metric, cells, degree, width / 2)
    affine = as_fraction(reduction.affine)
    return tuple(
        _difference(j, energy, affine if n else Fraction(0), width / 8)
        for n, energy in enumerate(captured)
    )


def of_one_gaussian(trace: fmpq, squared: Fraction) -> Need:
    """Return the answer for one Gaussian, whose score is affine: degree 1, or 0 if that is enough.

    Parameters
    ----------
    trace : fmpq
        Trace of its precision matrix, the squared error of degree 0.
    """
    whole, nothing = as_fraction(trace), Enclosure(Fraction(0), Fraction(0))
    if whole <= squared:
        return Need(0, 0, Enclosure(whole, whole), None)
    return Need(1, 1, nothing, Enclosure(whole, whole))


def default_degree(dim: int) -> int:
    """Return the highest degree in so many variables that takes seconds: 128, 16, 7, ..."""
    degree = 1
    while degree < MOST_ON_THE_LINE and comb(dim + degree + 1, dim) <= MOST_UNKNOWNS:
        degree += 1
    return degree


def root(squared: Enclosure) -> Enclosure:
    """Enclose the square root of a number that is not negative.

    Examples
    --------
    >>> root(Enclosure(Fraction(1, 4), Fraction(1, 4))).lower
    Fraction(1, 2)
    """
    if squared.upper == 0:
        return squared
    # As many places as the number has before its first digit, and twelve.
    places = 12 + len(str(int(1 / squared.upper)))
    scale = 10**places
    lower = isqrt(int(squared.lower * scale * scale))
    return Enclosure(
        Fraction(lower, scale),
        Fraction(isqrt(int(squared.upper * scale * scale)) + 1, scale),
    )


def _difference(j: Enclosure, energy: Enclosure, affine: Fraction, unit: Fraction) -> Enclosure:
    raw = Enclosure(j.lower - affine - energy.upper, j.upper - affine - energy.lower)
    ends = widened(raw, unit)
    # A mean square is not negative.
    return Enclosure(max(ends.lower, Fraction(0)), ends.upper)


def written(enclosure: Enclosure) -> list[str]:
    """Return both ends as JSON has them."""
    return [write_rational(enclosure.lower), write_rational(enclosure.upper)]
