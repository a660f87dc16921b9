"""The kernels over many points, in blocks of rows on all cores."""

import numpy as np
from numba import njit

from symscore.arrays import FloatArray, for_each_block
from symscore.learn.kernels import denoise, field_scratch, jacobian
from symscore.learn.packed import Packed


@njit(cache=True, nogil=True)
def _denoise_rows(numbers, layout, level, y, out):
    n, d = y.shape
    work = np.empty(2 * d + field_scratch(layout))
    for row in range(n):
        for j in range(d):
            work[j] = y[row, j]
        denoise(numbers, layout, level, work, 0, d, 2 * d)
        for j in range(d):
            out[row, j] = work[d + j]


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
