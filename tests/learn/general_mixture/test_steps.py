"""Steps A1 and A3 to A5, each against its definition or a bound that is proved."""

from itertools import pairwise, product
from math import comb, exp

import numpy as np
import pytest

from symscore.errors import BadOption, ResourceLimit
from symscore.learn.general_mixture.covariances import (
    covariance_net,
    covariance_subspaces,
    floored,
    fourth_moment_blocks,
    nearest_projected,
    project_covariances,
)
from symscore.learn.general_mixture.grid import time_grid
from symscore.learn.general_mixture.means import (
    ball_net,
    kurtosis_subspace,
    mean_net,
    mean_subspace,
    span_basis,
)
from symscore.learn.general_mixture.partitions import (
    blocks_of,
    is_separated,
    labels_of,
    mean_distances,
    parameter_distances,
    refinement,
    relative_distances,
    separation,
    set_partitions,
    single_linkage,
)
from symscore.mixture import GaussianMixture
from tests.flows import random_mixture
from tests.tolerances import roundoff

# ---- A1


@pytest.mark.parametrize(
    ("horizon", "stop", "step"), [(4, 1e-3, 0.1), (1, 0.5, 2.0), (3, 0.9, 0.3)]
)
def test_steps_are_as_short_as_the_lemma_needs(horizon, stop, step):
    times = np.array([level.t for level in time_grid(horizon, stop, step)])
    assert abs(times[0] - horizon) <= roundoff(16, horizon)
    # A level holds alpha and sigma: a small t is recovered to rounding of sigma^2.
    assert abs(times[-1] - stop) <= roundoff(64, 1.0)
    gaps = times[:-1] - times[1:]
    assert np.all(gaps > 0)
    assert np.all(gaps <= step * np.minimum(1, times[1:]) + roundoff(64, horizon))


def test_late_steps_are_geometric_and_end_where_they_should():
    levels = time_grid(1.0, (1 + 0.25) ** -8, 0.25)
    ratios = [a.t / b.t for a, b in pairwise(levels)]
    assert len(levels) == 9
    assert np.abs(np.array(ratios) - 1.25).max() <= roundoff(64, 10.0)


@pytest.mark.parametrize("values", [(0.5, 0.1, 0.1), (2, 1.0, 0.1), (2, 0.1, 0.0)])
def test_grids_outside_their_domain_are_refused(values):
    with pytest.raises(BadOption, match="Expected horizon >= 1"):
        time_grid(*values)


# ---- A3


def test_the_subspace_passes_near_the_means():
    """Lemma 16 without a sampling error: the rows carry the exact second moment.

    The squared distance is at most 2 (1 + eta) beta / w with eta = 0.
    """
    rng = np.random.default_rng(0)
    for seed in range(20):
        truth = random_mixture(6, 2, seed, spread=3.0)
        second = np.einsum("k,kij->ij", truth.weights, truth.covariances)
        second += np.einsum("k,ki,kj->ij", truth.weights, truth.means, truth.means)
        rows = np.linalg.cholesky(second).T * np.sqrt(6)
        turned = np.linalg.qr(rng.normal(size=(6, 6)))[0] @ rows
        basis = mean_subspace(turned, np.full(6, 1 / 6), 2)
        left = truth.means - truth.means @ basis @ basis.T
        beta = np.linalg.eigvalsh(truth.covariances).max()
        assert np.all((left**2).sum(axis=1) <= 2 * beta / truth.weights)
        assert np.abs(basis.T @ basis - np.eye(2)).max() <= roundoff(64, 1.0)


def test_the_second_moment_is_not_centred():
    x = np.array([[0.0, 4.9], [1.0, 5.0], [-1.0, 5.1], [0.0, 5.0]])
    basis = mean_subspace(x, np.full(4, 0.25), 1)
    assert abs(basis[1, 0]) > 0.999


def test_the_direction_of_a_mixture_has_the_largest_kurtosis():
    """Signs along the first axis, whose fourth moment is 1 instead of 3: the excess is -2 there."""
    grid = np.array(list(product([-1.0, 1.0], [-1.7320508075688772, 0.0, 1.7320508075688772])))
    weights = np.array([(2 / 3 if b == 0 else 1 / 6) / 2 for _, b in grid])
    # The second axis takes 0 and +-sqrt 3 with Gaussian weights: its moments to order 5 are normal.
    basis = kurtosis_subspace(grid, weights, 1)
    assert abs(basis[0, 0]) >= 1 - roundoff(64, 1.0)


@pytest.mark.parametrize(("dim", "radius", "covering"), [(1, 2, 0.3), (2, 1.5, 0.4), (3, 1, 0.5)])
def test_nets_cover_their_ball(dim, radius, covering):
    net = ball_net(dim, radius, covering)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2000, dim))
    lengths = radius * rng.uniform(size=(2000, 1)) ** (1 / dim)
    points *= lengths / np.linalg.norm(points, axis=1, keepdims=True)
    gaps = np.linalg.norm(points[:, None] - net, axis=2).min(axis=1)
    assert gaps.max() <= covering + roundoff(16, radius)
    assert np.linalg.norm(net, axis=1).max() <= radius + covering


def test_the_net_of_means_lies_in_the_subspace_out_to_twice_the_radius():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))[0]
    net = mean_net(basis, 1.0, 0.5)
    assert np.abs(net - net @ basis @ basis.T).max() <= roundoff(64, 4.0)
    assert len(net) == len(ball_net(2, 2.0, 0.5))


def test_a_net_that_is_too_large_is_refused_before_it_is_made():
    with pytest.raises(ResourceLimit, match="Expected a net of at most 100000 points"):
        ball_net(12, 10.0, 0.1)


def test_the_span_of_points_leaves_out_what_is_rounding():
    points = np.array([[1.0, 0, 0], [2.0, 1e-9, 0], [3.0, 0, 0]])
    assert span_basis(points).shape == (3, 1)
    assert span_basis(np.zeros((2, 3))).shape == (3, 1)


# ---- A4


def test_blocks_are_moments_of_flattened_products():
    rng = np.random.default_rng(0)
    x, means = rng.normal(size=(40, 3)), np.array([[1.0, 0, 0], [-1.0, 0.5, 0]])
    weights = rng.dirichlet(np.ones(40))
    found = fourth_moment_blocks(x, weights, means)
    assert np.abs(found.inner.T @ found.outer).max() <= roundoff(64, 1.0)
    for moment, left, right in (
        (found.c00, found.inner, found.inner),
        (found.c01, found.inner, found.outer),
        (found.c11, found.outer, found.outer),
    ):
        want = np.zeros_like(moment)
        for row, v in zip(x, weights, strict=True):
            inner = [np.linalg.norm(found.inner.T @ (row - m)) for m in means]
            z = row - means[int(np.argmin(inner))]
            flat = np.outer(left.T @ z, right.T @ z).ravel()
            want += v * np.outer(flat, flat)
        assert np.abs(moment - want).max() <= roundoff(40 * 64, np.abs(x).max() ** 4 * 10)


def test_blocks_of_many_columns_are_refused():
    x = np.random.default_rng(0).normal(size=(5, 80))
    with pytest.raises(ResourceLimit, match="80 columns need"):
        fourth_moment_blocks(x, np.full(5, 0.2), x[:2])


def test_nearness_is_judged_in_the_span_of_the_means():
    means = np.array([[1.0, 0.0], [-1.0, 0.0]])
    x = np.array([[0.1, 50.0], [-0.1, 0.0], [0.0, 3.0]])
    assert nearest_projected(x, means, span_basis(means)).tolist() == [0, 1, 0]


def test_full_spaces_leave_covariances_as_they_are():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    means = np.array([[1.0, 0.2, 0.0], [-1.0, 0.0, 0.3]])
    spaces = covariance_subspaces(fourth_moment_blocks(x, np.full(200, 1 / 200), means), 9)
    assert [len(space) for space in spaces] == [3, 2, 1]
    covariances = random_mixture(3, 2, 0).covariances
    assert np.abs(project_covariances(covariances, spaces) - covariances).max() <= roundoff(
        200, 2.0
    )


def test_leading_spaces_are_those_of_a_point_mass():
    """Rows +-a about a crude mean 0 in its complement: C11 has rank one, along a a^T."""
    a = np.array([0.0, 1.0, 2.0])
    x = np.array([a, -a])
    means = np.array([[1e-3, 0.0, 0.0]])
    x00, x01, x11 = covariance_subspaces(fourth_moment_blocks(x, np.full(2, 0.5), means), 1)
    assert (len(x00), len(x01), len(x11)) == (1, 1, 1)
    want = np.outer(a, a) / (a @ a)
    assert np.abs(np.abs((x11[0] * want).sum()) - 1) <= roundoff(200, 1.0)


def test_the_net_of_covariances_comes_near_to_every_sum_and_keeps_its_floor():
    x = np.random.default_rng(0).normal(size=(100, 2))
    spaces = covariance_subspaces(
        fourth_moment_blocks(x, np.full(100, 0.01), np.array([[1.0, 0.0], [0.0, 1.0]])), 3
    )
    net = covariance_net(spaces, 1.5, 0.3, 0.2)
    assert np.linalg.eigvalsh(net).min() >= 0.2 - 1e-8
    truth = np.array([[1.0, 0.3], [0.3, 0.8]])  # Frobenius norm 1.35
    # The ball of the symmetric matrices is covered to .3; a floor moves no positive one away.
    assert np.sqrt(((net - truth) ** 2).sum(axis=(1, 2))).min() <= 0.3 + 1e-8


def test_the_inverse_of_a_floored_estimate_obeys_lemma_26():
    rng = np.random.default_rng(0)
    alpha = 0.5
    for _ in range(200):
        root = rng.normal(size=(3, 3))
        exact = root @ root.T + alpha * np.eye(3)
        noise = rng.normal(size=(3, 3)) * rng.uniform(0, 1)
        estimate = exact + (noise + noise.T) / 2
        error = np.sqrt(((estimate - exact) ** 2).sum())
        inverse = np.linalg.inv(floored(estimate[None], alpha / 2)[0])
        gap = np.sqrt(((inverse - np.linalg.inv(exact)) ** 2).sum())
        assert gap <= 4 * error / alpha**2 + roundoff(200, 4.0)


# ---- A5


def test_distances_are_those_of_the_definition():
    mixture = random_mixture(2, 3, 0)
    found = parameter_distances(mixture)
    for i, j in product(range(3), repeat=2):
        shift = np.linalg.norm(mixture.means[i] - mixture.means[j])
        change = np.linalg.norm(mixture.covariances[i] - mixture.covariances[j])
        assert abs(found[i, j] - shift - change) <= roundoff(32, 10.0)


def test_relative_distances_are_those_of_any_units():
    mixture = random_mixture(2, 4, 1)
    turn = np.array([[2.0, 1.0], [0.0, 0.5]])
    moved = GaussianMixture(
        mixture.weights,
        mixture.means @ turn.T + 7.0,
        np.einsum("ij,kjl,ml->kim", turn, mixture.covariances, turn),
    )
    for one, other in zip(relative_distances(mixture), relative_distances(moved), strict=True):
        assert np.abs(one - other).max() <= roundoff(2000, one.max())


def test_relative_distances_of_a_line_are_in_standard_deviations():
    pair = GaussianMixture([0.5, 0.5], [[0.0], [6.0]], [[[1.0]], [[3.0]]])
    by_mean, by_covariance = relative_distances(pair)
    assert abs(by_mean[0, 1] - 6 / np.sqrt(2)) <= roundoff(16, 6.0)
    assert abs(by_covariance[0, 1] - 1.0) <= roundoff(16, 2.0)


def bell(k: int) -> int:
    values = [1]
    for n in range(k):
        values.append(sum(comb(n, j) * values[j] for j in range(n + 1)))
    return values[k]


@pytest.mark.parametrize("k", range(1, 7))
def test_all_partitions_are_listed_once(k):
    found = [tuple(sorted(blocks)) for blocks in set_partitions(k)]
    assert len(found) == len(set(found)) == bell(k)
    assert all(sorted(sum(blocks, ())) == list(range(k)) for blocks in found)
    assert all(blocks_of(labels_of(blocks)) == blocks for blocks in found)


def test_single_linkage_is_the_separated_partition_of_the_definition():
    """Delta_out is at least the threshold, Delta_in below k - 1 times it; brute force, k = 5."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        distances = mean_distances(rng.normal(size=(5, 2)))
        threshold = rng.uniform(0.1, 3)
        blocks = single_linkage(distances, threshold)
        inside, between = separation(distances, blocks)
        assert between >= threshold
        assert inside < 4 * threshold or inside == 0
        assert is_separated(distances, blocks, inside, between)
        # It is the finest partition whose blocks are that far apart.
        every = [p for p in set_partitions(5) if separation(distances, p)[1] >= threshold]
        assert len(blocks) == max(map(len, every))


def test_separation_fails_on_either_side():
    distances = mean_distances(np.array([[0.0], [1.0], [5.0]]))
    blocks = ((0, 1), (2,))
    assert separation(distances, blocks) == (1.0, 4.0)
    assert not is_separated(distances, blocks, 0.9, 4.0)
    assert not is_separated(distances, blocks, 1.0, 4.1)


def test_refinement_is_all_intersections_that_are_not_empty():
    for first, second in product(set_partitions(4), repeat=2):
        want = {tuple(sorted(set(a) & set(b))) for a in first for b in second} - {()}
        assert set(refinement(first, second)) == want


def test_time_of_the_levels_is_minus_log_alpha():
    assert abs(time_grid(2.0, 0.1, 0.5)[0].alpha - exp(-2.0)) <= roundoff(4, 1.0)
