"""The default recipe: laws of the fit, on few rows and few candidates."""

import numpy as np
import pytest

from symscore import arrays
from symscore.errors import BadData, BadOption
from symscore.flow.flow import ScoreFlow
from symscore.learn.ladder import ScoreLadder
from symscore.learn.recipes import auto
from symscore.learn.recipes.auto import BLUR, Auto, LadderReport
from symscore.learn.select import cross_fit
from symscore.schedule import balanced_step
from tests.flows import random_mixture

RECIPE = Auto(kmeans=(4,), em=(1, 2), ridges=(1e-2,), pairs=1, folds=3, max_ratio=2.0)
NAMES = ("a", "b")
TRUTH = random_mixture(2, 3, 21)


@pytest.fixture(scope="module")
def x():
    return TRUTH.draw(300, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(x):
    return fit(x)


def fit(x, weights=None, groups=None, seed=0) -> tuple[ScoreLadder, LadderReport]:
    weights = np.ones(len(x)) if weights is None else weights
    return RECIPE.fit(x, weights, groups, NAMES, seed=seed, progress=lambda *_: None)


def bits(ladder: ScoreLadder) -> tuple[bytes, ...]:
    """All numbers of a ladder: levels, frame, cells and coefficients."""
    return tuple(part.tobytes() for part in ScoreFlow(ladder).packed)


def test_the_same_seed_gives_the_same_bits(x, fitted):
    again = fit(x.copy())
    assert bits(again[0]) == bits(fitted[0])
    assert again[1] == fitted[1]


def test_another_seed_does_not(x, fitted):
    assert bits(fit(x, seed=1)[0]) != bits(fitted[0])


def test_one_thread_gives_the_same_bits(x, fitted, monkeypatch):
    monkeypatch.setattr(arrays, "cpu_count", lambda: 1)
    assert bits(fit(x)[0]) == bits(fitted[0])


def test_the_order_of_rows_is_nothing(x, fitted):
    order = np.random.default_rng(1).permutation(len(x))
    assert bits(fit(x[order])[0]) == bits(fitted[0])


def test_repeating_rows_is_weighting_them(x):
    counts = np.random.default_rng(2).integers(0, 4, size=len(x))
    repeated, report = fit(np.repeat(x, counts, axis=0))
    weighted, _ = fit(x, weights=counts.astype(float))
    assert bits(repeated) == bits(weighted)
    assert report.n_rows == counts.sum()
    assert report.n_distinct == (counts > 0).sum()


def test_the_scale_of_weights_is_nothing(x, fitted):
    assert bits(fit(x, weights=np.full(len(x), 4.0))[0]) == bits(fitted[0])


def test_powers_of_two_only_move_the_frame(x, fitted):
    scale = np.array([2.0**10, 2.0**-5])
    ladder = fit(x * scale)[0]
    assert (ladder.frame.loc == fitted[0].frame.loc * scale).all()
    assert (ladder.frame.scale_tril == fitted[0].frame.scale_tril * scale[:, None]).all()
    for one, other in zip(ladder.fields, fitted[0].fields, strict=True):
        assert (one.coef == other.coef).all()
        assert (one.crude.means == other.crude.means).all()


def test_the_report_says_what_the_ladder_is(x, fitted):
    ladder, report = fitted
    assert (report.n_rows, report.n_distinct, report.n_folds) == (300, 300, 3)
    assert report.rounding == 0
    assert ladder.names == NAMES
    assert len(report.levels) == len(ladder.fields) == 2 * ladder.schedule.n_steps
    for choice, field in zip(report.levels, ladder.fields, strict=True):
        assert choice.kappa == field.level.kappa
        assert choice.n_cells == field.crude.n_components
        assert choice.risk <= choice.crude_risk
        crude = np.isinf(choice.candidate.ridge)
        assert field.degree == (-1 if crude else choice.candidate.degree)
    ratios = ladder.schedule.kappas[1:] / ladder.schedule.kappas[:-1]
    assert ratios.max() <= 2.0
    assert abs(ladder.schedule.rule.a - balanced_step(float(ratios[0])).a) < 1e-9


def test_smoothing_is_a_tenth_of_the_smallest_component(fitted):
    ladder, report = fitted
    smallest = min(np.linalg.eigvalsh(f.crude.covariances).min() ** 0.5 for f in ladder.fields)
    assert report.smoothing <= 0.1 * smallest
    assert report.smoothing == pytest.approx(1 / ladder.schedule.kappas[-1], rel=1e-12)


def test_a_grid_bounds_the_sharpness(x):
    _, report = fit(np.round(x * 4) / 4)
    assert report.rounding > 0
    assert report.smoothing >= BLUR * report.rounding


def test_two_steps_share_the_choice_of_least_risk_at_the_first(x, monkeypatch):
    tables = []

    def recorded(*arguments, **options):
        tables.append(cross_fit(*arguments, **options))
        return tables[-1]

    monkeypatch.setattr(auto, "cross_fit", recorded)
    ladder, report = fit(x)
    raced, last = tables
    assert len({c.partition for c in last.candidates}) <= len(
        {c.partition for c in raced.candidates}
    )
    for k, (level, field) in enumerate(zip(report.levels, ladder.fields, strict=True)):
        node = 4 * (k // 4)
        best = last.candidates[int(last.risks[node].argmin())]
        assert level.candidate == best
        assert level.risk == last.risks[node].min()
        assert field.crude.n_components <= best.partition.n_cells


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


# ---- few rows


@pytest.mark.parametrize("n", [1, 3])
def test_too_few_rows_are_refused(x, n):
    with pytest.raises(BadData, match=f"at least 4 distinct rows for 2 columns; got {n} distinct"):
        fit(x[:n])


def test_repetitions_are_no_more_rows(x):
    with pytest.raises(BadData, match="got 3 distinct of n_samples = 300"):
        fit(np.repeat(x[:3], 100, axis=0))


def test_the_fewest_rows_give_one_gaussian(x):
    ladder, report = fit(x[:4])
    assert all(field.crude.n_components == 1 for field in ladder.fields)
    assert report.n_distinct == 4


def test_one_column(x):
    ladder, _ = RECIPE.fit(x[:, :1], np.ones(300), None, ("a",), seed=0, progress=lambda *_: None)
    assert ladder.dim == 1


def test_progress_ends_at_its_total(x):
    calls = []
    RECIPE.fit(x[:60], np.ones(60), None, NAMES, seed=0, progress=lambda *c: calls.append(c))
    last = {text: (done, total) for text, done, total in calls}
    assert set(last) == {"finding components", "choosing cells", "fitting levels"}
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
    ],
)
def test_options_outside_their_domain_are_refused(options, message):
    with pytest.raises(BadOption, match=f"Expected .*{message}"):
        Auto(**options)
