"""Components from many down to few: EM whose number of components is chosen on the way."""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.partition import EMCells, smallest_cell
from symscore.mixture import GaussianMixture

SETTLING = 5  # iterations after a merger


@final
@dataclass(frozen=True)
class MergedCells:
    """Components that are left of `n_cells` when pairs are merged, by the information criterion.

    Many components find every group of rows, where few from a random start may leave two groups in
    one: of a grid of 25 groups, 24 components from three starts missed several.
    """

    n_cells: int

    def __str__(self) -> str:
        return f"EM components merged from {self.n_cells}"

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """See :class:`Partition`; `start` is not used."""
        n, dim = x.shape
        most = max(1, min(self.n_cells, n // (2 * smallest_cell(dim))))
        mixture = EMCells(most, starts=1).fit(x, weights, seed=seed)
        best, least = mixture, criterion(mixture, x, weights)
        while mixture.n_components > 1:
            mixture = merged_pair(mixture)
            settling = EMCells(mixture.n_components, max_iterations=SETTLING)
            mixture = settling.fit(x, weights, seed=seed, start=mixture)
            value = criterion(mixture, x, weights)
            if value < least:
                best, least = mixture, value
        return EMCells(best.n_components).fit(x, weights, seed=seed, start=best)

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """See :class:`Partition`; the number of components is that of `whole`."""
        return EMCells(whole.n_components).refit(x, weights, seed=seed, whole=whole)


def criterion(mixture: GaussianMixture, x: FloatArray, weights: FloatArray) -> float:
    r"""Return :math:`p \log n / 2n` less the mean log density, of p parameters and n rows."""
    dim = mixture.dim
    parameters = mixture.n_components * (1 + dim + dim * (dim + 1) / 2) - 1
    # The rows' effective number: twice the weight of all rows is no more of them.
    n = 1 / np.sum(weights**2)
    return float(0.5 * parameters * np.log(n) / n - weights @ mixture.log_density(x))


def merged_pair(mixture: GaussianMixture) -> GaussianMixture:
    r"""Return the mixture with one component less: the pair that differs least becomes one.

    The two are replaced by the Gaussian of their mean and covariance. That changes the density by a
    Kullback-Leibler divergence of at most
    :math:`((w_i + w_j) \log |S_{ij}| - w_i \log |S_i| - w_j \log |S_j|) / 2` (Runnalls 2007).
    """
    weights, means, covariances = mixture.weights, mixture.means, mixture.covariances
    i, j = np.triu_indices(len(weights), 1)
    mass = weights[i] + weights[j]
    one, other = weights[i] / mass, weights[j] / mass
    apart = means[i] - means[j]
    spread = np.einsum("p,pa,pb->pab", one * other, apart, apart)
    joint = one[:, None, None] * covariances[i] + other[:, None, None] * covariances[j] + spread
    log_det = np.linalg.slogdet(covariances)[1]
    changed = mass * np.linalg.slogdet(joint)[1] - weights[i] * log_det[i] - weights[j] * log_det[j]
    pair = int(np.argmin(changed))
    a, b = i[pair], j[pair]
    centre = one[pair] * means[a] + other[pair] * means[b]
    kept = np.setdiff1d(np.arange(len(weights)), [a, b])
    return GaussianMixture(
        np.append(weights[kept], mass[pair]),
        np.concatenate([means[kept], centre[None]]),
        np.concatenate([covariances[kept], joint[pair][None]]),
    )
