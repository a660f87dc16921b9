r"""Held-out denoising risk by degree and number of cells, for two Gaussians on the line.

At the level alpha = 4/5 the rows of 1/2 N(-5 mu / 4, 1) + 1/2 N(5 mu / 4, 1) become draws of
1/2 N(-mu, 1) + 1/2 N(mu, 1), the law that ``symscore.exact.separation_plan`` speaks of. Learning
regresses -z / sigma on polynomials of x_t, undamped and one a cell, as arXiv 2404.18893 does.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermevander
from scipy.linalg import solve
from scipy.special import gammaln, ndtr

from symscore import GaussianMixture
from symscore.exact import ExactMixture, Slabs, best_piecewise_error, projection_error
from symscore.learn.folds import fold_labels
from symscore.learn.statistics import regression_noise
from symscore.schedule import NoiseLevel

LEVEL = NoiseLevel(0.8, 0.6)
CELLS = (1, 2, 4, 8)
MOST = 20  # the largest degree that is learned
DEEPEST = 60  # the largest that is certified
FOLDS, PAIRS = 4, 2
CLIP = 2.0  # radius of the ball for denoisers over the largest row, as in symscore.learn.hard
RMS = 0.03
RIDGE = 1e-12  # of the Gram diagonal's mean: rounding's, it keeps a matrix positive definite
GRID, REACH = 20_001, 9.0  # points of the integrals, and how far beyond the means they go


def noised_law(mu: float) -> GaussianMixture:
    """Return 1/2 N(-mu, 1) + 1/2 N(mu, 1)."""
    return GaussianMixture([0.5, 0.5], [[-mu], [mu]], np.ones((2, 1, 1)))


def clean_law(mu: float) -> GaussianMixture:
    """Return the law whose rows become draws of `noised_law` at the level."""
    means = np.array([[-mu], [mu]]) / LEVEL.alpha
    return GaussianMixture([0.5, 0.5], means, np.ones((2, 1, 1)))


@cache
def law_on_grid(mu: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and the noised law's mass at them, which sums to one."""
    grid = np.linspace(-mu - REACH, mu + REACH, GRID)
    mass = np.exp(noised_law(mu).log_density(grid[:, None]))
    return grid, mass / mass.sum()


@cache
def offsets(mu: int, cells: int) -> tuple[Fraction, ...]:
    """Return the cuts between cells of equal mass under the noised law, in hundredths."""
    grid = np.linspace(-mu - REACH, mu + REACH, GRID)
    mass = (ndtr(grid - mu) + ndtr(grid + mu)) / 2
    cuts = np.interp(np.arange(1, cells) / cells, mass, grid)
    return tuple(Fraction(round(100 * float(cut)), 100) for cut in cuts)


@dataclass(frozen=True)
class Cell:
    """An interval, with the mean and the standard deviation of the noised law on it."""

    low: float
    high: float
    mean: float
    sd: float

    def holds(self, x: np.ndarray) -> np.ndarray:
        """Return which points lie in the cell."""
        return (x >= self.low) & (x < self.high)

    def features(self, x: np.ndarray) -> np.ndarray:
        """Return orthonormal Hermite polynomials (n, MOST + 1) of the standardised x (n,)."""
        norms = np.exp(gammaln(np.arange(MOST + 1) + 1) / 2)
        return np.asarray(hermevander((x - self.mean) / self.sd, MOST) / norms)


@cache
def cells_of(mu: int, count: int) -> tuple[Cell, ...]:
    """Return the cells between the cuts."""
    edges = [-np.inf, *(float(cut) for cut in offsets(mu, count)), np.inf]
    grid, mass = law_on_grid(mu)
    found = []
    for low, high in pairwise(edges):
        own = (grid >= low) & (grid < high)
        mean = np.average(grid[own], weights=mass[own])
        variance = np.average((grid[own] - mean) ** 2, weights=mass[own])
        found.append(Cell(low, high, float(mean), float(np.sqrt(variance))))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Sample:
    """Noised rows, what is regressed on them, and the folds of the rows they came from."""

    noised: np.ndarray
    target: np.ndarray
    folds: np.ndarray
    radius: float  # of the ball to which the denoiser is clipped

    @classmethod
    def draw(cls, mu: int, n: int, seed: int) -> "Sample":
        """Draw n clean rows and noise each by +z and -z, for every pair."""
        x = clean_law(mu).draw(n, rng=np.random.default_rng([seed, n, mu]))[:, 0]
        z = regression_noise(seed, mu, (PAIRS * n, 1))[:, 0]
        z = np.concatenate([z, -z])
        copies = 2 * PAIRS
        return cls(
            LEVEL.alpha * np.tile(x, copies) + LEVEL.sigma * z,
            -z / LEVEL.sigma,
            np.tile(fold_labels(n, None, FOLDS, seed=seed), copies),
            CLIP * float(np.abs(x).max()),
        )


def fitted(phi: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the least-squares coefficients (MOST + 1, MOST + 1) of every degree, in columns."""
    coefs = np.zeros((MOST + 1, MOST + 1))
    gram, cross = phi.T @ phi, phi.T @ target
    for size in range(1, min(MOST + 1, len(phi)) + 1):
        scale = np.diagonal(gram)[:size].mean()
        penalised = gram[:size, :size] + RIDGE * scale * np.eye(size)
        coefs[:size, size - 1] = solve(penalised, cross[:size], assume_a="pos")
    return coefs


def clipped(x: np.ndarray, score: np.ndarray, radius: float) -> np.ndarray:
    """Return scores (n, degrees) at x (n,) whose denoisers are kept within [-radius, radius]."""
    denoised = (x[:, None] + LEVEL.sigma**2 * score) / LEVEL.alpha
    kept = np.clip(denoised, -radius, radius)
    return np.asarray((LEVEL.alpha * kept - x[:, None]) / LEVEL.sigma**2)


def measure(mu: int, n: int, seed: int) -> dict[str, Any]:
    """Fit every degree in every number of cells to n rows.

    Returns
    -------
    dict
        By number of cells: `rms`, the root of E|s - g|^2 over the true law for each degree, and
        `held_out`, the cross-fitted denoising risk less its least value on this sample.
    """
    sample = Sample.draw(mu, n, seed)
    squares, losses = {}, {}
    for count in CELLS:
        parts = [_one_cell(sample, mu, cell) for cell in cells_of(mu, count)]
        squares[count] = np.sum([part[0] for part in parts], axis=0)
        losses[count] = np.sum([part[1] for part in parts], axis=0) / len(sample.noised)
    least = min(float(loss.min()) for loss in losses.values())
    return {
        str(count): {
            "rms": np.sqrt(squares[count]).tolist(),
            "held_out": (losses[count] - least).tolist(),
        }
        for count in CELLS
    }


def _one_cell(sample: Sample, mu: int, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Return a cell's shares of E|s - g|^2 and of the held-out losses, both by degree."""
    grid, mass = law_on_grid(mu)
    here = cell.holds(grid)
    x, phi = grid[here], cell.features(grid[here])
    held = cell.holds(sample.noised)
    noised, target, folds = sample.noised[held], sample.target[held], sample.folds[held]
    own = cell.features(noised)
    learned = clipped(x, phi @ fitted(own, target), sample.radius)
    truth = noised_law(mu).score(x[:, None])
    loss = np.zeros(MOST + 1)
    for fold in range(FOLDS):
        out = folds == fold
        coefs = fitted(own[~out], target[~out])
        predicted = clipped(noised[out], own[out] @ coefs, sample.radius)
        loss += ((predicted - target[out, None]) ** 2).sum(axis=0)
    return mass[here] @ (learned - truth) ** 2, loss


def certified(mu: int, count: int) -> dict[str, Any]:
    """Return the best error of every degree on the cells, and the least degree that reaches RMS.

    Both come from certificates of ``symscore.exact``: enclosures between rationals, whose upper
    ends are given as floats. The degree is None where it is above the largest that is tried.
    """
    half = Fraction(1, 2)
    law = ExactMixture((half, half), ((-mu,), (mu,)), (((1,),), ((1,),)))

    def upper(degree: int) -> float:
        if count == 1:
            found = projection_error(law, degree)
        else:
            found = best_piecewise_error(law, Slabs((1,), offsets(mu, count)), degree)
        return float(max(found.upper, Fraction(0))) ** 0.5

    curve = [upper(degree) for degree in range(MOST + 1)]
    reaching = (d for d in range(DEEPEST + 1) if (curve[d] if d <= MOST else upper(d)) <= RMS)
    return {"rms": curve, "degree": next(reaching, None)}
