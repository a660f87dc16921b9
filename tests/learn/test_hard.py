"""Hard cells: the fit against closed forms and plain least squares, and the laws of the recipe."""

import numpy as np
import pytest

from symscore.errors import BadData, BadOption
from symscore.learn.hard import HardScore, cell_features, fit_hard_score
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.recipes.hard_cells import HardCells
from symscore.learn.reference import hermite
from symscore.learn.report import LadderReport
from symscore.learn.statistics import regression_noise
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_mixture
from tests.tolerances import bernstein, monte_carlo, roundoff

LEVEL = NoiseLevel.from_kappa(1.5)
SPREAD = GaussianMixture([0.3, 0.3, 0.4], [[-1.5], [0.2], [1.4]], [[[0.1]], [[0.2]], [[0.3]]])


def uniform(n: int) -> np.ndarray:
    return np.full(n, 1 / n)


def noises_of(n: int, dim: int, pairs: int = 2) -> list[np.ndarray]:
    return np.split(regression_noise(0, 3, (pairs * n, dim)), pairs)


# ---- one level


@pytest.mark.parametrize(("dim", "degree"), [(1, 4), (2, 3), (3, 2)])
def test_features_are_those_of_the_reference(dim, degree):
    carried = random_mixture(dim, 2, 3).at(LEVEL)
    x = 2 * np.random.default_rng(0).normal(size=(50, dim))
    u = np.stack(
        [np.linalg.solve(carried.chol_covariances[1], row - carried.means[1]) for row in x]
    )
    want = hermite(u, degree)
    # Terms of He_p are at most (1 + |u|)^p; solving for u costs its condition number, below 1e2.
    size = (1 + np.abs(u).max()) ** degree
    assert np.abs(cell_features(carried, 1, x, degree) - want).max() <= roundoff(64, 1e2 * size)


def test_a_cell_is_nearest_to_its_carried_centre():
    crude = random_mixture(2, 5, 1)
    field = HardScore(crude, LEVEL, np.zeros((5, 0, 2)), 3.0)
    x = np.random.default_rng(0).normal(size=(200, 2))
    want = [min(range(5), key=lambda c: np.hypot(*(p - LEVEL.alpha * crude.means[c]))) for p in x]
    assert (field.cells(x) == want).all()


def test_of_equally_near_cells_the_first_is_taken():
    crude = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], [[[1.0]]] * 2)
    assert HardScore(crude, LEVEL, np.zeros((2, 0, 1)), 3.0).cells([[0.0]]) == [0]


def test_without_coefficients_the_score_is_that_of_the_noise():
    field = HardScore(random_mixture(2, 3, 1), LEVEL, np.zeros((3, 0, 2)), 100.0)
    x = np.random.default_rng(0).normal(size=(50, 2))
    assert field.degree == -1
    assert np.abs(field.score(x) + x).max() <= roundoff(8, np.abs(x).max() / LEVEL.sigma**2)


def test_the_denoiser_is_clipped_to_the_ball():
    coef = np.zeros((1, 3, 2))
    coef[0, 1:] = 50 * np.eye(2)
    crude = GaussianMixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    wide, narrow = (HardScore(crude, LEVEL, coef, radius) for radius in (1e9, 2.0))
    x = np.array([[1e-3, 2e-3], [0.5, -0.1], [40.0, 30.0]])
    free, held = wide.denoise(x), narrow.denoise(x)
    assert (held[0] == free[0]).all()
    lengths = np.linalg.norm(held[1:], axis=1)
    assert np.abs(lengths - 2.0).max() <= roundoff(8, 2.0)
    turned = held[1:, 0] * free[1:, 1] - held[1:, 1] * free[1:, 0]
    assert np.abs(turned).max() <= roundoff(8, np.abs(held[1:, 0] * free[1:, 1]).max())
    score = (LEVEL.alpha * held - x) / LEVEL.sigma**2
    assert (narrow.score(x) == score).all()


def test_one_cell_of_a_gaussian_is_its_exact_denoiser():
    n = 20_000
    target = GaussianMixture([1.0], [[0.5, -1.0]], [[[1.2, 0.5], [0.5, 0.6]]])
    x = target.draw(n, rng=np.random.default_rng(0))
    field = fit_hard_score(target, LEVEL, x, uniform(n), noises_of(n, 2), degree=1, ridge=0.0)
    noisy = target.at(LEVEL)
    points = noisy.draw(300, rng=np.random.default_rng(1))
    u = np.linalg.solve(noisy.chol_covariances[0], (points - noisy.means[0]).T).T
    gain = LEVEL.alpha * target.covariances[0] @ np.linalg.inv(noisy.covariances[0])
    left = target.covariances[0] - LEVEL.alpha * gain @ target.covariances[0]
    # The variance of a fitted value is h^T G^-1 h times that of the residual, over n: copies of a
    # row only lower it. G is I to within a few percent.
    spread = np.sqrt((1 + (u**2).sum(axis=1))[:, None] * np.diagonal(left))
    error = np.abs(field.denoise(points) - noisy.denoise(points))
    assert np.all(error <= 1.05 * monte_carlo(n, spread, comparisons=error.size))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_slabs_are_fitted_by_plain_least_squares(degree):
    n = 900
    x = SPREAD.draw(n, rng=np.random.default_rng(0))
    weights = np.random.default_rng(1).dirichlet(np.full(n, 5.0))
    noises = noises_of(n, 1)
    field = fit_hard_score(SPREAD, LEVEL, x, weights, noises, degree=degree, ridge=0.0)
    assert (field.degrees == degree).all()
    shifts = [sign * LEVEL.sigma * z[:, 0] for z in noises for sign in (1, -1)]
    noised = np.concatenate([LEVEL.alpha * x[:, 0] + shift for shift in shifts])
    clean, share = np.tile(x[:, 0], 4), np.tile(weights, 4)
    centres = LEVEL.alpha * SPREAD.means[:, 0]
    breaks = (centres[1:] + centres[:-1]) / 2
    slab = np.searchsorted(breaks, noised)
    grid = np.linspace(-2, 2, 41)
    found = field.denoise(grid[:, None])[:, 0]
    assert np.abs(found).max() < field.radius  # nothing here is clipped
    for c in range(3):
        own, here = slab == c, np.searchsorted(breaks, grid) == c
        root = np.sqrt(share[own])
        design = root[:, None] * np.vander(noised[own], degree + 1)
        solution = np.linalg.lstsq(design, root * clean[own], rcond=None)[0]
        # Normal equations square the condition; the term that rounding needs is 1e-12 of the Gram.
        slack = 4 * np.linalg.cond(design) ** 2 * (roundoff(4 * n, 1.0) + 1e-12)
        assert np.abs(found[here] - np.polyval(solution, grid[here])).max() <= slack


def test_antithetic_noise_cancels_and_the_ridge_shrinks():
    n, ridge = 300, 0.25
    x = np.random.default_rng(0).normal(size=(n, 2))
    weights = np.random.default_rng(1).dirichlet(np.full(n, 5.0))
    crude = GaussianMixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    noises = [1e3 * z for z in noises_of(n, 2)]
    field = fit_hard_score(crude, LEVEL, x, weights, noises, degree=0, ridge=ridge)
    # x_0 - alpha x_t averages to sigma^2 x_0 over +z and -z, whatever z.
    want = LEVEL.sigma**2 * (weights @ x) / (1 + ridge + 1e-12)
    assert np.abs(field.coef[0, 0] - want).max() <= roundoff(4 * n, 5e3)


@pytest.mark.parametrize(
    ("rows", "degree"), [(30, 2), (29, 1), (20, 1), (19, 0), (10, 0), (9, -1), (0, -1)]
)
def test_a_cell_has_the_degree_that_its_rows_allow(rows, degree):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-1.5, -0.5, size=400), rng.uniform(0.5, 1.5, size=rows)])
    crude = GaussianMixture([0.5, 0.5], [[-1.0], [1.0]], [[[0.1]]] * 2)
    sharp = NoiseLevel.from_kappa(1e3)
    field = fit_hard_score(
        crude, sharp, x[:, None], uniform(len(x)), noises_of(len(x), 1), degree=2, ridge=1e-3
    )
    assert field.degrees.tolist() == [2, degree]
    if degree < 0:
        assert (field.denoise([[1.0]]) == sharp.alpha).all()


def test_weights_of_few_rows_count_as_few_rows():
    x = np.random.default_rng(0).uniform(0.5, 1.5, size=(400, 1))
    weights = np.full(400, 1e-9)
    weights[:12] = 1.0
    crude = GaussianMixture([1.0], [[1.0]], [[[0.1]]])
    field = fit_hard_score(
        crude, LEVEL, x, weights / weights.sum(), noises_of(400, 1), degree=2, ridge=1e-3
    )
    assert field.degrees.tolist() == [0]


@pytest.mark.parametrize(
    ("size", "radius", "message"), [(2, 1.0, "features of one degree"), (3, 0.0, "radius > 0")]
)
def test_what_is_no_level_is_refused(size, radius, message):
    crude = GaussianMixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    with pytest.raises(BadOption, match=f"Expected .*{message}"):
        HardScore(crude, LEVEL, np.zeros((1, size, 2)), radius)


# ---- the recipe; its laws are those of all recipes, in tests/laws/test_recipes.py

RECIPE = HardCells(n_cells=4, degree=2, pairs=1, max_ratio=2.0)
NAMES = ("a", "b")
TRUTH = random_mixture(2, 3, 21)


@pytest.fixture(scope="module")
def x():
    return TRUTH.draw(300, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(x):
    return fit(x)


def fit(x, weights=None, seed=0) -> tuple[HardLadder, LadderReport]:
    weights = np.ones(len(x)) if weights is None else weights
    return RECIPE.fit(x, weights, None, NAMES, seed=seed, progress=lambda *_: None)


def test_the_soft_twin_has_the_same_design(fitted):
    ladder, report = fitted
    soft = ladder.soften()
    assert soft.levels == ladder.levels
    assert soft.names == ladder.names == NAMES
    assert ladder.frame is soft.frame
    assert len(report.levels) == len(ladder.fields) == 2 * ladder.soft.schedule.n_steps
    for one, other, said in zip(ladder.fields, soft.fields, report.levels, strict=True):
        assert one.crude is other.crude
        assert one.degree == other.degree == said.candidates[0].degree == 2
        assert said.shares == (1.0,)
        assert (said.kappa, said.n_cells) == (one.level.kappa, one.crude.n_components)
        assert np.isnan(said.risk)
    assert report.n_folds == 0
    assert ladder.at(3) is ladder.fields[3]


def test_fields_that_do_not_belong_together_are_refused(fitted):
    hard = fitted[0]
    with pytest.raises(BadData, match="noise that falls"):
        HardLadder(hard.fields[::-1], hard.end, hard.soft)
    with pytest.raises(BadData, match="noise that falls"):
        HardLadder(hard.fields, hard.levels[0], hard.soft)
    with pytest.raises(BadData, match="dimension 2"):
        HardLadder((), hard.end, hard.soft)


def test_one_column_and_progress(x):
    calls = []
    ladder, _ = RECIPE.fit(
        x[:, :1], np.ones(300), None, ("a",), seed=0, progress=lambda *c: calls.append(c)
    )
    assert ladder.dim == 1
    size = len(ladder.fields)
    assert {("fitting levels", size, size), ("fitting soft cells", size, size)} <= set(calls)


def test_too_few_rows_are_refused(x):
    with pytest.raises(BadData, match="at least 4 distinct rows for 2 columns; got 3 distinct"):
        fit(np.repeat(x[:3], 10, axis=0))


@pytest.mark.parametrize(
    "options",
    [{"n_cells": 0}, {"degree": -1}, {"pairs": 0}, {"ridge": np.inf}, {"sharpness": 0.0}],
)
def test_options_outside_their_domain_are_refused(options):
    with pytest.raises(BadOption, match=f"Expected .*{next(iter(options))}"):
        HardCells(**options)


@pytest.mark.parametrize("degree", [1, 3])
def test_draws_of_separated_modes_have_the_masses_of_the_rows(degree):
    """Three modes of masses near .2, .3 and .5, 8 sd apart; draws are counted by nearest mean.

    False-alarm rate 1e-6 over the draws; .03 is allowed for what first-order steps of
    ratio 1.3 shift (.005 to .025 seen). A mass wrong by .1 is caught.
    """
    truth = GaussianMixture([0.2, 0.3, 0.5], [[-4.0, 0.0], [4.0, 0.0], [0.0, 7.0]], [np.eye(2)] * 3)
    rows = truth.draw(2000, rng=np.random.default_rng(0))
    recipe = HardCells(n_cells=6, degree=degree, pairs=1, max_ratio=1.3)
    ladder, _ = recipe.fit(rows, np.ones(2000), None, NAMES, seed=0, progress=lambda *_: None)
    draws = ladder.draw(10_000, rng=np.random.default_rng(1))
    modes, wanted = (
        np.linalg.norm(x[:, None] - truth.means, axis=2).argmin(axis=1) for x in (draws, rows)
    )
    for mode in range(3):
        here = (modes == mode).astype(float)
        assert abs(here.mean() - np.mean(wanted == mode)) <= bernstein(here, comparisons=3) + 0.03
