"""Step A5 as the paper has it: nets, all partition pairs that are separated, all thresholds."""

from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement, product

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import ResourceLimit
from symscore.learn.general_mixture.covariances import (
    covariance_net,
    covariance_subspaces,
    fourth_moment_blocks,
)
from symscore.learn.general_mixture.gates import PaperGates
from symscore.learn.general_mixture.means import mean_net, mean_subspace
from symscore.learn.general_mixture.partitions import (
    Blocks,
    covariance_distances,
    is_separated,
    labels_of,
    mean_distances,
    set_partitions,
)
from symscore.learn.general_mixture.plans import GivenPair, Proposal
from symscore.learn.general_mixture.sizes import TheorySizes
from symscore.mixture import GaussianMixture


def enumerate_candidates(
    x: FloatArray, weights: FloatArray, sizes: TheorySizes, *, most: int
) -> list[Proposal]:
    """Return every candidate of the brute force search of arXiv 2404.18893.

    For every choice of k crude means from the net of Algorithm 2, every choice of k crude
    covariances from the nets of Algorithm 3 about them, every pair of partitions that Definition 24
    allows and every choice of thresholds on a grid of pitch eta: one candidate. Crude weights are
    equal, for nothing here uses them.

    Parameters
    ----------
    x : (n, d) array
        Rows in the coordinates of the data.
    weights : (n,) array
        Summing to one.
    sizes : TheorySizes
    most : int
        Number of candidates.

    Raises
    ------
    ResourceLimit
        Where there are more.
    """
    basis = mean_subspace(x, weights, sizes.k)
    net = mean_net(basis, sizes.radius, sizes.mean_spacing)
    found: list[Proposal] = []
    for chosen in combinations_with_replacement(range(len(net)), sizes.k):
        for proposal in _of_means(x, weights, net[list(chosen)], sizes):
            if len(found) == most:
                raise ResourceLimit(
                    f"Expected at most {most} candidates; {len(net)} crude means, {sizes.k} "
                    "components and the nets of covariances and thresholds make more: take coarser "
                    "nets by `constants`, or the recipe's practical default."
                )
            found.append(proposal)
    return found


def threshold_grid(blocks: Blocks, k: int, largest: float, margin: float) -> Iterator[FloatArray]:
    """Yield every (k, k) array of thresholds of components in different blocks.

    The values are a grid of pitch `margin` on [-largest, largest]; those within a block play no
    part and are 0.

    Examples
    --------
    >>> [float(t[0, 1]) for t in threshold_grid(((0,), (1,)), 2, 1.0, 1.0)][:4]
    [-1.0, -1.0, -1.0, 0.0]
    """
    labels = labels_of(blocks)
    pairs = [(i, j) for a, b in combinations(range(k), 2) for i, j in ((a, b), (b, a))]
    apart = [(i, j) for i, j in pairs if labels[i] != labels[j]]
    reach = int(largest / margin)
    values = margin * np.arange(-reach, reach + 1)
    for chosen in product(values, repeat=len(apart)):
        thresholds = np.zeros((k, k))
        for (i, j), value in zip(apart, chosen, strict=True):
            thresholds[i, j] = value
        yield thresholds


def separated_partitions(distances: FloatArray, apart: float, inside: float) -> list[Blocks]:
    """Return the partitions for which Definition 6 holds with Delta_out and Delta_in."""
    every = set_partitions(len(distances))
    return [blocks for blocks in every if is_separated(distances, blocks, inside, apart)]


def reweighted(
    mixture: GaussianMixture, x: FloatArray, weights: FloatArray, *, passes: int = 20
) -> GaussianMixture:
    """Return the mixture with weights from its responsibilities for x (n, d), after some passes.

    Means and covariances stay; a component that explains nothing keeps a millionth.
    """
    for _ in range(passes):
        shares = np.einsum("n,nk->k", weights, mixture.responsibilities(x))
        shares = np.maximum(shares, 1e-6)
        mixture = GaussianMixture(shares / shares.sum(), mixture.means, mixture.covariances)
    return mixture


def _of_means(
    x: FloatArray, weights: FloatArray, means: FloatArray, sizes: TheorySizes
) -> Iterator[Proposal]:
    blocks = fourth_moment_blocks(x, weights, means)
    spaces = covariance_subspaces(blocks, sizes.k)
    widest = sizes.beta * np.sqrt(sizes.dim)
    net = covariance_net(spaces, widest, sizes.covariance_spacing, sizes.alpha / 2)
    by_mean = separated_partitions(
        mean_distances(means), sizes.mean_apart, sizes.inside(sizes.mean_apart)
    )
    for chosen in product(range(len(net)), repeat=sizes.k):
        crude = GaussianMixture(np.full(sizes.k, 1 / sizes.k), means, net[list(chosen)])
        apart = sizes.covariance_apart
        by_covariance = separated_partitions(
            covariance_distances(crude.covariances), apart, sizes.inside(apart)
        )
        for first, second in product(by_mean, by_covariance):
            yield from _of_pair(crude, first, second, sizes)


def _of_pair(
    crude: GaussianMixture, first: Blocks, second: Blocks, sizes: TheorySizes
) -> Iterator[Proposal]:
    gates = PaperGates(
        sizes.alpha,
        sizes.beta,
        max(1.0, sizes.inside(max(sizes.mean_apart, sizes.covariance_apart))),
        sizes.mean_error,
        sizes.epsilon * sizes.least_weight,
        sizes.constants.eq50_first,
        sizes.constants.eq50_second,
    )
    grid = threshold_grid(second, sizes.k, sizes.threshold_range, sizes.margin)
    for thresholds in grid:
        yield Proposal(crude, GivenPair(first, second, thresholds), gates, sizes.loss_radius, False)
