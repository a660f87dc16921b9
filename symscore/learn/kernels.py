"""Compiled evaluation of the learned denoiser: one point, one level at a time.

The denoiser of a level is the average of its members', D = sum_m share_m D_m. At signal-to-noise
ratio kappa, in the coordinate ``y = kappa x_0 + z``, a member's cell c is a crude Gaussian
component carried to that level, with mean ``centre`` and covariance V = L L^T:

    u = L^-1 (y - centre),  gate r = v N(y; centre, V) / sum,  damping e = exp(-|u|^2 / (2 rho^2))
    D_m(y) = sum_c r_c f_c,   f_c = mean + gain (y - centre) + e_c coef_c . h(u)

The first two terms of f_c are the component's own exact denoiser, so zero coefficients give the
crude mixture's denoiser. With g_c = V_c^-1 (y - centre) and bars for gate averages,

    grad r_c = r_c (gbar - g_c),    D_m' = sum_c r_c (f_c' + f_c (gbar - g_c)^T).

The kernels read the vectors of symscore.learn.packed and keep all scratch in one vector `work`;
``y``, ``out``, ... are positions in `work`, and ``at`` is where a field's own scratch begins. No
BLAS, no allocation, no interpreter lock. symscore.learn.reference says the same in NumPy.
"""

import numpy as np
from numba import njit

from symscore.learn.packed import (
    DIM,
    FEATURES,
    HERMITE,
    LEVELS,
    MEMBERS,
    MOST,
    PER_LEVEL,
    PER_MEMBER,
    RATE,
    SHARES,
    WIDTH,
)

# A gate below 2^-60 changes no bit of a sum whose largest gate is at least 1 / 1000.
NEGLIGIBLE_GATE = 2.0**-60
LOG_NEGLIGIBLE = float(np.log(NEGLIGIBLE_GATE))


@njit(cache=True, nogil=True)
def member_scratch(layout):
    """Length of a member's scratch, in the order of :func:`scratch_positions`."""
    d, width, features = layout[DIM], layout[WIDTH], layout[FEATURES]
    return width * (2 + 3 * d) + 2 * features + d + 2 * d * d + 2 * d


@njit(cache=True, nogil=True)
def field_scratch(layout):
    """Length of a field's scratch: for every member its own, then D_m (d) and D_m' (d, d)."""
    d = layout[DIM]
    return layout[MOST] * (member_scratch(layout) + d + d * d)


@njit(cache=True, nogil=True)
def scratch_positions(layout, at):
    """Positions of everything in a field's scratch that begins at `at`.

    gate, damp (W); u, pull, local (W, d); poly, weight (F); mean pull (d); slope, square (d, d);
    row (2, d).
    """
    d, width, features = layout[DIM], layout[WIDTH], layout[FEATURES]
    damp = at + width
    u = damp + width
    pull = u + width * d
    local = pull + width * d
    poly = local + width * d
    weight = poly + features
    mean_pull = weight + features
    slope = mean_pull + d
    square = slope + d * d
    row = square + d * d
    return at, damp, u, pull, local, poly, weight, mean_pull, slope, square, row


@njit(cache=True, nogil=True)
def members_of(layout, level):
    """First member of a level and the one after its last."""
    at = LEVELS + PER_LEVEL * level
    return layout[at], layout[at + 1]


@njit(cache=True, nogil=True)
def member_of(layout, member):
    """Offset of the first record, number of cells, features per cell, length of a record."""
    d, at = layout[DIM], layout[MEMBERS] + PER_MEMBER * member
    size = layout[at + 2]
    return layout[at], layout[at + 1], size, 2 + 2 * d + 2 * d * d + size * d


@njit(cache=True, nogil=True)
def find_gates(numbers, layout, member, work, y, at):
    """Fill gates, damping and u; negligible gates become exactly 0."""
    d = layout[DIM]
    first, n_cells, size, stride = member_of(layout, member)
    gate, damp, u = scratch_positions(layout, at)[:3]
    top = -np.inf
    for c in range(n_cells):
        centre = first + c * stride + 2
        whiten = centre + 2 * d
        square = 0.0
        for i in range(d):
            total = 0.0
            for j in range(i + 1):
                total += numbers[whiten + i * d + j] * (work[y + j] - numbers[centre + j])
            work[u + c * d + i] = total
            square += total * total
        work[damp + c] = square
        work[gate + c] = numbers[centre - 2] - 0.5 * square
        top = max(top, work[gate + c])
    total = 0.0
    for c in range(n_cells):
        below = work[gate + c] - top
        # The sum is at least 1: such a gate is negligible whatever it is divided by. NaN stays.
        work[gate + c] = 0.0 if below <= LOG_NEGLIGIBLE else np.exp(below)
        total += work[gate + c]
    for c in range(n_cells):
        work[gate + c] /= total
        if work[gate + c] < NEGLIGIBLE_GATE:
            work[gate + c] = 0.0
        elif size > 0:
            work[damp + c] = np.exp(-0.5 * numbers[first + c * stride + 1] * work[damp + c])


@njit(cache=True, nogil=True)
def fill_hermite(numbers, layout, size, work, u, poly):
    """Evaluate the first `size` orthonormal Hermite polynomials at the point at `u`."""
    d, table, rate = layout[DIM], layout[HERMITE], layout[RATE]
    if size > 0:
        work[poly] = 1.0
    for j in range(1, size):
        k = layout[table + j * (d + 1)]
        one = layout[table + j * (d + 1) + 1 + k]
        two = layout[table + one * (d + 1) + 1 + k]
        value = work[u + k] * work[poly + one]
        if two >= 0:
            value -= numbers[rate + one * d + k] * work[poly + two]
        work[poly + j] = value / numbers[rate + j * d + k]


@njit(cache=True, nogil=True)
def denoise(numbers, layout, level, work, y, out, at):
    """Write D(y) to `out`."""
    for i in range(layout[DIM]):
        work[out + i] = 0.0
    begin, end = members_of(layout, level)
    for member in range(begin, end):
        _add_denoised(numbers, layout, member, work, y, out, at)


@njit(cache=True, nogil=True)
def _add_denoised(numbers, layout, member, work, y, out, at):
    """Add share_m D_m(y) to `out`."""
    find_gates(numbers, layout, member, work, y, at)
    d = layout[DIM]
    part = numbers[layout[SHARES] + member]
    first, n_cells, size, stride = member_of(layout, member)
    gate, damp, u, _, _, poly = scratch_positions(layout, at)[:6]
    for c in range(n_cells):
        if work[gate + c] == 0.0:
            continue
        share = part * work[gate + c]
        centre = first + c * stride + 2
        mean = centre + d
        gain = mean + d + d * d
        coef = gain + d * d
        for i in range(d):
            total = numbers[mean + i]
            for j in range(d):
                total += numbers[gain + i * d + j] * (work[y + j] - numbers[centre + j])
            work[out + i] += share * total
        fill_hermite(numbers, layout, size, work, u + c * d, poly)
        for j in range(size):
            scale = share * work[damp + c] * work[poly + j]
            for i in range(d):
                work[out + i] += scale * numbers[coef + j * d + i]


@njit(cache=True, nogil=True)
def fill_cell(numbers, layout, member, c, work, y, at):
    """Fill poly, pull, local = f_c and slope = f_c' of cell c.

    f' = gain + e (T'(u) L^-1 - T g^T / rho^2), with T = coef . h(u).
    """
    d, table, rate = layout[DIM], layout[HERMITE], layout[RATE]
    first, _, size, stride = member_of(layout, member)
    _, damp, u, pull, local, poly, _, _, slope, square, row = scratch_positions(layout, at)
    u, pull, local = u + c * d, pull + c * d, local + c * d
    centre = first + c * stride + 2
    mean = centre + d
    whiten = mean + d
    gain = whiten + d * d
    coef = gain + d * d
    shrink, damped = numbers[centre - 1], work[damp + c]
    fill_hermite(numbers, layout, size, work, u, poly)
    for i in range(d):
        total = 0.0
        for j in range(i, d):
            total += numbers[whiten + j * d + i] * work[u + j]
        work[pull + i] = total
        work[row + i] = 0.0
        work[local + i] = numbers[mean + i]
        for j in range(d):
            change = numbers[gain + i * d + j]
            work[local + i] += change * (work[y + j] - numbers[centre + j])
            work[slope + i * d + j] = change
            work[square + i * d + j] = 0.0
    if size == 0:
        return
    for j in range(size):
        for i in range(d):
            work[row + i] += numbers[coef + j * d + i] * work[poly + j]
        for k in range(d):
            below = layout[table + j * (d + 1) + 1 + k]
            if below >= 0:
                change = numbers[rate + j * d + k] * work[poly + below]
                for i in range(d):
                    work[square + i * d + k] += numbers[coef + j * d + i] * change
    for i in range(d):
        work[local + i] += damped * work[row + i]
        for j in range(d):
            total = -shrink * work[row + i] * work[pull + j]
            for k in range(j, d):
                total += work[square + i * d + k] * numbers[whiten + k * d + j]
            work[slope + i * d + j] += damped * total


@njit(cache=True, nogil=True)
def jacobian(numbers, layout, level, work, y, out, jac, at):
    """Write D(y) to `out` and D'(y) (d, d) to `jac`; the members' scratch keeps their own."""
    d = layout[DIM]
    for i in range(d):
        work[out + i] = 0.0
        for j in range(d):
            work[jac + i * d + j] = 0.0
    begin, end = members_of(layout, level)
    for member in range(begin, end):
        own = member_position(layout, member - begin, at)
        value = own + member_scratch(layout)
        _member_jacobian(numbers, layout, member, work, y, value, value + d, own)
        share = numbers[layout[SHARES] + member]
        for i in range(d):
            work[out + i] += share * work[value + i]
            for j in range(d):
                work[jac + i * d + j] += share * work[value + d + i * d + j]


@njit(cache=True, nogil=True)
def member_position(layout, number, at):
    """Where the scratch of the member of this number in its level begins; D_m, D_m' follow it."""
    d = layout[DIM]
    return at + number * (member_scratch(layout) + d + d * d)


@njit(cache=True, nogil=True)
def _member_jacobian(numbers, layout, member, work, y, out, jac, at):
    """Write D_m(y) and D_m'(y); gates, pulls and locals stay in the scratch at `at`."""
    find_gates(numbers, layout, member, work, y, at)
    d, n_cells = layout[DIM], member_of(layout, member)[1]
    gate, _, _, pull, local, _, _, mean_pull, slope, _, _ = scratch_positions(layout, at)
    for i in range(d):
        work[out + i] = 0.0
        work[mean_pull + i] = 0.0
        for j in range(d):
            work[jac + i * d + j] = 0.0
    for c in range(n_cells):
        share = work[gate + c]
        if share == 0.0:
            continue
        fill_cell(numbers, layout, member, c, work, y, at)
        for i in range(d):
            own = work[local + c * d + i]
            work[out + i] += share * own
            work[mean_pull + i] += share * work[pull + c * d + i]
            for j in range(d):
                change = work[slope + i * d + j] - own * work[pull + c * d + j]
                work[jac + i * d + j] += share * change
    for i in range(d):
        for j in range(d):
            work[jac + i * d + j] += work[out + i] * work[mean_pull + j]
