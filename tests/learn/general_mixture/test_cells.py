"""Steps A6 and A8: clustering and gates, against the rule as printed and probabilities."""

import numpy as np
import pytest

from symscore.errors import BadOption
from symscore.learn.general_mixture.clustering import (
    LikelihoodCells,
    PairedCells,
    likelihood_thresholds,
)
from symscore.learn.general_mixture.gates import (
    PaperGates,
    TailGates,
    gate_values,
    inside_gate,
    precisions,
)
from symscore.learn.general_mixture.partitions import labels_of, set_partitions
from symscore.mixture import GaussianMixture
from tests.flows import random_mixture
from tests.tolerances import bernstein, roundoff

CROSS = GaussianMixture(
    [0.5, 0.5], [[0.0, 0.0], [0.0, 0.0]], [np.diag([4.0, 0.2]), np.diag([0.2, 4.0])]
)


def as_printed(rule: PairedCells, x: np.ndarray, margin: float) -> list[set[tuple[int, int]]]:
    """The cells (a, b) of Algorithm 5 for each row, by loops; several or none may hold."""
    mixture, k = rule.carried, rule.carried.n_components
    by_mean, by_covariance = labels_of(rule.by_mean), labels_of(rule.by_covariance)
    inverse = [np.linalg.inv(q) for q in mixture.covariances]
    found = []
    basis = np.linalg.svd(mixture.means, full_matrices=False)[2]
    for row in x:
        near = min(range(k), key=lambda i: np.linalg.norm(basis @ row - basis @ mixture.means[i]))
        z = row - mixture.means[near]
        named = {
            (int(by_mean[near]), int(by_covariance[i]))
            for i in range(k)
            if all(
                z @ (inverse[i] - inverse[j]) @ z < rule.thresholds[i, j] - margin
                for j in range(k)
                if by_covariance[j] != by_covariance[i]
            )
        }
        found.append(named)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_those_of_algorithm_5_wherever_it_names_one(seed):
    rng = np.random.default_rng(seed)
    carried = random_mixture(2, 4, seed)
    thresholds = rng.normal(size=(4, 4))
    partitions = list(set_partitions(4))
    decided = 0
    for _ in range(12):
        first, second = (partitions[j] for j in rng.integers(len(partitions), size=2))
        rule = PairedCells(carried, first, second, thresholds)
        pairs = [
            (int(labels_of(first)[block[0]]), int(labels_of(second)[block[0]]))
            for block in rule.blocks
        ]
        x = carried.draw(60, rng=rng)
        for cell, named in zip(rule.cells(x), as_printed(rule, x, 0.01), strict=True):
            if len(named) == 1 and next(iter(named)) in pairs:
                decided += 1
                assert pairs[cell] in named
    assert decided > 200


def test_components_of_one_mean_are_told_apart_by_their_covariances():
    """Likelihood-ratio thresholds: misclassified where the Bayes rule is, and nowhere else."""
    thresholds = likelihood_thresholds(CROSS)
    rule = PairedCells(CROSS, ((0, 1),), ((0,), (1,)), thresholds)
    x = CROSS.draw(2000, rng=np.random.default_rng(0))
    assert (rule.cells(x) == CROSS.responsibilities(x).argmax(axis=1)).all()


def test_likelihood_thresholds_lie_between_the_two_means_of_the_form():
    """Divergences are not negative: tr(Q_i (K_i - K_j)) <= t_ij <= tr(Q_j (K_i - K_j))."""
    for seed in range(20):
        mixture = random_mixture(3, 3, seed)
        equal = GaussianMixture(np.full(3, 1 / 3), mixture.means, mixture.covariances)
        inverse, found = precisions(equal), likelihood_thresholds(equal)
        for i in range(3):
            for j in range(3):
                change = inverse[i] - inverse[j]
                low, high = (np.trace(equal.covariances[one] @ change) for one in (i, j))
                slack = roundoff(100, np.abs(inverse).max() * 10)
                assert low - slack <= found[i, j] <= high + slack


def test_likelihood_cells_are_the_best_block():
    carried = random_mixture(2, 4, 3)
    blocks = ((0, 2), (1,), (3,))
    x = carried.draw(300, rng=np.random.default_rng(0))
    share = carried.responsibilities(x)
    want = np.stack([share[:, list(block)].sum(axis=1) for block in blocks], axis=1).argmax(axis=1)
    assert (LikelihoodCells(carried, blocks).cells(x) == want).all()
    assert (LikelihoodCells(carried, ((0, 1, 2, 3),)).cells(x) == 0).all()


@pytest.mark.parametrize("blocks", [((0,),), ((0, 1), (1,)), ((0, 1), ()), ((0,), (2,))])
def test_what_is_no_partition_is_refused(blocks):
    with pytest.raises(BadOption, match="Expected a partition of 2 components"):
        LikelihoodCells(CROSS, blocks)
    with pytest.raises(BadOption, match="Expected a partition of 2 components"):
        PairedCells(CROSS, ((0, 1),), blocks, np.zeros((2, 2)))


# ---- gates


def test_gate_values_are_those_of_the_formula():
    mixture = random_mixture(3, 3, 0)
    x = np.random.default_rng(0).normal(size=(20, 3))
    block = (2, 0, 1)
    first, second = gate_values(mixture, block, x)
    inverse = [np.linalg.inv(q) for q in mixture.covariances]
    for n, row in enumerate(x):
        base = row - mixture.means[2]
        for m, j in enumerate(block):
            apart = row - mixture.means[j]
            shift = np.trace(mixture.covariances[2] @ (inverse[j] - inverse[2]))
            v1 = apart @ inverse[j] @ apart - base @ inverse[2] @ base - shift
            v2 = np.sum(((inverse[j] - inverse[2]) @ apart) ** 2)
            scale = 1e3 * (1 + apart @ apart + base @ base) * np.abs(inverse).max() ** 2
            assert abs(first[n, m] - v1) <= roundoff(100, scale)
            assert abs(second[n, m] - v2) <= roundoff(100, scale * (1 + apart @ apart))


def test_a_cell_of_one_component_has_no_gate():
    x = 1e6 * np.random.default_rng(0).normal(size=(5, 2))
    assert inside_gate(CROSS, (1,), np.zeros(2), x).all()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("outside", [0.3, 0.05])
def test_points_leave_a_tail_gate_as_seldom_as_proved(seed, outside):
    """Every component's points, 20,000 each; a bound without the factor of s would be exceeded."""
    mixture = random_mixture(2, 3, seed)
    block = (1, 0, 2)
    gates = np.array(TailGates(outside).thresholds(mixture, block))
    rng = np.random.default_rng(seed)
    for i in block:
        one = GaussianMixture([1.0], mixture.means[[i]], mixture.covariances[[i]])
        left = ~inside_gate(mixture, block, gates, one.draw(20_000, rng=rng))
        assert left.mean() <= outside + bernstein(left.astype(float))


def test_tail_gates_shut_out_what_is_far():
    mixture = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], [[[1.0]], [[0.5]]])
    gates = np.array(TailGates(1e-4).thresholds(mixture, (0, 1)))
    near, far = inside_gate(mixture, (0, 1), gates, np.array([[0.0], [1e3]]))
    assert near
    assert not far


def test_thresholds_of_the_paper_have_the_corrected_powers():
    """Doubling Delta multiplies theta_1 by 4 and theta_2, of a squared norm, by 16."""
    one, two = (PaperGates(0.5, 2.0, delta, 3.0, 0.1) for delta in (1.5, 3.0))
    (a, b), (c, d) = (gates.thresholds(CROSS, (0, 1)) for gates in (one, two))
    assert (c / a, d / b) == (4.0, 16.0)
    log = np.log(2 / 0.1)
    assert abs(a - 2 * (1.5 * 3 / 0.5) ** 2 * log) <= roundoff(16, a)
    assert abs(b - 2 * 27 * (1.5 / 0.5) ** 4 * log) <= roundoff(16, b)


@pytest.mark.parametrize("values", [(0.5, 3.0, 0.1), (2.0, 0.5, 0.1), (2.0, 3.0, 1.0)])
def test_gates_outside_their_domain_are_refused(values):
    with pytest.raises(BadOption, match="Expected delta_in >= 1"):
        PaperGates(0.5, 2.0, *values)


@pytest.mark.parametrize("outside", [0.0, 1.0])
def test_tail_gates_outside_their_domain_are_refused(outside):
    with pytest.raises(BadOption, match="Expected 0 < outside < 1"):
        TailGates(outside)
