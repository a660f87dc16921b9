r"""Sums of the cell-wise regression of one level (step B3): closed form inside, drawn at borders.

A row further than six sd of the noise from every border of its cell stays there, but for a
probability below 1e-9 a border: its noise is integrated out (:mod:`.hermite_sums`). Rows nearer to
a border, where cells cut the noise, are noised by antithetic draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray, blocks
from symscore.learn.hard import effective_rows, nearest
from symscore.learn.hermite import n_features
from symscore.learn.hermite_sums import (
    exact_equations,
    hermite_moments,
    hermite_values,
    needed_order,
)

INSIDE = 6.0  # sd of the noise between a row and the nearest border
MOST_MOMENTS = 10_000  # above, drawing the noise is cheaper than integrating it out
ROWS = 4096  # rows per block of the sums; fixed, so that their order does not depend on the machine


@final
@dataclass(frozen=True, eq=False)
class CellEquations:
    r"""Normal equations of every cell: :math:`\sum v h h^T`, :math:`\sum v h f^T`.

    Attributes
    ----------
    gram : (C, F, F) array
    cross : (C, F, d) array
    effective : (C,) array
        Rows that a cell's sums are worth, ``(sum v)^2 / sum v^2``; the copies of a row are one.
    """

    gram: FloatArray
    cross: FloatArray
    effective: FloatArray


def cell_equations(
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
    centres: FloatArray,
    t: float,
    *,
    noise: float,
    degree: int,
    moments: FloatArray | None = None,
) -> CellEquations:
    r"""Return the sums over rows x with heat noise :math:`y = x + \sqrt t \, \xi`.

    The basis is :math:`h_k((y - c) / \sigma)` about the cell's centre, :math:`\sigma^2 =
    \sigma_0^2 + t`, and the target

    .. math:: (1 - \sigma^2 / t) y + (\sigma^2 / t) x = y - (\sigma^2 / \sqrt t) \xi ,

    whose mean given y is :math:`f(y) = E[\mu | y]`.

    Parameters
    ----------
    x : (n, d) array
        Clean rows.
    weights : (n,) array
        Positive, summing to one.
    noises : sequence of (n, d) array
        Standard normal draws, used as +z and -z where a row is near a border.
    centres : (C, d) array
        Whose Voronoi cells are the cells of y.
    t : float
        Heat time.
    noise : float
        :math:`\sigma_0`.
    degree : int
    moments : (M,) array, optional
        Of all rows about the only centre, from an earlier level, which saves the pass over x.
    """
    cells, dim = centres.shape
    size = n_features(dim, degree)
    sums = _Sums.zeros(len(x), cells, size, dim)
    labels, inside = interior(x, centres, np.sqrt(t))
    if n_features(dim, needed_order(degree)) > MOST_MOMENTS:
        inside = np.zeros_like(inside)
    sigma = float(np.hypot(noise, np.sqrt(t)))
    for c in np.unique(labels[inside]):
        rows = inside & (labels == c)
        own = moments
        if own is None or cells > 1:
            own = cell_moments(x[rows], weights[rows], centres[c], degree, noise)
        gram, cross = exact_equations(own, centres[c], degree, sigma)
        sums.gram[c] += gram
        sums.cross[c] += cross
        sums.own[rows, c] += weights[rows]
    drawn = np.flatnonzero(~inside)
    for block in blocks(len(drawn), ROWS):
        rows = drawn[block]
        _add_drawn(sums, rows, x, weights, noises, centres, t, sigma, degree)
    square = (sums.own**2).sum(axis=0)
    effective = effective_rows(sums.own.sum(axis=0), square)
    return CellEquations(sums.gram, sums.cross, effective)


def cell_moments(
    x: FloatArray, weights: FloatArray, centre: FloatArray, degree: int, noise: float
) -> FloatArray:
    """Return the Hermite moments of rows about a centre that the equations of a degree need."""
    return hermite_moments(x, weights, centre, needed_order(degree), noise**2)


def interior(x: FloatArray, centres: FloatArray, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell of every row (n,), and whether noise of that sd leaves it there (n,)."""
    labels = nearest(x, centres)
    margin = np.full(len(x), np.inf)
    home = centres[labels]
    for centre in centres:
        apart = np.sqrt(((centre - home) ** 2).sum(axis=1))
        other = apart > 0
        excess = ((x - centre) ** 2).sum(axis=1) - ((x - home) ** 2).sum(axis=1)
        margin[other] = np.minimum(margin[other], excess[other] / (2 * apart[other]))
    return labels, margin > INSIDE * sd


@final
@dataclass(frozen=True, eq=False)
class _Sums:
    gram: FloatArray
    cross: FloatArray
    own: FloatArray  # (n, C) weight of a row in a cell

    @classmethod
    def zeros(cls, n: int, cells: int, size: int, dim: int) -> "_Sums":
        return cls(
            np.zeros((cells, size, size)), np.zeros((cells, size, dim)), np.zeros((n, cells))
        )


def _add_drawn(
    sums: _Sums,
    rows: np.ndarray,
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
    centres: FloatArray,
    t: float,
    sigma: float,
    degree: int,
) -> None:
    """Add rows noised by +z and -z, in the cells where they then are."""
    share = weights[rows] / (2 * len(noises))
    for z in (sign * noise[rows] for noise in noises for sign in (1, -1)):
        y = x[rows] + np.sqrt(t) * z
        target = y - sigma**2 / np.sqrt(t) * z
        labels = nearest(y, centres)
        for c in np.unique(labels):
            here = labels == c
            phi = hermite_values((y[here] - centres[c]) / sigma, degree)
            weighted = share[here, None] * phi
            sums.gram[c] += weighted.T @ phi
            sums.cross[c] += weighted.T @ target[here]
            sums.own[rows[here], c] += share[here]
