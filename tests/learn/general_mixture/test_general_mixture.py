"""The recipe as a whole, and its theory-sized variant on an instance small enough to run."""

import math
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from symscore.errors import BadData, BadOption, ResourceLimit, TooFewRows
from symscore.learn.general_mixture.enumeration import (
    enumerate_candidates,
    reweighted,
    separated_partitions,
    threshold_grid,
)
from symscore.learn.general_mixture.plans import LinkedCells, PairedPlan, SpectralCells
from symscore.learn.general_mixture.sizes import Constants, TheorySizes
from symscore.learn.recipes.general_mixture import GeneralMixture
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_mixture
from tests.tolerances import bernstein, dvoretzky, monte_carlo, roundoff

QUICK = GeneralMixture(n_components=(1, 2), thresholds=(0.0, 2.0), degree=2, pairs=1, step=0.2)
CROSS = GaussianMixture(
    [0.5, 0.5], [[0.0, 0.0], [0.0, 0.0]], [np.diag([9.0, 0.2]), np.diag([0.2, 9.0])]
)
LINE = GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], [[[1.0]], [[0.5]]])
TINY = Constants(
    thm11_steps=0.4,
    alg2_net=1.5,
    alg3_net=0.5,
    prop48_mean=0.15,
    prop48_covariance=0.001,
    prop48_inside=4.0,
    prop48_degree=0.1,
    eq31_margin=0.1,
)
SIZES = {"epsilon": 0.5, "alpha": 0.5, "beta": 1.0, "radius": 2.5, "k": 2, "dim": 1}


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread():
    """As the estimator sees to."""
    with threadpool_limits(1):
        yield


def fit(recipe, x, seed=0, groups=None):
    names = tuple("abcdef"[: x.shape[1]])
    return recipe.fit(x, np.ones(len(x)), groups, names, seed=seed, progress=lambda *_: None)


# ---- the practical recipe


def test_draws_of_a_line_have_the_law_of_the_rows():
    """Distance of distribution functions, 2000 rows and 20,000 draws, false-alarm rate 2e-6.

    .02 is allowed for first-order steps and what was learned (.01 seen); a mode whose mass is wrong
    by a fifth is caught.
    """
    x = LINE.draw(2000, rng=np.random.default_rng(0))
    draws = np.sort(fit(QUICK, x)[0].draw(20_000, rng=np.random.default_rng(1))[:, 0])
    truth = np.searchsorted(np.sort(LINE.draw(10**6, rng=np.random.default_rng(2))[:, 0]), draws)
    gap = np.abs(truth / 10**6 - (np.arange(20_000) + 0.5) / 20_000).max()
    limit = dvoretzky(2000) + dvoretzky(20_000) + dvoretzky(10**6) + 0.02
    assert limit < 0.11
    assert gap <= limit


def test_components_of_one_mean_keep_their_shapes():
    """Two crossed bars, counted by which is the longer side and by how thin they are.

    False-alarm rate 2e-6 over the draws; .04 is allowed for steps of .2 and hard cells (.02 seen).
    The Gaussian of equal covariance is less thin by more than twice the limit, which is asserted.
    """
    x = CROSS.draw(2000, rng=np.random.default_rng(0))
    draws = fit(QUICK, x)[0].draw(10_000, rng=np.random.default_rng(1))
    gauss = np.random.default_rng(2).multivariate_normal(np.zeros(2), np.cov(x.T), size=100_000)

    def counts(rows):
        small, wide = np.abs(rows).min(axis=1), np.abs(rows[:, 0]) > np.abs(rows[:, 1])
        return (small < 0.7).astype(float), wide.astype(float)

    for have, want in zip(counts(draws), counts(x), strict=True):
        limit = bernstein(have, comparisons=2) + 0.04
        assert abs(have.mean() - want.mean()) <= limit
    assert counts(x)[0].mean() - counts(gauss)[0].mean() > 2 * limit


def test_the_report_says_what_was_tried_and_chosen():
    x = LINE.draw(300, rng=np.random.default_rng(0))
    ladder, report = fit(QUICK, x)
    assert report.n_folds == 4
    shapes = 1 + QUICK.degree * len(QUICK.ridges)
    assert len(report.tried) % shapes == 0
    assert "nats a row against the best crude mixture" in str(report)
    assert ladder.levels[0].t == pytest.approx(3.5, rel=1e-12)
    assert all(a.n_cells >= 1 for a in report.levels)


def test_spectral_cells_find_directions_that_whitening_hides():
    """Two point clouds on one of six axes: both means within five standard errors along it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 6))
    x[:, 3] = np.where(rng.uniform(size=4000) < 0.5, -1, 1) * 0.95 + 0.3 * x[:, 3]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    crude = SpectralCells(2).fit(x, np.full(4000, 1 / 4000), seed=0)
    want = 0.95 / np.sqrt(0.95**2 + 0.3**2)
    assert np.abs(np.abs(crude.means[:, 3]) - want).max() <= monte_carlo(1000, 0.6)
    assert np.linalg.eigvalsh(crude.covariances).min() > 0


@pytest.mark.parametrize("plan", [LinkedCells(2.0), PairedPlan(2.0)], ids=str)
def test_plans_join_cells_towards_the_noise(plan):
    crude = random_mixture(2, 4, 0)
    counts = [
        len(plan.rule(crude.at(NoiseLevel.from_kappa(kappa))).blocks) for kappa in (0.1, 1.0, 30.0)
    ]
    assert counts[0] == 1
    assert counts == sorted(counts)
    assert counts[-1] > 1


def test_groups_are_held_out_together():
    x = LINE.draw(400, rng=np.random.default_rng(0))
    groups = np.arange(400) // 100
    one, other = (fit(QUICK, x, groups=g)[0].fields[-1].coef for g in (groups, None))
    assert one.shape != other.shape or (one != other).any()


def test_too_few_rows_make_a_gaussian_and_say_so():
    x = np.random.default_rng(0).normal(size=(3, 2))
    with pytest.warns(TooFewRows, match="got 3: the density is one Gaussian"):
        ladder, report = fit(QUICK, x)
    assert report.n_folds == 0
    points = np.random.default_rng(1).normal(size=(5, 2))
    assert np.abs(ladder.at(0).score(points) + points).max() <= roundoff(32, 10.0)


@pytest.mark.parametrize(
    "options",
    [
        {"n_components": ()},
        {"n_components": (0,)},
        {"thresholds": ()},
        {"degree": -1},
        {"folds": 1},
        {"pairs": 0},
        {"ridges": ()},
        {"ridges": (np.inf,)},
        {"sharpness": 0.0},
        {"step": 0.0},
    ],
)
def test_options_outside_their_domain_are_refused(options):
    with pytest.raises(BadOption, match=f"Expected .*{next(iter(options))}"):
        GeneralMixture(**options)


# ---- sizes of the theorems


def test_sizes_are_the_formulas():
    sizes = TheorySizes(epsilon=0.1, alpha=0.5, beta=2.0, radius=3.0, k=2, dim=4)
    stop = 0.5 * 0.1 / 3
    assert sizes.stop == stop
    assert sizes.horizon == math.log(30)
    assert abs(sizes.score_error - 0.1 / math.log(1 / stop)) <= roundoff(8, 1.0)
    assert sizes.steps == math.ceil(4 * math.log(1 / stop) ** 2 / 0.01)
    assert sizes.degree == math.ceil(2 * 2 * math.log(3) / (0.5 * 0.5 * 0.1))
    assert abs(sizes.loss_radius - 48 * math.log(10)) <= roundoff(8, 200.0)
    log = math.log(2 * 2 * 3 / (0.5 * 0.1 * 0.5))
    assert abs(sizes.mean_apart - 2 * math.sqrt(2) / 0.5 * log) <= roundoff(16, 50.0)
    wide = 16 * 4 * math.log(3) / (0.125 * 0.5) * log
    assert abs(sizes.covariance_apart - wide) <= roundoff(16, 2 * wide)
    assert abs(sizes.margin - wide / 400) <= roundoff(16, wide)


def test_constants_are_factors():
    own = TheorySizes(**SIZES)
    assert (
        TheorySizes(**SIZES, constants=Constants(prop48_mean=3.0)).mean_apart == 3 * own.mean_apart
    )
    assert TheorySizes(**SIZES, constants=Constants(alg2_net=2.0)).mean_spacing == 2.0
    assert TheorySizes(**SIZES, constants=Constants(prop48_power=0.0)).degree == 1


@pytest.mark.parametrize(
    "options",
    [
        {"epsilon": 0.0},
        {"alpha": 1.5},
        {"beta": 0.5},
        {"radius": 1.0},
        {"k": 0},
        {"failure": 1.0},
        {"smallest_weight": 0.6},
    ],
)
def test_sizes_outside_their_domain_are_refused(options):
    with pytest.raises(BadOption, match="Expected"):
        TheorySizes(**{**SIZES, **options})


def test_with_all_constants_one_the_search_is_refused_with_its_size():
    x = LINE.draw(400, rng=np.random.default_rng(0))
    sizes = {**SIZES, "epsilon": 0.01, "dim": 2}
    with pytest.raises(ResourceLimit, match=r"Expected a search of at most .* Lemma 50 asks for"):
        fit(GeneralMixture.theory(**sizes), np.concatenate([x, x[::-1] ** 2], axis=1))


def test_too_many_candidates_are_refused():
    x = LINE.draw(100, rng=np.random.default_rng(0))
    sizes = TheorySizes(**SIZES, constants=TINY)
    with pytest.raises(ResourceLimit, match="Expected at most 10 candidates; 5 crude means"):
        enumerate_candidates(x, np.full(100, 0.01), sizes, most=10)


def test_other_columns_than_the_sizes_are_refused():
    with pytest.raises(BadData, match="distinct rows of 1 columns"):
        fit(GeneralMixture.theory(**SIZES), np.random.default_rng(0).normal(size=(50, 2)))


def test_every_candidate_is_separated_and_keeps_its_floor():
    x = LINE.draw(100, rng=np.random.default_rng(0))
    sizes = TheorySizes(**SIZES, constants=TINY)
    tried = enumerate_candidates(x, np.full(100, 0.01), sizes, most=10_000)
    assert len(tried) > 50
    for proposal in tried:
        assert proposal.crude.covariances.min() >= sizes.alpha / 2 - 1e-8
        by_mean = separated_partitions(
            np.abs(proposal.crude.means - proposal.crude.means.T),
            sizes.mean_apart,
            sizes.inside(sizes.mean_apart),
        )
        assert proposal.plan.by_mean in by_mean


def test_thresholds_are_a_grid_of_pairs_in_different_blocks():
    found = list(threshold_grid(((0, 2), (1,)), 3, 1.0, 0.5))
    assert len(found) == 5**4
    assert all(t[0, 2] == t[2, 0] == 0 for t in found)
    assert {float(t[0, 1]) for t in found} == {-1.0, -0.5, 0.0, 0.5, 1.0}
    assert len(list(threshold_grid(((0, 1),), 2, 1.0, 0.5))) == 1


def test_weights_come_from_responsibilities():
    """Far components: their weights are the counts of their rows, to the mass that may overlap."""
    mixture = GaussianMixture([0.5, 0.5], [[-20.0], [20.0]], [[[1.0]]] * 2)
    x = np.concatenate([np.full((30, 1), -20.0), np.full((10, 1), 20.0)])
    found = reweighted(mixture, x, np.full(40, 1 / 40))
    assert np.abs(found.weights - [0.75, 0.25]).max() <= roundoff(1000, 1.0)
    assert (found.means == mixture.means).all()


@pytest.mark.slow
def test_the_algorithm_of_the_paper_runs_on_a_tiny_instance():
    """d = 1, k = 2, 150 rows, all of A1 to A10, at a coarse setting of the constants.

    Modes at -2 and 2 of equal mass: the share of positive draws, with false-alarm rate 1e-6 over
    draws and rows each; a search that misses a mode is off by .5.
    """
    x = LINE.draw(150, rng=np.random.default_rng(0))
    recipe = GeneralMixture.theory(**SIZES, constants=TINY)
    ladder, report = fit(replace(recipe, folds=3), x)
    assert len(ladder.fields) >= recipe.sizes.steps // 2
    assert "candidates of" in str(report)
    draws = ladder.draw(4000, rng=np.random.default_rng(1))
    have, want = ((rows[:, 0] > 0).astype(float) for rows in (draws, x))
    assert abs(have.mean() - want.mean()) <= bernstein(have) + 0.1
    assert np.isfinite(draws).all()
    assert abs(np.abs(draws).mean() - np.abs(x).mean()) <= 0.5
    assert ladder.soften().dim == 1
