"""Compiled sums behind the gradient of the DDPM objective; ``reference.py`` is their twin.

For a student of k components the sums, over rows of weight v, are (names as in
``objective.py``):

* ``mass`` (k,): v w_i
* ``gated`` (k,): v e_i
* ``pulled`` (k, d): v w_i f_i
* ``turned`` (k, d): v e_i g_i
* ``crossed`` (k, d, d): v w_i f_i g_i^T
* ``outer`` (k, d, d): v e_i g_i g_i^T

The parts are inlined rather than called: as functions of their own, loaded from numba's cache, they
crashed (numba 0.65).
"""

import math

from numba import njit

from symscore.arrays import FloatArray


@njit(inline="always")
def component_scores(
    row: FloatArray,
    log_scales: FloatArray,
    means: FloatArray,
    roots: FloatArray,
    g: FloatArray,
    w: FloatArray,
) -> None:
    """Fill g (k, d) with the scores of the components at a row and w (k,) with their gates."""
    k, d = means.shape
    largest = -math.inf
    for c in range(k):
        total = 0.0
        for i in range(d):
            g[c, i] = 0.0
        for i in range(d):
            u = 0.0
            for j in range(i + 1):
                u += roots[c, i, j] * (row[j] - means[c, j])
            total += u * u
            for j in range(i + 1):
                g[c, j] -= roots[c, i, j] * u
        w[c] = log_scales[c] - 0.5 * total
        largest = max(largest, w[c])
    total = 0.0
    for c in range(k):
        w[c] = math.exp(w[c] - largest)
        total += w[c]
    for c in range(k):
        w[c] /= total


@njit(inline="always")
def fill_seen(
    noise: FloatArray,
    g: FloatArray,
    score: FloatArray,
    f: FloatArray,
    c: FloatArray,
) -> float:
    """Fill f and c for the noise seen; return the loss of the row."""
    k, d = g.shape
    loss = 0.0
    for i in range(d):
        residual = score[i] + noise[i]
        loss += residual * residual
        for a in range(k):
            f[a, i] = 2 * residual
    for a in range(k):
        c[a] = 0.0
        for i in range(d):
            c[a] += f[a, i] * g[a, i]
    return loss


@njit(inline="always")
def fill_unseen(
    traces: FloatArray,
    g: FloatArray,
    w: FloatArray,
    score: FloatArray,
    f: FloatArray,
    c: FloatArray,
) -> float:
    """Fill f and c of Stein's form; return the loss of the row."""
    k, d = g.shape
    loss = 0.0
    for i in range(d):
        loss -= score[i] * score[i]
    for a in range(k):
        size, along = -traces[a], 0.0
        for i in range(d):
            size += g[a, i] * g[a, i]
            along += score[i] * g[a, i]
            f[a, i] = 4 * g[a, i] - 2 * score[i]
        c[a] = 2 * (size - along)
        loss += 2 * w[a] * size
    return loss


@njit(inline="always")
def add_row(
    v: float,
    g: FloatArray,
    w: FloatArray,
    f: FloatArray,
    c: FloatArray,
    mass: FloatArray,
    gated: FloatArray,
    pulled: FloatArray,
    turned: FloatArray,
    crossed: FloatArray,
    outer: FloatArray,
) -> None:
    """Add a row of weight v to the sums."""
    k, d = g.shape
    middle = 0.0
    for a in range(k):
        middle += w[a] * c[a]
    for a in range(k):
        share = v * w[a]
        e = share * (c[a] - middle)
        mass[a] += share
        gated[a] += e
        for i in range(d):
            pulled[a, i] += share * f[a, i]
            turned[a, i] += e * g[a, i]
            for j in range(d):
                crossed[a, i, j] += share * f[a, i] * g[a, j]
                outer[a, i, j] += e * g[a, i] * g[a, j]


@njit(cache=True, nogil=True)
def add_sums(
    x: FloatArray,
    noise: FloatArray,
    weights: FloatArray,
    seen: bool,
    log_scales: FloatArray,
    means: FloatArray,
    roots: FloatArray,
    traces: FloatArray,
    scratch: FloatArray,
    score: FloatArray,
    mass: FloatArray,
    gated: FloatArray,
    pulled: FloatArray,
    turned: FloatArray,
    crossed: FloatArray,
    outer: FloatArray,
) -> float:
    """Add rows x (n, d) of `weights` (n,) to the sums, and return the sum of their losses.

    `noise` (n, d) is z / sigma, read where it is `seen`. Of the student: `log_scales` (k,), log
    weights plus log determinants of the `roots` (k, d, d), inverse Cholesky factors of the
    covariances; `means` (k, d); and `traces` (k,) of the precisions. `scratch` (2 k + 2, k + d) and
    `score` (d,) are overwritten.
    """
    k, d = means.shape
    g, f = scratch[:k, :d], scratch[k : 2 * k, :d]
    w, c = scratch[2 * k, :k], scratch[2 * k + 1, :k]
    loss = 0.0
    for row in range(x.shape[0]):
        component_scores(x[row], log_scales, means, roots, g, w)
        for i in range(d):
            score[i] = 0.0
            for a in range(k):
                score[i] += w[a] * g[a, i]
        if seen:
            own = fill_seen(noise[row], g, score, f, c)
        else:
            own = fill_unseen(traces, g, w, score, f, c)
        loss += weights[row] * own
        add_row(weights[row], g, w, f, c, mass, gated, pulled, turned, crossed, outer)
    return loss
