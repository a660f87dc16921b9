"""What is odd about the data before anything is learned: isolated rows, spikes, heavy tails."""

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.report import Spike

FAR = 50.0  # robust standard deviations beyond which a row may be isolated ...
GAP = 10.0  # ... if it is also this many times as far out as the next one
LITTLE = 0.05  # largest share of the weight that isolated rows have
SPIKE = 0.02  # smallest share of a spike ...
PROMINENCE = 5.0  # ... which is also this many times the share of the values next to it
REPEATED = 5  # rows that a spike has at least
HEAVY = 50.0  # kurtosis of a column from which moments are taken of clipped rows
CLIP = 10.0  # robust standard deviations at which they are clipped
MAD_TO_SD = 1.4826  # of a Gaussian


def robust_scale(x: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted median of every column of x (n, d) and a robust standard deviation.

    That is 1.4826 times the median absolute deviation or, where more than half of a column is one
    value, the mean absolute deviation.
    """
    centre = np.array([weighted_median(column, weights) for column in x.T])
    away = np.abs(x - centre)
    spread = MAD_TO_SD * np.array([weighted_median(column, weights) for column in away.T])
    return centre, np.where(spread > 0, spread, weights @ away / weights.sum())


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Return the smallest value below or at which half of the weight lies."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, 0.5 * cumulative[-1])])


def isolated_rows(x: FloatArray, weights: FloatArray, too_few: int) -> np.ndarray:
    """Return a mask (n,) of isolated rows far out, fewer than `too_few`: they cannot fill a cell.

    They lie beyond 50 robust standard deviations in some column, 10 times as far out as the next
    row, so that heavy tails, which thin out evenly, are kept, and hold little of the weight.
    """
    mask = np.zeros(len(x), dtype=bool)
    centre, spread = robust_scale(x, weights)
    varies = spread > 0
    if not varies.any():
        return mask
    radius = (np.abs(x - centre)[:, varies] / spread[varies]).max(axis=1)
    order = np.argsort(radius, kind="stable")
    first = max(1, len(x) - too_few + 1)
    outer, inner = radius[order[first:]], radius[order[first - 1 : -1]]
    gaps = np.flatnonzero((outer > FAR) & (outer > GAP * np.maximum(inner, 1.0)))
    for start in first + gaps:
        if weights[order[start:]].sum() <= LITTLE * weights.sum():
            mask[order[start:]] = True
            break
    return mask


def clipped_tails(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Return x with the tails of heavy-tailed columns drawn in to 10 robust standard deviations."""
    centred = x - weights @ x
    variance = weights @ centred**2
    kurtosis = weights @ centred**4 / np.maximum(variance**2, np.finfo(float).tiny)
    heavy = kurtosis > HEAVY
    if not heavy.any():
        return x
    centre, spread = robust_scale(x, weights)
    drawn_in = np.clip(x, centre - CLIP * spread, centre + CLIP * spread)
    return np.where(heavy & (spread > 0), drawn_in, x)


def find_spikes(
    x: FloatArray, weights: FloatArray, names: tuple[str, ...], n_rows: int
) -> tuple[Spike, ...]:
    """Return values of a column that hold far more of it than the values on either side.

    `weights` (n,) sum to one over the distinct rows x (n, d), which stand for `n_rows` rows.
    """
    found = []
    for name, column in zip(names, x.T, strict=True):
        values, place = np.unique(column, return_inverse=True)
        share = np.bincount(place.ravel(), weights)
        padded = np.concatenate([[0.0], share, [0.0]])
        beside = np.maximum(padded[:-2], padded[2:])
        tall = (share >= SPIKE) & (share >= PROMINENCE * beside) & (share * n_rows >= REPEATED)
        if len(values) > 2:
            found += [Spike(name, float(values[j]), float(share[j])) for j in np.flatnonzero(tall)]
    return tuple(found)
