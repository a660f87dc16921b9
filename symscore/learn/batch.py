"""The kernels over many points, in blocks of rows on all cores."""

import numpy as np
from numba import njit

from symscore.arrays import FloatArray, for_each_block
from symscore.learn.gates import add_crude, damp_gates, fill_features, fill_gates
from symscore.learn.kernels import field_scratch, jacobian, member_of, members_of
from symscore.learn.packed import FEATURES, SHARES, WIDTH, Packed


@njit(cache=True, nogil=True)
def _denoise_rows(numbers, layout, level, y, out):
    """D(y) of rows y (n, d): the crude denoiser of all, then a cell's deviation where it counts."""
    n, d = y.shape
    columns, total = np.ascontiguousarray(y.T), np.zeros((d, n))
    u, top, mass = np.empty((d, n)), np.empty(n), np.empty(n)
    gate, square = np.empty((layout[WIDTH], n)), np.empty((layout[WIDTH], n))
    own_y, design = np.empty((d, n)), np.empty((layout[FEATURES], n))
    rows = np.empty(n, dtype=np.int64)
    begin, end = members_of(layout, level)
    for member in range(begin, end):
        share = numbers[layout[SHARES] + member]
        first, n_cells, size, stride = member_of(layout, member)
        fill_gates(numbers, layout, member, columns, n, u, gate, square, top, mass)
        add_crude(numbers, layout, member, share, columns, n, gate, top, total)
        if size == 0:
            continue
        damp_gates(numbers, layout, member, n, gate, square, 0.0, top)
        for c in range(n_cells):
            m = _gather(gate[c], columns, n, rows, own_y, design)
            fill_features(numbers, layout, member, c, own_y, m, u, design, 0)
            coef = first + c * stride + 2 + 2 * d + 2 * d * d
            for i in range(d):
                for k in range(m):
                    top[k] = 0.0
                for j in range(size):
                    scale = share * numbers[coef + j * d + i]
                    for k in range(m):
                        top[k] += scale * design[j, k]
                for k in range(m):
                    total[i, rows[k]] += top[k]
    out[:] = total.T


@njit(cache=True, nogil=True)
def _gather(gate, y, n, rows, own_y, design):
    """Gather the m rows at which `gate` (n,) is not 0, their y, and it itself; return m."""
    m = 0
    for row in range(n):
        if gate[row] != 0.0:
            rows[m] = row
            design[0, m] = gate[row]
            for i in range(y.shape[0]):
                own_y[i, m] = y[i, row]
            m += 1
    return m


@njit(cache=True, nogil=True)
def _jacobian_rows(numbers, layout, level, y, out, jac):
    n, d = y.shape
    work = np.empty(2 * d + d * d + field_scratch(layout))
    for row in range(n):
        for j in range(d):
            work[j] = y[row, j]
        jacobian(numbers, layout, level, work, 0, d, 2 * d, 2 * d + d * d)
        for j in range(d):
            out[row, j] = work[d + j]
            for k in range(d):
                jac[row, j, k] = work[2 * d + j * d + k]


def denoise_batch(packed: Packed, y: FloatArray, level: int = 0) -> FloatArray:
    """Return D(y) of one level at y (n, d), shape (n, d)."""
    out = np.empty_like(y)
    for_each_block(lambda rows: _denoise_rows(*packed, level, y[rows], out[rows]), len(y))
    return out


def jacobian_batch(packed: Packed, y: FloatArray, level: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return D(y) (n, d) and D'(y) (n, d, d) of one level at y (n, d)."""
    n, d = y.shape
    out, jac = np.empty((n, d)), np.empty((n, d, d))
    for_each_block(lambda rows: _jacobian_rows(*packed, level, y[rows], out[rows], jac[rows]), n)
    return out, jac
