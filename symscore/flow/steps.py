"""Compiled two-stage steps of the probability flow, their derivatives and their inverses.

With fields D_0 at kappa and D_1 at kappa + a h, one step from kappa to kappa + h is

    y_1 = y + a h D_0(y),      F(y) = y + h ((1 - w) D_0(y) + w D_1(y_1)),
    G' = I + a h J_0,   K' = (1 - b) G'^-1 + b I + w h J_1,   F' = K' G'   (docs/method.md).

Step i uses levels 2 i and 2 i + 1 of the packed fields. As in symscore.learn.kernels, vectors are
positions in `work`; ``at`` is where the step's own scratch begins.
"""

import numpy as np
from numba import njit

from symscore.flow.dense import factor, norm, solve
from symscore.learn.kernels import denoise, field_scratch, jacobian
from symscore.learn.packed import DIM, KAPPA

NEWTON_LIMIT = 80
HALVINGS = 30
EPS = float(np.finfo(np.float64).eps)
# Residuals are sums of a few terms of the size of y: this many ulps is what rounding leaves.
ROUNDING_ULPS = 8.0
# Where F' is large, between far modes, one ulp of y moves F by many ulps and no residual can be
# small: y is then as good as rounding lets it be if the Newton step still asked for is a few ulps
# of y, or this many once the residual has stopped falling.
ACCEPTED_ULPS = 2.0**14


@njit(cache=True, nogil=True)
def step_scratch(layout):
    """Length of a step's scratch, in the order of :func:`step_positions`."""
    d = layout[DIM]
    return 8 * d + 5 * d * d + 2 * field_scratch(layout)


@njit(cache=True, nogil=True)
def step_positions(layout, at):
    """Positions of everything in a step's scratch that begins at `at`.

    D_0, D_1, y_1, pivots (d); J_0, J_1, F' (d, d); two matrices (2, d, d); four vectors (4, d); the
    scratch of the two fields.
    """
    d = layout[DIM]
    jac0 = at + 4 * d
    matrices = jac0 + 3 * d * d
    vectors = matrices + 2 * d * d
    first = vectors + 4 * d
    second = first + field_scratch(layout)
    return (
        at,
        at + d,
        at + 2 * d,
        at + 3 * d,
        jac0,
        jac0 + d * d,
        jac0 + 2 * d * d,
        matrices,
        vectors,
        first,
        second,
    )


@njit(cache=True, nogil=True)
def step_size(numbers, i):
    """Coefficients a, w and h of step i."""
    return numbers[0], numbers[1], numbers[KAPPA + i + 1] - numbers[KAPPA + i]


@njit(cache=True, nogil=True)
def step(numbers, layout, i, work, y, out, at):
    """Write F(y) of step i to `out`."""
    a, w, h = step_size(numbers, i)
    d0, d1, stage, _, _, _, _, _, _, first, second = step_positions(layout, at)
    d = layout[DIM]
    denoise(numbers, layout, 2 * i, work, y, d0, first)
    for j in range(d):
        work[stage + j] = work[y + j] + a * h * work[d0 + j]
    denoise(numbers, layout, 2 * i + 1, work, stage, d1, second)
    for j in range(d):
        work[out + j] = work[y + j] + h * ((1.0 - w) * work[d0 + j] + w * work[d1 + j])


@njit(cache=True, nogil=True)
def linearised_step(numbers, layout, i, work, y, out, at):
    """Write F(y) to `out` and F'(y) to scratch; leaves J_0, J_1 and both fields' scratch."""
    a, w, h = step_size(numbers, i)
    d0, d1, stage, _, jac0, jac1, whole, _, _, first, second = step_positions(layout, at)
    d = layout[DIM]
    jacobian(numbers, layout, 2 * i, work, y, d0, jac0, first)
    for j in range(d):
        work[stage + j] = work[y + j] + a * h * work[d0 + j]
    jacobian(numbers, layout, 2 * i + 1, work, stage, d1, jac1, second)
    for j in range(d):
        work[out + j] = work[y + j] + h * ((1.0 - w) * work[d0 + j] + w * work[d1 + j])
        for k in range(d):
            total = (1.0 - w) * work[jac0 + j * d + k] + w * work[jac1 + j * d + k]
            for m in range(d):
                total += w * a * h * work[jac1 + j * d + m] * work[jac0 + m * d + k]
            work[whole + j * d + k] = h * total
        work[whole + j * d + j] += 1.0


@njit(cache=True, nogil=True)
def step_log_det(numbers, layout, i, work, at):
    """Return log det F' after :func:`linearised_step`, NaN unless det G' and det K' are positive.

    The product form det G' det K' keeps digits where J_0 is large: between far modes F' itself
    has entries that nearly cancel.
    """
    a, w, h = step_size(numbers, i)
    _, _, _, pivots, jac0, jac1, _, inner, column, _, _ = step_positions(layout, at)
    d, b = layout[DIM], (1.0 - w) / a
    outer = inner + d * d
    for j in range(d * d):
        work[inner + j] = a * h * work[jac0 + j]
        work[outer + j] = w * h * work[jac1 + j]
    for j in range(d):
        work[inner + j * d + j] += 1.0
        work[outer + j * d + j] += b
    sign_inner, log_inner = factor(work, inner, pivots, d)
    if sign_inner <= 0.0:
        return np.nan
    for k in range(d):
        for j in range(d):
            work[column + j] = 1.0 if j == k else 0.0
        solve(work, inner, pivots, d, column)
        for j in range(d):
            work[outer + j * d + k] += (1.0 - b) * work[column + j]
    sign_outer, log_outer = factor(work, outer, pivots, d)
    if sign_outer <= 0.0:
        return np.nan
    return log_inner + log_outer


@njit(cache=True, nogil=True)
def _first_guess(numbers, layout, i, work, target, y, at):
    """Write an explicit backward step from `target` to `y`, with the stage field alone."""
    a, _, h = step_size(numbers, i)
    _, value, stage, _, _, _, _, _, _, _, second = step_positions(layout, at)
    d = layout[DIM]
    denoise(numbers, layout, 2 * i + 1, work, target, value, second)
    for j in range(d):
        work[stage + j] = work[target + j] - (1.0 - a) * h * work[value + j]
    denoise(numbers, layout, 2 * i + 1, work, stage, value, second)
    for j in range(d):
        work[y + j] = work[target + j] - h * work[value + j]


@njit(cache=True, nogil=True)
def _residual(work, target, value, out, d):
    for j in range(d):
        work[out + j] = work[target + j] - work[value + j]
    return norm(work, out, d)


@njit(cache=True, nogil=True)
def invert_step(numbers, layout, i, work, target, y, at):
    """Solve F(y) = target by damped Newton; return whether y is right to rounding.

    A step length s is accepted when |r_new| <= (1 - s / 10) |r|, else halved. F is proper and F'
    never singular, so that in exact arithmetic this converges (docs/method.md). On success the
    linearisation at y is left in scratch.
    """
    d = layout[DIM]
    _, _, _, pivots, _, _, whole, _, residual, _, _ = step_positions(layout, at)
    trial, moved, value = residual + d, residual + 2 * d, residual + 3 * d
    _first_guess(numbers, layout, i, work, target, y, at)
    linearised_step(numbers, layout, i, work, y, value, at)
    size, left = _residual(work, target, value, residual, d), np.inf
    for _ in range(NEWTON_LIMIT):
        scale = 1.0 + norm(work, target, d) + norm(work, y, d)
        if not np.isfinite(size):
            return False
        if size <= ROUNDING_ULPS * EPS * scale:
            return True
        sign, _log_det = factor(work, whole, pivots, d)
        if sign == 0.0:
            return False
        for j in range(d):
            work[moved + j] = work[residual + j]
        solve(work, whole, pivots, d, moved)
        left = norm(work, moved, d)
        if left <= ROUNDING_ULPS * EPS * (1.0 + norm(work, y, d)):
            return True
        length, new_size = 1.0, np.inf
        for _halving in range(HALVINGS):
            for j in range(d):
                work[trial + j] = work[y + j] + length * work[moved + j]
            linearised_step(numbers, layout, i, work, trial, value, at)
            new_size = _residual(work, target, value, residual, d)
            if new_size <= (1.0 - 0.1 * length) * size:
                break
            length *= 0.5
        if not new_size <= (1.0 - 0.1 * length) * size:  # every halving was refused
            linearised_step(numbers, layout, i, work, y, value, at)
            return left <= ACCEPTED_ULPS * EPS * (1.0 + norm(work, y, d))
        for j in range(d):
            work[y + j] = work[trial + j]
        size = new_size
    # Near the middle of far bridges the residual can go on falling by a little less than it must.
    return left <= ACCEPTED_ULPS * EPS * (1.0 + norm(work, y, d))
