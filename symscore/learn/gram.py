"""Compiled sums over rows: normal equations of the denoising regression, and moments for EM."""

import numpy as np
from numba import njit

from symscore.learn.kernels import (
    field_scratch,
    fill_hermite,
    find_gates,
    level_of,
    scratch_positions,
)

# Features whose gate times damping is below this are left out of the sums: an entry of the Gram
# matrix then changes by at most this much per point, far under the sums' Monte Carlo error.
GATE_FLOOR = 1e-7


@njit(cache=True, nogil=True)
def add_normal_equations(numbers, layout, kappa, x, noise, weights, gram, cross):
    """Add the rows x (n, d) at y = kappa x + z and y = kappa x - z to the sums; return the energy.

    `noise` is z (n, d). `gram` (C F, C F) gets the lower triangle only, `cross` (C F, d) gets
    features times (x - crude denoiser), and the returned energy is the weighted sum of
    |x - crude denoiser|^2. Each sign carries half a row's weight.
    """
    n, d = x.shape
    first, n_cells, size, stride = level_of(layout, 0)
    work = np.empty(2 * d + field_scratch(layout))
    residual, at = d, 2 * d
    gate, damp, u, _, _, poly = scratch_positions(layout, at)[:6]
    active = np.empty(n_cells, np.int64)
    values = np.empty((n_cells, size))
    energy = 0.0
    for row in range(n):
        half = 0.5 * weights[row]
        for sign in (1.0, -1.0):
            for i in range(d):
                work[i] = kappa * x[row, i] + sign * noise[row, i]
                work[residual + i] = x[row, i]
            find_gates(numbers, layout, 0, work, 0, at)
            n_active = 0
            for c in range(n_cells):
                share = work[gate + c]
                if share == 0.0:
                    continue
                centre = first + c * stride + 2
                mean = centre + d
                gain = mean + d + d * d
                for i in range(d):
                    total = numbers[mean + i]
                    for j in range(d):
                        total += numbers[gain + i * d + j] * (work[j] - numbers[centre + j])
                    work[residual + i] -= share * total
                scale = share * work[damp + c]
                if scale > GATE_FLOOR:
                    fill_hermite(numbers, layout, size, work, u + c * d, poly)
                    for j in range(size):
                        values[n_active, j] = scale * work[poly + j]
                    active[n_active] = c * size
                    n_active += 1
            for i in range(d):
                energy += half * work[residual + i] ** 2
            for p in range(n_active):
                for j in range(size):
                    scaled = half * values[p, j]
                    for i in range(d):
                        cross[active[p] + j, i] += scaled * work[residual + i]
                    for q in range(p):
                        for k in range(size):
                            gram[active[p] + j, active[q] + k] += scaled * values[q, k]
                    for k in range(j + 1):
                        gram[active[p] + j, active[p] + k] += scaled * values[p, k]
    return energy


@njit(cache=True, nogil=True)
def add_moments(numbers, layout, x, weights, mass, first_moment, second_moment):
    """Add gate-weighted moments of x (n, d) per component; return the weighted log densities.

    `mass` (C,), `first_moment` (C, d), `second_moment` (C, d, d); the log density leaves out the
    constant -d/2 log(2 pi). The vectors hold one level whose cells are the components themselves.
    """
    n, d = x.shape
    first, n_cells, _, stride = level_of(layout, 0)
    work = np.empty(d + field_scratch(layout))
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
