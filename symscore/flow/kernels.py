"""Compiled maps of the whole flow: draws, inverse, log density and their exact derivatives.

At the beginning of `work` lie a path y_0 ... y_N, (N + 1, d), its end v in the coordinates of the
chart, (d,), and a gradient there, (d,); the step's scratch follows. A point x has D >= d columns.
"""

import numpy as np
from numba import njit

from symscore.flow.chart_kernels import (
    chart_invert,
    chart_log_det,
    chart_pull,
    chart_push,
    chart_score,
)
from symscore.flow.dense import factor, solve_transposed
from symscore.flow.steps import (
    invert_step,
    linearised_step,
    step,
    step_log_det,
    step_positions,
    step_scratch,
    step_size,
)
from symscore.learn.curvature import add_jacobian_gradient
from symscore.learn.packed import DIM, EVENT, KAPPA, LOC, N_STEPS, TRIL
from symscore.mixture import LOG_2PI


@njit(cache=True, nogil=True)
def flow_scratch(layout):
    """Return a scratch vector for one flow, and where its step's scratch begins."""
    path = (layout[N_STEPS] + 3) * layout[DIM]
    return np.empty(path + step_scratch(layout)), path


@njit(cache=True, nogil=True)
def push(numbers, layout, work, at, z, x):
    """Fill the path of z (d,) and write its image to `x` (D,)."""
    n_steps, d, loc, tril = layout[N_STEPS], layout[DIM], layout[LOC], layout[TRIL]
    start = np.sqrt(1.0 + numbers[KAPPA] ** 2)
    for j in range(d):
        work[j] = start * z[j]
    for i in range(n_steps):
        step(numbers, layout, i, work, i * d, (i + 1) * d, at)
    for j in range(d):
        total = 0.0
        for k in range(j + 1):
            total += numbers[tril + j * d + k] * work[n_steps * d + k]
        work[(n_steps + 1) * d + j] = numbers[loc + j] + total / numbers[KAPPA + n_steps]
    chart_push(numbers, layout, work, (n_steps + 1) * d, x)


@njit(cache=True, nogil=True)
def pull_cotangent(numbers, layout, work, at, cotangent, out):
    """Write (dx/dz)^T cotangent (D,) to `out` (d,): one reverse sweep along the path in `work`."""
    n_steps, d, tril = layout[N_STEPS], layout[DIM], layout[TRIL]
    _, _, _, _, _, _, whole, _, value, _, _ = step_positions(layout, at)
    bar = value + d
    chart_pull(numbers, layout, work, (n_steps + 1) * d, cotangent, out)
    for k in range(d):
        total = 0.0
        for j in range(k, d):
            total += numbers[tril + j * d + k] * out[j]
        work[bar + k] = total / numbers[KAPPA + n_steps]
    for i in range(n_steps - 1, -1, -1):
        linearised_step(numbers, layout, i, work, i * d, value, at)
        for k in range(d):
            total = 0.0
            for j in range(d):
                total += work[whole + j * d + k] * work[bar + j]
            out[k] = total
        for k in range(d):
            work[bar + k] = out[k]
    for k in range(d):
        out[k] = work[bar + k] * np.sqrt(1.0 + numbers[KAPPA] ** 2)


@njit(cache=True, nogil=True)
def base_log_det(numbers, layout):
    """Return log |det dv/dz| less the steps' own log determinants."""
    n_steps, d, tril = layout[N_STEPS], layout[DIM], layout[TRIL]
    total = d * (0.5 * np.log1p(numbers[KAPPA] ** 2) - np.log(numbers[KAPPA + n_steps]))
    for j in range(d):
        total += np.log(numbers[tril + j * d + j])
    return total


@njit(cache=True, nogil=True)
def path_log_det(numbers, layout, work, at):
    """Return log |det dx/dz| along the path in `work`; NaN where a step is not monotone."""
    d, value = layout[DIM], step_positions(layout, at)[8]
    total = base_log_det(numbers, layout)
    total += chart_log_det(numbers, layout, work, (layout[N_STEPS] + 1) * d)
    for i in range(layout[N_STEPS]):
        linearised_step(numbers, layout, i, work, i * d, value, at)
        total += step_log_det(numbers, layout, i, work, at)
    return total


@njit(cache=True, nogil=True)
def invert(numbers, layout, work, at, x):
    """Fill the path that ends at x (D,) and return log |det dx/dz|.

    It is NaN where inverting failed, and infinite where x is outside the support of the chart.
    """
    n_steps, d, loc, tril = layout[N_STEPS], layout[DIM], layout[LOC], layout[TRIL]
    end, v = n_steps * d, (n_steps + 1) * d
    if not chart_invert(numbers, layout, x, work, v):
        return np.inf
    for j in range(d):
        total = work[v + j] - numbers[loc + j]
        for k in range(j):
            total -= numbers[tril + j * d + k] * work[end + k]
        work[end + j] = total / numbers[tril + j * d + j]
    for j in range(d):
        work[end + j] *= numbers[KAPPA + n_steps]
    total = base_log_det(numbers, layout) + chart_log_det(numbers, layout, work, v)
    for i in range(n_steps - 1, -1, -1):
        if not invert_step(numbers, layout, i, work, (i + 1) * d, i * d, at):
            return np.nan
        total += step_log_det(numbers, layout, i, work, at)
    return total


@njit(cache=True, nogil=True)
def log_normal(numbers, layout, work):
    """Return log N(z; 0, I) for the latent point z of the path in `work`."""
    d = layout[DIM]
    square = 0.0
    for j in range(d):
        square += work[j] ** 2
    return -0.5 * (square / (1.0 + numbers[KAPPA] ** 2) + d * LOG_2PI)


@njit(cache=True, nogil=True)
def _subtract_log_det_gradient(numbers, layout, i, work, y, out, at):
    """Subtract grad log det F'(y) of step i from the vector at `out`.

    With N = F'^-T and F' = I + h ((1 - w) J_0 + w J_1 G'), d log det F' = <N, dF'> splits into
    <P_0, dJ_0> + <P_1, dJ_1>: P_0 = h (1 - w) N + a w h^2 J_1^T N, P_1 = w h N G'^T, and J_1 is
    taken at y_1, whose derivative is G'. Needs F' factored.
    """
    a, w, h = step_size(numbers, i)
    _, _, stage, pivots, jac0, jac1, whole, p0, vectors, first, second = step_positions(layout, at)
    d = layout[DIM]
    p1, normal, lifted = p0 + d * d, vectors + d, vectors + 2 * d
    for j in range(2 * d * d):
        work[p0 + j] = 0.0
    for m in range(d):
        for j in range(d):
            work[normal + j] = 1.0 if j == m else 0.0
        solve_transposed(work, whole, pivots, d, normal)  # column m of N
        for j in range(d):
            part = h * work[normal + j]
            work[p0 + j * d + m] += (1.0 - w) * part
            work[p1 + j * d + m] += w * part
            for k in range(d):
                work[p0 + k * d + m] += a * w * h * part * work[jac1 + j * d + k]
                work[p1 + j * d + k] += a * w * h * part * work[jac0 + k * d + m]
    for j in range(d):
        work[normal + j] = 0.0
        work[lifted + j] = 0.0
    add_jacobian_gradient(numbers, layout, 2 * i, work, y, p0, normal, first)
    add_jacobian_gradient(numbers, layout, 2 * i + 1, work, stage, p1, lifted, second)
    for k in range(d):
        total = work[normal + k] + work[lifted + k]
        for j in range(d):
            total += a * h * work[jac0 + j * d + k] * work[lifted + j]
        work[out + k] -= total


@njit(cache=True, nogil=True)
def density_gradient(numbers, layout, work, at, x, out):
    """Write the gradient of the log density at x, the end of the path in `work`, to `out` (D,).

    The exact derivative of the discretised value: with L_i the part of log q that the states up
    to y_i determine, grad L_{i+1} = F'^-T (grad L_i - grad log det F'(y_i)).
    """
    n_steps, d, tril = layout[N_STEPS], layout[DIM], layout[TRIL]
    _, _, _, pivots, _, _, whole, _, value, _, _ = step_positions(layout, at)
    bar, v, score = value + 3 * d, (n_steps + 1) * d, (n_steps + 2) * d
    for j in range(d):
        work[bar + j] = -work[j] / (1.0 + numbers[KAPPA] ** 2)
    for i in range(n_steps):
        linearised_step(numbers, layout, i, work, i * d, value, at)
        factor(work, whole, pivots, d)
        _subtract_log_det_gradient(numbers, layout, i, work, i * d, bar, at)
        solve_transposed(work, whole, pivots, d, bar)
    for k in range(d - 1, -1, -1):
        total = work[bar + k] * numbers[KAPPA + n_steps]
        for j in range(k + 1, d):
            total -= numbers[tril + j * d + k] * work[score + j]
        work[score + k] = total / numbers[tril + k * d + k]
    chart_score(numbers, layout, work, v, score, x, out)


@njit(cache=True, nogil=True)
def push_rows(numbers, layout, z, x):
    """Images of z (n, d), written to `x` (n, D)."""
    work, at = flow_scratch(layout)
    for row in range(z.shape[0]):
        push(numbers, layout, work, at, z[row], x[row])


@njit(cache=True, nogil=True)
def path_rows(numbers, layout, z, path):
    """States y_0 ... y_N of z (n, d), written to `path` (n, N + 1, d)."""
    work, at = flow_scratch(layout)
    image = np.empty(layout[EVENT])
    for row in range(z.shape[0]):
        push(numbers, layout, work, at, z[row], image)
        for i in range(path.shape[1]):
            for j in range(z.shape[1]):
                path[row, i, j] = work[i * z.shape[1] + j]


@njit(cache=True, nogil=True)
def pull_rows(numbers, layout, z, cotangent, out):
    """(dx/dz)^T cotangent (n, D) at z (n, d), written to `out` (n, d)."""
    work, at = flow_scratch(layout)
    image = np.empty(layout[EVENT])
    for row in range(z.shape[0]):
        push(numbers, layout, work, at, z[row], image)
        pull_cotangent(numbers, layout, work, at, cotangent[row], out[row])


@njit(cache=True, nogil=True)
def push_log_det_rows(numbers, layout, z, log_det):
    """log |det dx/dz| at z (n, d), written to `log_det` (n,)."""
    work, at = flow_scratch(layout)
    image = np.empty(layout[EVENT])
    for row in range(z.shape[0]):
        push(numbers, layout, work, at, z[row], image)
        log_det[row] = path_log_det(numbers, layout, work, at)


@njit(cache=True, nogil=True)
def invert_rows(numbers, layout, x, z, log_det):
    """Latent points of x (n, D), written to `z` (n, d), and log |det dx/dz| to `log_det` (n,).

    NaN in `log_det` says that inverting failed, infinity that x is outside the support; `z` is then
    without meaning.
    """
    work, at = flow_scratch(layout)
    shrink = 1.0 / np.sqrt(1.0 + numbers[KAPPA] ** 2)
    for row in range(x.shape[0]):
        log_det[row] = invert(numbers, layout, work, at, x[row])
        for j in range(z.shape[1]):
            z[row, j] = shrink * work[j]


@njit(cache=True, nogil=True)
def density_rows(numbers, layout, x, log_density, score):
    """log q (n,) and its gradient (n, D) at x (n, D); NaN where the inversion failed.

    Outside the support they are -inf and 0. `score` may have no rows: it is then left out.
    """
    work, at = flow_scratch(layout)
    for row in range(x.shape[0]):
        log_det = invert(numbers, layout, work, at, x[row])
        outside = log_det == np.inf
        log_density[row] = -np.inf if outside else log_normal(numbers, layout, work) - log_det
        if score.shape[0] == 0:
            continue
        if outside:
            score[row] = 0.0
        elif np.isnan(log_det):
            score[row] = np.nan
        else:
            density_gradient(numbers, layout, work, at, x[row], score[row])
