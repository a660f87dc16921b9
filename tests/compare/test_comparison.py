"""The referee as a whole, with the methods that take no compiling."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from symscore.baselines import fit_em
from symscore.compare import compare
from symscore.errors import BadData, BadOption
from tests.tolerances import roundoff

QUICK = ("em", "kde")


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(7)
    return np.concatenate([rng.normal(-3, 1, (120, 2)), rng.normal(3, 1, (120, 2))])


@pytest.fixture(scope="module")
def found(samples):
    return compare(samples, methods=QUICK)


def test_figures_are_those_of_the_stated_split(samples):
    # A method's rows and seeds are as stated, so a fit by hand must give the very same numbers.
    found = compare(samples, methods=("em",), holdout=0.25, random_state=11)
    stream = [np.random.SeedSequence(11, spawn_key=key) for key in ((0, 0), (1, 0))]
    shuffled = samples[np.random.default_rng(stream[0]).permutation(240)]
    estimate = fit_em(shuffled[60:], rng=np.random.default_rng(stream[1]))
    assert (found.n_training, found.n_holdout) == (180, 60)
    log_density = estimate.log_density(shuffled[:60])
    assert found.results[0].log_density.value == log_density.mean()


def test_a_method_does_not_depend_on_which_others_are_compared(samples, found):
    alone = compare(samples, methods=("kde",))
    assert alone.results[0].log_density == found.results[1].log_density
    assert np.array_equal(alone.results[0].draws, found.results[1].draws)


def test_the_reference_is_paired_with_itself(found):
    assert found.reference == "em"
    assert found.results[0].difference.value == 0.0
    both = found.results
    # The mean of a difference, against the difference of two means of 60 numbers below 20.
    slack = roundoff(120, 20.0)
    gap = both[1].log_density.value - both[0].log_density.value
    assert abs(both[1].difference.value - gap) <= slack


def test_units_of_the_data_change_no_distance(samples, found):
    # Powers of two scale every operation exactly, so only the log density moves: by log 8.
    scaled = compare(samples * [2.0, 4.0], methods=QUICK)
    for ours, theirs in zip(found.results, scaled.results, strict=True):
        assert ours.energy_distance == theirs.energy_distance
        assert theirs.log_density.value == pytest.approx(
            ours.log_density.value - np.log(8), rel=roundoff(100, 1.0)
        )


def test_progress_is_told_before_and_after(samples):
    calls = []
    compare(samples, methods=QUICK, progress=lambda *call: calls.append(call))
    assert calls == [("em", 0, 2), ("em", 1, 2), ("kde", 1, 2), ("kde", 2, 2)]


def test_draws_come_back_as_a_tree(samples):
    frame = pd.DataFrame(samples, columns=["speed km/h", "mass"])
    found = compare(frame, methods=QUICK)
    tree = found.to_arviz()
    assert isinstance(tree, xr.DataTree)
    assert set(tree.children) == set(QUICK)
    posterior = tree["em/posterior"]
    assert posterior["mass"].dims == ("chain", "draw")
    assert np.array_equal(posterior["speed km_h"].values[0], found.results[0].draws[:, 0])


def test_an_array_and_its_data_frame_agree(samples, found):
    other = compare(pd.DataFrame(samples), methods=QUICK)
    assert other.results[1].log_density == found.results[1].log_density
    assert other.names == ("0", "1")
    assert found.names == ("x0", "x1")


@pytest.mark.parametrize(
    ("bad", "match"),
    [
        (np.full((100, 2), np.nan), "nan at row 0, column 0"),
        (np.arange(100.0), "Expected X of shape"),
        (np.zeros((30, 1)), "Expected at least 10 held-out"),
        (np.random.default_rng(0).normal(size=(60, 9)), "and 50 training rows"),
        (pd.DataFrame({"a": ["x"] * 100}), "column 'a' is not"),
        (pd.DataFrame({"a": [1.0, None] * 50}), "nan at row 1"),
        (pd.DataFrame(np.eye(100, 2), columns=["a", "a"]), "distinct column names"),
        (np.ones((100, 1)), "constant column 0"),
        (np.repeat(np.arange(100.0), 2).reshape(100, 2), "linearly independent"),
    ],
)
def test_bad_data_are_named(bad, match):
    with pytest.raises(BadData, match=match):
        compare(bad, methods=QUICK)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"holdout": 0.0}, "holdout between 0 and 1"),
        ({"holdout": 1.0}, "holdout between 0 and 1"),
        ({"methods": ("em", "svm")}, "distinct methods among em, kde"),
        ({"methods": ("em", "em")}, "distinct methods"),
        ({"methods": ()}, "distinct methods"),
    ],
)
def test_bad_options_are_named(samples, options, match):
    with pytest.raises(BadOption, match=match):
        compare(samples, **options)


def test_importing_the_referee_is_light():
    program = "import sys, symscore.compare; print(*{'pymc', 'arviz', 'jax'} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == []


@pytest.mark.slow
def test_all_four_methods_on_old_faithful():
    from symscore.data import old_faithful

    found = compare(old_faithful().values)
    table = found.table()
    assert table.index.tolist() == ["symscore", "em", "kde", "mcmc"]
    assert table["log_density"].notna().all()
    # Two well separated clusters: no method may lose to another by more than half a nat a row.
    assert table["difference"].abs().max() < 0.5
    assert table.loc["mcmc", "rhat"] < 1.05
    assert table.loc["mcmc", "ess"] > 100
