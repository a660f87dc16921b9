"""Steps A7 to A9: the field, its normal equations, the noise integrated out, and the loss."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.integrate import trapezoid

from symscore.errors import BadData, BadOption
from symscore.learn.general_mixture.clustering import LikelihoodCells
from symscore.learn.general_mixture.field import GatedScore, blank_score, pooled
from symscore.learn.general_mixture.gates import TailGates
from symscore.learn.general_mixture.partitions import single_linkage
from symscore.learn.general_mixture.regression import (
    NO_CLIP,
    CellSums,
    LossClip,
    hermite_means,
    integrated_sums,
    sampled_sums,
)
from symscore.learn.general_mixture.validation import denoising_loss, denoising_losses, least
from symscore.learn.hermite import n_features
from symscore.learn.statistics import regression_noise
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_mixture
from tests.tolerances import monte_carlo, roundoff

LEVEL = NoiseLevel.from_kappa(1.2)
PAIR = GaussianMixture([0.6, 0.4], [[-0.8], [1.2]], [[[0.3]], [[0.1]]])


def blank_of(crude: GaussianMixture, blocks, level=LEVEL, *, radius=1e9, whitened=False, out=1e-4):
    rule = LikelihoodCells(crude.at(level), blocks)
    return blank_score(crude, level, rule, TailGates(out), radius, whitened=whitened)


def singles(k: int) -> tuple[tuple[int, ...], ...]:
    return tuple((i,) for i in range(k))


def whitened_rows(n: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, weights = rng.gamma(2.0, size=(n, dim)), rng.dirichlet(np.full(n, 5.0))
    x = x - weights @ x
    return np.linalg.solve(np.linalg.cholesky((weights[:, None] * x).T @ x), x.T).T, weights


# ---- the field


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_without_coefficients_the_score_is_a_gaussians_linear_one(dim):
    """And so it is where no row was inside the gate, at any distance."""
    crude = random_mixture(dim, 3, 0)
    blank = blank_of(crude, ((0, 2), (1,)))
    rows = np.zeros((0, dim))
    sums = sampled_sums(blank, rows, np.zeros(0), [rows], degree=2, clip=NO_CLIP)
    fitted = blank.with_coef(sums.solve(2, 0.0))
    x = 20 * np.random.default_rng(0).normal(size=(100, dim))
    carried = crude.at(LEVEL)
    cells = blank.rule.cells(x)
    for c, block in enumerate(blank.blocks):
        one = block[0]
        assert crude.weights[one] == crude.weights[list(block)].max()
        own = x[cells == c]
        want = -np.linalg.solve(carried.covariances[one], (own - carried.means[one]).T).T
        size = np.abs(own).max(initial=1.0) / LEVEL.sigma**2
        assert np.abs(blank.score(own) - want).max(initial=0.0) <= roundoff(1000, 10 * size)
    assert (fitted.score(x) == blank.score(x)).all()


def test_outside_the_gate_the_polynomial_does_not_act():
    blank = blank_of(PAIR, ((0, 1),), out=0.5)
    coef = np.zeros((1, 3, 1))
    coef[0, 0] = 1.0
    field = blank.with_coef(coef)
    x = np.linspace(-6, 6, 400)[:, None]
    inside = field.inside(0, x)
    assert 0 < inside.sum() < 400
    moved = field.denoise(x) - blank.denoise(x)
    assert (moved[~inside] == 0).all()
    assert np.abs(moved[inside] - 1).max() <= roundoff(8, 10.0)


def test_polynomials_stay_in_the_ball():
    coef = np.full((1, 3, 1), 100.0)
    field = blank_of(PAIR, ((0, 1),), radius=2.0).with_coef(coef)
    x = np.linspace(-3, 3, 50)[:, None]
    assert np.abs(field.denoise(x)[field.inside(0, x)]).max() <= 2.0 + roundoff(4, 2.0)


def test_several_coefficients_at_once_are_each_alone():
    crude = random_mixture(2, 3, 1)
    blank = blank_of(crude, ((0,), (1, 2)))
    coefs = np.random.default_rng(0).normal(size=(3, 2, 6, 2))
    coefs[1] = 0
    x = crude.at(LEVEL).draw(50, rng=np.random.default_rng(1))
    each = blank.denoise_each(x, coefs)
    assert all(
        (own == blank.with_coef(c).denoise(x)).all() for own, c in zip(each, coefs, strict=True)
    )


def test_one_component_a_cell_pools_to_itself_and_two_to_their_moments():
    crude = random_mixture(2, 3, 2)
    same = pooled(crude, singles(3))
    assert np.abs(same.covariances - crude.covariances).max() <= roundoff(16, 5.0)
    both = pooled(crude, ((0, 1, 2),))
    mean = crude.weights @ crude.means
    second = np.einsum("k,kij->ij", crude.weights, crude.covariances)
    second += np.einsum("k,ki,kj->ij", crude.weights, crude.means, crude.means)
    assert np.abs(both.means[0] - mean).max() <= roundoff(16, 5.0)
    assert np.abs(both.covariances[0] - second + np.outer(mean, mean)).max() <= roundoff(64, 20.0)


def test_fields_that_do_not_fit_are_refused():
    blank = blank_of(PAIR, singles(2))
    with pytest.raises(BadData, match="Expected coef of shape"):
        blank.with_coef(np.zeros((3, 1, 1)))
    two = blank_of(random_mixture(2, 1, 0), ((0,),))
    with pytest.raises(BadOption, match="features of one degree; got 2"):
        two.with_coef(np.zeros((1, 2, 2)))
    with pytest.raises(BadOption, match="Expected radius > 0"):
        GatedScore(PAIR, LEVEL, blank.rule, blank.local, np.zeros((2, 2)), np.zeros((2, 0, 1)), 0.0)


# ---- the regression


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("out", [1e-4, 0.5])
def test_cells_are_fitted_by_plain_least_squares_inside_their_gates(degree, out):
    n = 800
    crude = GaussianMixture([0.3, 0.3, 0.4], [[-1.5], [0.2], [1.4]], [[[0.1]], [[0.2]], [[0.3]]])
    blank = blank_of(crude, ((0,), (1, 2)), out=out)
    rng = np.random.default_rng(1)
    x, weights = crude.draw(n, rng=rng), rng.dirichlet(np.full(n, 5.0))
    noises = np.split(regression_noise(0, 3, (2 * n, 1)), 2)
    sums = sampled_sums(blank, x, weights, noises, degree=degree, clip=NO_CLIP)
    field = blank.with_coef(sums.solve(degree, 0.0))
    shifts = [sign * LEVEL.sigma * z for z in noises for sign in (1, -1)]
    noised = np.concatenate([LEVEL.alpha * x + shift for shift in shifts])
    clean, share = np.tile(x[:, 0], 4), np.tile(weights, 4)
    cells = blank.rule.cells(noised)
    grid = np.linspace(-2, 2, 41)[:, None]
    found = field.denoise(grid)[:, 0]
    for c in range(2):
        own = np.flatnonzero(cells == c)
        own = own[blank.inside(c, noised[own])]
        here = np.flatnonzero(blank.rule.cells(grid) == c)
        here = here[blank.inside(c, grid[here])]
        root = np.sqrt(share[own])
        design = root[:, None] * np.vander(noised[own, 0], degree + 1)
        solution = np.linalg.lstsq(design, root * clean[own], rcond=None)[0]
        # Normal equations square the condition; the term that rounding needs is 1e-12 of the Gram.
        slack = 4 * np.linalg.cond(design) ** 2 * (roundoff(4 * n, 1.0) + 1e-12)
        want = np.polyval(solution, grid[here, 0])
        assert len(here) > 3
        assert np.abs(found[here] - want).max() <= slack


def test_the_loss_leaves_out_points_and_noises_beyond_its_radii():
    n = 500
    x = PAIR.draw(n, rng=np.random.default_rng(0))
    blank = blank_of(PAIR, singles(2))
    noise = regression_noise(0, 0, (n, 1))
    clip = LossClip(point=0.9, noise=1.0)
    found = sampled_sums(blank, x, np.full(n, 1 / n), [noise], degree=1, clip=clip)
    want = np.zeros(2)
    for sign in (1, -1):
        noised = LEVEL.alpha * x + sign * LEVEL.sigma * noise
        kept = (np.abs(noised[:, 0]) <= 0.9) & (np.abs(noise[:, 0]) <= 1.0)
        want += np.bincount(blank.rule.cells(noised)[kept], minlength=2) / (2 * n)
    assert np.abs(found.gram[:, 0, 0] - want).max() <= roundoff(4 * n, 1.0)


@pytest.mark.parametrize(
    ("rows", "degree"), [(60, 2), (59, 1), (30, 1), (29, 0), (10, 0), (9, -1), (0, -1)]
)
def test_a_cell_gets_the_degree_that_its_rows_allow(rows, degree):
    gram, cross = np.eye(6)[None], np.ones((1, 6, 2))
    coef = CellSums(gram, cross, np.array([float(rows)])).solve(2, 0.0)
    size = 0 if degree < 0 else n_features(2, degree)
    assert (coef[0, :size] != 0).all()
    assert (coef[0, size:] == 0).all()


def test_an_infinite_ridge_is_no_polynomial_and_a_finite_one_shrinks():
    sums = CellSums(np.eye(3)[None], np.ones((1, 3, 2)), np.array([1e4]))
    assert (sums.solve(1, np.inf) == 0).all()
    assert np.abs(sums.solve(1, 0.25) - 1 / 1.25).max() <= 2e-12


# ---- noise integrated out


@pytest.mark.parametrize(("dim", "degree"), [(1, 4), (2, 3), (3, 2)])
def test_integrated_sums_are_those_of_quadrature(dim, degree):
    """Gauss-Hermite quadrature is exact for polynomials; the reference is not N(0, I)."""
    x, weights = whitened_rows(12, dim)
    crude = random_mixture(dim, 2, 1, spread=0.3)
    blank = blank_of(crude, ((0, 1),), whitened=True)
    means = hermite_means(x, weights, 2 * degree)
    found = integrated_sums(blank, means, 12.0, degree=degree)
    nodes, mass = hermegauss(degree + 2)
    grid = np.stack(np.meshgrid(*[nodes] * dim), axis=-1).reshape(-1, dim)
    chance = np.prod(np.meshgrid(*[mass / mass.sum()] * dim), axis=0).ravel()
    gram, cross = np.zeros_like(found.gram[0]), np.zeros_like(found.cross[0])
    for row, v in zip(x, weights, strict=True):
        noised = LEVEL.alpha * row + LEVEL.sigma * grid
        phi = blank.features(0, noised, degree)
        weighted = (v * chance)[:, None] * phi
        gram += weighted.T @ phi
        cross += weighted.T @ (row - blank.linear(0, noised))
    # Terms h_p h_q are as large as the extreme rows make them.
    size = np.abs(blank.features(0, x, degree)).max() ** 2 + 10
    assert np.abs(found.gram[0] - gram).max() <= roundoff(2000, 10 * size)
    assert np.abs(found.cross[0] - cross).max() <= roundoff(2000, 100 * size)


def test_integrated_sums_are_the_limit_of_drawn_ones():
    """Within Monte Carlo error, 400 antithetic pairs a row; a wrong power of alpha is caught."""
    x, weights = whitened_rows(200, 2)
    crude = GaussianMixture([1.0], [[0.3, -0.2]], [[[0.8, 0.2], [0.2, 0.5]]])
    blank = blank_of(crude, ((0,),), whitened=True)
    exact = integrated_sums(blank, hermite_means(x, weights, 4), 200.0, degree=2)
    draws = []
    for seed in range(40):
        noises = np.split(regression_noise(seed, 0, (2000, 2)), 10)
        sums = sampled_sums(blank, x, weights, noises, degree=2, clip=NO_CLIP)
        draws.append(np.concatenate([sums.gram[0], sums.cross[0]], axis=1))
    spread = np.std(draws, axis=0, ddof=1)
    want = np.concatenate([exact.gram[0], exact.cross[0]], axis=1)
    # Forty means of their own spread: Student's t instead of the normal law doubles the limit.
    limit = 2 * monte_carlo(40, spread, comparisons=want.size)
    assert np.all(np.abs(np.mean(draws, axis=0) - want) <= limit + roundoff(4000, 10.0))


def test_degree_zero_uses_the_same_sums():
    x, weights = whitened_rows(50, 1)
    blank = blank_of(PAIR, ((0, 1),), whitened=True)
    coef = integrated_sums(blank, hermite_means(x, weights, 2), 50.0, degree=0).solve(0, 0.0)
    # The best constant is the mean of x_0 less the linear part, whose mean is that at x_t = 0.
    want = -blank.linear(0, np.zeros((1, 1)))[0]
    assert abs(coef[0, 0, 0] - want[0]) <= roundoff(500, 5.0) + 1e-11
    assert (coef[0, 1:] == 0).all()


# ---- A9


def test_the_loss_is_the_papers_in_units_of_the_score():
    crude = random_mixture(2, 2, 0)
    field = blank_of(crude, singles(2))
    x = crude.draw(30, rng=np.random.default_rng(0))
    weights = np.random.default_rng(1).dirichlet(np.ones(30))
    z = regression_noise(0, 0, (30, 2))
    want = 0.0
    for sign in (1, -1):
        noised = LEVEL.alpha * x + sign * LEVEL.sigma * z
        gap = field.score(noised) + sign * z / LEVEL.sigma
        want += 0.5 * weights @ (gap**2).sum(axis=1)
    found = denoising_loss(field, x, weights, [z])
    assert abs(found - want) <= roundoff(500, 10 * want)
    several = denoising_losses(field, np.zeros((2, 2, 0, 2)), x, weights, [z])
    assert np.abs(several - found).max() <= roundoff(100, found)


def test_the_loss_exceeds_that_of_the_truth_by_the_squared_error():
    """(7) of the paper, E|s - s'|^2 by quadrature on a line, 40,000 rows; 1e-6 false alarms.

    The fields' losses are on the same noises; the error is .19, and a factor of 2 is caught.
    """
    n = 40_000
    x = PAIR.draw(n, rng=np.random.default_rng(0))
    z = regression_noise(0, 0, (n, 1))
    field, truth = blank_of(PAIR, singles(2)), PAIR.at(LEVEL)
    grid = np.linspace(-6, 6, 40_001)
    gap = ((field.score(grid[:, None]) - truth.score(grid[:, None])) ** 2)[:, 0]
    want = trapezoid(gap * np.exp(truth.log_density(grid[:, None])), grid)
    factor = (LEVEL.alpha / LEVEL.sigma**2) ** 2 / 2
    rows = np.zeros(n)
    for sign in (1, -1):
        noised = LEVEL.alpha * x + sign * LEVEL.sigma * z
        own, best = (((d.denoise(noised) - x) ** 2)[:, 0] for d in (field, truth))
        rows += factor * (own - best)
    found = denoising_loss(field, x, np.full(n, 1 / n), [z]) - denoising_loss(
        truth, x, np.full(n, 1 / n), [z]
    )
    assert abs(found - rows.mean()) <= roundoff(n, 10.0)
    # Where two cells meet the score jumps, between grid points 3e-4 apart; the rest is O(1).
    assert abs(found - want) <= monte_carlo(n, rows.std()) + 1e-3 < want / 2


def test_the_least_loss_is_the_first_of_equals_and_never_not_a_number():
    assert least([3.0, np.nan, 1.0, 1.0]) == 2


def test_cells_join_towards_the_noise():
    apart = GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], [[[1.0]]] * 2)
    found = []
    for kappa in (0.1, 5.0):
        carried = apart.at(NoiseLevel.from_kappa(kappa))
        found.append(len(single_linkage(np.abs(carried.means - carried.means.T), 1.0)))
    assert found == [1, 2]
