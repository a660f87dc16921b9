"""Step A7: the denoising regression of every cell, from noise drawn or integrated out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import comb, factorial, inf, prod, sqrt
from typing import NamedTuple, final

import numpy as np
from scipy.linalg import solve

from symscore.arrays import FloatArray, IntArray, blocks
from symscore.learn.general_mixture.field import GatedScore
from symscore.learn.hard import ROWS, ROWS_PER_FEATURE, cell_features
from symscore.learn.hermite import multi_indices, n_features
from symscore.mixture import GaussianMixture


@final
@dataclass(frozen=True)
class LossClip:
    """Radii of the loss: a noised point with |x_t| or |z| beyond its radius is left out of it."""

    point: float = inf
    noise: float = inf


NO_CLIP = LossClip()


@final
@dataclass(frozen=True, eq=False)
class CellSums:
    r"""Normal equations of every cell's polynomial, up to one degree.

    Attributes
    ----------
    gram : (C, F, F) array
        :math:`\sum v \, h(u) h(u)^T` over the noised points in a cell and inside its gate.
    cross : (C, F, d) array
        :math:`\sum v \, h(u) r^T`, with r the point x_0 less the cell's linear denoiser.
    effective : (C,) array
        Effective number of rows that a cell holds, copies of a row counted once.
    """

    gram: FloatArray
    cross: FloatArray
    effective: FloatArray

    def solve(self, degree: int, ridge: float) -> FloatArray:
        r"""Return the coefficients (C, F, d): those above `degree` are zero.

        They minimise :math:`\sum v |r - \theta \cdot h|^2 + \lambda \sum_p G_{pp} |\theta_p|^2`.
        The degree of a cell is the largest for which it has ten effective rows a feature; below
        that all are zero, and the cell's score stays linear.
        """
        cells, _, dim = self.cross.shape
        coef = np.zeros_like(self.cross)
        for c in range(cells if ridge < inf else 0):
            sizes = (n_features(dim, k) for k in range(degree, -1, -1))
            most = self.effective[c] / ROWS_PER_FEATURE
            used = next((size for size in sizes if size <= most), 0)
            if used:
                gram = self.gram[c, :used, :used]
                diagonal = np.diagonal(gram)
                # The second term is rounding's: it keeps the matrix definite where ridge is 0.
                penalty = ridge * diagonal + 1e-12 * diagonal.mean()
                coef[c, :used] = solve(
                    gram + np.diag(penalty), self.cross[c, :used], assume_a="pos"
                )
        return coef


def sampled_sums(
    blank: GatedScore,
    x: FloatArray,
    weights: FloatArray,
    noises: Sequence[FloatArray],
    *,
    degree: int,
    clip: LossClip,
) -> CellSums:
    """Sum over rows noised by +z and by -z for every z of `noises`.

    The denoiser is regressed on x_0, which is the score regressed on ``-z / sigma`` times a
    constant of the level.

    Parameters
    ----------
    blank : GatedScore
        Cells, gates and linear parts; its coefficients play no part.
    x : (n, d) array
        Clean rows.
    weights : (n,) array
        Positive, summing to one.
    noises : sequence of (n, d) array
    degree : int
    clip : LossClip
    """
    cells, size, dim = blank.n_cells, n_features(blank.dim, degree), blank.dim
    gram, cross = np.zeros((cells, size, size)), np.zeros((cells, size, dim))
    mass, square = np.zeros(cells), np.zeros(cells)
    alpha, sigma = blank.level.alpha, blank.level.sigma
    for rows in blocks(len(x), ROWS):
        own = np.zeros((rows.stop - rows.start, cells))
        share = weights[rows] / (2 * len(noises))
        for shift in (sign * z[rows] for z in noises for sign in (1.0, -1.0)):
            noised = alpha * x[rows] + sigma * shift
            labels = blank.rule.cells(noised)
            within = (_norm(noised) <= clip.point) & (_norm(shift) <= clip.noise)
            for c in np.unique(labels).tolist():
                here = np.flatnonzero((labels == c) & within)
                here = here[blank.inside(c, noised[here])]
                own[here, c] += share[here]
                phi = blank.features(c, noised[here], degree)
                weighted = share[here, None] * phi
                gram[c] += weighted.T @ phi
                cross[c] += weighted.T @ (x[rows][here] - blank.linear(c, noised[here]))
        mass += own.sum(axis=0)
        square += (own**2).sum(axis=0)
    # Rounded, so that thirty equal rows are thirty.
    effective = np.round(mass**2 / np.maximum(square, np.finfo(float).tiny), 6)
    return CellSums(gram, cross, effective)


def hermite_means(x: FloatArray, weights: FloatArray, degree: int) -> FloatArray:
    """Return the means (F,) of the orthonormal Hermite polynomials of x (n, d) up to `degree`.

    One pass over the rows serves every level: see :func:`integrated_sums`.
    """
    standard = GaussianMixture(np.ones(1), np.zeros((1, x.shape[1])), np.eye(x.shape[1])[None])
    total = np.zeros(n_features(x.shape[1], degree))
    for rows in blocks(len(x), ROWS):
        total += weights[rows] @ cell_features(standard, 0, x[rows], degree)
    return total


def integrated_sums(
    blank: GatedScore, means: FloatArray, effective: float, *, degree: int
) -> CellSums:
    r"""Return the sums of a single cell with the noise integrated out exactly.

    For whitened rows and a cell that is all of space, u is x_t itself, and with
    :math:`m_k = \sum_n v_n h_k(x_n)`, orthonormal,

    .. math::

        G_{pq} = \sum_{r \le p, q} \alpha^{|p + q - 2 r|} \, m_{p + q - 2 r}
            \prod_i c(p_i, q_i, r_i), \qquad \sum v \, h_p \, (x_0 - \alpha x_t)_j
            = \sigma^2 \alpha^{|p|} \sqrt{p_j + 1} \, m_{p + e_j} .

    The first is the product formula of Hermite polynomials, which the Ornstein-Uhlenbeck semigroup
    multiplies by powers of :math:`\alpha`; the second is Stein's identity. The gate plays no part
    in the sums, since it is met with a probability near one. Own derivation; no noise is drawn.

    Parameters
    ----------
    blank : GatedScore
        With one cell whose own Gaussian is N(0, I).
    means : (F',) array
        See :func:`hermite_means`, up to degree ``max(2 degree, degree + 1)`` at least.
    effective : float
        Number of effective rows.
    degree : int
    """
    degree = max(degree, 1)  # the linear part is a polynomial of degree 1
    dim, alpha, size = blank.dim, blank.level.alpha, n_features(blank.dim, degree)
    table = _products(dim, degree)
    terms = table.factor * alpha**table.order * means[table.position]
    flat = np.zeros(size**2)
    np.add.at(flat, table.entry, terms)
    gram = flat.reshape(size, size)
    raised = blank.level.sigma**2 * alpha ** table.totals[:, None] * table.rates
    cross = raised * means[table.ups]
    # An affine map of x_t: its values at 0 and at the unit vectors say which.
    corners = blank.linear(0, np.concatenate([np.zeros((1, dim)), np.eye(dim)]))
    slope = corners[1:] - corners[0] - alpha * np.eye(dim)
    cross -= gram[:, : dim + 1] @ np.concatenate([corners[:1], slope])
    return CellSums(gram[None], cross[None], np.array([effective]))


class _Products(NamedTuple):
    """Products of Hermite polynomials: entry (p, q) of the Gram sums factor times h at position."""

    entry: IntArray
    position: IntArray
    order: IntArray
    factor: FloatArray
    totals: IntArray  # (F,) |p|
    rates: FloatArray  # (F, d) sqrt(p_j + 1)
    ups: IntArray  # (F, d) position of p + e_j


@lru_cache(maxsize=16)
def _products(dim: int, degree: int) -> _Products:
    powers = multi_indices(dim, degree)
    place = {p: j for j, p in enumerate(multi_indices(dim, max(2 * degree, degree + 1)))}
    rows = []
    for a, p in enumerate(powers):
        for b, q in enumerate(powers):
            for r in product(*(range(min(pair) + 1) for pair in zip(p, q, strict=True))):
                left = tuple(i + j - 2 * k for i, j, k in zip(p, q, r, strict=True))
                factor = prod(list(map(_product_factor, p, q, r)))
                rows.append((a * len(powers) + b, place[left], sum(left), factor))
    entry, position, order, factors = zip(*rows, strict=True)
    ups = [[place[(*p[:j], p[j] + 1, *p[j + 1 :])] for j in range(dim)] for p in powers]
    return _Products(
        np.array(entry),
        np.array(position),
        np.array(order),
        np.array(factors),
        np.array([sum(p) for p in powers]),
        np.sqrt(np.array(powers) + 1.0),
        np.array(ups),
    )


def _product_factor(p: int, q: int, r: int) -> float:
    """Coefficient of h_{p+q-2r} in h_p h_q, in one variable."""
    ways = comb(p, r) * comb(q, r) * factorial(r)
    return ways * sqrt(factorial(p + q - 2 * r) / (factorial(p) * factorial(q)))


def _norm(x: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((x**2).sum(axis=1)))
