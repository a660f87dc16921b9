"""Folds of the cross-fit."""

import numpy as np

from symscore.arrays import IntArray
from symscore.errors import BadData


def fold_labels(n: int, groups: np.ndarray | None, n_folds: int, *, seed: int) -> IntArray:
    """Return the fold of each of n rows, at random; rows of one group share a fold.

    Raises
    ------
    BadData
        Where there is only one group, so that none can be held out.
    """
    rng = np.random.default_rng([seed, 1])
    if groups is None:
        return np.asarray(rng.permutation(n) % n_folds, dtype=np.int64)
    present, place = np.unique(groups, return_inverse=True)
    if len(present) < 2:
        raise BadData("Expected at least two groups, so that one can be held out; got one.")
    fold = rng.permutation(len(present)) % min(n_folds, len(present))
    return np.asarray(fold[place.ravel()], dtype=np.int64)
