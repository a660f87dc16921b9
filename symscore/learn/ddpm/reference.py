"""The readable twin of the compiled sums: the same formulas in NumPy, all rows at once."""

import numpy as np
from scipy.special import softmax

from symscore.arrays import FloatArray


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
    """See :func:`symscore.learn.ddpm.kernels.add_sums`; `scratch` and `score` are not used."""
    u = np.einsum("kij,knj->kni", roots, x - means[:, None])
    g = -np.einsum("kij,kni->knj", roots, u)
    w = softmax(log_scales[:, None] - 0.5 * (u**2).sum(axis=2), axis=0)
    s = np.einsum("kn,kni->ni", w, g)
    if seen:
        residual = s + noise
        losses, f = (residual**2).sum(axis=1), np.tile(2 * residual, (len(means), 1, 1))
        c = np.einsum("kni,kni->kn", f, g)
    else:
        size = (g**2).sum(axis=2) - traces[:, None]
        losses = 2 * (w * size).sum(axis=0) - (s**2).sum(axis=1)
        c, f = 2 * (size - np.einsum("ni,kni->kn", s, g)), 4 * g - 2 * s
    share = weights * w
    e = share * (c - (w * c).sum(axis=0))
    mass += share.sum(axis=1)
    gated += e.sum(axis=1)
    pulled += np.einsum("kn,kni->ki", share, f)
    turned += np.einsum("kn,kni->ki", e, g)
    crossed += np.einsum("kn,kni,knj->kij", share, f, g)
    outer += np.einsum("kn,kni,knj->kij", e, g, g)
    return float(weights @ losses)
