"""Crude components: moments of cells, expectation-maximisation, and hard data."""

import numpy as np
import pytest

from symscore import arrays
from symscore.arrays import FloatArray
from symscore.learn.partition import SHORT_RUN, EMCells, KMeansCells, smallest_cell
from symscore.mixture import GaussianMixture
from tests.flows import random_mixture
from tests.tolerances import roundoff

TRUTH = GaussianMixture([0.3, 0.7], [[-2.0, 0.0], [1.5, 1.0]], [np.eye(2), 0.25 * np.eye(2)])


@pytest.fixture
def x():
    return TRUTH.draw(600, rng=np.random.default_rng(4))


def even(x: FloatArray) -> FloatArray:
    return np.full(len(x), 1 / len(x))


def mean_log_density(mixture: GaussianMixture, x: FloatArray, weights: FloatArray) -> float:
    return float(weights @ mixture.log_density(x))


def em_step(mixture: GaussianMixture, x: FloatArray, weights: FloatArray) -> GaussianMixture:
    """The textbook iteration."""
    share = weights[:, None] * mixture.responsibilities(x)
    mass = share.sum(axis=0)
    means = share.T @ x / mass[:, None]
    centred = x[:, None] - means
    covariances = np.einsum("nk,nki,nkj->kij", share, centred, centred) / mass[:, None, None]
    return GaussianMixture(mass / mass.sum(), means, covariances)


def assert_close(one: GaussianMixture, other: GaussianMixture, operations: int) -> None:
    for name in ("weights", "means", "covariances"):
        a, b = getattr(one, name), getattr(other, name)
        assert np.abs(a - b).max() <= roundoff(operations, 1 + np.abs(b).max()), name


@pytest.mark.parametrize("partition", [KMeansCells(1), EMCells(1)], ids=["k-means", "EM"])
def test_one_cell_has_the_moments_of_the_data(partition, x):
    weights = np.random.default_rng(0).dirichlet(np.full(len(x), 2.0))
    mixture = partition.fit(x, weights, seed=0)
    assert mixture.n_components == 1
    centred = x - weights @ x
    assert np.abs(mixture.means[0] - weights @ x).max() <= roundoff(4 * len(x), 4)
    want = (weights[:, None] * centred).T @ centred
    # EM subtracts squares of means from second moments, both below 20 here.
    assert np.abs(mixture.covariances[0] - want).max() <= roundoff(4 * len(x), 20)


def test_well_separated_cells_are_found_with_shrunk_moments():
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(n, 2)) * s + c for n, s, c in ((300, 1, 0), (100, 0.5, 40))]
    x = np.concatenate(parts)
    mixture = KMeansCells(2).fit(x, even(x), seed=0)
    order = np.argsort(mixture.means[:, 0])
    own = np.stack([np.cov(part.T, ddof=0) for part in parts])
    pooled = 0.75 * own[0] + 0.25 * own[1]
    for cell, part, covariance in zip(order, parts, own, strict=True):
        # Six rows' worth of the pooled covariance are mixed into every cell's.
        share = 6 / (len(part) + 6)
        want = (1 - share) * covariance + share * pooled
        assert np.abs(mixture.covariances[cell] - want).max() <= roundoff(4 * len(x), 40)
        assert np.abs(mixture.means[cell] - part.mean(axis=0)).max() <= roundoff(4 * len(x), 40)
        assert abs(mixture.weights[cell] - len(part) / 400) <= roundoff(4 * len(x), 1)


def test_an_em_step_is_the_textbooks(x):
    weights = np.random.default_rng(0).dirichlet(np.full(len(x), 2.0))
    start = KMeansCells(3).fit(x, weights, seed=0)
    once = EMCells(3, max_iterations=1).fit(x, weights, seed=0, start=start)
    # Second moments less squared means: sizes up to 20, divided by the smallest mass.
    assert_close(once, em_step(start, x, weights), int(40 * len(x) / start.weights.min()))


def test_em_increases_the_likelihood(x):
    start = KMeansCells(4).fit(x, even(x), seed=0)
    fits = [
        EMCells(4, tolerance=0.0, max_iterations=n).fit(x, even(x), seed=0, start=start)
        for n in range(1, 15)
    ]
    values = [mean_log_density(mixture, x, even(x)) for mixture in fits]
    assert np.all(np.diff(values) >= -roundoff(4 * len(x), np.abs(values).max() + 20))
    assert values[-1] > values[0] + 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_several_starts_are_at_least_as_likely_as_each_of_them(seed):
    # Many overlapping components: starts end in different optima. A start is judged after a few
    # iterations, so convergence is cut off there: afterwards another one could overtake it.
    truth = random_mixture(2, 8, seed, spread=0.8)
    data = truth.draw(500, rng=np.random.default_rng(seed))
    weights = even(data)

    def likelihood(starts: int, seed: int) -> float:
        em = EMCells(6, starts=starts, max_iterations=SHORT_RUN)
        return mean_log_density(em.fit(data, weights, seed=seed), data, weights)

    alone = [likelihood(1, seed + j) for j in range(3)]
    # The winner's second run may stop an iteration or so earlier, by the test of convergence.
    assert likelihood(3, seed) >= max(alone) - EMCells(6).tolerance
    assert max(alone) > min(alone)


def test_a_start_that_is_given_is_the_only_one(x):
    start = KMeansCells(3).fit(x, even(x), seed=0)
    fits = [
        EMCells(3, starts=starts).fit(x, even(x), seed=seed, start=start)
        for starts, seed in ((1, 0), (5, 9))
    ]
    assert (fits[0].means == fits[1].means).all()


def test_em_stops_by_its_tolerance(x):
    converged = EMCells(2, tolerance=1e-10, max_iterations=500).fit(x, even(x), seed=0)
    following = em_step(converged, x, even(x))
    gain = mean_log_density(following, x, even(x)) - mean_log_density(converged, x, even(x))
    assert gain <= 1e-10 + roundoff(4 * len(x), 20)


def test_weights_are_repetitions(x):
    counts = np.random.default_rng(0).integers(1, 4, size=len(x))
    repeated = np.repeat(x, counts, axis=0)
    start = KMeansCells(3).fit(x, even(x), seed=0)
    options = {"seed": 0, "start": start}
    em = EMCells(3, tolerance=0.0, max_iterations=3)
    weighted = em.fit(x, counts / counts.sum(), **options)
    operations = int(40 * len(repeated) / start.weights.min())
    # An iteration does not magnify the error of the one before: the fixed point attracts.
    assert_close(weighted, em.fit(repeated, even(repeated), **options), 3 * operations)


@pytest.mark.parametrize("partition", [KMeansCells(4), EMCells(4)], ids=["k-means", "EM"])
def test_an_outlier_survives(partition, x):
    x = np.concatenate([x, [[1e4, -1e4]]])
    mixture = partition.fit(x, even(x), seed=0)
    assert np.isfinite(mixture.covariances).all()
    assert np.isfinite(mixture.log_density(x)).all()
    assert mixture.weights.min() * len(x) >= smallest_cell(2) / 2


def test_cells_with_too_few_points_are_merged():
    rng = np.random.default_rng(2)
    few = smallest_cell(2) - 1
    x = np.concatenate([rng.normal(size=(300, 2)), 100 + rng.normal(size=(few, 2))])
    mixture = KMeansCells(2).fit(x, even(x), seed=0)
    assert mixture.n_components == 1
    enough = np.concatenate([x, 100 + rng.normal(size=(1, 2))])
    assert KMeansCells(2).fit(enough, even(enough), seed=0).n_components == 2


def test_effective_points_count_rather_than_rows():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=(300, 2)), 100 + rng.normal(size=(100, 2))])
    weights = np.ones(400)
    weights[301:400] = 1e-6  # 100 rows, all weight but a millionth on the first
    weights[300] = 100.0
    mixture = KMeansCells(2).fit(x, weights / weights.sum(), seed=0)
    assert mixture.n_components == 1


def test_fewer_cells_come_out_of_fewer_rows():
    x = np.random.default_rng(0).normal(size=(3 * smallest_cell(1), 1))
    assert KMeansCells(16).fit(x, even(x), seed=0).n_components <= 3


def test_rows_on_a_line_get_covariances_that_can_be_factored():
    along = np.linspace(-1, 1, 200)
    x = np.stack([along, 2 * along], axis=1)
    mixture = EMCells(2).fit(x, even(x), seed=0)
    spectrum = np.linalg.eigvalsh(mixture.covariances)
    assert np.all(spectrum[:, 0] >= spectrum[:, 1] / 1e6 * (1 - 1e-6))
    assert np.isfinite(mixture.log_density(x)).all()


@pytest.mark.parametrize("partition", [KMeansCells(3), EMCells(3)], ids=["k-means", "EM"])
def test_equal_partitions_of_equal_data_are_equal(partition, x, monkeypatch):
    first = partition.fit(x, even(x), seed=5)
    monkeypatch.setattr(arrays, "cpu_count", lambda: 1)
    again = partition.fit(x.copy(), even(x), seed=5)
    assert all(
        (getattr(first, name) == getattr(again, name)).all()
        for name in ("weights", "means", "covariances")
    )


def test_em_recovers_a_mixture():
    n = 20_000
    truth = random_mixture(1, 2, 3, spread=4.0)
    x = truth.draw(n, rng=np.random.default_rng(0))
    fitted = EMCells(2, tolerance=1e-9).fit(x, even(x), seed=0)
    # The maximum is no worse than the truth on these rows; twice the gain is a chi-square of
    # five parameters, below 40 but for a chance of 1.5e-7.
    gain = mean_log_density(fitted, x, even(x)) - mean_log_density(truth, x, even(x))
    assert 0 <= gain <= 20 / n
