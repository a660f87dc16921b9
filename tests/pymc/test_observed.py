"""Data that are refused when a variable is made, and data that PyMC imputes."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from pymc.exceptions import ImputationWarning

from symscore.errors import BadData
from symscore.pymc import LearnedScore

LOG_2PI = np.log(2 * np.pi)


@pytest.fixture
def x(flow):
    return flow.draw(5, rng=np.random.default_rng(8))


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_nan_is_refused(flow, x, form):
    """PyMC would impute it, with a warning at most."""
    x[3, 1] = np.nan
    with pm.Model(), pytest.raises(BadData, match=r"NaN in row 3, and 1 such.*masked_inv"):
        LearnedScore("x", flow, observed=form(x))


def test_nan_under_a_mask_is_no_nan(flow, x):
    x[3] = np.nan
    with pm.Model() as model, pytest.warns(ImputationWarning):
        LearnedScore("x", flow, observed=np.ma.masked_invalid(x))
    assert len(model.free_RVs) == 1


def test_impossible_values_are_refused(bounded, shares):
    place = np.array([0.0, 0.7])
    x = bounded.draw(5, rng=np.random.default_rng(8))
    with pm.Model() as model:
        LearnedScore("x", bounded, loc=place, observed=x + place)
    assert np.isfinite(model.compile_logp()({}))
    x[2, 1] = 3.5
    with pm.Model(), pytest.raises(BadData, match=r"'b' in \(-1, 3\); got 3.5 in row 2"):
        LearnedScore("x", bounded, observed=x)
    with pm.Model(), pytest.raises(BadData, match="row 2"):
        LearnedScore("x", [bounded, bounded], observed=np.stack([x, x], axis=1))
    y = shares.draw(5, rng=np.random.default_rng(8))
    y[4, 0] *= 1.5
    with pm.Model(), pytest.raises(BadData, match=r"sum to one; got .* in row 4"):
        LearnedScore("y", shares, observed=y)


def test_impossible_values_in_rows_with_gaps_are_left_alone(bounded):
    x = np.ma.masked_array(bounded.draw(5, rng=np.random.default_rng(8)))
    x[1, 0] = np.ma.masked
    with pm.Model(), pytest.warns(ImputationWarning):
        LearnedScore("x", bounded, observed=x)


def test_whole_rows_are_imputed(flow, x):
    """They are free points of their own, sampled through the flow like any other."""
    data = np.ma.masked_array(x, mask=np.zeros_like(x, dtype=bool))
    data[[1, 3]] = np.ma.masked
    with pm.Model() as model, pytest.warns(ImputationWarning):
        LearnedScore("x", flow, observed=data)
    (name,) = model.initial_point()
    assert name == "x_unobserved_flow__"
    z = np.random.default_rng(9).normal(size=(2, 2))
    got = model.compile_logp()({name: z})
    want = flow.log_density(x[[0, 2, 4]]).sum() - 0.5 * (z**2).sum() - 2 * LOG_2PI
    np.testing.assert_allclose(got, want, rtol=1e-12)
    joined = model.compile_fn(model.replace_rvs_by_values([model["x"]]))({name: z})[0]
    np.testing.assert_allclose(joined[[1, 3]], flow.from_latent(z), rtol=1e-12)
    np.testing.assert_array_equal(joined[[0, 2, 4]], x[[0, 2, 4]])


def test_parts_of_rows_are_imputed(flow, x, check_gradient):
    """Their density is that of the whole row: what is seen of it says something of the rest."""
    data = np.ma.masked_array(x, mask=np.zeros_like(x, dtype=bool))
    data[1, 0] = data[3, 1] = np.ma.masked
    with pm.Model() as model, pytest.warns(ImputationWarning):
        LearnedScore("x", flow, observed=data)
    (name,) = model.initial_point()
    logp, dlogp = model.compile_logp(), model.compile_dlogp()

    def by_hand(gaps):
        values = []
        for left, right in gaps:
            whole = x.copy()
            whole[1, 0], whole[3, 1] = left, right
            values.append(flow.log_density(whole).sum())
        return np.array(values)

    gaps = np.array([[x[1, 0], x[3, 1]], [x[1, 0] + 0.1, x[3, 1] - 0.2]])
    np.testing.assert_allclose([logp({name: gap}) for gap in gaps], by_hand(gaps), rtol=1e-12)
    check_gradient(by_hand, gaps, np.array([dlogp({name: gap}) for gap in gaps]))
