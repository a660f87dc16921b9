"""Small dense linear algebra without BLAS, so that threads of kernels never share a BLAS.

Matrices (d, d) and vectors (d,) are positions in one vector `work`.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def factor(work, a, pivots, d):
    """Factor the matrix at `a` in place as P L U; return sign and log of |det|."""
    sign = 1.0
    log_det = 0.0
    for k in range(d):
        best = k
        for i in range(k + 1, d):
            if abs(work[a + i * d + k]) > abs(work[a + best * d + k]):
                best = i
        work[pivots + k] = best
        if best != k:
            sign = -sign
            for j in range(d):
                kept = work[a + k * d + j]
                work[a + k * d + j] = work[a + best * d + j]
                work[a + best * d + j] = kept
        pivot = work[a + k * d + k]
        if pivot == 0.0 or not np.isfinite(pivot):
            return 0.0, -np.inf
        if pivot < 0.0:
            sign = -sign
        log_det += np.log(abs(pivot))
        for i in range(k + 1, d):
            work[a + i * d + k] /= pivot
            for j in range(k + 1, d):
                work[a + i * d + j] -= work[a + i * d + k] * work[a + k * d + j]
    return sign, log_det


@njit(cache=True, nogil=True)
def solve(work, a, pivots, d, b):
    """Overwrite the vector at `b` with A^-1 b, for A factored by :func:`factor`."""
    for k in range(d):
        other = int(work[pivots + k])
        kept = work[b + k]
        work[b + k] = work[b + other]
        work[b + other] = kept
    for i in range(d):
        for j in range(i):
            work[b + i] -= work[a + i * d + j] * work[b + j]
    for i in range(d - 1, -1, -1):
        for j in range(i + 1, d):
            work[b + i] -= work[a + i * d + j] * work[b + j]
        work[b + i] /= work[a + i * d + i]


@njit(cache=True, nogil=True)
def solve_transposed(work, a, pivots, d, b):
    """Overwrite the vector at `b` with A^-T b, for A factored by :func:`factor`."""
    for i in range(d):
        for j in range(i):
            work[b + i] -= work[a + j * d + i] * work[b + j]
        work[b + i] /= work[a + i * d + i]
    for i in range(d - 1, -1, -1):
        for j in range(i + 1, d):
            work[b + i] -= work[a + j * d + i] * work[b + j]
    for k in range(d - 1, -1, -1):
        other = int(work[pivots + k])
        kept = work[b + k]
        work[b + k] = work[b + other]
        work[b + other] = kept


@njit(cache=True, nogil=True)
def norm(work, v, d):
    """Euclidean length of the vector at `v`, without overflow in between; NaN or inf passes."""
    top = 0.0
    for i in range(d):
        if not np.isfinite(work[v + i]):
            return np.inf
        top = max(top, abs(work[v + i]))
    if top == 0.0:
        return 0.0
    total = 0.0
    for i in range(d):
        total += (work[v + i] / top) ** 2
    return top * np.sqrt(total)
