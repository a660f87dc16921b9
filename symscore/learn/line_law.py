"""The law that the papers' sampler draws from, on the line and without chance.

Polynomials are fitted to the exact score under the exact law, so that neither a sample nor
regression noise enters, and the sampler's law is carried from level to level on a grid. What is
left is the error of degree, cells and steps alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
from numpy.polynomial import hermite_e
from numpy.typing import ArrayLike

from symscore.arrays import FloatArray, as_points, frozen
from symscore.errors import BadData
from symscore.learn.diffusion import LevelScore
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

REACH = 9.0  # standard deviations that a grid covers beyond the outermost component
FINEST = 5  # points of a grid for a standard deviation of the narrowest law on it
KERNEL_REACH = 9.0  # standard deviations at which a step's kernel is cut off: 1e-18 of its mass


@final
@dataclass(frozen=True, eq=False)
class LineScore:
    r"""Score of one level on the line: a polynomial between every two edges.

    Parameters
    ----------
    level : NoiseLevel
    edges : (C - 1,) array
        Ascending ends of the inner cells.
    centres, scales : (C,) array
        Of the cells' coordinates :math:`u = (x - m_c) / s_c`.
    coef : (C, D + 1) array
        Coefficients of :math:`He_0(u), \dots, He_D(u)`.
    """

    level: NoiseLevel
    edges: FloatArray
    centres: FloatArray
    scales: FloatArray
    coef: FloatArray

    def __post_init__(self) -> None:
        for name in ("edges", "centres", "scales", "coef"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def dim(self) -> int:
        """Dimension, 1."""
        return 1

    def score(self, x: ArrayLike) -> FloatArray:
        """Return the score at x (n, 1), shape (n, 1)."""
        points = as_points("x", x, 1)[:, 0]
        cells = np.searchsorted(self.edges, points)
        u = (points - self.centres[cells]) / self.scales[cells]
        table = hermite_e.hermevander(u, self.coef.shape[1] - 1)
        return np.asarray((table * self.coef[cells]).sum(axis=1)[:, None])


def merged_edges(truth: GaussianMixture, level: NoiseLevel, *, apart: float = 2.0) -> FloatArray:
    """Return the ends of cells at a level: midpoints of means, once near ones are merged.

    Neighbouring means nearer than `apart` standard deviations of the wider component, with the
    level's noise, count as one, at their weighted mean.

    Examples
    --------
    >>> truth = GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> merged_edges(truth, NoiseLevel.from_kappa(10.0)), merged_edges(truth, NoiseLevel(0.6, 0.8))
    (array([0.]), array([0.]))
    """
    noised = truth.at(level)
    order = np.argsort(noised.means[:, 0])
    groups: list[FloatArray] = []  # weight, mean, sd
    for mass, mean, sd in np.stack(
        [noised.weights, noised.means[:, 0], np.sqrt(noised.covariances[:, 0, 0])], axis=1
    )[order]:
        if groups and mean - groups[-1][1] < apart * max(sd, groups[-1][2]):
            before = groups.pop()
            total = before[0] + mass
            mean = (before[0] * before[1] + mass * mean) / total
            mass, sd = total, max(sd, before[2])
        groups.append(np.array([mass, mean, sd]))
    return np.array([(one[1] + other[1]) / 2 for one, other in pairwise(groups)])


def population_score(
    truth: GaussianMixture, level: NoiseLevel, *, degree: int, edges: ArrayLike
) -> LineScore:
    r"""Return the best polynomial of every cell under the exact law :math:`q_t`.

    .. math:: \min_\theta \int_{cell} |s_t(x) - \theta \cdot He(u)|^2 q_t(x) \, dx

    by sums over a grid of five points for each standard deviation of the narrowest component,
    whose error is below 1e-20 of the integral for a smooth integrand and of second order in the
    spacing at an edge.

    Raises
    ------
    BadData
        If the mixture is not on the line.
    """
    noised = truth.at(level)
    x = line_grid(noised, spacing=float(np.sqrt(noised.covariances.min())) / (8 * FINEST))
    density, target = np.exp(noised.log_density(x[:, None])), noised.score(x[:, None])[:, 0]
    ends = np.asarray(edges, dtype=np.float64)
    cells = np.searchsorted(ends, x)
    centres, scales, coef = [], [], []
    for c in range(len(ends) + 1):
        here, weight = x[cells == c], density[cells == c]
        centre = np.average(here, weights=weight)
        scale = np.sqrt(np.average((here - centre) ** 2, weights=weight))
        root = np.sqrt(weight)
        table = hermite_e.hermevander((here - centre) / scale, degree) * root[:, None]
        coef.append(np.linalg.lstsq(table, target[cells == c] * root, rcond=1e-13)[0])
        centres.append(centre)
        scales.append(scale)
    return LineScore(level, ends, np.array(centres), np.array(scales), np.array(coef))


def line_grid(truth: GaussianMixture, *, spacing: float) -> FloatArray:
    """Return equidistant points that reach nine standard deviations beyond every component."""
    if truth.dim != 1:
        raise BadData(f"Expected a mixture on the line; got {truth.dim} dimensions.")
    reach = REACH * np.sqrt(truth.covariances[:, 0, 0])
    low, high = (truth.means[:, 0] - reach).min(), (truth.means[:, 0] + reach).max()
    return np.asarray(low + spacing * np.arange(int((high - low) / spacing) + 2))


def sampler_law(fields: Sequence[LevelScore], end: NoiseLevel, x: FloatArray) -> FloatArray:
    r"""Return the density at equidistant x (m,) of what ``reverse_diffusion`` draws.

    A step :math:`y \to \rho y + 2 (\rho - 1) s(y) + \sqrt{\rho^2 - 1} z` takes a density p to
    :math:`\int p(y) N(\cdot; \rho y + 2 (\rho - 1) s(y), \rho^2 - 1) dy`, here a sum over the grid.
    Mass that leaves the grid, as where a polynomial drives points away, is lost: the density then
    has an integral below one.

    Parameters
    ----------
    fields : sequence of LevelScore
        Of dimension 1, from noise to data.
    end : NoiseLevel
        Where to stop; the draws are divided by its alpha.
    x : (m,) array
        Equidistant, and wide enough for the noise and the data.

    Raises
    ------
    BadData
        If the grid is too coarse for a step's noise.
    """
    spacing = float(x[1] - x[0])
    density = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
    levels = [field.level for field in fields] + [end]
    for field, level, following in zip(fields, levels[:-1], levels[1:], strict=True):
        growth = float(np.expm1(level.t - following.t))
        sd = float(np.sqrt(growth * (2 + growth)))
        if FINEST * spacing > 2 * sd:
            raise BadData(
                f"Expected a spacing below {2 * sd / FINEST:.3g}, fine enough for the noise of a "
                f"step; got {spacing:.3g}."
            )
        mean = (1 + growth) * x + 2 * growth * field.score(x[:, None])[:, 0]
        density = _moved(density, mean, sd, x)
    return np.interp(end.alpha * x, x, density) * end.alpha


def _moved(density: FloatArray, mean: FloatArray, sd: float, x: FloatArray) -> FloatArray:
    """Return the density at x once every point of it has gone to N(mean, sd^2)."""
    spacing = float(x[1] - x[0])
    half = int(KERNEL_REACH * sd / spacing) + 1
    offsets = np.arange(-half, half + 1)
    nearest = np.clip(np.rint((mean - x[0]) / spacing), -half, len(x) - 1 + half).astype(np.int64)
    places = nearest[:, None] + offsets
    u = (x[0] + spacing * places - mean[:, None]) / sd
    parts = density[:, None] * np.exp(-0.5 * u**2) * (spacing / (sd * np.sqrt(2 * np.pi)))
    inside = (places >= 0) & (places < len(x))
    moved = np.bincount(places[inside], parts[inside], minlength=len(x))
    return np.asarray(moved, dtype=np.float64)


def line_total_variation(truth: GaussianMixture, density: FloatArray, x: FloatArray) -> float:
    """Return half the integral of |p - q| over equidistant x (m,), q being `density`.

    What q lacks of mass one lies elsewhere, where p has none: half of it is added.
    """
    spacing = float(x[1] - x[0])
    apart = np.abs(np.exp(truth.log_density(x[:, None])) - density).sum() * spacing
    return float(0.5 * (apart + max(0.0, 1 - density.sum() * spacing)))
