"""Compiled gates, crude denoisers and features of many rows at once.

The same formulas as symscore.learn.kernels, for rows that lie side by side: y is (d, n), and every
inner loop runs over rows, so that it is vectorised. What a row gets does not depend on the others.
"""

import numpy as np
from numba import njit

from symscore.learn.kernels import NEGLIGIBLE_GATE, member_of
from symscore.learn.packed import DIM, HERMITE, RATE

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is log 2
TO_INTEGER = 1.5 * 2.0**52  # added to a number below 2^51, it leaves the nearest integer there
BIAS, MANTISSA = 1023, 52  # of the exponent, and its place in a float64
LOWEST = -700.0  # below it, e^x counts as e^-700


# A kernel compiled with `fastmath` must not call this one: it would pass its flags on, by which
# the rounding to an integer is "simplified" away.
@njit(cache=True, nogil=True)
def exponentiate(values, n, powers):
    """Replace the first n of `values`, none above 700, by their exponentials; `powers` is scratch.

    e^x = 2^k e^r with |r| <= log(2) / 2, and Taylor's polynomial of degree 13, whose remainder is
    below 2^-57: right to 2 ulp, and vectorised as libm's is not. NaN stays.
    """
    bits = powers.view(np.int64)
    for row in range(n):
        x = LOWEST if values[row] < LOWEST else values[row]
        powers[row] = x * LOG2_E + TO_INTEGER
        k = powers[row] - TO_INTEGER
        r = (x - k * LN2_HIGH) - k * LN2_LOW
        p = 1.0 / 6227020800.0
        p = p * r + 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        values[row] = p * r * r + r + 1.0
    for row in range(n):
        bits[row] = (bits[row] + BIAS) << MANTISSA
    for row in range(n):
        values[row] *= powers[row]


@njit(cache=True, nogil=True)
def whiten_rows(numbers, d, centre, y, n, u):
    """Write u = L^-1 (y - centre) (d, n) for the record whose centre is there in `numbers`."""
    whiten = centre + 2 * d
    for i in range(d):
        for row in range(n):
            u[i, row] = 0.0
        for j in range(i + 1):
            factor, shift = numbers[whiten + i * d + j], numbers[centre + j]
            for row in range(n):
                u[i, row] += factor * (y[j, row] - shift)


@njit(cache=True, nogil=True)
def fill_log_terms(numbers, layout, member, y, n, u, log_term, square, top):
    """Fill log v N(y; centre, V), less a constant, and |u|^2 (C, n); `top` gets the largest."""
    d = layout[DIM]
    first, n_cells, _, stride = member_of(layout, member)
    for row in range(n):
        top[row] = -np.inf
    for c in range(n_cells):
        centre = first + c * stride + 2
        whiten_rows(numbers, d, centre, y, n, u)
        for row in range(n):
            square[c, row] = 0.0
        for i in range(d):
            for row in range(n):
                square[c, row] += u[i, row] * u[i, row]
        constant = numbers[centre - 2]
        for row in range(n):
            log_term[c, row] = constant - 0.5 * square[c, row]
            top[row] = log_term[c, row] if log_term[c, row] > top[row] else top[row]


@njit(cache=True, nogil=True)
def fill_gates(numbers, layout, member, y, n, u, gate, square, top, total):
    """Fill gate and square = |u|^2 (C, n) of a member; negligible gates become exactly 0.

    `top` (n,) gets the largest log v N, less a constant, and `total` the sum of all v N over it.
    """
    n_cells = member_of(layout, member)[1]
    fill_log_terms(numbers, layout, member, y, n, u, gate, square, top)
    for row in range(n):
        total[row] = 0.0
    for c in range(n_cells):
        for row in range(n):
            gate[c, row] -= top[row]
        exponentiate(gate[c], n, u[0])
        for row in range(n):
            gate[c, row] = 0.0 if gate[c, row] <= NEGLIGIBLE_GATE else gate[c, row]
            total[row] += gate[c, row]
    for c in range(n_cells):
        for row in range(n):
            share = gate[c, row] / total[row]
            gate[c, row] = 0.0 if share < NEGLIGIBLE_GATE else share


@njit(cache=True, nogil=True)
def add_crude(numbers, layout, member, factor, y, n, gate, own, out):
    """Add `factor` times the member's crude denoiser at y to `out` (d, n); `own` is scratch."""
    d = layout[DIM]
    first, n_cells, _, stride = member_of(layout, member)
    for c in range(n_cells):
        centre = first + c * stride + 2
        mean = centre + d
        gain = mean + d + d * d
        for i in range(d):
            for row in range(n):
                own[row] = numbers[mean + i]
            for j in range(d):
                change, shift = numbers[gain + i * d + j], numbers[centre + j]
                for row in range(n):
                    own[row] += change * (y[j, row] - shift)
            for row in range(n):
                out[i, row] += factor * gate[c, row] * own[row]


@njit(cache=True, nogil=True)
def damp_gates(numbers, layout, member, n, gate, square, floor, powers):
    """Multiply gates by exp(-|u|^2 / (2 rho^2)); those not above `floor` become 0."""
    first, n_cells, _, stride = member_of(layout, member)
    for c in range(n_cells):
        rate = -0.5 * numbers[first + c * stride + 1]
        for row in range(n):
            square[c, row] *= rate
        exponentiate(square[c], n, powers)
        for row in range(n):
            damped = gate[c, row] * square[c, row]
            gate[c, row] = 0.0 if damped <= floor else damped


@njit(cache=True, nogil=True)
def fill_features(numbers, layout, member, c, y, n, u, design, at):
    """Fill the features (F, n) of cell c from row `at` of `design` on; its first row is set.

    The recurrence is linear: begun with gate times damping, it yields features instead of
    polynomials.
    """
    d, table, rate = layout[DIM], layout[HERMITE], layout[RATE]
    first, _, size, stride = member_of(layout, member)
    whiten_rows(numbers, d, first + c * stride + 2, y, n, u)
    for j in range(1, size):
        k = layout[table + j * (d + 1)]
        one = layout[table + j * (d + 1) + 1 + k]
        two = layout[table + one * (d + 1) + 1 + k]
        over = 1.0 / numbers[rate + j * d + k]
        for row in range(n):
            design[at + j, row] = over * u[k, row] * design[at + one, row]
        if two >= 0:
            back = over * numbers[rate + one * d + k]
            for row in range(n):
                design[at + j, row] -= back * design[at + two, row]
