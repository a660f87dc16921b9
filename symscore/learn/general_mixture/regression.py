"""Step A7: the denoising regression of every cell, from noise drawn or integrated out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import final

import numpy as np

from symscore.arrays import FloatArray, blocks
from symscore.learn.general_mixture.field import GatedScore
from symscore.learn.hard import ROWS, affordable_features, effective_rows, ridge_solution
from symscore.learn.hermite import multi_indices, n_features
from symscore.learn.hermite_sums import (
    hermite_moments,
    linearisation,
    needed_order,
    raised_indices,
)


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
            used = affordable_features(float(self.effective[c]), dim, degree)
            if used:
                gram, cross = self.gram[c, :used, :used], self.cross[c, :used]
                coef[c, :used] = ridge_solution(gram, cross, ridge)
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
    return CellSums(gram, cross, effective_rows(mass, square))


def hermite_means(x: FloatArray, weights: FloatArray, degree: int) -> FloatArray:
    """Return the means (F,) of the orthonormal Hermite polynomials of x (n, d) up to `degree`.

    One pass over the rows serves every level: see :func:`integrated_sums`.
    """
    return hermite_moments(x, weights, np.zeros(x.shape[1]), degree, 1.0)


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
    totals = np.array([sum(k) for k in multi_indices(dim, needed_order(degree))])
    noised = alpha**totals * means[: len(totals)]
    gram = (linearisation(dim, degree) @ noised[: n_features(dim, 2 * degree)]).reshape(size, size)
    ups, rates = raised_indices(dim, degree)
    cross = blank.level.sigma**2 * alpha ** totals[:size, None] * rates * means[ups]
    # An affine map of x_t: its values at 0 and at the unit vectors say which.
    corners = blank.linear(0, np.concatenate([np.zeros((1, dim)), np.eye(dim)]))
    slope = corners[1:] - corners[0] - alpha * np.eye(dim)
    cross -= gram[:, : dim + 1] @ np.concatenate([corners[:1], slope])
    return CellSums(gram[None], cross[None], np.array([effective]))


def _norm(x: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((x**2).sum(axis=1)))
