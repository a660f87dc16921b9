"""Mixtures of mixtures: several plain mixtures averaged, weighed by held-out log density.

Mixtures of different numbers of components err in different places, and an average of densities
has a log density at least the average of theirs. On 5000 rows of a ring the total variation of the
best one of ten, .060, fell to .053; on moons, a spiral and a sphere it fell by a few per cent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.partition import Partition
from symscore.learn.select import Cells, Sample
from symscore.mixture import GaussianMixture

ROUNDS = (
    100  # of the iteration: few, since shares near even are what averages of equals should have
)
SMALLEST = 0.05  # share of a mixture
LARGEST = 64  # components of all of them together


@final
@dataclass(frozen=True)
class StackedCells:
    """The components of several partitions, whose weights are multiplied by shares."""

    parts: tuple[Partition, ...]
    shares: tuple[float, ...]

    @property
    def n_cells(self) -> int:
        """Number of components asked for."""
        return sum(part.n_cells for part in self.parts)

    def __str__(self) -> str:
        return f"average of {len(self.parts)} mixtures"

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """See :class:`Partition`; `start` is not used."""
        return averaged([part.fit(x, weights, seed=seed) for part in self.parts], self.shares)

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """See :class:`Partition`; `whole` is not used."""
        return self.fit(x, weights, seed=seed)


def averaged(mixtures: Sequence[GaussianMixture], shares: Iterable[float]) -> GaussianMixture:
    """Return the average of some densities, again a mixture."""
    pairs = list(zip(shares, mixtures, strict=True))
    weights = np.concatenate([share * mixture.weights for share, mixture in pairs])
    return GaussianMixture(
        weights / weights.sum(),
        np.concatenate([mixture.means for mixture in mixtures]),
        np.concatenate([mixture.covariances for mixture in mixtures]),
    )


def held_out(sample: Sample, cells: Cells) -> FloatArray:
    """Return log p (n,) of every row under the mixture that had not seen it."""
    values = np.empty(len(sample.x))
    for fold, crude in cells.without.items():
        rows = sample.folds == fold
        values[rows] = crude.log_density(sample.x[rows])
    return values


def stacked(sample: Sample, cells: Mapping[Partition, Cells]) -> tuple[StackedCells, Cells] | None:
    """Return the average of mixtures of largest held-out log density, if it is of several.

    The shares of the mixtures fitted without a fold come from the other folds, so that the fold is
    fresh for the average too.
    """
    partitions = list(cells)
    values = np.stack([held_out(sample, cells[p]) for p in partitions], axis=1)
    sizes = np.array([cells[p].whole.n_components for p in partitions])
    whole = best_average(values, sample.weights, sizes)
    kept = np.flatnonzero(whole)
    if len(kept) < 2:
        return None
    without = {}
    for fold in cells[partitions[0]].without:
        rest = sample.folds != fold
        shares = best_average(values[rest], sample.weights[rest], sizes)
        some = np.flatnonzero(shares)
        without[fold] = averaged([cells[partitions[j]].without[fold] for j in some], shares[some])
    stack = StackedCells(tuple(partitions[j] for j in kept), tuple(whole[kept].tolist()))
    return stack, Cells(
        averaged([part.whole for part in (cells[p] for p in stack.parts)], stack.shares), without
    )


def best_average(values: FloatArray, weights: FloatArray, sizes: np.ndarray) -> FloatArray:
    r"""Return the shares (T,) of densities, most of them zero, that maximise the log density.

    That is :math:`\sum_i v_i \log \sum_t w_t e^{l_{it}}` for `values` l (n, T) and `weights` v,
    by expectation-maximisation. Small shares are dropped, and the smallest ones until at most
    ``LARGEST`` components are left.
    """
    density = np.exp(values - values.max(axis=1, keepdims=True))
    share = weights / weights.sum()
    shares = np.full(values.shape[1], 1 / values.shape[1])
    for _ in range(ROUNDS):
        shares = shares * ((share / (density @ shares)) @ density)
    order = np.argsort(-shares, kind="stable")
    fits = (np.cumsum(sizes[order]) <= LARGEST) & (shares[order] >= SMALLEST)
    fits[0] = True
    shares[order[~fits]] = 0.0
    return shares / shares.sum()
