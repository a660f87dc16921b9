"""Fisher information of mixtures with a shared covariance, by a lattice sum in balls."""

from collections.abc import Iterator
from fractions import Fraction
from math import prod

from flint import arb

from symscore.errors import ResourceLimit, UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed, within
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.lattice_bounds import (
    Axis,
    Independent,
    Lattice,
    aliasing,
    choose_lattice,
    independent,
    outside,
)
from symscore.exact.information.statistic import statistic

MOST_RANK = 3
Pair = tuple[int, int, arb]


def lattice_sum(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose the Fisher information J of a mixture with a shared covariance.

    The theorem and its proof are in :mod:`symscore.exact.information.lattice_bounds`.

    Raises
    ------
    UnsupportedInstance
        If covariances differ, or the means span more than three dimensions.
    ResourceLimit
        If the lattice would have more than ten million points.
    NotCertified
        If the width is not reached.
    """
    if not mixture.shares_covariance:
        raise UnsupportedInstance("expected one covariance for all components.")
    found = statistic(mixture)
    if found.rank > MOST_RANK:
        raise UnsupportedInstance(
            f"expected means that span at most {MOST_RANK} dimensions, got {found.rank}."
        )
    if found.law is None:
        return narrowed(lambda bits: ball_of(found.trace), width)
    parts = independent(found, found.law)
    try:
        lattice = choose_lattice(parts, width)
    except (ArithmeticError, ValueError):
        raise ResourceLimit(
            "Expected parameters within the range of float64: rescale them."
        ) from None
    return narrowed(lambda bits: ball_of(found.trace) - spread_on(parts, lattice), width, most=4096)


def spread_on(parts: Independent, lattice: Lattice) -> arb:
    """Return a ball around the integral of the posterior spread."""
    total, skipped = _Sum(parts, lattice).run()
    volume = prod((ball_of(axis.step) for axis in lattice.axes), start=arb(1))
    inside = volume * (total + skipped.union(arb(0)))
    return inside + outside(parts, lattice).union(arb(0)) + within(aliasing(parts, lattice))


class _Sum:
    """The sum over the lattice, axis by axis, with negligible lines bounded instead of summed."""

    def __init__(self, parts: Independent, lattice: Lattice) -> None:
        self.tables = [_table(parts, j, axis) for j, axis in enumerate(lattice.axes)]
        self.pairs: list[Pair] = [
            (i, j, ball_of(gap))
            for i, row in enumerate(parts.gaps)
            for j, gap in enumerate(row[:i])
        ]
        # |g_i - g_c|^2 for each choice of the centre c: f <= sum_i p_i |g_i - g_c|^2.
        self.centres = [[ball_of(gap) for gap in row] for row in parts.gaps]
        steps = [ball_of(axis.step) for axis in lattice.axes]
        roots = [(2 * arb.pi() * ball_of(variance)).sqrt() for variance in parts.variances]
        # Sum of a density over an axis: at most one over the step, and its maximum.
        self.full = [1 / step + 1 / root for step, root in zip(steps, roots, strict=True)]
        volume = prod(steps, start=arb(1))
        self.cut = ball_of(lattice.cut) / volume
        self.weights = [ball_of(weight) for weight in parts.weights]

    def run(self) -> tuple[arb, arb]:
        """Return the sum over the lines that count, and a bound of the rest."""
        total = skipped = arb(0)
        for prefix in self._prefixes(self.weights, 0):
            bound = self._bound(prefix)
            if bound < self.cut:
                skipped += bound
            else:
                total += self._line(prefix)
        return total, skipped

    def _prefixes(self, parts: list[arb], axis: int) -> Iterator[list[arb]]:
        if axis == len(self.tables) - 1:
            yield parts
            return
        for row in self.tables[axis]:
            yield from self._prefixes(
                [part * entry for part, entry in zip(parts, row, strict=True)], axis + 1
            )

    def _bound(self, prefix: list[arb]) -> arb:
        sums = (
            sum((part * gap for part, gap in zip(prefix, row, strict=True)), arb(0))
            for row in self.centres
        )
        least = next(sums)
        for other in sums:
            least = least.min(other)
        return least * self.full[-1]

    def _line(self, prefix: list[arb]) -> arb:
        total = arb(0)
        for row in self.tables[-1]:
            parts = [part * entry for part, entry in zip(prefix, row, strict=True)]
            density = sum(parts[1:], parts[0])
            spread = arb(0)
            for i, j, gap in self.pairs:
                spread += parts[i] * parts[j] * gap
            total += spread / density
        return total


def _table(parts: Independent, j: int, axis: Axis) -> list[list[arb]]:
    """Return the density of coordinate j under each component, at each point of the axis."""
    variance = ball_of(parts.variances[j])
    factor = 1 / (2 * arb.pi() * variance).sqrt()
    rate = -1 / (2 * variance)
    rows = []
    for n in range(axis.first, axis.last + 1):
        gaps = (ball_of(axis.step * n - mean[j]) for mean in parts.means)
        rows.append([factor * (rate * gap * gap).exp() for gap in gaps])
    return rows
