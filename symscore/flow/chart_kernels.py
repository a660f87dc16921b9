"""Compiled charts: x from unconstrained coordinates v, back, and the derivatives of both.

Coordinates lie in the vector `work` from position `v` on; points x (D,) are arrays. A chart without
blocks is the identity. The formulas are those of :mod:`symscore.flow.charts`.
"""

import numpy as np
from numba import njit

from symscore.learn.packed import (
    BLOCKS,
    CHART,
    CIRCLE,
    FREE,
    INTERVAL,
    LOWER,
    ORDERED,
    PER_BLOCK,
    SIMPLEX,
    UPPER,
)

SMALLEST = float(np.finfo(np.float64).tiny)
EPS = float(np.finfo(np.float64).eps)
STEEPEST = 700.0  # exponents are capped here: e^700 is 1e304, and sums of some are finite


@njit(cache=True, nogil=True)
def _exp(v):
    """Return e^v, finite for every v."""
    return np.exp(min(v, STEEPEST))


@njit(cache=True, nogil=True)
def _block(layout, b):
    """Return kind, first column, columns, first coordinate, coordinates, offset of block b."""
    at = layout[CHART] + PER_BLOCK * b
    return (
        layout[at],
        layout[at + 1],
        layout[at + 2],
        layout[at + 3],
        layout[at + 4],
        layout[at + 5],
    )


@njit(cache=True, nogil=True)
def _between(v, lower, upper):
    """Return lower + (upper - lower) / (1 + e^-v), strictly inside, exact near either end."""
    small = np.exp(-abs(v))
    part = (upper - lower) * small / (1.0 + small)
    x = lower + part if v < 0.0 else upper - part
    return min(max(x, np.nextafter(lower, upper)), np.nextafter(upper, lower))


@njit(cache=True, nogil=True)
def _elementwise(numbers, kind, at, v):
    """Return x of one coordinate."""
    if kind == FREE:
        return v
    lower, upper = numbers[at], numbers[at + 1]
    if kind == LOWER:
        return max(lower + _exp(v), np.nextafter(lower, np.inf))
    if kind == UPPER:
        return min(upper - _exp(-v), np.nextafter(upper, -np.inf))
    if kind == INTERVAL:
        return _between(v, lower, upper)
    period, cut = upper - lower, numbers[at + 2]
    x = _between(v, cut, cut + period)
    if x >= upper:
        x = max(x - period, lower)
    return x


@njit(cache=True, nogil=True)
def _inverse(numbers, kind, at, x):
    """Return the coordinate of x; NaN outside the support."""
    if kind == FREE:
        return x
    lower, upper = numbers[at], numbers[at + 1]
    if kind == CIRCLE:
        period, cut = upper - lower, numbers[at + 2]
        if not lower <= x < upper:
            x = lower + (x - lower) % period
        turned = x - cut if x >= cut else x - cut + period
        # The cut itself would be infinitely far out; what rounds to it is as near as EPS.
        share = min(max(turned / period, EPS), 1.0 - EPS)
        return np.log(share) - np.log1p(-share)
    if kind != UPPER and not x > lower:
        return np.nan
    if kind != LOWER and not x < upper:
        return np.nan
    if kind == LOWER:
        return np.log(x - lower)
    if kind == UPPER:
        return -np.log(upper - x)
    return np.log(x - lower) - np.log(upper - x)


@njit(cache=True, nogil=True)
def _log_slope(numbers, kind, at, v):
    """Return log dx/dv of one coordinate."""
    if kind == FREE:
        return 0.0
    if kind == LOWER:
        return v
    if kind == UPPER:
        return -v
    return np.log(numbers[at + 1] - numbers[at]) - abs(v) - 2.0 * np.log1p(np.exp(-abs(v)))


@njit(cache=True, nogil=True)
def _log_slope_gradient(kind, v):
    """Return d/dv log dx/dv of one coordinate."""
    if kind == FREE:
        return 0.0
    if kind == LOWER:
        return 1.0
    if kind == UPPER:
        return -1.0
    return -np.tanh(0.5 * v)


@njit(cache=True, nogil=True)
def _exponentials(work, v, n):
    """Return the top of n coordinates and minus their sum, the latter, and sum of e^(. - top)."""
    last, top = 0.0, -np.inf
    for j in range(n):
        last -= work[v + j]
        top = max(top, work[v + j])
    top = max(top, last)
    total = np.exp(last - top)
    for j in range(n):
        total += np.exp(work[v + j] - top)
    return top, last, total


@njit(cache=True, nogil=True)
def chart_push(numbers, layout, work, v, x):
    """Write the point of the coordinates at `v` to `x` (D,)."""
    if layout[BLOCKS] == 0:
        for j in range(x.size):
            x[j] = work[v + j]
    for b in range(layout[BLOCKS]):
        kind, column, width, first, n, at = _block(layout, b)
        if kind == ORDERED:
            x[column] = work[v + first]
            for j in range(1, n):
                step = x[column + j - 1] + _exp(work[v + first + j])
                x[column + j] = max(step, np.nextafter(x[column + j - 1], np.inf))
        elif kind == SIMPLEX:
            top, last, total = _exponentials(work, v + first, n)
            for j in range(n):
                x[column + j] = max(np.exp(work[v + first + j] - top) / total, SMALLEST)
            x[column + width - 1] = max(np.exp(last - top) / total, SMALLEST)
        else:
            x[column] = _elementwise(numbers, kind, at, work[v + first])


@njit(cache=True, nogil=True)
def chart_pull(numbers, layout, work, v, cotangent, out):
    """Write (dx/dv)^T cotangent (D,) to `out` (d,)."""
    if layout[BLOCKS] == 0:
        for j in range(out.size):
            out[j] = cotangent[j]
    for b in range(layout[BLOCKS]):
        kind, column, width, first, n, at = _block(layout, b)
        if kind == ORDERED:
            total = 0.0
            for j in range(n - 1, 0, -1):
                total += cotangent[column + j]
                out[first + j] = _exp(work[v + first + j]) * total
            out[first] = total + cotangent[column]
        elif kind == SIMPLEX:
            top, last, total = _exponentials(work, v + first, n)
            share = np.exp(last - top) / total
            mean = share * cotangent[column + width - 1]
            for j in range(n):
                mean += np.exp(work[v + first + j] - top) / total * cotangent[column + j]
            of_last = share * (cotangent[column + width - 1] - mean)
            for j in range(n):
                share = np.exp(work[v + first + j] - top) / total
                out[first + j] = share * (cotangent[column + j] - mean) - of_last
        else:
            out[first] = _exp(_log_slope(numbers, kind, at, work[v + first])) * cotangent[column]


@njit(cache=True, nogil=True)
def chart_log_det(numbers, layout, work, v):
    """Return log |det dx/dv| at the coordinates at `v`."""
    total = 0.0
    for b in range(layout[BLOCKS]):
        kind, _, width, first, n, at = _block(layout, b)
        if kind == ORDERED:
            for j in range(1, n):
                total += work[v + first + j]
        elif kind == SIMPLEX:
            top, _, powers = _exponentials(work, v + first, n)
            total += np.log(width) - width * (top + np.log(powers))
        else:
            total += _log_slope(numbers, kind, at, work[v + first])
    return total


@njit(cache=True, nogil=True)
def chart_invert(numbers, layout, x, work, v):
    """Write the coordinates of x (D,) at `v`; return whether x lies in the support."""
    inside = True
    if layout[BLOCKS] == 0:
        for j in range(x.size):
            work[v + j] = x[j]
    for b in range(layout[BLOCKS]):
        kind, column, width, first, n, at = _block(layout, b)
        if kind == ORDERED:
            work[v + first] = x[column]
            for j in range(1, n):
                gap = x[column + j] - x[column + j - 1]
                inside &= gap > 0.0
                work[v + first + j] = np.log(gap) if gap > 0.0 else np.nan
        elif kind == SIMPLEX:
            mean = 0.0
            for j in range(width):
                inside &= x[column + j] > 0.0
                mean += np.log(x[column + j]) / width if x[column + j] > 0.0 else np.nan
            for j in range(n):
                work[v + first + j] = np.log(x[column + j]) - mean if inside else np.nan
        else:
            work[v + first] = _inverse(numbers, kind, at, x[column])
            inside &= not np.isnan(work[v + first])
    return inside


@njit(cache=True, nogil=True)
def chart_score(numbers, layout, work, v, score, x, out):
    """Write the gradient in x (D,) of a log density whose gradient in v is at `score` to `out`.

    That is (dv/dx)^T (score - grad_v log |det dx/dv|); the vector at `score` is overwritten.
    """
    if layout[BLOCKS] == 0:
        for j in range(out.size):
            out[j] = work[score + j]
    for b in range(layout[BLOCKS]):
        kind, column, width, first, n, at = _block(layout, b)
        if kind == ORDERED:
            out[column] = work[score + first]
            for j in range(1, n):
                slope = (work[score + first + j] - 1.0) / (x[column + j] - x[column + j - 1])
                out[column + j] = slope
                out[column + j - 1] -= slope
        elif kind == SIMPLEX:
            top, last, total = _exponentials(work, v + first, n)
            mean = 0.0
            for j in range(n):
                difference = (np.exp(work[v + first + j] - top) - np.exp(last - top)) / total
                work[score + first + j] += width * difference
                mean += work[score + first + j] / width
            for j in range(n):
                out[column + j] = (work[score + first + j] - mean) / x[column + j]
            out[column + width - 1] = -mean / x[column + width - 1]
        else:
            place = work[v + first]
            difference = work[score + first] - _log_slope_gradient(kind, place)
            out[column] = difference * _exp(-_log_slope(numbers, kind, at, place))


@njit(cache=True, nogil=True)
def chart_push_rows(numbers, layout, v, x):
    """Points of coordinates v (n, d), written to `x` (n, D)."""
    for row in range(v.shape[0]):
        chart_push(numbers, layout, v[row], 0, x[row])


@njit(cache=True, nogil=True)
def chart_invert_rows(numbers, layout, x, v):
    """Coordinates of x (n, D), written to `v` (n, d)."""
    for row in range(x.shape[0]):
        chart_invert(numbers, layout, x[row], v[row], 0)


@njit(cache=True, nogil=True)
def chart_log_det_rows(numbers, layout, v, log_det):
    """log |det dx/dv| at v (n, d), written to `log_det` (n,)."""
    for row in range(v.shape[0]):
        log_det[row] = chart_log_det(numbers, layout, v[row], 0)
