"""Crude Gaussian components of whitened data: the cells of the learned field."""

from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np
from sklearn.cluster import KMeans

from symscore.arrays import FloatArray, blocks, for_each
from symscore.learn.gram import add_moments
from symscore.learn.packed import Packed, pack_mixture
from symscore.mixture import GaussianMixture

MAX_CONDITION = 1e6  # of a component's covariance: thinner ones are fattened to it
SHORT_RUN = 20  # iterations of a start before starts are compared
MUCH = 200_000  # rows times components of an iteration that threads are worth starting for
FLOOR = 1e-10  # smallest eigenvalue of a covariance, relative to whitened unit variance


class Partition(Protocol):
    """A way to find crude components; equal partitions of equal data are equal."""

    @property
    def n_cells(self) -> int:
        """Number of components asked for; fewer may come out."""

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """Return components of x (n, d) under `weights` (n,), summing to one.

        An iteration begins at `start`, where it is given.
        """

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """Return components of x, some of the rows to which `whole` was fitted.

        Of `whole` at most the centres are used, to begin with: what it knows of the other rows must
        not show.
        """


def smallest_cell(dim: int) -> int:
    """Return the number of effective points below which a cell is merged into its neighbours."""
    return 5 * (dim + 1)


@final
@dataclass(frozen=True)
class KMeansCells:
    """Moments of k-means cells, each shrunk towards the pooled covariance within cells."""

    n_cells: int

    def __str__(self) -> str:
        return f"{self.n_cells} k-means cells"

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """See :class:`Partition`; `start` is not used."""
        return _cell_moments(x, weights, _labels(x, weights, self.n_cells, seed))

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """See :class:`Partition`; `whole` is not used."""
        return self.fit(x, weights, seed=seed)


@final
@dataclass(frozen=True)
class EMCells:
    """Components of a Gaussian mixture fitted by expectation-maximisation.

    Our own weighted iteration, since scikit-learn's ``GaussianMixture`` takes no weights. Of
    several k-means starts, a few iterations each, the one of largest likelihood is carried on.
    """

    n_cells: int
    starts: int = 3
    tolerance: float = 1e-4
    max_iterations: int = 200

    def __str__(self) -> str:
        return f"{self.n_cells} EM components"

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """See :class:`Partition`."""
        return self._iterated(start or self._start(x, weights, seed), x, weights)[0]

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """See :class:`Partition`."""
        labels = _labels(x, weights, self.n_cells, seed, whole.means)
        return self.fit(x, weights, seed=seed, start=_cell_moments(x, weights, labels))

    def _start(self, x: FloatArray, weights: FloatArray, seed: int) -> GaussianMixture:
        starts = [
            _cell_moments(x, weights, _labels(x, weights, self.n_cells, seed + j))
            for j in range(self.starts if self.n_cells > 1 else 1)
        ]
        if len(starts) == 1:
            return starts[0]
        short = replace(self, max_iterations=SHORT_RUN)
        runs = [short._iterated(start, x, weights) for start in starts]
        return max(runs, key=lambda run: run[1])[0]

    def _iterated(
        self, mixture: GaussianMixture, x: FloatArray, weights: FloatArray
    ) -> tuple[GaussianMixture, float]:
        """Return the mixture after convergence, and the log density of the one before it."""
        before = -np.inf
        for _ in range(self.max_iterations):
            mixture, log_density = _em_step(mixture, x, weights)
            if log_density - before < self.tolerance:
                break
            before = log_density
        return mixture, log_density


@final
@dataclass(frozen=True, eq=False)
class GivenCells:
    """Components that were found in another way; `name` says which."""

    crude: GaussianMixture
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def n_cells(self) -> int:
        """Number of the components."""
        return self.crude.n_components

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """Return the components; neither the rows nor `start` change them."""
        return self.crude

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """Return the components; neither the rows nor `whole` change them."""
        return self.crude


def _labels(
    x: FloatArray,
    weights: FloatArray,
    n_cells: int,
    seed: int,
    centres: FloatArray | None = None,
) -> np.ndarray:
    """K-means labels; cells with too few effective points give theirs to the nearest centre."""
    n_cells = max(1, min(n_cells, len(x) // smallest_cell(x.shape[1])))
    if n_cells == 1:
        return np.zeros(len(x), dtype=np.int64)
    if centres is not None and len(centres) <= n_cells:
        kmeans = KMeans(len(centres), init=centres, n_init=1)
    else:
        kmeans = KMeans(n_cells, n_init=2, random_state=seed % 2**32)
    kmeans = kmeans.fit(x, sample_weight=weights)
    centres, labels = kmeans.cluster_centers_, kmeans.labels_
    while len(centres) > 1:
        sums = np.bincount(labels, weights, minlength=len(centres))
        squares = np.bincount(labels, weights**2, minlength=len(centres))
        effective = sums**2 / np.maximum(squares, 1e-300)
        if effective.min() >= smallest_cell(x.shape[1]):
            break
        centres = np.delete(centres, effective.argmin(), axis=0)
        labels = ((x[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    return labels


def _cell_moments(x: FloatArray, weights: FloatArray, labels: np.ndarray) -> GaussianMixture:
    """Return each cell's mass, mean and covariance, the latter shrunk to the pooled one."""
    cells, dim = np.unique(labels), x.shape[1]
    mass = np.array([weights[labels == c].sum() for c in cells])
    means = np.stack(
        [np.average(x[labels == c], axis=0, weights=weights[labels == c]) for c in cells]
    )
    covariances = np.stack(
        [
            np.atleast_2d(np.cov(x[labels == c].T, aweights=weights[labels == c], ddof=0))
            for c in cells
        ]
    )
    if len(cells) > 1:
        pooled = np.einsum("c,cij->ij", mass, covariances) / mass.sum()
        prior = 2 * (dim + 1)
        counts = np.array([(labels == c).sum() for c in cells])
        share = (prior / (counts + prior))[:, None, None]
        covariances = (1 - share) * covariances + share * pooled
    return GaussianMixture(mass / mass.sum(), means, _conditioned(covariances))


def _em_step(
    mixture: GaussianMixture, x: FloatArray, weights: FloatArray
) -> tuple[GaussianMixture, float]:
    """Return the next iterate and the mean log density (up to a constant) of the present one."""
    k, dim = mixture.n_components, mixture.dim
    packed: Packed = pack_mixture(mixture)

    def one_block(rows: slice) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        sums = np.zeros(k), np.zeros((k, dim)), np.zeros((k, dim, dim))
        return *sums, add_moments(*packed, x[rows], weights[rows], *sums)

    # Blocks are fixed, so that sums do not depend on threads; those cost more than little work.
    some = list(blocks(len(x), 4096))
    parts = for_each(one_block, some, in_threads=len(x) * k > MUCH)
    mass, first, second, log_density = (sum(column) for column in zip(*parts, strict=True))
    # A component left with too little mass is dropped; the others share it from the next step on.
    kept = mass * len(x) >= smallest_cell(dim) / 2
    kept[mass.argmax()] = True
    mass, first, second = mass[kept], first[kept], second[kept]
    means = first / mass[:, None]
    lower = np.tril(second, -1)
    second = second + lower.swapaxes(1, 2)
    covariances = second / mass[:, None, None] - means[:, :, None] * means[:, None, :]
    return GaussianMixture(mass / mass.sum(), means, _conditioned(covariances)), float(log_density)


def _conditioned(covariances: FloatArray) -> FloatArray:
    """Raise eigenvalues to a floor relative to the component's own largest one."""
    values, vectors = np.linalg.eigh(covariances)
    floor = np.maximum(values[:, -1:] / MAX_CONDITION, FLOOR)
    if np.all(values >= floor):
        return covariances
    lifted = np.maximum(values, floor)
    return np.einsum("cij,cj,ckj->cik", vectors, lifted, vectors)
