"""Frames of known noise, subspaces of the signal, and the crude mixture of the twin."""

import numpy as np
import pytest

from symscore.errors import BadData, BadOption
from symscore.learn.frame import Whitening
from symscore.learn.prepared import prepare
from symscore.learn.select import Sample
from symscore.learn.warm_start.crude import cell_mixture, lifted, twin_schedule
from symscore.learn.warm_start.means import VoronoiMean
from symscore.learn.warm_start.noise import estimate_noise, isotropic_frame, noise_covariance
from symscore.learn.warm_start.subspace import SubspaceScore, signal_axes
from symscore.mixture import GaussianMixture
from tests.tolerances import gaussian_variance, monte_carlo, roundoff


def uniform(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


def ready_of(x):
    return prepare(x, np.ones(len(x)), None, [f"c{j}" for j in range(x.shape[1])])


def flat_mixture(dim: int) -> tuple[GaussianMixture, np.ndarray]:
    """Three far means in a plane of `dim` dimensions about 0, with unit noise; and the plane."""
    plane, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(dim, 2)))
    means = np.array([[6.0, 0.0], [-3.0, 5.0], [-3.0, -5.0]]) @ plane.T
    return GaussianMixture([1 / 3] * 3, means, np.tile(np.eye(dim), (3, 1, 1))), plane


def test_the_plane_of_the_means_is_found():
    """The sine of the angle to the truth is below the bound of Davis and Kahan."""
    n, dim = 3000, 20
    truth, plane = flat_mixture(dim)
    x = truth.draw(n, rng=np.random.default_rng(0))
    for rank in (None, 2):
        axes = signal_axes(x, uniform(n), 1.0, rank)
        assert axes.shape == (dim, 2)
        assert np.abs(axes.T @ axes - np.eye(2)).max() <= roundoff(dim**2, 1.0)
        sine = np.linalg.norm(plane - axes @ (axes.T @ plane), 2)
        # The moment's error is below 7 (1 + 2 sqrt(d / n)) sqrt(d / n) of its largest eigenvalue
        # over a gap of at least 16.
        assert sine <= 7 * np.sqrt(dim / n) * 26 / 16 / 2


def test_pure_noise_keeps_one_axis():
    x = np.random.default_rng(0).normal(size=(500, 10))
    assert signal_axes(x, uniform(500), 1.0).shape == (10, 1)


def test_the_score_is_exact_outside_the_subspace():
    """A mean that does not move: N(0, 1 + t) along and across, the exact score of pure noise."""
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 2)))
    inner = VoronoiMean(np.zeros((1, 2)), 0.8, 0.5, np.zeros((1, 1, 2)), np.inf, np.zeros(1))
    score = SubspaceScore(inner, axes)
    level = score.level
    x = np.random.default_rng(1).normal(size=(30, 4))
    want = -x / (level.alpha**2 * 0.25 + level.sigma**2)
    assert score.dim == 4
    assert np.abs(score.score(x) - want).max() <= roundoff(64, np.abs(want).max())


def test_a_covariance_or_an_sd_is_noise():
    assert (noise_covariance(0.5, 2) == 0.25 * np.eye(2)).all()
    given = [[1.0, 0.2], [0.2, 0.5]]
    assert (noise_covariance(given, 2) == given).all()
    for wrong in (0.0, -1.0, np.inf):
        with pytest.raises(BadOption, match="Expected a noise sd > 0"):
            noise_covariance(wrong, 2)
    with pytest.raises(BadOption, match="Expected a symmetric positive definite"):
        noise_covariance([[1.0, 2.0], [2.0, 1.0]], 2)
    with pytest.raises(BadData, match="Expected noise of shape"):
        noise_covariance(np.eye(3), 2)


def test_noise_is_isotropic_in_its_frame():
    covariance = np.array([[1.0, 0.6], [0.6, 0.5]])
    rng = np.random.default_rng(0)
    signal = rng.choice([-4.0, 4.0], size=(1000, 2))
    x = signal + rng.normal(size=(1000, 2)) @ np.linalg.cholesky(covariance).T
    ready, noise = isotropic_frame(ready_of(x), covariance)
    turned = ready.frame.whiten(ready.frame.loc + np.linalg.cholesky(covariance).T)
    assert np.abs(turned @ turned.T - noise**2 * np.eye(2)).max() <= roundoff(100, 1.0)
    assert (ready.x**2).mean() == pytest.approx(1.0, rel=1e-9)
    # The smallest direction of the data holds little but the noise, so twice that is too much.
    with pytest.raises(BadData, match="vary at least as much as their noise"):
        isotropic_frame(ready_of(rng.normal(size=(500, 2))), 4 * np.eye(2))


def test_few_rows_of_pure_noise_are_not_refused():
    """Of 200 rows in 40 dimensions the smallest variance is about .3 of the noise's own."""
    x = np.random.default_rng(0).normal(size=(200, 40))
    ready, noise = isotropic_frame(ready_of(x), np.eye(40))
    assert np.linalg.eigvalsh(np.cov(x.T))[0] < 0.5
    assert (ready.x**2).mean() == pytest.approx(1.0, rel=1e-9)
    assert noise == pytest.approx(x.std(axis=0).mean(), rel=0.05)


def test_the_noise_of_round_clusters_is_found():
    """Three far clusters of sd 1/2: the smallest eigenvalue of a component, within its chi square.

    The smallest of two eigenvalues of 300 rows is below both variances along axes; sorting costs
    at most another such deviation.
    """
    truth = GaussianMixture(
        [1 / 3] * 3, [[-6.0, 0.0], [6.0, 0.0], [0.0, 9.0]], np.tile(0.25 * np.eye(2), (3, 1, 1))
    )
    x = truth.draw(900, rng=np.random.default_rng(0))
    found = estimate_noise(Sample(x, uniform(900), np.zeros(900, dtype=np.int64), 0))
    low, high = gaussian_variance(250, comparisons=6)
    assert 0.25 * low**2 <= found**2 <= 0.25 * high


def test_one_gaussian_is_all_noise():
    x = ready_of(
        np.random.default_rng(0).normal(size=(300, 2)) @ np.array([[3.0, 1.0], [0.0, 0.2]])
    ).x
    found = estimate_noise(Sample(x, uniform(300), np.zeros(300, dtype=np.int64), 0))
    assert found == pytest.approx(1.0, rel=1e-6)


def test_the_crude_mixture_has_the_moments_of_the_cells():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(60, 2)) - 5, rng.normal(size=(90, 2)) + 5])
    weights = rng.dirichlet(np.full(150, 50.0))
    crude = cell_mixture(x, weights, np.array([[5.0, 5.0], [-5.0, -5.0]]), 0.7)
    cells = [slice(60, None), slice(0, 60)]
    masses = [weights[rows].sum() for rows in cells]
    spreads = [np.cov(x[rows].T, aweights=weights[rows], ddof=0) for rows in cells]
    pooled = masses[0] * spreads[0] + masses[1] * spreads[1] + 0.49 / 150 * np.eye(2)
    for c, rows in enumerate(cells):
        own = weights[rows]
        effective = own.sum() ** 2 / (own**2).sum()
        want = (effective * spreads[c] + 6 * pooled) / (effective + 6)
        assert crude.weights[c] == pytest.approx(masses[c], rel=1e-12)
        assert np.abs(crude.means[c] - own @ x[rows] / masses[c]).max() <= roundoff(1000, 10.0)
        assert np.abs(crude.covariances[c] - want).max() <= roundoff(1000, 100.0)


def test_centres_move_to_the_means_of_their_cells():
    """Two covers of the same clusters end in the same cells."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(80, 2)) - 5, rng.normal(size=(80, 2)) + 5])
    one, two = (
        cell_mixture(x, uniform(160), np.array(start), 1.0)
        for start in ([[-9.0, -2.0], [2.0, 3.0]], [[-3.0, -6.0], [9.0, 9.0]])
    )
    assert (one.means == two.means).all()
    assert (one.covariances == two.covariances).all()


def test_small_cells_give_their_rows_away():
    x = np.concatenate([np.random.default_rng(0).normal(size=(60, 2)), [[30.0, 0.0]]])
    crude = cell_mixture(x, uniform(61), np.array([[0.0, 0.0], [30.0, 0.0]]), 1.0)
    assert crude.n_components == 1
    assert np.abs(crude.means[0] - x.mean(axis=0)).max() <= roundoff(200, 30.0)


def test_a_lifted_mixture_is_the_mixture_with_noise_outside():
    axes, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 1)))
    crude = GaussianMixture([0.4, 0.6], [[-1.0], [2.0]], [[[0.3]], [[0.8]]])
    whole = lifted(crude, axes, 0.5)
    x = np.random.default_rng(1).normal(size=(20, 3))
    outside = (x**2).sum(axis=1) - (x @ axes)[:, 0] ** 2
    want = crude.log_density(x @ axes) - outside / 0.5 - np.log(2 * np.pi * 0.25)
    assert np.abs(whole.log_density(x) - want).max() <= roundoff(500, 20.0)


def test_the_twin_starts_where_noise_drowns_the_rows():
    ready = ready_of(np.random.default_rng(0).normal(size=(200, 1)))
    whitened = twin_schedule(ready, 0.05)
    assert whitened.kappas[-1] == pytest.approx(20, rel=1e-9)
    wide, _ = isotropic_frame(ready, np.array([[1.0]]))
    moved = twin_schedule(wide, 0.05)
    assert moved.kappas[0] <= 0.031
    assert moved.kappas[-1] == pytest.approx(20, rel=1e-9)


def test_the_twin_of_raw_rows_starts_lower():
    """Data in the raw frame with sd 5: noise starts five times lower."""
    x = 5 * np.random.default_rng(0).normal(size=(400, 1))
    raw = ready_of(x).in_frame(Whitening(np.zeros(1), np.eye(1)))
    first = twin_schedule(raw, 0.1).kappas[0]
    assert abs(first * 5 / 0.03 - 1) <= monte_carlo(400, 1.0)
