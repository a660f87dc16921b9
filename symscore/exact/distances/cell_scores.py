r"""The integrals of a mixture's score against monomials on cells, by two formulas.

.. math::

    S_j(\alpha) = \int_V s_j x^\alpha p \, dx
    &= -\alpha_j T(\alpha - e_j) + \oint_{\partial V} x^\alpha \nu_j p \, dS \\
    &= -\sum_i w_i \sum_l (C_i^{-1})_{jl} \bigl( T_i(\alpha + e_l) - m_{i,l} T_i(\alpha) \bigr)

with the moments ``T_i`` of the components and ``T = sum_i w_i T_i`` of the mixture on the cell V.
The first is the divergence theorem for ``x^a p``, whose j-th derivative is ``a_j x^(a - e_j) p +
x^a s_j p``, with the outer normal :math:`\nu`; it is Stein's identity where V is all of space. The
second inserts the gradients of the Gaussians and knows no boundary, so that either one finds out a
boundary term that the other has wrong.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from flint import arb, fmpq

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.moments import added, exponents, lowered
from symscore.exact.arithmetic.rational import RationalMixture, Row
from symscore.exact.distances.cell_moments import (
    Table,
    axis_tables,
    component_tables,
    given_height,
    places,
    product_table,
    total,
)
from symscore.exact.distances.cells import Cells, Grid, Interval, Slabs
from symscore.exact.distances.incomplete import by_gamma, by_recurrence, density

# From mixture, cells and degree to T, up to twice the degree, and all S_j, for every cell.
CellTables: TypeAlias = Iterator[tuple[Table, list[Table]]]
Source: TypeAlias = Callable[[RationalMixture, Cells, int], CellTables]


def by_divergence(mixture: RationalMixture, cells: Cells, degree: int) -> CellTables:
    """Yield T by recurrence and S from the cell's boundary."""
    tables = component_tables(mixture, cells, 2 * degree, by_recurrence)
    edges = fluxes(mixture, cells, degree)
    for parts, flux in zip(tables, edges, strict=True):
        table = total(mixture, parts)
        yield table, score_by_divergence(table, flux, degree)


def by_gradient(mixture: RationalMixture, cells: Cells, degree: int) -> CellTables:
    """Yield T by incomplete gamma functions and S without any boundary."""
    for parts in component_tables(mixture, cells, max(2 * degree, degree + 1), by_gamma):
        yield total(mixture, parts), score_by_gradient(mixture, parts, degree)


def score_by_divergence(table: Table, flux: Sequence[Table], degree: int) -> list[Table]:
    """Return S_j up to a degree, by the divergence theorem.

    Parameters
    ----------
    table : dict
        T of the mixture on the cell.
    flux : (d,) sequence of dict
        The boundary integrals; see :func:`fluxes`.
    degree : int
    """
    return [
        {
            a: edge[a] - (a[j] * table[lowered(a, j)] if a[j] else 0)
            for a in exponents(len(flux), degree)
        }
        for j, edge in enumerate(flux)
    ]


def score_by_gradient(
    mixture: RationalMixture, tables: Sequence[Table], degree: int
) -> list[Table]:
    """Return S_j up to a degree from the components' moments up to one degree more."""
    dim = mixture.dim
    units = [tuple(int(j == i) for i in range(dim)) for j in range(dim)]
    sums: list[Table] = [dict.fromkeys(exponents(dim, degree), arb(0)) for _ in units]
    for i, table in enumerate(tables):
        weight, mean, precision = mixture.weights[i], mixture.means[i], mixture.precision(i)
        for a in exponents(dim, degree):
            pulls = [
                table[added(a, unit)] - m * table[a] for unit, m in zip(units, mean, strict=True)
            ]
            for j in range(dim):
                rows = sum((precision[j, m] * pull for m, pull in enumerate(pulls)), arb(0))
                sums[j][a] -= weight * rows
    return sums


def fluxes(mixture: RationalMixture, cells: Cells, degree: int) -> Iterator[list[Table]]:
    r"""Yield, for every cell, :math:`\oint_{\partial V} x^\alpha \nu_j p \, dS` for all j.

    On a slab, ``nu dS`` is plus n at the upper and minus n at the lower hyperplane, times
    :math:`\delta(\langle n, x \rangle - b) \, dx`, so that the length of n plays no part.
    """
    if isinstance(cells, Slabs):
        faces = [_face(mixture, cells.normal, offset, degree) for offset in cells.offsets]
        nothing = dict.fromkeys(exponents(mixture.dim, degree), arb(0))
        closed = [nothing, *faces, nothing]
        for lower, upper in pairwise(closed):
            yield [{a: n * (upper[a] - lower[a]) for a in nothing} for n in cells.normal]
        return
    yield from _box_fluxes(mixture, cells, degree)


def _face(mixture: RationalMixture, normal: Row, offset: fmpq, degree: int) -> Table:
    r"""Return :math:`\int x^\alpha \delta(\langle n, x \rangle - b) p \, dx`."""
    found = dict.fromkeys(exponents(mixture.dim, degree), arb(0))
    for weight, mean, covariance in zip(
        mixture.weights, mixture.means, mixture.covariances, strict=True
    ):
        centre, variance, conditional = given_height(mean, covariance, normal, degree)
        height = weight * density(centre, variance, offset)
        for a, poly in conditional.items():
            found[a] += height * ball_of(poly(offset))
    return found


def _box_fluxes(mixture: RationalMixture, cells: Grid, degree: int) -> Iterator[list[Table]]:
    """Yield the boundary integrals of boxes: two faces an axis, moments along the others."""
    parts = list(zip(mixture.weights, mixture.means, mixture.covariances, strict=True))
    axes = [axis_tables(mean, c, cells, degree, by_recurrence) for _, mean, c in parts]
    for place, box in zip(places(cells), cells.boxes(), strict=True):
        found = []
        for j in range(cells.dim):
            flux = dict.fromkeys(exponents(cells.dim, degree), arb(0))
            for (weight, mean, covariance), axis in zip(parts, axes, strict=True):
                powers = [moments[c] for moments, c in zip(axis, place, strict=True)]
                powers[j] = _edge(mean[j], covariance[j][j], box[j], degree)
                for a, value in product_table(powers, degree).items():
                    flux[a] += weight * value
            found.append(flux)
        yield found


def _edge(mean: fmpq, variance: fmpq, interval: Interval, degree: int) -> list[arb]:
    """Return ``[x^k N(x; mean, variance)]`` between the ends, for all k up to the degree."""
    lower, upper = interval
    ends = [(sign, end) for sign, end in ((-1, lower), (1, upper)) if end is not None]
    heights = [(sign * density(mean, variance, end), end) for sign, end in ends]
    return [sum((h * end**k for h, end in heights), arb(0)) for k in range(degree + 1)]
