"""Compiled sums over rows: normal equations of the denoising regression, and moments for EM."""

import numpy as np
from numba import njit

from symscore.learn.kernels import (
    fill_hermite,
    find_gates,
    member_of,
    member_scratch,
    scratch_positions,
)

# Features whose gate times damping is below this are left out of the sums: an entry of the Gram
# matrix then changes by at most this much per point, far under the sums' Monte Carlo error.
GATE_FLOOR = 1e-7
TILE = 64  # rows whose features are held at once: those of 32 cells of 6 stay in cache


@njit(cache=True, nogil=True)
def fill_design(numbers, layout, kappa, x, noise, sign, design, residual):
    """Write features (n, C F) and x - crude denoiser (n, d) of the rows y = kappa x + sign z."""
    n, d = x.shape
    first, n_cells, size, stride = member_of(layout, 0)
    work = np.empty(d + member_scratch(layout))
    gate, damp, u, _, _, poly = scratch_positions(layout, d)[:6]
    for row in range(n):
        for i in range(d):
            work[i] = kappa * x[row, i] + sign * noise[row, i]
            residual[row, i] = x[row, i]
        find_gates(numbers, layout, 0, work, 0, d)
        for c in range(n_cells):
            share = work[gate + c]
            scale = share * work[damp + c] if size > 0 else 0.0
            if scale > GATE_FLOOR:
                fill_hermite(numbers, layout, size, work, u + c * d, poly)
                for j in range(size):
                    design[row, c * size + j] = scale * work[poly + j]
            else:
                for j in range(size):
                    design[row, c * size + j] = 0.0
            if share == 0.0:
                continue
            centre = first + c * stride + 2
            mean = centre + d
            gain = mean + d + d * d
            for i in range(d):
                total = numbers[mean + i]
                for j in range(d):
                    total += numbers[gain + i * d + j] * (work[j] - numbers[centre + j])
                residual[row, i] -= share * total


@njit(cache=True, nogil=True)
def add_products(design, residual, weights, gram, cross):
    """Add sum v phi phi^T over the rows (its lower triangle) to `gram`, sum v phi r^T to `cross`.

    The number of rows is a multiple of four, so that a row of the Gram matrix is read and written
    once for every four of them; a column that is zero in all four costs nothing.
    """
    n, width = design.shape
    d = residual.shape[1]
    for p in range(width):
        for r in range(0, n, 4):
            a, b, c, e = design[r, p], design[r + 1, p], design[r + 2, p], design[r + 3, p]
            if a == 0.0 and b == 0.0 and c == 0.0 and e == 0.0:
                continue
            a, b = a * weights[r], b * weights[r + 1]
            c, e = c * weights[r + 2], e * weights[r + 3]
            for q in range(p + 1):
                gram[p, q] += (a * design[r, q] + b * design[r + 1, q]) + (
                    c * design[r + 2, q] + e * design[r + 3, q]
                )
            for i in range(d):
                cross[p, i] += (a * residual[r, i] + b * residual[r + 1, i]) + (
                    c * residual[r + 2, i] + e * residual[r + 3, i]
                )


@njit(cache=True, nogil=True)
def add_normal_equations(numbers, layout, kappa, x, noise, weights, gram, cross):
    """Add the rows x (n, d) at y = kappa x + z and y = kappa x - z to the sums; return the energy.

    `noise` is z (n, d). `gram` (C F, C F) gets the lower triangle only, `cross` (C F, d) gets
    features times (x - crude denoiser), and the returned energy is the weighted sum of
    |x - crude denoiser|^2. Each sign carries half a row's weight.
    """
    n, d = x.shape
    width = gram.shape[0]
    # Rows beyond the last keep zero features and no weight.
    design, residual, half = np.zeros((TILE, width)), np.zeros((TILE, d)), np.zeros(TILE)
    energy = 0.0
    for start in range(0, n, TILE):
        stop = min(start + TILE, n)
        used = stop - start
        for row in range(TILE):
            half[row] = 0.5 * weights[start + row] if row < used else 0.0
        for sign in (1.0, -1.0):
            fill_design(
                numbers,
                layout,
                kappa,
                x[start:stop],
                noise[start:stop],
                sign,
                design[:used],
                residual[:used],
            )
            for row in range(used):
                for i in range(d):
                    energy += half[row] * residual[row, i] ** 2
            add_products(design, residual, half, gram, cross)
    return energy


@njit(cache=True, nogil=True)
def add_moments(numbers, layout, x, weights, mass, first_moment, second_moment):
    """Add gate-weighted moments of x (n, d) per component; return the weighted log densities.

    `mass` (C,), `first_moment` (C, d), `second_moment` (C, d, d); the log density leaves out the
    constant -d/2 log(2 pi). The vectors hold one level whose cells are the components themselves.
    """
    n, d = x.shape
    first, n_cells, _, stride = member_of(layout, 0)
    work = np.empty(d + member_scratch(layout))
    gate, _, u = scratch_positions(layout, d)[:3]
    total = 0.0
    for row in range(n):
        for i in range(d):
            work[i] = x[row, i]
        find_gates(numbers, layout, 0, work, 0, d)
        best = 0
        for c in range(n_cells):
            if work[gate + c] > work[gate + best]:
                best = c
        square = 0.0
        for i in range(d):
            square += work[u + best * d + i] ** 2
        log_term = numbers[first + best * stride] - 0.5 * square
        total += weights[row] * (log_term - np.log(work[gate + best]))
        for c in range(n_cells):
            share = weights[row] * work[gate + c]
            if share == 0.0:
                continue
            mass[c] += share
            for i in range(d):
                first_moment[c, i] += share * x[row, i]
                for j in range(i + 1):
                    second_moment[c, i, j] += share * x[row, i] * x[row, j]
    return total
