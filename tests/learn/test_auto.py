"""The default recipe: what a fit is, on few rows and few candidates.

The laws of every recipe are in tests/laws/test_recipes.py.
"""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from symscore.errors import BadData, BadOption, OutliersLeftOut, TooFewRows
from symscore.flow.flow import ScoreFlow
from symscore.learn import choose as choosing
from symscore.learn.choose import nodes_of
from symscore.learn.frame import fit_whitening
from symscore.learn.ladder import ScoreLadder
from symscore.learn.merging import MergedCells
from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.prepared import BLUR
from symscore.learn.recipes import auto
from symscore.learn.recipes.auto import Auto
from symscore.learn.report import LadderReport
from symscore.learn.stack import StackedCells
from symscore.learn.subspace import SubspaceCells
from symscore.schedule import balanced_step
from tests.flows import random_mixture
from tests.tolerances import roundoff

RECIPE = Auto(
    kmeans=(4,),
    em=(1, 2),
    kmeans_degree=2,
    em_degree=2,
    ridges=(1e-2,),
    rhos=(3.0, 2.0),
    refined_degree=2,
    pairs=1,
    folds=3,
    plain=False,
    max_ratio=2.0,
    merged=0,
)
NAMES = ("a", "b")
TRUTH = random_mixture(2, 3, 21)


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread():
    """As the estimator sees to."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def x():
    return TRUTH.draw(300, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(x):
    return fit(x)


@pytest.fixture(scope="module")
def combined(x):
    """A fit that keeps every combination, and the choice that it was made from."""
    found = []

    def recorded(*arguments, **options):
        found.append(choose(*arguments, **options))
        return found[-1]

    choose = auto.choose
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "AVERAGED", -np.inf)
        patch.setattr(auto, "choose", recorded)
        return *fit(x), found[0]


def fit(x, weights=None, groups=None, seed=0, recipe=RECIPE) -> tuple[ScoreLadder, LadderReport]:
    weights = np.ones(len(x)) if weights is None else weights
    return recipe.fit(x, weights, groups, NAMES, seed=seed, progress=lambda *_: None)


def bits(ladder: ScoreLadder) -> tuple[bytes, ...]:
    """All numbers of a ladder: levels, frame, shares, cells and coefficients."""
    return tuple(part.tobytes() for part in ScoreFlow(ladder).packed)


def test_the_report_says_what_the_ladder_is(combined):
    ladder, report, _ = combined
    assert (report.n_rows, report.n_distinct, report.n_folds) == (300, 300, 3)
    assert report.n_effective == 300
    assert (report.rounding, report.spikes, report.left_out) == (0, (), ())
    assert ladder.names == NAMES
    assert len(report.levels) == len(ladder.fields) == 2 * ladder.schedule.n_steps
    assert any(len(field.members) > 1 for field in ladder.fields)  # so that the test says something
    for choice, field in zip(report.levels, ladder.fields, strict=True):
        assert choice.kappa == field.level.kappa
        assert choice.n_cells == sum(m.crude.n_components for m in field.members)
        assert choice.shares == tuple(field.shares.tolist())
        assert len(choice.candidates) == len(field.members)
        assert set(choice.candidates) <= set(report.tried)
        for candidate, member in zip(choice.candidates, field.members, strict=True):
            crude = np.isinf(candidate.ridge)
            assert member.degree == (-1 if crude else candidate.degree)
            assert member.rho == candidate.rho
            assert member.crude.n_components <= candidate.partition.n_cells
        assert choice.error > 0
    ratios = ladder.schedule.kappas[1:] / ladder.schedule.kappas[:-1]
    assert ratios.max() <= 2.0
    assert abs(ladder.schedule.rule.a - balanced_step(float(ratios[0])).a) < 1e-9


def test_some_steps_share_the_choice_at_their_sharpest_level(combined):
    ladder, report, choice = combined
    assert report.tried == choice.tried
    for k, (level, field) in enumerate(zip(report.levels, ladder.fields, strict=True)):
        node = choice.at(k)
        candidates = tuple(choice.crossed.candidates[j] for j in node.members)
        assert (level.candidates, level.shares) == (candidates, node.shares)
        at = next(n for n in nodes_of(choice.kappas) if n >= k)
        assert candidates[0] == choice.crossed.candidates[choice.crossed.best(at)]
        assert abs(level.risk - node.losses.sum() / node.mass.sum()) <= roundoff(8, level.risk)
        plain = choice.crossed.risks[at, choice.mixture]
        # The sums of the cross-fit leave out what is below 1e-7, the fields here do not.
        assert abs(level.mixture_risk - plain) <= 1e-6 * plain
        assert (field.shares == np.array(node.shares)).all()


def test_combinations_are_kept_only_together(x, fitted, combined):
    ladder, report = fitted
    if any(len(level.shares) > 1 for level in report.levels):
        assert bits(ladder) == bits(combined[0])
        return
    for level, other in zip(report.levels, combined[1].levels, strict=True):
        assert level.candidates == other.candidates[:1]
        assert level.risk >= other.risk * (1 - roundoff(10**4, 1))


def test_cells_are_the_candidates_fitted_to_all_rows(x, combined):
    ladder, report, _ = combined
    rows, even = x[np.lexsort(x.T[::-1])], np.full(300, 1 / 300)
    frame = fit_whitening(rows, even, NAMES)
    assert (frame.scale_tril == ladder.frame.scale_tril).all()
    partitions = {candidate.partition for level in report.levels for candidate in level.candidates}
    again = {p: p.fit(frame.whiten(rows), even / even.sum(), seed=0) for p in partitions}
    for choice, field in zip(report.levels, ladder.fields, strict=True):
        for candidate, member in zip(choice.candidates, field.members, strict=True):
            assert (member.crude.means == again[candidate.partition].means).all()
            assert (member.crude.covariances == again[candidate.partition].covariances).all()


def test_gain_is_against_the_best_plain_mixture(combined):
    _, report, choice = combined
    assert report.gain.components in RECIPE.em
    assert (report.gain.nats, report.gain.error) == choice.gain


def test_on_a_gaussian_a_mixture_is_enough():
    x = np.random.default_rng(1).normal(size=(300, 2)) @ [[1.0, 0.5], [0.0, 2.0]]
    _, report = fit(x, recipe=replace(RECIPE, kmeans=(), plain=True))
    assert report.gain.taken
    assert report.gain.mixture_is_enough
    assert "use that" in str(report)


def test_on_a_ring_it_is_not():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, size=400)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.1 * rng.normal(size=(400, 2))
    recipe = replace(RECIPE, kmeans=(8,), rhos=(3.0,), folds=4, plain=True)
    _, report = fit(x, recipe=recipe)
    assert not report.gain.mixture_is_enough
    assert report.gain.nats > 0.2


def test_smoothing_is_a_tenth_of_the_smallest_component(fitted):
    ladder, report = fitted
    members = [member for field in ladder.fields for member in field.members]
    smallest = min(np.linalg.eigvalsh(m.crude.covariances).min() ** 0.5 for m in members)
    assert report.smoothing <= 0.1 * smallest
    assert report.smoothing == pytest.approx(1 / ladder.schedule.kappas[-1], rel=1e-12)


def test_a_grid_bounds_the_sharpness(x):
    _, report = fit(np.round(x * 4) / 4)
    assert report.rounding > 0
    assert report.smoothing >= BLUR * report.rounding


def test_the_first_damping_radius_is_tried_everywhere_and_others_follow(fitted):
    tried = fitted[1].tried
    assert {c.rho for c in tried} <= {3.0, 2.0}
    first = [c for c in tried if c.rho == 3.0]
    found = {c.partition for c in first if not isinstance(c.partition, StackedCells)}
    assert found == {EMCells(1), EMCells(2), KMeansCells(4)}


def test_a_grid_is_a_mixture_merged_from_many():
    knots = np.stack(np.meshgrid(range(3), range(3)), axis=-1).reshape(-1, 2)
    rng = np.random.default_rng(0)
    x = knots[rng.integers(9, size=600)] + 0.1 * rng.normal(size=(600, 2))
    _, report = fit(x, recipe=replace(RECIPE, kmeans=(), merged=16, plain=True))
    merged = [c for c in report.tried if isinstance(c.partition, MergedCells)]
    assert len(merged) == 1
    assert report.gain.components == 9
    assert all(c == merged[0] for level in report.levels for c in level.candidates[:1])


def test_many_columns_are_reduced_to_those_that_tell():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 10))
    x[:, 0] += 3 * rng.choice([-1, 1], size=600)
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    recipe = replace(RECIPE, em=(1,), kmeans=(), subspace=(2,), plain=True)
    names = tuple("abcdefghij")
    ladder, report = recipe.fit(
        x @ turn, np.ones(600), None, names, seed=0, progress=lambda *_: None
    )
    assert report.gain.taken
    assert report.gain.components == 2
    assert {c.partition for level in report.levels for c in level.candidates} == {SubspaceCells(2)}
    # Means and covariances differ along one direction.
    crude = ladder.fields[0].members[0].crude
    apart = crude.covariances[0] - crude.covariances[1]
    assert np.linalg.matrix_rank(apart, tol=1e-9) <= 1
    assert "2 EM components in up to 8 directions" in str(report)


def test_degrees_are_lowered_where_features_would_be_too_many(x, monkeypatch):
    monkeypatch.setattr(auto, "LARGEST", 12)  # four cells of degree 1, and not of degree 2
    _, report = fit(x, recipe=replace(RECIPE, refined_degree=0))
    highest = {
        p: max(c.degree for c in report.tried if c.partition == p)
        for p in (EMCells(1), EMCells(2), KMeansCells(4))
    }
    assert highest == {EMCells(1): 2, EMCells(2): 2, KMeansCells(4): 1}


# ---- groups


def test_rows_of_a_group_in_any_order_are_one_fold(x):
    groups = np.arange(300) // 50
    ladder, report = fit(x, groups=groups)
    order = np.random.default_rng(3).permutation(300)
    again, _ = fit(x[order], groups=groups[order])
    assert bits(again) == bits(ladder)
    assert report.n_folds == 3


def test_fewer_groups_than_folds_make_fewer_folds(x):
    assert fit(x, groups=np.arange(300) % 2)[1].n_folds == 2


def test_one_group_cannot_be_held_out(x):
    with pytest.raises(BadData, match="Expected at least two groups"):
        fit(x, groups=np.zeros(300))


def test_an_isolated_row_is_no_fold_of_its_own(x):
    far = np.concatenate([x, [[1e7, 0.0]]])
    with pytest.warns(OutliersLeftOut):
        _, report = fit(far, groups=np.append(np.arange(300) % 2, 2))
    assert report.n_folds == 2


# ---- few rows


def test_one_row_is_refused(x):
    with pytest.raises(BadData, match="column 'a' is constant"):
        fit(np.repeat(x[:1], 50, axis=0))


@pytest.mark.parametrize("n", [2, 3])
def test_hardly_more_rows_than_columns_give_one_gaussian(x, n):
    rows = np.repeat(x[:n], 20, axis=0)  # repetitions are no more rows
    with pytest.warns(TooFewRows, match=f"at least 4 distinct rows for 2 columns .* got {n}: the"):
        ladder, report = fit(rows)
    assert (report.n_rows, report.n_distinct, report.n_folds) == (20 * n, n, 0)
    assert report.gain is None
    mean, sample = x[:n].mean(axis=0), np.cov(x[:n].T, ddof=0)
    # Variances are the sample's, correlations are shrunk by d / (n + d).
    covariance = sample * np.where(np.eye(2, dtype=bool), 1.0, n / (n + 2))
    assert np.abs(ladder.frame.loc - mean).max() <= roundoff(16 * n, 4)
    found = ladder.frame.scale_tril @ ladder.frame.scale_tril.T
    assert np.abs(found - covariance).max() <= roundoff(64 * n, 16)
    for level, field in zip(report.levels, ladder.fields, strict=True):
        assert (field.crude.means == 0).all()
        assert (field.crude.covariances == np.eye(2)).all()
        assert field.size == 0
        assert np.isnan(level.risk)


def test_the_fewest_rows_give_one_gaussian(x):
    ladder, report = fit(x[:4])
    assert all(m.crude.n_components == 1 for field in ladder.fields for m in field.members)
    assert report.n_distinct == 4


def test_one_column(x):
    ladder, _ = RECIPE.fit(x[:, :1], np.ones(300), None, ("a",), seed=0, progress=lambda *_: None)
    assert ladder.dim == 1


def test_progress_ends_at_its_total(x):
    calls = []
    RECIPE.fit(x[:60], np.ones(60), None, NAMES, seed=0, progress=lambda *c: calls.append(c))
    last = {text: (done, total) for text, done, total in calls}
    assert set(last) == {"finding components", "choosing cells", "combining", "fitting levels"}
    assert all(done <= total for _, done, total in calls)
    assert last["fitting levels"][0] == last["fitting levels"][1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kmeans": (), "em": ()}, "numbers of cells that are at least 1"),
        ({"em": (0, 2)}, "numbers of cells that are at least 1"),
        ({"folds": 1}, "folds >= 2"),
        ({"pairs": 0}, "pairs >= 1"),
        ({"em_degree": -1}, "degrees >= 0"),
        ({"rhos": ()}, "at least one damping radius"),
        ({"rhos": (3.0, 0.0)}, "each positive"),
        ({"merged": -1}, "merged >= 0"),
        ({"subspace": (4, 0)}, "components that are at least 1"),
    ],
)
def test_options_outside_their_domain_are_refused(options, message):
    with pytest.raises(BadOption, match=f"Expected .*{message}"):
        Auto(**options)
