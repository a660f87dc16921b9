"""Step A5: partitions of the components, and Definition 6, which says when one is separated."""

from collections.abc import Iterator, Sequence

import numpy as np

from symscore.arrays import FloatArray
from symscore.mixture import GaussianMixture

Blocks = tuple[tuple[int, ...], ...]


def mean_distances(means: FloatArray) -> FloatArray:
    """Return the distances (k, k) between means (k, d)."""
    return np.sqrt(((means[:, None] - means) ** 2).sum(axis=2))


def covariance_distances(covariances: FloatArray) -> FloatArray:
    """Return the Frobenius distances (k, k) between covariances (k, d, d)."""
    return np.sqrt(((covariances[:, None] - covariances) ** 2).sum(axis=(2, 3)))


def parameter_distances(mixture: GaussianMixture) -> FloatArray:
    r"""Return :math:`|\mu_i - \mu_j| + |Q_i - Q_j|_F`, the distance of Definition 6, (k, k)."""
    return mean_distances(mixture.means) + covariance_distances(mixture.covariances)


def relative_distances(mixture: GaussianMixture) -> tuple[FloatArray, FloatArray]:
    r"""Return the two terms of Definition 6 in units that belong to each pair, both (k, k).

    .. math:: |S^{-1/2} (\mu_i - \mu_j)|, \qquad |S^{-1/2} (Q_i - Q_j) S^{-1/2}|_F,
        \qquad S = (Q_i + Q_j) / 2 .

    Own derivation: unlike the paper's they do not change under affine maps, and they say how many
    standard deviations two components are apart.
    """
    k = mixture.n_components
    by_mean, by_covariance = np.zeros((k, k)), np.zeros((k, k))
    for i in range(k):
        for j in range(i):
            own, other = mixture.covariances[i], mixture.covariances[j]
            root = np.linalg.cholesky((own + other) / 2)
            shift = np.linalg.solve(root, mixture.means[i] - mixture.means[j])
            turned = np.linalg.solve(root, np.linalg.solve(root, own - other).T)
            by_mean[i, j] = by_mean[j, i] = np.sqrt((shift**2).sum())
            by_covariance[i, j] = by_covariance[j, i] = np.sqrt((turned**2).sum())
    return by_mean, by_covariance


def set_partitions(k: int) -> Iterator[Blocks]:
    """Yield every partition of range(k); their number is Bell's.

    Examples
    --------
    >>> list(set_partitions(2))
    [((0, 1),), ((0,), (1,))]
    """

    def grown(labels: list[int]) -> Iterator[list[int]]:
        if len(labels) == k:
            yield labels
            return
        for label in range(max(labels, default=-1) + 2):
            yield from grown([*labels, label])

    return (blocks_of(labels) for labels in grown([]))


def blocks_of(labels: Sequence[int]) -> Blocks:
    """Return the sets of positions that share a label, in the order of the labels."""
    found = np.asarray(labels)
    return tuple(tuple(np.flatnonzero(found == one).tolist()) for one in np.unique(found))


def labels_of(blocks: Blocks) -> np.ndarray:
    """Return the block of every element, the inverse of :func:`blocks_of`."""
    labels = np.zeros(sum(map(len, blocks)), dtype=np.int64)
    for label, block in enumerate(blocks):
        labels[list(block)] = label
    return labels


def single_linkage(distances: FloatArray, threshold: float) -> Blocks:
    """Return the connected parts of the graph whose edges are the distances below `threshold`.

    Elements of different parts are at least `threshold` apart, and those of one part, by the path
    that joins them, less than k - 1 times as much: the partition that Definition 6 asks for.

    Examples
    --------
    >>> x = np.array([0.0, 1.0, 2.0, 9.0])
    >>> single_linkage(np.abs(x[:, None] - x), 1.5)
    ((0, 1, 2), (3,))
    """
    k = len(distances)
    labels = list(range(k))
    for i in range(k):
        for j in range(i):
            if distances[i, j] < threshold and labels[i] != labels[j]:
                old, new = max(labels[i], labels[j]), min(labels[i], labels[j])
                labels = [new if label == old else label for label in labels]
    return blocks_of(labels)


def separation(distances: FloatArray, blocks: Blocks) -> tuple[float, float]:
    """Return the largest distance inside a block and the smallest between two of them.

    These are the least Delta_in and the largest Delta_out for which Definition 6 holds; 0 and
    infinity where there is no such pair.
    """
    labels = labels_of(blocks)
    together = labels[:, None] == labels
    inside = distances[together].max(initial=0.0)
    return float(inside), float(distances[~together].min(initial=np.inf))


def is_separated(distances: FloatArray, blocks: Blocks, delta_in: float, delta_out: float) -> bool:
    """Whether (1) and (2) of Definition 6 of arXiv 2404.18893 hold; (3) is about a clustering."""
    inside, between = separation(distances, blocks)
    return inside <= delta_in and between >= delta_out


def refinement(first: Blocks, second: Blocks) -> Blocks:
    """Return the common refinement: the intersections of blocks that are not empty."""
    pairs = zip(labels_of(first).tolist(), labels_of(second).tolist(), strict=True)
    keys = list(pairs)
    order = {key: place for place, key in enumerate(sorted(set(keys)))}
    return blocks_of([order[key] for key in keys])
