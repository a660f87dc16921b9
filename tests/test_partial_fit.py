"""Rows that arrive in pieces: what stays, what follows the rows, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from symscore import ScoreDensity, ScoreStatistics
from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, StartedAnew
from symscore.flow.check import make_bijective
from symscore.learn.growing import KEPT
from symscore.recipes import Auto, HardCells
from tests.flows import two_modes
from tests.tolerances import FALSE_ALARM, monte_carlo, roundoff

QUICK = Auto(em=(2,), kmeans=(), em_degree=2, max_ratio=2.0)
TARGET = two_modes(5.0, 1)
FIRST = 600
ROWS = TARGET.draw(2000, rng=np.random.default_rng(0))
WEIGHTS = np.random.default_rng(1).gamma(4.0, 0.25, size=len(ROWS))


def in_pieces(*cuts: int, weights: FloatArray | None = None) -> ScoreDensity:
    """The first 600 rows and then the others, cut at these places."""
    density = ScoreDensity(QUICK, random_state=3)
    for part in np.split(np.arange(len(ROWS)), [FIRST, *cuts]):
        density.partial_fit(ROWS[part], sample_weight=None if weights is None else weights[part])
    return density


@pytest.fixture(scope="module")
def grown() -> ScoreDensity:
    return in_pieces(weights=WEIGHTS)


def state(density: ScoreDensity) -> list[object]:
    fields = density.ladder_.fields
    coefs = [member.coef.tobytes() for field in fields for member in field.members]
    return [*coefs, density.report_, density.score_samples(ROWS[:20]).tobytes()]


def test_the_first_piece_is_a_fit():
    begun = ScoreDensity(QUICK, random_state=3).partial_fit(ROWS[:FIRST])
    fitted = ScoreDensity(replace(QUICK, plain=False), random_state=3).fit(ROWS[:FIRST])
    assert state(begun) == state(fitted)
    assert begun.statistics_.n_rows == FIRST


@pytest.mark.parametrize("cuts", [(601, 602, 1000), (1999,)])
def test_cuts_of_later_rows_leave_no_trace(cuts, grown):
    again = in_pieces(*cuts, weights=WEIGHTS)
    assert state(again) == state(grown)
    assert again.statistics_.streams == grown.statistics_.streams


def noisy_circle(n: int) -> FloatArray:
    """Rows of a shape that no candidate fits alone."""
    rng = np.random.default_rng(2)
    angle, radius = rng.uniform(0, 2 * np.pi, n), 1 + 0.1 * rng.normal(size=n)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


ONE_DEGREE = {"em_degree": 1, "kmeans_degree": 1, "refined_degree": 1}
BLENDS = Auto(em=(5,), kmeans=(6,), **ONE_DEGREE, rhos=(3.0,), max_ratio=2.0)


@pytest.mark.parametrize(
    ("recipe", "rows", "n_blends"), [(QUICK, ROWS, 0), (BLENDS, noisy_circle(1500), 4)]
)
def test_later_rows_are_summed_and_solved_and_checked(recipe, rows, n_blends):
    """The same ladder by hand, from all rows and what the first piece chose."""
    share = WEIGHTS[: len(rows)]
    pilot = ScoreDensity(recipe, random_state=3).partial_fit(rows[:FIRST], None, share[:FIRST])
    fitted = pilot.ladder_.fields
    assert sum(len(field.members) > 1 for field in fitted) >= n_blends
    design = pilot.statistics_.design
    assert design.pilot_weight == share[:FIRST].sum()
    by_hand = ScoreStatistics.empty(design, seed=3).added(rows, share)
    grown = pilot.partial_fit(rows[FIRST:], None, share[FIRST:])
    assert by_hand.fingerprint == grown.statistics_.fingerprint
    sample = design.frame.whiten(grown._growing.sample)
    mended, steps = make_bijective(by_hand.ladder(), sample, rng=np.random.default_rng([3, 2]))
    assert grown.report_.steps == steps
    moved = 0
    for field, want, before in zip(grown.ladder_.fields, mended.fields, fitted, strict=True):
        assert np.array_equal(field.shares, before.shares)
        for new, solved, old in zip(field.members, want.members, before.members, strict=True):
            assert np.array_equal(new.coef, solved.coef)
            assert np.array_equal(new.crude.means, old.crude.means)
            moved += not np.array_equal(new.coef, old.coef)
    assert moved > 0


def test_the_design_is_what_the_report_says(grown):
    levels = zip(grown.report_.ladder.levels, grown.statistics_.design.levels, strict=True)
    for told, level in levels:
        assert told.shares == tuple(level.shares)
        kept = [(member.degree, member.ridge) for member in level.members]
        assert kept == [(candidate.degree, candidate.ridge) for candidate in told.candidates]


def test_report_counts_all_rows(grown):
    report = grown.report_
    assert report.ladder.n_rows == len(ROWS) == grown.statistics_.n_rows
    assert report.ladder.n_distinct == len(ROWS)
    assert report.seed == 3
    assert all(min(step.first_stage, step.second_stage) >= 0.1 for step in report.steps)
    total = WEIGHTS.sum()
    assert abs(grown.statistics_.weight - total) <= roundoff(2 * len(WEIGHTS), total)


def test_pieces_are_as_good_as_one_fit():
    """Held-out log density of four pieces against one fit of all rows.

    Both share the method; the pieces' cells are those of the first 600 rows. The components have
    five parameters, and twice the loss of log density by their error, times 600, is chi-square.
    """
    fresh = TARGET.draw(4000, rng=np.random.default_rng(5))
    whole = ScoreDensity(QUICK, random_state=3).fit(ROWS).score_samples(fresh)
    lost = whole - in_pieces(900, 1400).score_samples(fresh)
    allowed = chi2.isf(FALSE_ALARM, 5) / (2 * FIRST) + monte_carlo(len(fresh), lost.std())
    assert abs(lost.mean()) <= allowed
    assert allowed <= 0.05  # of a nat, so that the comparison says something


def test_the_sample_for_the_check_is_uniform(grown):
    growing = grown._growing
    assert len(growing.sample) == KEPT
    place = np.searchsorted(np.sort(ROWS.ravel()), growing.sample.ravel())
    position = np.argsort(ROWS.ravel())[place]
    assert np.all(np.diff(position) > 0)
    # A fifth of the rows is kept, hence 120 of the first 600 with a standard deviation of 8.2.
    of_first = np.count_nonzero(position < FIRST)
    spread = (KEPT * 0.3 * 0.7 * (1 - KEPT / len(ROWS))) ** 0.5
    assert abs(of_first - KEPT * FIRST / len(ROWS)) <= monte_carlo(1, spread)


def test_names_of_columns_stay():
    table = pd.DataFrame({"height": ROWS[:, 0]})
    density = ScoreDensity(QUICK, random_state=0).partial_fit(table[:FIRST])
    density.partial_fit(table[FIRST : FIRST + 1])
    assert density.flow_.names == density.statistics_.design.names == ("height",)
    assert density.report_.ladder.n_rows == FIRST + 1


@pytest.mark.parametrize(
    ("piece", "options", "message"),
    [
        (np.ones((2, 2)), {}, "2 features"),
        (np.array([[np.nan]]), {}, "got NaN at row 0"),
        (np.ones((0, 1)), {}, "minimum of 1 is required"),
        (np.ones((2, 1)), {"sample_weight": [1.0, -1.0]}, "Negative values"),
        (np.ones((2, 1)), {"sample_weight": [1.0]}, "sample_weight.shape"),
    ],
)
def test_refused_pieces_change_nothing(piece, options, message, grown):
    before = state(grown)
    with pytest.raises(ValueError, match=message):
        grown.partial_fit(piece, **options)
    assert state(grown) == before


def test_wrong_names_are_refused():
    table = pd.DataFrame({"height": ROWS[:FIRST, 0]})
    density = ScoreDensity(QUICK, random_state=0).partial_fit(table)
    with pytest.raises(ValueError, match="feature names should match"):
        density.partial_fit(table.rename(columns={"height": "weight"}))


def test_fit_keeps_no_sums(grown):
    fitted = ScoreDensity(QUICK, random_state=0).fit(ROWS[:FIRST])
    with pytest.raises(AttributeError, match="fit keeps no sums"):
        _ = fitted.statistics_
    with pytest.warns(StartedAnew, match="give partial_fit all rows"):
        fitted.partial_fit(ROWS[FIRST:])
    assert fitted.statistics_.n_rows == fitted.report_.ladder.n_rows == len(ROWS) - FIRST
    assert not hasattr(ScoreDensity(), "statistics_")
    assert not hasattr(clone(grown), "statistics_")
    begun = ScoreDensity(QUICK, random_state=0).partial_fit(ROWS[:FIRST])
    assert not hasattr(begun.fit(ROWS[:FIRST]), "statistics_")


def test_a_first_piece_that_is_refused_leaves_a_new_estimator():
    density = ScoreDensity(QUICK, random_state=0)
    with pytest.raises(BadData, match="Expected columns that vary"):
        density.partial_fit(np.ones((5, 1)))
    with pytest.raises(NotFittedError):
        density.score_samples(ROWS[:2])
    assert density.partial_fit(ROWS[:FIRST]).statistics_.n_rows == FIRST


def test_only_the_default_recipe_grows():
    with pytest.raises(BadOption, match="Expected recipe Auto for partial_fit"):
        ScoreDensity(HardCells(n_cells=2)).partial_fit(ROWS[:FIRST])


def test_it_says_what_it_keeps(capsys):
    density = ScoreDensity(QUICK, random_state=0, verbose=1).partial_fit(ROWS[:FIRST])
    assert "levels, cells, degrees and ridges are kept" in capsys.readouterr().out
    density.partial_fit(ROWS[FIRST:])
    assert "kept" not in capsys.readouterr().out
