"""Compiled second derivatives of the denoiser, contracted as gradients of densities need them."""

from numba import njit

from symscore.learn.kernels import (
    fill_cell,
    member_of,
    member_position,
    member_scratch,
    members_of,
    scratch_positions,
)
from symscore.learn.packed import DIM, HERMITE, RATE, SHARES


@njit(cache=True, nogil=True)
def _add_polynomial_part(numbers, layout, member, c, work, cotangent, out, at):
    """Add share_m r_c * grad of psi_c(y) = <P, f_c'(y)> to `out`; needs poly of cell c.

    In u, with Q = P L^-T, T = coef . h and e the damping, psi = e (<Q, T'> - T^T Q u / rho^2) up to
    a constant. <Q, T'> is itself a combination `weight` of Hermite polynomials, and so is the
    part -(coef_j . Q u) / rho^2 of T's gradient.
    """
    d, table, rate = layout[DIM], layout[HERMITE], layout[RATE]
    first, _, size, stride = member_of(layout, member)
    gate, damp, u, _, _, poly, weight, _, _, turned, row = scratch_positions(layout, at)
    whiten = first + c * stride + 2 + 2 * d
    coef = whiten + 2 * d * d
    shrink, u, grad = numbers[first + c * stride + 1], u + c * d, row + d
    for i in range(d):
        work[row + i] = 0.0  # Q u
        work[grad + i] = 0.0
        for k in range(d):
            total = 0.0
            for j in range(k + 1):
                total += work[cotangent + i * d + j] * numbers[whiten + k * d + j]
            work[turned + i * d + k] = total
            work[row + i] += total * work[u + k]
    for j in range(size):
        work[weight + j] = 0.0
    for j in range(size):
        along = 0.0
        for i in range(d):
            along += numbers[coef + j * d + i] * work[row + i]
        work[weight + j] -= shrink * along
        for k in range(d):
            inner = 0.0
            for i in range(d):
                inner += numbers[coef + j * d + i] * work[turned + i * d + k]
            work[grad + k] -= shrink * inner * work[poly + j]
            below = layout[table + j * (d + 1) + 1 + k]
            if below >= 0:
                work[weight + below] += inner * numbers[rate + j * d + k]
    psi = 0.0
    for j in range(size):
        psi += work[weight + j] * work[poly + j]
        for k in range(d):
            below = layout[table + j * (d + 1) + 1 + k]
            if below >= 0:
                change = numbers[rate + j * d + k] * work[poly + below]
                work[grad + k] += work[weight + j] * change
    scale = numbers[layout[SHARES] + member] * work[gate + c] * work[damp + c]
    for k in range(d):
        change = scale * (work[grad + k] - shrink * work[u + k] * psi)
        for i in range(k + 1):
            work[out + i] += numbers[whiten + k * d + i] * change


@njit(cache=True, nogil=True)
def add_jacobian_gradient(numbers, layout, level, work, y, cotangent, out, at):
    """Add the gradient of <P, D'(y)> = sum_ij P_ij dD_i/dy_j to `out`.

    Runs right after ``jacobian(..., y, ..., at)``, whose scratch it finds at `at`; P (d, d) is at
    `cotangent`.
    """
    begin, end = members_of(layout, level)
    for member in range(begin, end):
        own = member_position(layout, member - begin, at)
        value = own + member_scratch(layout)
        _add_member_gradient(numbers, layout, member, work, y, value, cotangent, out, own)


@njit(cache=True, nogil=True)
def _add_member_gradient(numbers, layout, member, work, y, value, cotangent, out, at):
    """Add share_m times the gradient of <P, D_m'(y)> to `out`; D_m(y) is at `value`.

    With K_c = V_c^-1, s_c = <P, f_c'> + f_c^T P (gbar - g_c) and D = D_m = sum r f,

        grad = sum_c r_c [(gbar - g_c) s_c + grad <P, f_c'> + f_c'^T P (gbar - g_c) - K_c P^T f_c]
               + gbar' P^T D,        gbar' = sum_c r_c K_c + gbar gbar^T - sum_c r_c g_c g_c^T.
    """
    d = layout[DIM]
    first, n_cells, size, stride = member_of(layout, member)
    gate, _, _, pulls, locals_, _, _, mean_pull, slope, _, row = scratch_positions(layout, at)
    back = row + d
    for c in range(n_cells):
        if work[gate + c] == 0.0:
            continue
        share = numbers[layout[SHARES] + member] * work[gate + c]
        pull, local = pulls + c * d, locals_ + c * d
        whiten = first + c * stride + 2 + 2 * d
        fill_cell(numbers, layout, member, c, work, y, at)
        if size > 0:
            _add_polynomial_part(numbers, layout, member, c, work, cotangent, out, at)
        inner = 0.0  # s_c + g_c^T P^T D: the latter's gate average makes gbar gbar^T - g_c g_c^T
        for i in range(d):
            total = 0.0
            for j in range(d):
                p = work[cotangent + i * d + j]
                inner += p * (work[slope + i * d + j] + work[pull + j] * work[value + i])
                total += p * (work[mean_pull + j] - work[pull + j])
            work[row + i] = total
            inner += work[local + i] * total
        # K_c P^T (D - f_c) in two triangular products.
        for k in range(d):
            total = 0.0
            for j in range(k + 1):
                for i in range(d):
                    change = work[value + i] - work[local + i]
                    total += numbers[whiten + k * d + j] * work[cotangent + i * d + j] * change
            work[back + k] = total
        for i in range(d):
            total = (work[mean_pull + i] - work[pull + i]) * inner
            for j in range(d):
                total += work[slope + j * d + i] * work[row + j]
            for k in range(i, d):
                total += numbers[whiten + k * d + i] * work[back + k]
            work[out + i] += share * total
