"""Step A6: from a point to its cell, by Algorithm 5 of arXiv 2404.18893 or by likelihood."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp

from symscore.arrays import FloatArray, as_points, check_shape, frozen
from symscore.errors import BadOption
from symscore.learn.general_mixture.covariances import nearest_projected
from symscore.learn.general_mixture.means import span_basis
from symscore.learn.general_mixture.partitions import Blocks, labels_of, refinement
from symscore.mixture import GaussianMixture


class CellRule(Protocol):
    """A map from points to cells, each of which belongs to some of the crude components."""

    @property
    def blocks(self) -> Blocks:
        """Components of every cell."""

    def cells(self, x: ArrayLike) -> np.ndarray:
        """Return the cell of each row of x (n, d), shape (n,)."""


@final
@dataclass(frozen=True, eq=False)
class PairedCells:
    r"""Cells by means and, within those, by covariances: Algorithm 5.

    With S a partition of the components by means and T one by covariances, a point x belongs to
    the block a of S that holds the component whose mean is nearest to :math:`\Pi x`, and to a
    block b of T such that, for some i in b and all j outside,

    .. math:: (x - \hat\mu(x))^T (\hat K_i - \hat K_j) (x - \hat\mu(x)) < t_{ij} - \eta .

    Of the blocks b that meet a, the one that satisfies this by the largest :math:`\eta` is taken:
    the same wherever the printed rule names exactly one, and a cell where it names none.

    Parameters
    ----------
    carried : GaussianMixture
        Crude components at the level of the points.
    by_mean, by_covariance : tuple of tuples of int
        S and T.
    thresholds : (k, k) array
        :math:`t_{ij}`; only those of components of different blocks of T matter.

    Raises
    ------
    BadOption
        Where a partition is not one of the components.
    """

    carried: GaussianMixture
    by_mean: Blocks
    by_covariance: Blocks
    thresholds: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", frozen(self.thresholds))
        k = self.carried.n_components
        check_shape("thresholds", self.thresholds, k, k)
        _check_blocks(self.by_mean, k)
        _check_blocks(self.by_covariance, k)

    @cached_property
    def blocks(self) -> Blocks:
        """The cells' components: the common refinement of S and T."""
        return refinement(self.by_mean, self.by_covariance)

    @cached_property
    def _basis(self) -> FloatArray:
        return span_basis(self.carried.means)

    def cells(self, x: ArrayLike) -> np.ndarray:
        """Return the cell of each row of x (n, d), shape (n,); of equally good ones, the first."""
        points = as_points("x", x, self.carried.dim)
        first = labels_of(self.by_mean)[self._nearest(points)]
        excess = self.excess(points)
        pairs = [
            (labels_of(self.by_mean)[block[0]], labels_of(self.by_covariance)[block[0]])
            for block in self.blocks
        ]
        scores = np.stack([np.where(first == a, excess[:, b], np.inf) for a, b in pairs], axis=1)
        return scores.argmin(axis=1)

    def excess(self, x: FloatArray) -> FloatArray:
        r"""Return, for every block b of T, the least -eta for which x belongs to it, shape (n, B).

        :math:`\min_{i \in b} \max_{j \notin b} [q_i - q_j - t_{ij}]` with
        :math:`q_i = (x - \hat\mu(x))^T \hat K_i (x - \hat\mu(x))`. Step A6 decides on b with a
        margin :math:`\eta` where this is below :math:`-\eta`; a block of all components has -inf.
        """
        z = x - self.carried.means[self._nearest(x)]
        quad = (np.einsum("kij,nj->nki", self.carried.chol_precisions, z) ** 2).sum(axis=2)
        labels = labels_of(self.by_covariance)
        beyond = quad[:, :, None] - quad[:, None, :] - self.thresholds
        beyond = np.where(labels[:, None] == labels, -np.inf, beyond).max(axis=2)
        return np.stack([beyond[:, block].min(axis=1) for block in self.by_covariance], axis=1)

    def _nearest(self, x: FloatArray) -> np.ndarray:
        return nearest_projected(x, self.carried.means, self._basis)


@final
@dataclass(frozen=True, eq=False)
class LikelihoodCells:
    """Cells of the points that one block of components explains best.

    The cell of x is that of the block with the largest sum of weighted component densities. It
    deviates from Algorithm 5, which knows no weights and takes every quadratic form about the
    nearest mean.

    Parameters
    ----------
    carried : GaussianMixture
        Crude components at the level of the points.
    blocks : tuple of tuples of int
        Components of every cell.

    Raises
    ------
    BadOption
        Where the blocks are no partition of the components.
    """

    carried: GaussianMixture
    blocks: Blocks

    def __post_init__(self) -> None:
        _check_blocks(self.blocks, self.carried.n_components)

    def cells(self, x: ArrayLike) -> np.ndarray:
        """Return the cell of each row of x (n, d), shape (n,); of equally good ones, the first."""
        points = as_points("x", x, self.carried.dim)
        if len(self.blocks) == 1:
            return np.zeros(len(points), dtype=np.int64)
        terms = log_terms(self.carried, points)
        block = [logsumexp(terms[:, own], axis=1) for own in self.blocks]
        return np.stack(block, axis=1).argmax(axis=1)


def likelihood_thresholds(carried: GaussianMixture) -> FloatArray:
    r"""Return :math:`t_{ij} = \log |K_i| - \log |K_j| + 2 \log (w_i / w_j)`, shape (k, k).

    With them the comparison of Algorithm 5 is the likelihood ratio of components that share a
    mean. They lie where the paper's search must end, between the means of the quadratic form under
    j and under i, if the weights are equal.
    """
    height = 2 * np.log(carried.weights) - 2 * np.log(
        np.diagonal(carried.chol_covariances, axis1=1, axis2=2)
    ).sum(axis=1)
    return np.asarray(height[:, None] - height)


def log_terms(mixture: GaussianMixture, x: FloatArray) -> FloatArray:
    """Return log w_i N(x; m_i, S_i) up to one constant, shape (n, k)."""
    u = np.einsum("kij,nkj->nki", mixture.chol_precisions, x[:, None] - mixture.means)
    log_det = np.log(np.diagonal(mixture.chol_covariances, axis1=1, axis2=2)).sum(axis=1)
    return np.asarray(np.log(mixture.weights) - log_det - 0.5 * (u**2).sum(axis=2))


def _check_blocks(blocks: Blocks, k: int) -> None:
    if sorted(i for block in blocks for i in block) != list(range(k)) or not all(blocks):
        raise BadOption(f"Expected a partition of {k} components; got {blocks}.")
