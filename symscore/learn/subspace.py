"""Cells in a few directions of many, and one Gaussian in the others.

Where the means and the differences of the covariances of a mixture lie in a subspace, so do they at
every noise level, and across it the score is that of one Gaussian. In the whitened frame that is
N(0, I), so a mixture in r directions B has density N(x; 0, I) p(B^T x) / N(B^T x; 0, I), again a
mixture: of r-dimensional parameters instead of d-dimensional ones.
"""

from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.partition import EMCells
from symscore.mixture import LOG_2PI, GaussianMixture

STARTS = 24  # of the search for a direction
STEPS = 20  # of the search from each start
TURNS = 6  # alternations of turning the subspace and fitting in it
FAR = 4.0  # standard deviations at which a projection is clipped, lest a few rows decide


@final
@dataclass(frozen=True)
class SubspaceCells:
    """Components from expectation-maximisation in the least Gaussian directions.

    Directions are added, at most `most`, while the information criterion falls.
    """

    n_cells: int
    most: int = 8

    def __str__(self) -> str:
        return f"{self.n_cells} EM components in up to {self.most} directions"

    def fit(
        self,
        x: FloatArray,
        weights: FloatArray,
        *,
        seed: int,
        start: GaussianMixture | None = None,
    ) -> GaussianMixture:
        """See :class:`Partition`; `start` is not used."""
        rng, dim = np.random.default_rng([seed, 5]), x.shape[1]
        basis, inside, least = np.empty((dim, 0)), None, 0.0
        found = GaussianMixture(np.ones(1), np.zeros((1, dim)), np.eye(dim)[None])
        for _ in range(min(self.most, dim - 1)):
            basis = widened(basis, inside, x, weights, rng=rng)
            inside = EMCells(self.n_cells).fit(x @ basis, weights, seed=seed)
            basis, inside = self._turned(basis, inside, x, weights)
            value = criterion(basis, inside, x, weights)
            if value >= least:
                break
            found, least = embedded(inside, basis), value
        return found

    def _turned(
        self, basis: FloatArray, inside: GaussianMixture, x: FloatArray, weights: FloatArray
    ) -> tuple[FloatArray, GaussianMixture]:
        """Turn the subspace and fit in it by turns."""
        few = EMCells(self.n_cells, max_iterations=10)
        for _ in range(TURNS):
            basis = turned(basis, inside, x, weights)
            inside = few.fit(x @ basis, weights, seed=0, start=inside)
        return basis, inside

    def refit(
        self, x: FloatArray, weights: FloatArray, *, seed: int, whole: GaussianMixture
    ) -> GaussianMixture:
        """See :class:`Partition`; `whole` is not used."""
        return self.fit(x, weights, seed=seed)


def embedded(inside: GaussianMixture, basis: FloatArray) -> GaussianMixture:
    """Return the mixture that is `inside` along orthonormal `basis` (d, r), and N(0, I) across."""
    dim = len(basis)
    along = basis @ (inside.covariances - np.eye(basis.shape[1])) @ basis.T
    covariances = np.eye(dim) + 0.5 * (along + along.swapaxes(1, 2))
    return GaussianMixture(inside.weights, inside.means @ basis.T, covariances)


def criterion(
    basis: FloatArray, inside: GaussianMixture, x: FloatArray, weights: FloatArray
) -> float:
    r"""Return :math:`p \log n / 2n` less the mean log density, both beyond those of N(0, I)."""
    dim, rank = basis.shape
    turns = rank * (dim - rank)
    own = (
        inside.n_components * (1 + rank + rank * (rank + 1) / 2) - 1 - rank - rank * (rank + 1) / 2
    )
    n = 1 / np.sum(weights**2)
    return float(0.5 * (turns + own) * np.log(n) / n - _gained(x @ basis, inside, weights))


def widened(
    basis: FloatArray,
    inside: GaussianMixture | None,
    x: FloatArray,
    weights: FloatArray,
    *,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the basis (d, r + 1) with one direction more, of two the one that tells more.

    That is the least Gaussian direction, or the one in which the components differ most.
    """
    left = x - (x @ basis) @ basis.T
    directions = [least_gaussian(left, weights, basis, rng=rng)]
    if inside is not None and inside.n_components > 1:
        directions.append(most_telling(left, weights, inside.responsibilities(x @ basis), basis))
    best = max(directions, key=lambda found: found[0])[1]
    # Nearly Gaussian rows leave a direction that is mostly rounding: once more, orthogonally.
    return _orthonormal(np.concatenate([basis, best[:, None]], axis=1))


def least_gaussian(
    x: FloatArray, weights: FloatArray, basis: FloatArray, *, rng: np.random.Generator
) -> tuple[float, FloatArray]:
    r"""Return the negentropy of the least Gaussian direction across the basis, and it (d,).

    It maximises :math:`\kappa_3^2 / 12 + \kappa_4^2 / 48` of the projection u, the leading terms of
    its negentropy, among the fixed points of :math:`b \leftarrow E[x u^3] - 3 E[u^2] b` and of
    :math:`b \leftarrow E[x u^2]` from several starts.
    """
    trial = _normed(_across(rng.standard_normal((x.shape[1], STARTS)), basis))
    odd = np.arange(STARTS) % 2 == 0
    for _ in range(STEPS):
        u = np.clip(x @ trial, -FAR, FAR)
        weighted = weights[:, None] * np.where(odd, u**2, u**3)
        pull = np.where(odd, 0.0, 3 * (weights @ u**2)) * trial
        trial = _normed(_across(x.T @ weighted - pull, basis))
    u = np.clip(x @ trial, -FAR, FAR)
    third, fourth = weights @ u**3, weights @ u**4 - 3 * (weights @ u**2) ** 2
    negentropy = third**2 / 12 + fourth**2 / 48
    best = int(np.argmax(negentropy))
    return float(negentropy[best]), trial[:, best]


def most_telling(
    x: FloatArray, weights: FloatArray, shares: FloatArray, basis: FloatArray
) -> tuple[float, FloatArray]:
    r"""Return what components, of responsibilities (n, k), say of a direction across the basis.

    Among the leading eigenvectors of :math:`\sum_c w_c ((S_c - I)^2 + m_c m_c^T)`, of component
    means and second moments, it is the one of largest mean divergence of N(m_c, s_c) from N(0, 1).
    """
    mass = weights @ shares
    means = (weights[:, None] * shares).T @ x / mass[:, None]
    across = np.eye(len(basis)) - basis @ basis.T
    scatter = np.einsum("c,ci,cj->ij", mass, means, means)
    for c in range(len(mass)):
        second = (x * (weights * shares[:, c] / mass[c])[:, None]).T @ x - across
        scatter += mass[c] * second @ second
    vectors = np.linalg.eigh(scatter)[1][:, -3:]
    u = x @ vectors
    centres = means @ vectors
    spreads = (weights[:, None] * shares).T @ u**2 / mass[:, None] - centres**2
    told = mass @ (0.5 * (spreads + centres**2 - 1 - np.log(np.maximum(spreads, 1e-12))))
    best = int(np.argmax(told))
    return float(told[best]), _normed(_across(vectors[:, best : best + 1], basis))[:, 0]


def turned(
    basis: FloatArray, inside: GaussianMixture, x: FloatArray, weights: FloatArray
) -> FloatArray:
    r"""Return the basis (d, r) after a step that raises the likelihood of the rows.

    The log density is :math:`h(B^T x)` plus what does not depend on B, with
    :math:`h(u) = \log p(u) + |u|^2 / 2`, so its gradient is :math:`E[x \nabla h(B^T x)^T]`: the
    mixture's score. The step is halved until the likelihood rises.
    """
    u = x @ basis
    slope = x.T @ (weights[:, None] * (inside.score(u) + u))
    slope -= basis @ (basis.T @ slope)
    before, length = _gained(u, inside, weights), 1.0
    for _ in range(10):
        trial = _orthonormal(basis + length * slope)
        if _gained(x @ trial, inside, weights) > before:
            return trial
        length /= 2
    return basis


def _gained(u: FloatArray, inside: GaussianMixture, weights: FloatArray) -> float:
    """Return the mean log density of u (n, r) beyond that under N(0, I)."""
    normal = 0.5 * (u**2).sum(axis=1) + 0.5 * u.shape[1] * LOG_2PI
    return float(weights @ (inside.log_density(u) + normal))


def _across(vectors: FloatArray, basis: FloatArray) -> FloatArray:
    return np.asarray(vectors - basis @ (basis.T @ vectors))


def _orthonormal(columns: FloatArray) -> FloatArray:
    """Return an orthonormal basis of the span, its vectors on the side of the columns."""
    basis, turn = np.linalg.qr(columns)
    return np.ascontiguousarray(basis * np.where(np.diagonal(turn) < 0, -1.0, 1.0))


def _normed(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-300))
