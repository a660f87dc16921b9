"""Where a learned field is looked at when its steps are checked."""

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.blend import SoftScore
from symscore.learn.field import PiecewiseScore
from symscore.learn.packed import carry

SHELLS = (20.0, 100.0)  # radii far out, in standard deviations of a cell
REACH = 4.0  # the deviation is looked at out to so many damping radii: there e^-8 of it is left
NEAR = 48  # points a cell within that reach
FAR = 4  # points a cell and shell, for every dimension
BETWEEN = 8  # points on segments between means, for every cell
MOVES = 8  # neighbours of a point


def probes(field: SoftScore, x: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    """Return noised data, and points around, far out of and between all cells, as y (n, d)."""
    noised = field.level.kappa * x + rng.standard_normal(x.shape)
    return np.concatenate([noised, *(_of_cells(member, rng=rng) for member in field.members)])


def _of_cells(field: PiecewiseScore, *, rng: np.random.Generator) -> FloatArray:
    """Return points around a member's cells, far out and between them.

    Within reach of a cell the radius is uniform, so that its centre and its edge, where the
    damping has its steepest slope, are both seen in any dimension.
    """
    kappa, crude = field.level.kappa, field.crude
    dim, cells = crude.dim, crude.n_components
    near = rng.uniform(0, REACH * field.rho, (cells, NEAR))
    far = np.tile(np.repeat(SHELLS, FAR * dim), (cells, 1))
    radius = np.concatenate([near, far], axis=1)
    directions = rng.standard_normal((*radius.shape, dim))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    spread = np.linalg.cholesky(kappa**2 * crude.covariances + np.eye(dim))
    around = kappa * crude.means[:, None] + np.einsum("cij,cm,cmj->cmi", spread, radius, directions)
    pairs = rng.integers(cells, size=(2, BETWEEN * cells))
    share = rng.random((BETWEEN * cells, 1))
    segments = kappa * ((1 - share) * crude.means[pairs[0]] + share * crude.means[pairs[1]])
    return np.concatenate([around.reshape(-1, dim), segments])


def neighbours(
    field: SoftScore, y: FloatArray, scale: float, *, rng: np.random.Generator
) -> FloatArray:
    """Return points at about `scale` sd of the first member's nearest cell from y, (8 n, d)."""
    kappa, crude = field.level.kappa, field.members[0].crude
    whiten = carry(crude, kappa)[1]
    apart = np.einsum("cij,ncj->nci", whiten, y[:, None] - kappa * crude.means)
    nearest = (apart**2).sum(axis=2).argmin(axis=1)
    spread = np.linalg.cholesky(kappa**2 * crude.covariances + np.eye(crude.dim))[nearest]
    moves = scale * rng.standard_normal((MOVES, *y.shape))
    return (y + np.einsum("nij,mnj->mni", spread, moves)).reshape(-1, crude.dim)
