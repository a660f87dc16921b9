"""The canonical order of rows, which makes a fit blind to their order and repetition."""

import numpy as np

from symscore.arrays import FloatArray


def canonical(
    x: FloatArray, weights: FloatArray, groups: np.ndarray | None = None
) -> tuple[FloatArray, FloatArray, np.ndarray | None]:
    """Sort rows lexicographically and merge identical ones (of a group) into weights.

    Parameters
    ----------
    x : (n, d) array
    weights : (n,) array
        Non-negative, with a positive sum; rows of weight zero are left out.
    groups : (n,) array of float, optional
        Equal rows of different groups stay apart.

    Returns
    -------
    rows : (m, d) array
        Distinct rows, ascending.
    share : (m,) array
        Their positive weights, which sum to one.
    groups : (m,) array or None

    Examples
    --------
    >>> import numpy as np
    >>> rows, share, _ = canonical(np.array([[2.0], [1.0], [2.0], [1.0]]), np.ones(4))
    >>> rows.ravel(), share
    (array([1., 2.]), array([0.5, 0.5]))
    """
    keyed = x if groups is None else np.column_stack([x, groups])
    distinct, place = np.unique(keyed, axis=0, return_inverse=True)
    share = np.bincount(place.ravel(), weights)
    kept = share > 0
    distinct, share = distinct[kept], share[kept] / share.sum()
    if groups is None:
        return np.ascontiguousarray(distinct), share, None
    return np.ascontiguousarray(distinct[:, :-1]), share, distinct[:, -1]
