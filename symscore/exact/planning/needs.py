"""The degrees that one mixture's score needs, on all of space and on slabs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import cache, partial
from typing import Any, TypeVar, final

from flint import fmpq

from symscore.errors import BadOption
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.arithmetic.rational import RationalMixture, column, entries
from symscore.exact.certificate import widened
from symscore.exact.distances.cells import Slabs, write_cells
from symscore.exact.expansions.normal_equations import check_degree
from symscore.exact.information.fisher import fisher_enclosure
from symscore.exact.information.statistic import statistic
from symscore.exact.numbers import ExactLike, as_exact
from symscore.exact.planning.needed_degree import (
    WIDTHS,
    Need,
    default_degree,
    needed_degree,
    of_one_gaussian,
    written,
)
from symscore.exact.planning.reduction import reduced

# Called with what is being done, how much of it is done, and how much there is to do.
Progress = Callable[[str, int, int], None]
# From the law of the statistic to cells for it; None where one cell has to do.
Choice = Callable[[RationalMixture], Slabs | None]
Item = TypeVar("Item")

# J, within its square, is within reach; degrees up to a hundred come no nearer to most scores.
LEAST_RMS = Fraction(1, 10**20)

# The columns of `Needs.shown`.
SHOWN = ("information", "degree", "rms", "cells", "degree there", "rms there")


@final
@dataclass(frozen=True, slots=True)
class Needs:
    """What the score of one mixture needs.

    Parameters
    ----------
    information : Enclosure
        Of the Fisher information.
    one : Need
        With one polynomial field for all of space.
    slabs : Slabs or None
        The cells; None where one cell has to do.
    pieces : Need
        With one polynomial field on each cell.
    """

    information: Enclosure
    one: Need
    slabs: Slabs | None
    pieces: Need

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return 1 if self.slabs is None else self.slabs.n_cells

    def shown(self) -> tuple[str, ...]:
        """Return the cells of a table's row; of a number, the digits that are certain."""
        return (
            rounded(self.information, digits=6),
            *_shown(self.one),
            str(self.n_cells),
            *_shown(self.pieces),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them, rationals as strings."""
        return {
            "fisher_information": written(self.information),
            "one_cell": self.one.to_json(),
            "cells": None if self.slabs is None else write_cells(self.slabs),
            "with_cells": self.pieces.to_json(),
        }


def find_needs(
    mixture: RationalMixture, rms: Fraction, choose: Choice, most_degree: int | None
) -> Needs:
    """Find the smallest degrees that reach an error, with one cell and with those chosen.

    Parameters
    ----------
    mixture : RationalMixture
    rms : Fraction
        Positive.
    choose : callable
        From the law of the statistic that tells the components apart to cells.
    most_degree : int or None
        The highest degree that is tried; None for one that takes seconds.
    """
    squared = rms**2
    information = cache(partial(fisher_enclosure, mixture))
    reduction = reduced(mixture)
    if reduction is None:
        one = of_one_gaussian(statistic(mixture).trace, squared)
        return Needs(one.squared_error_below or one.squared_error, one, None, one)
    dim = reduction.law.dim
    most = default_degree(dim) if most_degree is None else most_degree
    check_degree(dim, most)
    whole = Slabs((fmpq(1), *(fmpq(0) for _ in range(dim - 1))), ())
    one = needed_degree(information, reduction, whole, squared, most)
    j = widened(information(WIDTHS[0] * squared / 2), WIDTHS[0] * squared / 8)
    slabs = choose(reduction.law)
    if slabs is None:
        return Needs(j, one, None, one)
    pieces = needed_degree(information, reduction, slabs, squared, most)
    normal = entries(reduction.rows.transpose() * column(slabs.normal))
    return Needs(j, one, Slabs(normal, slabs.offsets), pieces)


def watched(items: Sequence[Item], stage: str, progress: Progress | None) -> Iterator[Item]:
    """Yield the items, reporting before each and after the last how many are done."""
    for done, item in enumerate(items):
        if progress is not None:
            progress(stage, done, len(items))
        yield item
    if progress is not None:
        progress(stage, len(items), len(items))


def positive(value: ExactLike, name: str, least: Fraction = Fraction(0)) -> Fraction:
    """Return a positive rational, at least as large as `least`.

    Raises
    ------
    BadData
        On a float or a string that is no fraction.
    BadOption
        On any other number.
    """
    exact = as_exact(value, name)
    if not exact.is_Rational or exact <= 0:
        raise BadOption(f"Expected {name}, a positive rational; got {exact}.")
    found = Fraction(int(exact.p), int(exact.q))
    if found < least:
        shown = _decimal(found, 3, ROUND_CEILING)
        raise BadOption(f"Expected {name} of at least {float(least):g}; got {shown}.")
    return found


def error_asked_for(rms: ExactLike) -> Fraction:
    """Return a root mean square error, refusing what no enclosure is narrow enough for."""
    return positive(rms, "rms", LEAST_RMS)


def rounded(enclosure: Enclosure, digits: int = 4) -> str:
    """Return so many digits of a number, fewer if its ends differ in them, or else a bound.

    Examples
    --------
    >>> rounded(Enclosure(Fraction(33333, 10**5), Fraction(33344, 10**5)))
    '0.333'
    >>> rounded(Enclosure(Fraction(0), Fraction(1, 300)))
    '<= 0.0034'
    """
    for places in range(digits, 1, -1):
        lower = _decimal(enclosure.lower, places, ROUND_HALF_EVEN)
        if lower == _decimal(enclosure.upper, places, ROUND_HALF_EVEN):
            return str(lower)
    return f"<= {_decimal(enclosure.upper, 2, ROUND_CEILING)}"


def _decimal(value: Fraction, digits: int, rounding: str) -> Decimal:
    context = Context(prec=digits, rounding=rounding)
    return context.divide(Decimal(value.numerator), Decimal(value.denominator))


def _shown(need: Need) -> tuple[str, str]:
    return str(need), rounded(need.rms)
