"""Compiled sums over rows: normal equations of the denoising regression, and moments for EM.

Rows are sorted by the cell whose gate is largest at them, and taken a tile at a time: the features
of a tile are those of the few cells that matter to any of its rows, and their products are formed
four by four, in registers.
"""

import numpy as np
from numba import njit

from symscore.learn.gates import add_crude, damp_gates, fill_features, fill_gates
from symscore.learn.kernels import member_of

# Features whose gate times damping is not above this are left out of the sums. What a row then
# loses of a feature is at most this times its polynomial, which is large only far from the cell,
# and from 5.7 rho standard deviations on is damped away: far under the sums' Monte Carlo error.
GATE_FLOOR = 1e-7
BATCH = 1024  # rows whose gates are held at once, with either sign of their noise
TILE = 64  # noised rows whose features are held at once
LANES = 8  # a tile is padded to a multiple of this many rows, so that no vector is cut
SQUARE = 4  # products are formed in squares of this many features
# Sums are taken in the order that suits the processor's vectors, the same one every time. Only
# functions that call no others may have these flags: see symscore.learn.gates.exponentiate.
IN_ANY_ORDER = {"reassoc", "contract", "nsz"}


@njit(cache=True, nogil=True)
def sort_by_cell(gate, n_cells, n, best, order, starts):
    """Write the rows in order of the cell whose gate (C, n) is largest at them to `order`.

    Those of cell c begin at ``starts[c]``, (C + 1,); `best` (n,) gets the cells.
    """
    starts[:] = 0
    for row in range(n):
        best[row] = 0
    for c in range(1, n_cells):
        for row in range(n):
            best[row] = c if gate[c, row] > gate[best[row], row] else best[row]
    for row in range(n):
        starts[best[row] + 1] += 1
    for c in range(n_cells):
        starts[c + 1] += starts[c]
    for row in range(n):
        order[starts[best[row]]] = row
        starts[best[row]] += 1
    for c in range(n_cells, 0, -1):
        starts[c] = starts[c - 1]
    starts[0] = 0


@njit(cache=True, nogil=True, fastmath=IN_ANY_ORDER)
def add_products(design, weighted, place, width, n, gram):
    """Add rows p of `weighted` times rows q <= p of `design` to gram[place[p], place[q]].

    `width` is a multiple of four; squares on the diagonal are formed whole, and leave sums above
    it that mean nothing.
    """
    for p in range(0, width, SQUARE):
        for q in range(0, p + 1, SQUARE):
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = 0.0
            for row in range(n):
                a0, a1 = weighted[p, row], weighted[p + 1, row]
                a2, a3 = weighted[p + 2, row], weighted[p + 3, row]
                b0, b1 = design[q, row], design[q + 1, row]
                b2, b3 = design[q + 2, row], design[q + 3, row]
                s00 += a0 * b0
                s01 += a0 * b1
                s02 += a0 * b2
                s03 += a0 * b3
                s10 += a1 * b0
                s11 += a1 * b1
                s12 += a1 * b2
                s13 += a1 * b3
                s20 += a2 * b0
                s21 += a2 * b1
                s22 += a2 * b2
                s23 += a2 * b3
                s30 += a3 * b0
                s31 += a3 * b1
                s32 += a3 * b2
                s33 += a3 * b3
            rows = ((s00, s01, s02, s03), (s10, s11, s12, s13))
            more = ((s20, s21, s22, s23), (s30, s31, s32, s33))
            for i in range(SQUARE):
                sums = rows[i] if i < 2 else more[i - 2]
                for j in range(SQUARE):
                    gram[place[p + i], place[q + j]] += sums[j]


@njit(cache=True, nogil=True, fastmath=IN_ANY_ORDER)
def add_cross(weighted, residual, place, width, n, cross):
    """Add rows p of `weighted` times the residual (d, n) to cross[place[p]]."""
    for p in range(width):
        for i in range(residual.shape[0]):
            total = 0.0
            for row in range(n):
                total += weighted[p, row] * residual[i, row]
            cross[place[p], i] += total


@njit(cache=True, nogil=True, fastmath=IN_ANY_ORDER)
def weighted_square(weights, residual, n):
    """Return sum v |r|^2 over residual (d, n) and weights (n,)."""
    total = 0.0
    for i in range(residual.shape[0]):
        for row in range(n):
            total += weights[row] * residual[i, row] * residual[i, row]
    return total


@njit(cache=True, nogil=True)
def add_tile(numbers, layout, rows, y, residual, weights, gate, tile, design, place, gram, cross):
    """Add the noised rows at the positions `rows` (at most TILE) to `gram` and `cross`.

    `gate` (C, n) is damped; `tile` holds their y, residual, scratch (d, TILE) and weights.
    """
    own_y, own_residual, u, own_weights = tile
    features, weighted = design
    d, n_cells, size = y.shape[0], gate.shape[0], member_of(layout, 0)[2]
    some = len(rows)
    padded = (some + LANES - 1) // LANES * LANES
    for k in range(padded):
        row = rows[min(k, some - 1)]
        own_weights[k] = weights[row] if k < some else 0.0
        for i in range(d):
            own_y[i, k], own_residual[i, k] = y[i, row], residual[i, row]
    width = 0
    for c in range(n_cells):
        largest = 0.0
        for k in range(padded):
            features[width, k] = gate[c, rows[min(k, some - 1)]]
            largest = max(largest, features[width, k])
        if largest > 0.0:
            fill_features(numbers, layout, 0, c, own_y, padded, u, features, width)
            for j in range(size):
                place[width + j] = c * size + j
            width += size
    filled = (width + SQUARE - 1) // SQUARE * SQUARE
    for p in range(filled):
        if p >= width:
            features[p], place[p] = 0.0, 0
        for k in range(padded):
            weighted[p, k] = own_weights[k] * features[p, k]
    add_cross(weighted, own_residual, place, width, padded, cross)
    add_products(features, weighted, place, filled, padded, gram)


@njit(cache=True, nogil=True)
def add_normal_equations(numbers, layout, kappa, x, noise, weights, gram, cross):
    """Add the rows x (n, d) at y = kappa x + z and y = kappa x - z to the sums; return the energy.

    `noise` is z (n, d). `gram` (C F, C F) gets the lower triangle, and nothing of meaning above
    it; `cross` (C F, d) gets features times (x - crude denoiser), and the returned energy is the
    weighted sum of |x - crude denoiser|^2. Each sign carries half a row's weight.
    """
    n, d = x.shape
    _, n_cells, size, _ = member_of(layout, 0)
    most = 2 * min(n, BATCH)
    y, residual, u = np.empty((d, most)), np.empty((d, most)), np.empty((d, most))
    gate, square = np.empty((n_cells, most)), np.empty((n_cells, most))
    half, top, total = np.empty(most), np.empty(most), np.empty(most)
    best, order = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    starts = np.empty(n_cells + 1, dtype=np.int64)
    tile = np.empty((d, TILE)), np.empty((d, TILE)), np.empty((d, TILE)), np.empty(TILE)
    width = n_cells * size + SQUARE
    design = np.empty((width, TILE)), np.empty((width, TILE))
    place = np.empty(width, dtype=np.int64)
    energy = 0.0
    for start in range(0, n, BATCH):
        used = min(BATCH, n - start)
        for k in range(used):
            row = start + k
            half[k] = half[used + k] = 0.5 * weights[row]
            for i in range(d):
                y[i, k] = kappa * x[row, i] + noise[row, i]
                y[i, used + k] = kappa * x[row, i] - noise[row, i]
                residual[i, k] = residual[i, used + k] = x[row, i]
        fill_gates(numbers, layout, 0, y, 2 * used, u, gate, square, top, total)
        add_crude(numbers, layout, 0, -1.0, y, 2 * used, gate, top, residual)
        energy += weighted_square(half, residual, 2 * used)
        sort_by_cell(gate, n_cells, 2 * used, best, order, starts)
        damp_gates(numbers, layout, 0, 2 * used, gate, square, GATE_FLOOR, top)
        for c in range(n_cells):
            for left in range(starts[c], starts[c + 1], TILE):
                rows = order[left : min(left + TILE, starts[c + 1])]
                add_tile(
                    numbers,
                    layout,
                    rows,
                    y,
                    residual,
                    half,
                    gate,
                    tile,
                    design,
                    place,
                    gram,
                    cross,
                )
    return energy


@njit(cache=True, nogil=True, fastmath=IN_ANY_ORDER)
def add_cell_moments(weights, gate, y, n, c, share, mass, first_moment, second_moment):
    """Add the moments of y (d, n) under `weights` times the gate (n,) to those of cell c."""
    total = 0.0
    for row in range(n):
        share[row] = weights[row] * gate[row]
        total += share[row]
    mass[c] += total
    for i in range(y.shape[0]):
        total = 0.0
        for row in range(n):
            total += share[row] * y[i, row]
        first_moment[c, i] += total
        for j in range(i + 1):
            total = 0.0
            for row in range(n):
                total += share[row] * y[i, row] * y[j, row]
            second_moment[c, i, j] += total


@njit(cache=True, nogil=True)
def add_moments(numbers, layout, x, weights, mass, first_moment, second_moment):
    """Add gate-weighted moments of x (n, d) per component; return the weighted log densities.

    `mass` (C,), `first_moment` (C, d), `second_moment` (C, d, d); the log density leaves out the
    constant -d/2 log(2 pi). The vectors hold one level whose cells are the components themselves.
    """
    n, d = x.shape
    n_cells = member_of(layout, 0)[1]
    y, u = np.ascontiguousarray(x.T), np.empty((d, n))
    gate, square = np.empty((n_cells, n)), np.empty((n_cells, n))
    top, total = np.empty(n), np.empty(n)
    fill_gates(numbers, layout, 0, y, n, u, gate, square, top, total)
    log_density = 0.0
    for row in range(n):
        log_density += weights[row] * (top[row] + np.log(total[row]))
    for c in range(n_cells):
        add_cell_moments(weights, gate[c], y, n, c, top, mass, first_moment, second_moment)
    return log_density
