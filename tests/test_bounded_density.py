"""The estimator with bounds and transforms: recovered densities, protocol, refusals."""

import json
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator

from symscore import ScoreDensity, load, save
from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption, CircleCut, NoDensity
from symscore.recipes import Auto, HardCells

QUICK = Auto(em=(1, 2, 4), kmeans=(), rhos=(3.0,), refined_degree=1, max_ratio=2.0)
HARD = HardCells(n_cells=3, degree=2, pairs=1, max_ratio=1.5)
N = 1000


@dataclass(frozen=True)
class Truth:
    """Draws, their log density, what is declared, and how far off the fit may be."""

    draw: Any
    log_density: Any
    declared: dict[str, Any]
    worst: float  # total variation, about twice what one seed gave


def folded(angles: FloatArray) -> FloatArray:
    return (angles + np.pi) % (2 * np.pi) - np.pi


def one(frozen) -> tuple[Any, Any]:
    """Draws and log density of a distribution of scipy, as one column."""
    return (
        lambda n, rng: frozen.rvs(size=(n, 1), random_state=rng),
        lambda x: frozen.logpdf(x[:, 0]),
    )


DIRICHLET = stats.dirichlet([2.0, 1.0, 3.0])
TRUTHS = {
    "gamma": Truth(*one(stats.gamma(0.7)), {"transforms": {0: "positive"}}, 0.08),
    "exponential": Truth(*one(stats.expon()), {"bounds": [(0, None)]}, 0.06),
    "beta": Truth(*one(stats.beta(0.5, 2)), {"bounds": {"x0": (0, 1)}}, 0.06),
    "half normal": Truth(*one(stats.halfnorm(2.0, 3.0)), {"bounds": {0: (2, None)}}, 0.06),
    "from above": Truth(
        lambda n, rng: 1 - rng.exponential(size=(n, 1)),
        lambda x: stats.expon.logpdf(1 - x[:, 0]),
        {"bounds": {0: (None, 1)}},
        0.06,
    ),
    "angle": Truth(
        lambda n, rng: folded(np.pi + rng.vonmises(0, 4, size=(n, 1))),
        lambda x: stats.vonmises(4, loc=np.pi).logpdf(x[:, 0]),
        {"transforms": {0: "circular"}},
        0.06,
    ),
    "simplex": Truth(
        lambda n, rng: DIRICHLET.rvs(n, random_state=rng),
        lambda x: DIRICHLET.logpdf(x.T / x.sum(axis=1)),
        {"transforms": {(0, 1, 2): "simplex"}},
        0.13,
    ),
    "ordered": Truth(
        lambda n, rng: np.sort(rng.normal(size=(n, 2)), axis=1),
        lambda x: np.log(2) + stats.norm.logpdf(x).sum(axis=1),
        {"transforms": {(0, 1): "ordered"}},
        0.1,
    ),
}


@pytest.fixture(scope="module", params=TRUTHS)
def case(request) -> tuple[Truth, ScoreDensity, ScoreDensity]:
    """A truth, the fit that knows its bounds, and the one that does not."""
    truth = TRUTHS[request.param]
    x = truth.draw(N, np.random.default_rng(0))
    known = ScoreDensity(QUICK, random_state=0, **truth.declared).fit(x)
    # Columns that sum to one have no plain density: the last one is left out.
    plain = ScoreDensity(QUICK, random_state=0).fit(x[:, : known.flow_.latent_dim])
    return truth, known, plain


def missing(truth: FloatArray, learned: FloatArray) -> float:
    """Total variation from draws of the truth: E_p (1 - q / p)+."""
    return float(np.clip(-np.expm1(learned - truth), 0, None).mean())


def test_recovered_densities_are_near_the_truth_and_better_than_plain_ones(case):
    truth, known, plain = case
    x = truth.draw(4000, np.random.default_rng(1))
    want = truth.log_density(x)
    found = known.score_samples(x)
    unaware = plain.score_samples(x[:, : known.flow_.latent_dim])
    assert missing(want, found) <= truth.worst
    assert found.mean() > unaware.mean()
    assert missing(want, found) < missing(want, unaware)


def test_draws_keep_to_the_support_and_have_the_density(case):
    truth, known, _ = case
    drawn = known.sample(4000)
    known.chart_.require_support(drawn)
    density = known.score_samples(drawn)
    assert np.isfinite(density).all()
    assert np.isfinite(truth.log_density(drawn)).all()
    # The twin, from own draws, agrees to five standard errors of at most .5 / sqrt(4000) each.
    x = truth.draw(4000, np.random.default_rng(1))
    twin = missing(density, truth.log_density(drawn))
    assert abs(twin - missing(truth.log_density(x), known.score_samples(x))) <= 0.06


def test_a_model_comes_back_bit_for_bit(case, tmp_path):
    _, known, _ = case
    save(known.flow_, tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert loaded.chart == known.flow_.chart
    assert all((a == b).all() for a, b in zip(loaded.packed, known.flow_.packed, strict=True))
    x = known.sample(20)
    assert (loaded.log_density(x) == known.score_samples(x)).all()
    assert (loaded.score(x) == known.grad_log_density(x)).all()


def test_an_exponential_has_a_positive_density_at_its_bound():
    x = np.random.default_rng(0).exponential(size=(2000, 1))
    known = ScoreDensity(QUICK, random_state=0, bounds=[(0, None)]).fit(x)
    near = np.exp(known.score_samples([[0.01], [0.03], [0.1]]))
    # Some 40 rows lie below .02, which leaves the density there a standard error of .16.
    assert np.all(np.abs(near - 1) < 0.5)
    assert np.isneginf(known.score_samples([[0.0], [-1.0]])).all()
    assert (known.grad_log_density([[0.0], [-1.0]]) == 0).all()


def test_a_uniform_angle_is_told_where_it_is_cut():
    x = np.random.default_rng(0).uniform(-np.pi, np.pi, size=(N, 1))
    with pytest.warns(CircleCut, match="'x0' is cut open") as seen:
        known = ScoreDensity(QUICK, random_state=0, transforms={0: "circular"}).fit(x)
    assert seen[0].filename == __file__
    fresh = np.random.default_rng(1).uniform(-np.pi, np.pi, size=(4000, 1))
    assert missing(np.full(4000, -np.log(2 * np.pi)), known.score_samples(fresh)) < 0.07


def test_counts_are_smoothed_beside_other_columns():
    """Logarithms of counts are rounded unevenly: their cells must not become spikes."""
    rng = np.random.default_rng(0)
    counts = np.minimum(1.0 + rng.negative_binomial(2, 0.25, size=N), 30)
    x = np.column_stack([counts, rng.normal(size=N)])
    known = ScoreDensity(QUICK, random_state=0, transforms={0: "positive"}).fit(x)
    # Half of the rows lie at counts up to 6, a seventh of log x apart, of an sd of .75.
    assert 0.1 < known.report_.ladder.rounding < 0.5
    at = known.score_samples(np.column_stack([np.arange(3.0, 12), np.zeros(9)]))
    between = known.score_samples(np.column_stack([np.arange(3.5, 12), np.zeros(9)]))
    assert np.all(np.abs(at - between) < 0.5)


# ---- the protocol


TABLE = pd.DataFrame(
    {
        "rate": np.random.default_rng(0).gamma(2, size=400),
        "share": np.random.default_rng(1).beta(2, 3, size=400),
        "shift": np.random.default_rng(2).normal(size=400),
    }
)
DECLARED = {"bounds": {"share": (0, 1)}, "transforms": {"rate": "positive"}}


@pytest.fixture(scope="module")
def fitted() -> ScoreDensity:
    return ScoreDensity(QUICK, random_state=0, **DECLARED).fit(TABLE)


@pytest.mark.slow
def test_scikit_learn_protocol() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its data are a few rounded or duplicated rows
        density = ScoreDensity(QUICK, random_state=0, bounds={0: (-1e3, 1e3)})
        results = check_estimator(density, on_fail=None)
    failed = [(r["check_name"], str(r["exception"])) for r in results if r["status"] == "failed"]
    assert failed == []


def test_parameters_are_cloned(fitted):
    again = clone(fitted)
    assert again.get_params()["bounds"] == DECLARED["bounds"]
    assert again.get_params()["transforms"] == DECLARED["transforms"]
    assert not hasattr(again, "chart_")
    assert np.isfinite(cross_val_score(again, TABLE, cv=2)).all()


def test_names_and_shapes(fitted):
    assert fitted.flow_.names == fitted.chart_.names == ("rate", "share", "shift")
    assert [block.kind for block in fitted.chart_.blocks] == ["lower", "interval", "free"]
    assert fitted.sample(7).shape == (7, 3)
    assert fitted.grad_log_density(TABLE[:5]).shape == (5, 3)
    assert fitted.score(TABLE) == np.mean(fitted.score_samples(TABLE))


def test_positions_and_names_are_one(fitted):
    other = ScoreDensity(
        QUICK, random_state=0, bounds=[None, (0, 1), None], transforms={0: "positive"}
    ).fit(TABLE.to_numpy())
    assert other.flow_.names == ("x0", "x1", "x2")
    assert (other.sample(5) == fitted.sample(5)).all()


def test_without_a_declaration_nothing_changes():
    plain = ScoreDensity(QUICK, random_state=0).fit(TABLE)
    open_ended = ScoreDensity(QUICK, random_state=0, bounds={"rate": (None, None)}).fit(TABLE)
    assert plain.chart_.is_free
    assert (plain.score_samples(TABLE) == open_ended.score_samples(TABLE)).all()


@pytest.mark.parametrize(
    ("cell", "value", "message"),
    [
        ((3, "share"), 1.0, r"'share' in \(0, 1\); got 1 in row 3"),
        ((5, "rate"), -2.0, r"'rate' in \(0, inf\); got -2 in row 5"),
        ((9, "rate"), 0.0, "got 0 in row 9"),
        ((2, "rate"), np.nan, "got NaN at row 2, column 'rate'"),
    ],
)
def test_cells_outside_are_named(cell, value, message):
    table = TABLE.copy()
    table.loc[cell] = value
    with pytest.raises(BadData, match=message):
        ScoreDensity(QUICK, **DECLARED).fit(table)


@pytest.mark.parametrize(
    "options",
    [
        {"bounds": {"speed": (0, 1)}},
        {"bounds": [(0, 1)]},
        {"transforms": {"rate": "log"}},
        {"transforms": "positive"},
        {"transforms": {"rate": "simplex"}},
    ],
)
def test_misuse_is_refused_at_the_fit(options):
    with pytest.raises(BadOption):
        ScoreDensity(QUICK, **options).fit(TABLE)


def test_rows_in_pieces():
    density = ScoreDensity(QUICK, random_state=0, **DECLARED)
    density.partial_fit(TABLE[:200])
    pieces = clone(density).partial_fit(TABLE[:200]).partial_fit(TABLE[200:210])
    pieces.partial_fit(TABLE[210:])
    density.partial_fit(TABLE[200:])
    assert (density.score_samples(TABLE) == pieces.score_samples(TABLE)).all()
    before = density.score_samples(TABLE)
    with pytest.raises(BadData, match="'share' in"):
        density.partial_fit(TABLE[:3] + 5)
    assert (density.score_samples(TABLE) == before).all()


def test_a_fit_that_is_refused_leaves_the_last_one(fitted):
    density = clone(fitted).fit(TABLE)
    before = density.sample(3)
    constant = TABLE.assign(shift=1.0)
    with pytest.raises(BadData, match="constant"):
        density.set_params(bounds=None).fit(constant)
    assert (density.sample(3) == before).all()
    assert density.chart_ == density.flow_.chart


def test_hard_cells_draw_inside_and_soften():
    table = TABLE[["rate", "share"]]
    density = ScoreDensity(HARD, random_state=0, **DECLARED).fit(table)
    drawn = density.sample(500)
    density.chart_.require_support(drawn)
    with pytest.raises(NoDensity):
        density.score_samples(drawn)
    soft = density.soften()
    assert soft.flow_.chart == density.chart_
    assert np.isfinite(soft.score_samples(table)).all()
    assert np.isneginf(soft.score_samples(table.assign(share=2.0))).all()


def test_modes_of_a_bounded_fit(fitted):
    modes = fitted.flow_.modes(400, rng=np.random.default_rng(0))
    assert (modes.log_densities == fitted.score_samples(modes.to_frame()[list(TABLE)])).all()
    fitted.chart_.require_support(modes.locations)


def test_posterior_draws():
    xarray = pytest.importorskip("xarray")
    rng = np.random.default_rng(0)
    posterior = xarray.Dataset(
        {
            "theta": (("chain", "draw", "k"), rng.gamma(2, size=(4, 150, 2))),
            "p": (("chain", "draw", "c"), rng.dirichlet([2, 3, 4], size=(4, 150))),
        }
    )
    transforms = {"theta": "positive", "p": "simplex"}
    density = ScoreDensity.from_idata(
        posterior, recipe=QUICK, random_state=0, transforms=transforms
    )
    assert [block.kind for block in density.chart_.blocks] == ["lower", "lower", "simplex"]
    assert density.flow_.names == ("theta[0]", "theta[1]", "p[0]", "p[1]", "p[2]")
    drawn = density.sample(100)
    assert np.all(drawn > 0)
    assert np.abs(drawn[:, 2:].sum(axis=1) - 1).max() < 1e-12


def test_command_line_reads_bounded_models(fitted, tmp_path):
    model, out = tmp_path / "model.npz", tmp_path / "draws.csv"
    save(fitted.flow_, model)
    run = [sys.executable, "-m", "symscore"]
    told = subprocess.run([*run, "describe", model, "--json"], capture_output=True, check=True)
    assert json.loads(told.stdout)["names"] == ["rate", "share", "shift"]
    subprocess.run([*run, "sample", model, "-n", "50", "-o", out], check=True, capture_output=True)
    drawn = pd.read_csv(out)
    assert list(drawn) == ["rate", "share", "shift"]
    fitted.chart_.require_support(drawn.to_numpy())
