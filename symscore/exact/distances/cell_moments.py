r"""Moments of Gaussians and mixtures on the cells of a partition.

.. math:: T_i(\alpha) = \int_V x^\alpha N(x; m_i, C_i) \, dx

On a slab it is an integral over one variable, x given its height being Gaussian; on a box, for
diagonal covariances, it is a product of integrals over one variable.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from flint import arb, fmpq, fmpq_mat, fmpq_poly

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.moments import Exponent, exponents, lowered
from symscore.exact.arithmetic.rational import RationalMixture, Row, column, entries
from symscore.exact.distances.cells import Cells, Grid, Interval, Slabs
from symscore.exact.distances.incomplete import Incomplete

Table: TypeAlias = dict[Exponent, arb]
Covariance: TypeAlias = tuple[Row, ...]


def component_tables(
    mixture: RationalMixture, cells: Cells, degree: int, incomplete: Incomplete
) -> Iterator[list[Table]]:
    r"""Yield, for every cell, T_i of all components up to a total degree.

    Parameters
    ----------
    mixture : RationalMixture
    cells : Slabs or Grid
    degree : int
    incomplete : callable
        Moments of a Gaussian on an interval.

    Raises
    ------
    UnsupportedInstance
        For a grid where a covariance is not diagonal: boxes then have no closed form.
    """
    check_cells(mixture, cells)
    parts = list(zip(mixture.means, mixture.covariances, strict=True))
    if isinstance(cells, Slabs):
        for interval in cells.intervals():
            yield [
                _slab_table(mean, covariance, cells.normal, interval, degree, incomplete)
                for mean, covariance in parts
            ]
        return
    axes = [axis_tables(mean, covariance, cells, degree, incomplete) for mean, covariance in parts]
    for place in places(cells):
        yield [
            product_table([axis[c] for axis, c in zip(a, place, strict=True)], degree) for a in axes
        ]


def check_cells(mixture: RationalMixture, cells: Cells) -> None:
    """Raise UnsupportedInstance unless the moments of this mixture have closed forms there."""
    if isinstance(cells, Slabs):
        return
    for i, covariance in enumerate(mixture.covariances):
        if any(covariance[j][m] != 0 for j in range(mixture.dim) for m in range(j)):
            raise UnsupportedInstance(
                f"Expected diagonal covariances for boxes; covariances[{i}] is not: use slabs, or "
                "coordinates in which all covariances are diagonal."
            )


def total(mixture: RationalMixture, tables: Sequence[Table]) -> Table:
    r"""Return :math:`\sum_i w_i T_i`."""
    return {
        a: sum((w * table[a] for w, table in zip(mixture.weights, tables, strict=True)), arb(0))
        for a in tables[0]
    }


def _slab_table(
    mean: Row,
    covariance: Covariance,
    normal: Row,
    interval: Interval,
    degree: int,
    incomplete: Incomplete,
) -> Table:
    centre, variance, conditional = given_height(mean, covariance, normal, degree)
    powers = incomplete(centre, variance, *interval, degree)
    return {
        a: sum((c * power for c, power in zip(poly.coeffs(), powers, strict=False)), arb(0))
        for a, poly in conditional.items()
    }


@lru_cache(maxsize=128)
def given_height(
    mean: Row, covariance: Covariance, normal: Row, degree: int
) -> tuple[fmpq, fmpq, dict[Exponent, fmpq_poly]]:
    r"""Return the law of ``t = <n, x>`` and ``E[x^a | t]`` as polynomials in t.

    Given t, x is Gaussian with mean ``m + C n (t - <n, m>) / v`` and covariance
    ``C - C n n^T C / v``, where ``v = n^T C n``; the recurrence of its moments is Stein's identity.
    """
    dim = len(mean)
    n, c = column(normal), fmpq_mat(covariance)
    pull = c * n
    centre, variance = (n.transpose() * column(mean))[0, 0], (n.transpose() * pull)[0, 0]
    rest = c - pull * pull.transpose() * (1 / variance)
    lines = [
        fmpq_poly([m - slope * centre, slope])
        for m, slope in zip(mean, (entry / variance for entry in entries(pull)), strict=True)
    ]
    table = {(0,) * dim: fmpq_poly([1])}
    for a in exponents(dim, degree)[1:]:
        j = next(i for i, power in enumerate(a) if power)
        lower = lowered(a, j)
        table[a] = lines[j] * table[lower] + sum(
            (
                rest[j, i] * power * table[lowered(lower, i)]
                for i, power in enumerate(lower)
                if power
            ),
            fmpq_poly([0]),
        )
    return centre, variance, table


def places(cells: Grid) -> Iterator[tuple[int, ...]]:
    """Return the position of every box on all axes, in the order of the boxes."""
    return product(*(range(len(axis) + 1) for axis in cells.knots))


def axis_tables(
    mean: Row, covariance: Covariance, cells: Grid, degree: int, incomplete: Incomplete
) -> list[list[list[arb]]]:
    """Return, axis by axis and interval by interval, the moments of a coordinate."""
    return [
        [
            incomplete(mean[j], covariance[j][j], lower, upper, degree)
            for lower, upper in Slabs((fmpq(1),), axis).intervals()
        ]
        for j, axis in enumerate(cells.knots)
    ]


def product_table(powers: Sequence[Sequence[arb]], degree: int) -> Table:
    """Return the products of one power of every coordinate, up to a total degree."""
    table = {}
    for a in exponents(len(powers), degree):
        value = arb(1)
        for moments, power in zip(powers, a, strict=True):
            value *= moments[power]
        table[a] = value
    return table
