"""Sums of the denoising regression at one level: mergeable, and all that solving needs."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import dposv

from symscore.arrays import FloatArray, IntArray, blocks, for_each
from symscore.errors import BadData, ResourceLimit
from symscore.learn.field import PiecewiseScore
from symscore.learn.gram import add_normal_equations
from symscore.learn.hermite import degree_of, n_features
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

ROWS = 2048  # rows per block; fixed, so that sums do not depend on the number of threads
FEW = 512  # rows for which threads cost more to start than they save
WAVE = 16  # blocks summed side by side, each with a Gram matrix of its own
GRAM_LIMIT = 2**30  # bytes of one Gram matrix


def regression_noise(seed: int, level: int, shape: tuple[int, int]) -> FloatArray:
    """Return the standard normal z (n, d) of a level, from a counter-based generator.

    Row r depends on (seed, level, r) alone, and a shorter array is the beginning of a longer one.
    """
    key = np.array([seed, level], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(shape)


@final
@dataclass(frozen=True, eq=False)
class LevelStatistics:
    r"""Sums over noised data of one level, for the features of one crude mixture.

    With features :math:`\phi` (C F,), residuals :math:`r = x_0 - D_{crude}(y)` and row weights v:
    ``gram`` :math:`= \sum v \phi \phi^T`, ``cross`` :math:`= \sum v \phi r^T`,
    ``energy`` :math:`= \sum v |r|^2` and ``weight`` :math:`= \sum v`.
    """

    crude: GaussianMixture
    kappa: float
    degree: int
    rho: float
    gram: FloatArray
    cross: FloatArray
    energy: float
    weight: float

    def __add__(self, other: "LevelStatistics") -> "LevelStatistics":
        """Merge the sums of two sets of rows."""
        same = (self.kappa, self.degree, self.rho) == (other.kappa, other.degree, other.rho)
        if self.crude is not other.crude or not same:
            raise BadData("Expected statistics of one partition and level; got two different ones.")
        return LevelStatistics(
            self.crude,
            self.kappa,
            self.degree,
            self.rho,
            self.gram + other.gram,
            self.cross + other.cross,
            self.energy + other.energy,
            self.weight + other.weight,
        )

    def __sub__(self, other: "LevelStatistics") -> "LevelStatistics":
        """Take away the sums of some of the rows."""
        return self + replace(
            other,
            gram=-other.gram,
            cross=-other.cross,
            energy=-other.energy,
            weight=-other.weight,
        )

    def _rows(self, degree: int) -> np.ndarray:
        """Positions of the features of total degree <= `degree`: the leading ones of each cell."""
        dim = self.crude.dim
        every, used = n_features(dim, self.degree), n_features(dim, degree)
        return (every * np.arange(self.crude.n_components)[:, None] + np.arange(used)).ravel()

    def solve(self, degree: int, ridge: float) -> FloatArray:
        """Return the coefficients (C, F, d) of a degree, at most this one's own.

        Minimises ``sum v |r - coef . phi|^2 + ridge * sum_j gram_jj |coef_j|^2``; an infinite ridge
        gives no features at all, (C, 0, d), which is the crude mixture.
        """
        cells, dim = self.crude.n_components, self.crude.dim
        if np.isinf(ridge):
            return np.zeros((cells, 0, dim))
        rows = self._rows(degree)
        gram = self.gram[np.ix_(rows, rows)]
        diagonal = np.diagonal(gram)
        # A feature that no point reaches has a zero row: the floor keeps its coefficient at zero.
        penalty = ridge * diagonal + 1e-9 * diagonal.mean() + np.finfo(float).tiny
        gram[np.diag_indices_from(gram)] += penalty
        _, coef, failed = dposv(gram, self.cross[rows], lower=True, overwrite_a=True)
        if failed:
            raise LinAlgError(f"Expected a Gram matrix of finite numbers; row {failed} has others.")
        return coef.reshape(cells, -1, dim)

    def risk(self, coef: FloatArray) -> float:
        """Return the mean of |x_0 - D(y)|^2 over these rows, for coefficients (C, F, d)."""
        if coef.shape[1] == 0:
            return self.energy / self.weight
        rows = self._rows(degree_of(self.crude.dim, coef.shape[1]))
        flat = coef.reshape(-1, self.crude.dim)
        fitted = np.sum(flat * (self.gram[np.ix_(rows, rows)] @ flat))
        return float(self.energy - 2 * np.sum(flat * self.cross[rows]) + fitted) / self.weight

    def field(self, degree: int, ridge: float) -> PiecewiseScore:
        """Return the fitted field of this level."""
        level = NoiseLevel.from_kappa(self.kappa)
        return PiecewiseScore(self.crude, level, self.solve(degree, ridge), self.rho)


def accumulate(
    crude: GaussianMixture,
    kappa: float,
    x: FloatArray,
    weights: FloatArray,
    noises: list[FloatArray],
    *,
    degree: int,
    rho: float,
) -> LevelStatistics:
    """Sum over the rows x (n, d), each noised by +z and -z for every z (n, d) of `noises`."""
    one = np.zeros(len(x), dtype=np.int64)
    return accumulate_folds(crude, kappa, x, weights, noises, one, degree=degree, rho=rho)[0]


def accumulate_folds(
    crude: GaussianMixture,
    kappa: float,
    x: FloatArray,
    weights: FloatArray,
    noises: list[FloatArray],
    folds: IntArray,
    *,
    degree: int,
    rho: float,
) -> dict[int, LevelStatistics]:
    """Sum as :func:`accumulate` does, over rows of every fold (n,) apart; no rows are fold 0."""
    size = n_features(crude.dim, degree)
    _require_memory(crude, degree)
    empty = np.zeros((crude.n_components, size, crude.dim))
    packed = PiecewiseScore(crude, NoiseLevel.from_kappa(kappa), empty, rho).packed
    order = np.argsort(folds, kind="stable")
    rows, share = x[order], weights[order] / len(noises)
    drawn = [noise[order] for noise in noises]
    width = crude.n_components * size

    def one_piece(piece: slice) -> tuple[FloatArray, FloatArray, float]:
        gram, cross, energy = np.zeros((width, width)), np.zeros((width, crude.dim)), 0.0
        for noise in drawn:
            energy += add_normal_equations(
                *packed, kappa, rows[piece], noise[piece], share[piece], gram, cross
            )
        return gram, cross, energy

    labels = np.unique(folds) if len(folds) else np.zeros(1, dtype=np.int64)
    place = np.searchsorted(labels, folds)
    pieces = _pieces(np.bincount(place, minlength=len(labels)))
    sums = [(np.zeros((width, width)), np.zeros((width, crude.dim)), 0.0) for _ in labels]
    # Wave by wave, so that only so many Gram matrices are in memory at once.
    for wave in blocks(len(pieces), WAVE):
        some = [piece for _, piece in pieces[wave]]
        parts = for_each(one_piece, some, in_threads=len(x) > FEW)
        for (fold, _), part in zip(pieces[wave], parts, strict=True):
            gram, cross, energy = sums[fold]
            gram += part[0]
            cross += part[1]
            sums[fold] = gram, cross, energy + part[2]
    mass = np.bincount(place, weights, minlength=len(labels))
    return {
        int(label): LevelStatistics(
            crude, kappa, degree, rho, _symmetric(gram), cross, energy, float(weight)
        )
        for label, (gram, cross, energy), weight in zip(labels, sums, mass, strict=True)
    }


def _pieces(counts: IntArray) -> list[tuple[int, slice]]:
    """Cut consecutive stretches of `counts` rows into blocks, each with its stretch's number."""
    starts = np.cumsum(counts) - counts
    return [
        (fold, slice(start + part.start, start + part.stop))
        for fold, (start, count) in enumerate(zip(starts.tolist(), counts.tolist(), strict=True))
        for part in blocks(count, ROWS)
    ]


def _symmetric(lower: FloatArray) -> FloatArray:
    whole = np.tril(lower)
    whole += np.tril(lower, -1).T
    return whole


def _require_memory(crude: GaussianMixture, degree: int) -> None:
    needed = 8 * (crude.n_components * n_features(crude.dim, degree)) ** 2
    if needed > GRAM_LIMIT:
        raise ResourceLimit(
            f"Expected a Gram matrix of at most {GRAM_LIMIT / 2**30:.0f} GiB; {crude.n_components} "
            f"cells of degree {degree} in {crude.dim} dimensions need {needed / 2**30:.1f}: use "
            "fewer cells or a lower degree."
        )
