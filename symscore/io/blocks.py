"""Groups of dependent rows, which stay in one fold of a cross-fit.

A held-out row next to a row that was fitted, its neighbour in time, rewards whatever follows the
path of the chain. Whole chains share nothing; of long blocks only the rows at the cuts do.
"""

import numpy as np
from numpy.typing import ArrayLike

from symscore.arrays import IntArray, check_shape
from symscore.errors import BadData, BadOption


def contiguous_groups(chains: ArrayLike, n_groups: int = 4) -> IntArray:
    r"""Label the rows of each chain by contiguous blocks, so that there are enough groups in all.

    Of c chains each is cut into :math:`b = \lceil g / c \rceil` blocks for `n_groups` = g, so with
    g chains or more every chain is one group. The row in place i of n_k rows is in block

    .. math:: \lfloor b i / n_k \rfloor

    so the blocks of a chain differ by at most one row. No row is left out at the cuts: the rows
    that are correlated across them are few where a block is many autocorrelation times long. For
    4000 draws correlated at .98, folds without 100 rows on either side of every cut chose the same
    number of components, and so did 4, 8, 16 and 40 blocks.

    Parameters
    ----------
    chains : (n,) array_like
        The chain of each row; the rows of one chain are in the order of time.
    n_groups : int
        Least number of groups.

    Returns
    -------
    (n,) array of int
        Counted from 0, in the order of the chains' labels and then of time.

    Raises
    ------
    BadData
        On a chain with fewer rows than it has blocks.
    BadOption
        If `n_groups` is not positive.

    Examples
    --------
    >>> contiguous_groups([0, 0, 0, 0, 0, 1, 1, 1, 1], 4)
    array([0, 0, 0, 1, 1, 2, 2, 3, 3])
    >>> contiguous_groups([7, 7, 8, 9, 9], 3)
    array([0, 0, 1, 2, 2])
    """
    if n_groups < 1:
        raise BadOption(f"Expected n_groups >= 1; got {n_groups}.")
    labels = np.asarray(chains)
    check_shape("chains", labels, None)
    present, place, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    blocks = -(-n_groups // max(len(present), 1))
    if sizes.size and sizes.min() < blocks:
        raise BadData(
            f"Expected at least {blocks} rows of each chain, one for each block; "
            f"got {sizes.min()} of chain {present[sizes.argmin()]}: supply longer chains."
        )
    groups = np.empty(labels.size, dtype=np.int64)
    for k, size in enumerate(sizes):
        groups[place == k] = blocks * k + np.arange(size) * blocks // size
    return groups
