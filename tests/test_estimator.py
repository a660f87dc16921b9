"""The scikit-learn estimator: its protocol, its figures, its refusals."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from symscore import ScoreDensity
from symscore.data import old_faithful
from symscore.errors import BadData, BadOption, ChainsDisagree, FewEffectiveDraws, TooFewRows
from symscore.recipes import Auto

QUICK = Auto(em=(1, 2), kmeans=(), rhos=(3.0,), refined_degree=1, max_ratio=2.0)


@pytest.fixture(scope="module")
def faithful() -> pd.DataFrame:
    table = old_faithful()
    return pd.DataFrame(table.values, columns=list(table.names))


@pytest.fixture(scope="module")
def fitted(faithful: pd.DataFrame) -> ScoreDensity:
    return ScoreDensity(QUICK, random_state=0).fit(faithful)


def test_scikit_learn_protocol() -> None:
    with warnings.catch_warnings():
        # Its own data are a few rounded or duplicated rows, and it says so of skipped checks.
        warnings.simplefilter("ignore")
        results = check_estimator(ScoreDensity(QUICK, random_state=0), on_fail=None)
    failed = [(r["check_name"], str(r["exception"])) for r in results if r["status"] == "failed"]
    assert failed == []
    assert len(results) > 40


def test_clone_pipeline_and_cross_validation(faithful: pd.DataFrame) -> None:
    pipeline = make_pipeline(StandardScaler(), clone(ScoreDensity(QUICK, random_state=0)))
    scores = cross_val_score(pipeline, faithful, cv=2)
    # Standardised columns correlated at .9 have a Gaussian entropy of 2.0 nats; two modes lower it.
    assert np.all((scores > -2.2) & (scores < -1.0))


def test_names_and_score(fitted: ScoreDensity, faithful: pd.DataFrame) -> None:
    assert fitted.flow_.names == ("eruptions", "waiting")
    log_density = fitted.score_samples(faithful)
    assert fitted.score(faithful) == np.mean(log_density)
    assert np.array_equal(fitted.grad_log_density(faithful), fitted.flow_.score(faithful))


def test_scale_is_right(fitted: ScoreDensity, faithful: pd.DataFrame) -> None:
    """Entropy of own draws against minus the mean log density of the data.

    Both estimate one number if the density fits; the sd of log q is about 1.1, so that their
    difference has a standard error of .07 at 272 rows; the bound is five of them.
    """
    own = fitted.sample(4000)
    assert (
        abs(
            fitted.score(faithful)
            - fitted.score_samples(pd.DataFrame(own, columns=faithful.columns)).mean()
        )
        < 0.35
    )


def test_same_seed_same_bits(fitted: ScoreDensity, faithful: pd.DataFrame) -> None:
    again = ScoreDensity(QUICK, random_state=0).fit(faithful)
    assert np.array_equal(again.sample(50), fitted.sample(50))
    assert np.array_equal(again.score_samples(faithful), fitted.score_samples(faithful))


def test_report_says_how(fitted: ScoreDensity) -> None:
    report = fitted.report_
    assert report.ladder.n_rows == 272
    assert report.ladder.n_distinct < 272
    assert len(report.ladder.levels) == 2 * len(report.steps) == len(fitted.ladder_.levels)
    assert all(level.risk > 0 and level.error > 0 for level in report.ladder.levels)
    assert all(min(step.first_stage, step.second_stage) >= 0.1 for step in report.steps)
    points = sum(step.n_points for step in report.steps)
    assert f"checked at {points} points of {len(report.steps)} steps" in str(report)
    assert str(report.ladder.gain) in str(report)
    plain = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert plain["seed"] == 0
    assert len(plain["steps"]) == len(report.steps)
    assert plain["ladder"]["n_rows"] == 272


def test_weights_are_repeated_rows(faithful: pd.DataFrame) -> None:
    weights = np.arange(len(faithful)) % 3
    weighted = ScoreDensity(QUICK, random_state=1).fit(faithful, sample_weight=weights)
    repeated = ScoreDensity(QUICK, random_state=1).fit(faithful.loc[faithful.index.repeat(weights)])
    grid = faithful.iloc[:20]
    # Weights w and counts w reach the sums in one order; only their normalisation rounds apart.
    np.testing.assert_allclose(
        weighted.score_samples(grid), repeated.score_samples(grid), rtol=0, atol=1e-9
    )


def test_from_idata_keeps_chains_together() -> None:
    import xarray as xr

    rng = np.random.default_rng(0)
    posterior = xr.Dataset(
        {
            "mu": (("chain", "draw"), rng.normal(size=(4, 120))),
            "theta": (("chain", "draw", "k"), rng.normal(size=(4, 120, 2))),
        }
    )
    density = ScoreDensity.from_idata(posterior, recipe=QUICK, random_state=0)
    assert density.flow_.names == ("mu", "theta[0]", "theta[1]")
    assert density.report_.ladder.n_folds == 4
    assert density.report_.mixing.names == density.flow_.names
    assert density.report_.mixing.smallest > 300
    table = pd.DataFrame(
        np.column_stack([posterior.mu.values.ravel(), posterior.theta.values.reshape(-1, 2)]),
        columns=list(density.flow_.names),
    )
    grouped = ScoreDensity(QUICK, random_state=0).fit(table, groups=np.repeat(range(4), 120))
    assert np.array_equal(density.score_samples(table), grouped.score_samples(table))
    assert grouped.report_.mixing is None


def test_from_idata_cuts_a_single_chain_into_blocks() -> None:
    import xarray as xr

    draws = np.random.default_rng(0).normal(size=200)
    posterior = xr.Dataset({"mu": (("chain", "draw"), draws[None])})
    density = ScoreDensity.from_idata(posterior, recipe=QUICK, random_state=0)
    groups = np.arange(200) * 4 // 200
    table = pd.DataFrame({"mu": draws})
    grouped = ScoreDensity(QUICK, random_state=0).fit(table, groups=groups)
    assert density.report_.ladder.n_folds == 4
    assert np.array_equal(density.score_samples(table), grouped.score_samples(table))


def test_from_idata_warns_of_what_the_draws_are_worth() -> None:
    import xarray as xr

    rng = np.random.default_rng(0)
    # Every value held for 20 draws, and chains whose modes have unlike masses.
    modes = np.where(rng.random((4, 25)) < np.array([[0.1], [0.5], [0.5], [0.9]]), -4, 4)
    held = np.repeat(modes + rng.normal(size=(4, 25)), 20, axis=1)
    posterior = xr.Dataset({"mu": (("chain", "draw"), held + 0.1 * rng.normal(size=(4, 500)))})
    with (
        pytest.warns(FewEffectiveDraws, match="those of 'mu' are worth") as few,
        pytest.warns(ChainsDisagree, match="for 'mu'"),
    ):
        ScoreDensity.from_idata(posterior, recipe=QUICK, random_state=0)
    assert {warning.filename for warning in few} == {__file__}


def test_from_idata_thins_what_is_worth_little_and_says_how_many_rows_are_left() -> None:
    import xarray as xr

    rng = np.random.default_rng(0)
    held = np.repeat(rng.normal(size=(4, 100)), 25, axis=1) + 0.1 * rng.normal(size=(4, 2500))
    posterior = xr.Dataset({"mu": (("chain", "draw"), held)})
    thinned = ScoreDensity.from_idata(posterior, recipe=QUICK, random_state=0)
    found = thinned.report_.mixing
    # Each of 400 values stands for 25 draws, of which about four would do; but 4000 are kept.
    assert found.n_draws == held.size
    assert found.thinning == 2
    assert thinned.report_.ladder.n_rows == held.size / 2
    by_hand = posterior.isel(draw=slice(None, None, found.thinning))
    kept = ScoreDensity.from_idata(by_hand, thin=False, recipe=QUICK, random_state=0)
    x = np.linspace(-2, 2, 5)[:, None]
    assert np.array_equal(thinned.flow_.log_density(x), kept.flow_.log_density(x))
    whole = ScoreDensity.from_idata(posterior, thin=False, recipe=QUICK, random_state=0)
    assert whole.report_.ladder.n_rows == held.size


def test_from_idata_weighs_chains() -> None:
    import xarray as xr

    modes = np.random.default_rng(0).normal([[-3.0], [3.0], [0.0]], 0.5, size=(3, 300))
    posterior = xr.Dataset({"mu": (("chain", "draw"), modes)})
    # Neither warns: chains with weights may differ.
    density = ScoreDensity.from_idata(
        posterior, "mu", chain_weights=[1, 4, 0], recipe=QUICK, random_state=0
    )
    x = np.linspace(-6, 6, 2401)[:, None]
    p = np.exp(density.flow_.log_density(x)) * 0.005
    assert abs(p[x[:, 0] < 0].sum() - 0.2) < 0.02
    assert p[np.abs(x[:, 0]) < 0.5].sum() < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.assign(flat=1.0), "'flat' is constant"),
        (lambda x: x.assign(total=x.eruptions + x.waiting), "exact linear relation"),
        (lambda x: x.replace({"waiting": {96: np.inf}}), "inf at row 148, column 'waiting'"),
        (lambda x: x.mask(x.waiting == 96), "NaN at row 148, column 'eruptions'"),
        (lambda x: x.iloc[:1], "a minimum of 2 is required"),
    ],
)
def test_unusable_data_are_named(faithful: pd.DataFrame, change, message: str) -> None:
    with pytest.raises(BadData, match=message):
        ScoreDensity(QUICK).fit(change(faithful))


def test_few_rows_give_one_gaussian_and_say_so() -> None:
    x = np.random.default_rng(0).normal(size=(9, 30))
    with pytest.warns(TooFewRows, match="at least 32 distinct rows for 30 columns") as caught:
        density = ScoreDensity(QUICK, random_state=0).fit(x)
    assert caught[0].filename == __file__
    assert np.isfinite(density.score_samples(x)).all()
    # Correlations are shrunk, by 30 / 39; means and variances are those of the rows.
    flow = density.flow_
    assert np.allclose(flow.ladder.frame.loc, x.mean(axis=0))
    covariance = flow.ladder.frame.scale_tril @ flow.ladder.frame.scale_tril.T
    assert np.allclose(np.diagonal(covariance), x.var(axis=0))


def test_misuse(fitted: ScoreDensity, faithful: pd.DataFrame) -> None:
    with pytest.raises(BadOption, match="Expected recipe 'auto'"):
        ScoreDensity("best").fit(faithful)
    with pytest.raises(BadOption, match="Expected n_samples >= 1"):
        fitted.sample(0)
    with pytest.raises(BadData, match="Expected groups of shape"):
        ScoreDensity(QUICK).fit(faithful, groups=[1, 2])
    with pytest.raises(NotFittedError):
        ScoreDensity().score_samples(faithful)
    with pytest.raises(ValueError, match="NaN"):
        fitted.score_samples(faithful.mask(faithful.waiting > 90))
