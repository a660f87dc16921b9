"""Fields of several levels as two flat vectors, the form that the compiled kernels read.

``numbers`` (float64) holds the step rule, the nodes, the frame, the Hermite rates, the shares of
the members and then one record per cell, level after level and member after member; ``layout``
(int64) says where everything is. Levels may have any number of members, and these any number of
cells and features. Two plain vectors, rather than a tuple of arrays, since every array
that crosses a call of a compiled function has its references counted: with tuples the same kernels
ran five times slower and took three times as long to compile.

``numbers``::

    a, w | kappa_0 ... kappa_N | loc (d) | scale_tril (d, d) | rate (F, d) | shares | records

and a record, for a crude component of mean m, covariance S and weight v, at signal-to-noise
ratio kappa, where V = kappa^2 S + I = L L^T::

    log v - log det L | 1 / rho^2 | centre = kappa m (d) | mean = m (d)
    | whiten = L^-1 (d, d) | gain = kappa S V^-1 (d, d) | coef (size, d)

``layout``::

    header (see the constants below) | per level: first member, the one after its last
    | per member: offset of the first record, cells, size | per Hermite polynomial p: lead
    axis, position of p - e_k for every axis k (-1: none) | per block of a chart: see
    symscore.flow.charts
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from symscore.arrays import FloatArray, IntArray
from symscore.learn.frame import Whitening
from symscore.learn.hermite import hermite_tables
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule

if TYPE_CHECKING:
    from symscore.learn.blend import SoftScore
    from symscore.learn.field import PiecewiseScore

# Positions in the header of `layout`.
DIM, WIDTH, FEATURES, N_STEPS, HERMITE, LOC, TRIL, RATE, SHARES, MEMBERS, MOST = range(11)
EVENT, CHART, BLOCKS = range(11, 14)  # columns of x; table of the chart and its rows, if any
LEVELS = 14  # start of the table of levels
PER_LEVEL = 2  # first member, the one after the last
PER_MEMBER = 3  # offset, cells, size
PER_BLOCK = 6  # kind, first column, columns, first coordinate, coordinates, offset of its numbers
FREE, LOWER, UPPER, INTERVAL, CIRCLE, ORDERED, SIMPLEX = range(7)  # kinds of blocks
KAPPA = 2  # position of kappa_0 in `numbers`, after a and w


class Packed(NamedTuple):
    """The two vectors."""

    numbers: FloatArray
    layout: IntArray


def pack(
    fields: "Sequence[SoftScore]",
    schedule: Schedule | None = None,
    frame: Whitening | None = None,
) -> Packed:
    """Write fields, in order, and optionally the steps between them and the frame, as vectors."""
    dim = fields[0].dim
    kappas = [fields[0].level.kappa] if schedule is None else schedule.kappas
    rule = [0.0, 0.0] if schedule is None else [schedule.rule.a, schedule.rule.w]
    loc = np.zeros(dim) if frame is None else frame.loc
    tril = np.eye(dim) if frame is None else frame.scale_tril
    members = [member for field in fields for member in field.members]
    shares = np.concatenate([field.shares for field in fields])
    tables = hermite_tables(dim, max(0, *(member.degree for member in members)))
    head = [np.array(rule), np.asarray(kappas), loc, tril.ravel(), tables.rate.ravel(), shares]
    records = [_records(member).ravel() for member in members]
    starts = np.cumsum([part.size for part in head + records])
    offsets = starts[len(head) - 1 : -1]
    members_at = LEVELS + PER_LEVEL * len(fields)
    header = {
        DIM: dim,
        WIDTH: max(member.crude.n_components for member in members),
        FEATURES: len(tables.lead),
        N_STEPS: len(kappas) - 1,
        HERMITE: members_at + PER_MEMBER * len(members),
        LOC: starts[1],
        TRIL: starts[2],
        RATE: starts[3],
        SHARES: starts[4],
        MEMBERS: members_at,
        MOST: max(len(field.members) for field in fields),
        EVENT: dim,
        CHART: 0,
        BLOCKS: 0,
    }
    ends = np.cumsum([len(field.members) for field in fields])
    levels = [(end - len(field.members), end) for end, field in zip(ends, fields, strict=True)]
    table = [
        (offset, member.crude.n_components, member.size)
        for offset, member in zip(offsets, members, strict=True)
    ]
    hermite = np.column_stack([tables.lead, tables.down])
    top = np.array([header[k] for k in range(LEVELS)])
    parts = [top, np.ravel(levels), np.ravel(table), hermite.ravel()]
    return Packed(np.concatenate(head + records), np.concatenate(parts).astype(np.int64))


def pack_mixture(mixture: GaussianMixture) -> Packed:
    """Write the components of a mixture as the cells of one level at which y is x itself."""
    dim, k = mixture.dim, mixture.n_components
    log_det = np.log(np.diagonal(mixture.chol_covariances, axis1=1, axis2=2)).sum(axis=1)
    records = np.zeros((k, 2 + 2 * dim + 2 * dim * dim))
    records[:, 0] = np.log(mixture.weights) - log_det
    records[:, 2 : 2 + dim] = mixture.means
    records[:, 2 + 2 * dim : 2 + 2 * dim + dim * dim] = mixture.chol_precisions.reshape(k, -1)
    members_at = LEVELS + PER_LEVEL
    header = [dim, k, 1, 0, members_at + PER_MEMBER, 0, 0, 0, 0, members_at, 1, dim, 0, 0]
    return Packed(records.ravel(), np.array([*header, 0, 1, 0, k, 0], dtype=np.int64))


def _records(field: "PiecewiseScore") -> FloatArray:
    """Return one row per cell of a field."""
    crude, kappa, dim = field.crude, field.level.kappa, field.dim
    n_cells = crude.n_components
    log_weight, whiten, gain = carry(crude, kappa)
    return np.concatenate(
        [
            log_weight[:, None],
            np.full((n_cells, 1), field.rho**-2),
            kappa * crude.means,
            crude.means,
            whiten.reshape(n_cells, dim * dim),
            gain.reshape(n_cells, dim * dim),
            field.coef.reshape(n_cells, field.size * dim),
        ],
        axis=1,
    )


def carry(crude: GaussianMixture, kappa: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Carry a mixture to y = kappa x_0 + z: log v - log det L (C,), L^-1, gains (C, d, d)."""
    eye = np.eye(crude.dim)
    chol = np.linalg.cholesky(kappa**2 * crude.covariances + eye)
    whiten = np.tril(np.linalg.inv(chol))
    precision = np.einsum("cki,ckj->cij", whiten, whiten)
    gain = kappa * np.einsum("cij,cjk->cik", crude.covariances, precision)
    log_det = np.log(np.diagonal(chol, axis1=1, axis2=2)).sum(axis=1)
    return np.log(crude.weights) - log_det, whiten, gain
