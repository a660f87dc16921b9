"""The estimator with hard cells: it draws, has no density, and its soft twin has one."""

import pickle
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import symscore
from symscore import ScoreDensity, ScoreFlow
from symscore.errors import BadOption, NoDensity
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.recipes import Auto, HardCells
from tests.flows import lattice

RECIPE = HardCells(n_cells=3, degree=2, pairs=1, max_ratio=1.5)
TRUTH = GaussianMixture([0.4, 0.6], [[-2.0], [2.0]], [[[0.3]], [[0.5]]])


@pytest.fixture(scope="module")
def x():
    return TRUTH.draw(500, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def hard(x):
    return ScoreDensity(RECIPE, random_state=0).fit(x)


@pytest.fixture(scope="module")
def soft(hard):
    return hard.soften()


@pytest.mark.parametrize("method", ["score_samples", "score", "grad_log_density"])
def test_there_is_no_density(hard, x, method):
    with pytest.raises(NoDensity, match=r"use `\.soften\(\)`"):
        getattr(hard, method)(x)


def test_the_flow_is_absent_and_says_why(hard):
    assert not hasattr(hard, "flow_")
    with pytest.raises(AttributeError, match=r"hard ones.*use `\.soften\(\)`"):
        _ = hard.flow_
    with pytest.raises(AttributeError, match="object has no attribute 'flow'"):
        _ = hard.flow
    with pytest.raises(AttributeError, match="object has no attribute 'flow_'"):
        _ = ScoreDensity().flow_


def test_draws_are_those_of_the_ladder(hard):
    assert isinstance(hard.ladder_, HardLadder)
    draws = hard.sample(200)
    assert draws.shape == (200, 1)
    assert (draws == hard.sample(200)).all()
    assert (draws == hard.ladder_.draw(200, rng=np.random.default_rng([0, 3]))).all()
    # Both modes, and little between them, where the truth has a mass of 1e-3.
    assert 0.2 < np.mean(draws < 0) < 0.6
    assert np.mean(np.abs(draws) < 0.3) < 0.05


def test_the_report_is_there(hard):
    report = hard.report_
    assert (report.ladder.n_rows, report.steps, report.seed) == (500, (), 0)
    assert len(report.ladder.levels) == len(hard.ladder_.levels)


def test_the_soft_twin_has_a_normalised_density(hard, soft, x):
    assert isinstance(soft.flow_, ScoreFlow)
    assert soft.flow_.ladder is soft.ladder_
    assert soft.ladder_.levels == hard.ladder_.levels
    assert len(soft.report_.steps) == soft.ladder_.schedule.n_steps
    assert replace(soft.report_, steps=()) == hard.report_
    points = lattice(np.array([-12.0]), np.array([12.0]), 0.02)
    assert abs(np.exp(soft.score_samples(points)).sum() * 0.02 - 1) <= 1e-3
    # No density beats the truth's mean log density on fresh draws; a single Gaussian lacks 0.3.
    fresh = TRUTH.draw(2000, rng=np.random.default_rng(9))
    lost = TRUTH.log_density(fresh).mean() - soft.score(fresh)
    assert -0.02 < lost < 0.1
    assert soft.sample(5).shape == (5, 1)


def test_softening_leaves_the_hard_fit_alone_and_repeats(hard, soft, x):
    assert not hasattr(hard, "flow_")
    assert (hard.soften().score_samples(x) == soft.score_samples(x)).all()
    assert soft.soften() is soft


def test_copies_keep_what_was_fitted(hard, soft, x):
    back = pickle.loads(pickle.dumps(hard))
    assert (back.sample(5) == hard.sample(5)).all()
    assert not hasattr(back, "flow_")
    assert (pickle.loads(pickle.dumps(soft)).score_samples(x) == soft.score_samples(x)).all()
    assert not hasattr(clone(soft), "ladder_")


def test_another_recipe_leaves_nothing_behind(x):
    density = ScoreDensity(Auto(em=(1,), kmeans=()), random_state=0).fit(x)
    assert isinstance(density.ladder_, ScoreLadder)
    density.set_params(recipe=RECIPE).fit(x)
    assert not hasattr(density, "flow_")
    density.set_params(recipe=Auto(em=(1,), kmeans=())).fit(x)
    assert isinstance(density.flow_, ScoreFlow)


def test_before_fitting(x):
    for call in (lambda d: d.soften(), lambda d: d.sample(1), lambda d: d.score(x)):
        with pytest.raises(NotFittedError):
            call(ScoreDensity(RECIPE))


# ---- where only a density will do


def test_no_flow_file_or_prior_is_made_of_hard_cells(hard, tmp_path):
    from symscore.pymc import LearnedScore

    for use in (ScoreFlow, lambda ladder: symscore.save(ladder, tmp_path / "m"), LearnedScore.dist):
        with pytest.raises(NoDensity, match=r"use `\.soften\(\)`"):
            use(hard.ladder_)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [None, "flow", ScoreDensity()])
def test_a_file_is_made_of_flows_only(wrong, tmp_path):
    with pytest.raises(BadOption, match=r"Expected a ScoreFlow; got .*flow_"):
        symscore.save(wrong, tmp_path / "m")


def test_a_softened_flow_survives_a_file(soft, x, tmp_path):
    symscore.save(soft.flow_, tmp_path / "m")
    assert (symscore.load(tmp_path / "m").log_density(x) == soft.score_samples(x)).all()


def test_the_command_line_says_so(tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("a\n1.0\n2.0\n", encoding="utf-8")
    command = [sys.executable, "-m", "symscore", "fit", str(data), "-o", str(tmp_path / "m")]
    done = subprocess.run(
        [*command, "--recipe", "hard-cells"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "hard cells have none" in done.stderr
    assert not (tmp_path / "m").exists()


def test_pieces_need_the_default_recipe(hard, x):
    for density in (ScoreDensity(RECIPE), hard, hard.soften()):
        with pytest.raises(BadOption, match="Expected recipe Auto"):
            density.partial_fit(x)


# ---- what a recipe is


@dataclass(frozen=True)
class Counting:
    """A user's own recipe: another one, of rows that it counts."""

    counted: list

    def fit(self, x, weights, groups, names, *, seed, progress):
        self.counted.append(len(x))
        return Auto(em=(1,), kmeans=()).fit(x, weights, groups, names, seed=seed, progress=progress)


def test_any_object_with_the_method_is_a_recipe(x):
    counted: list[int] = []
    density = ScoreDensity(Counting(counted), random_state=0).fit(x)
    assert counted == [500]
    assert isinstance(density.flow_, ScoreFlow)


@pytest.mark.parametrize("wrong", ["hard", HardCells, None, 3])
def test_what_is_no_recipe_is_refused(wrong, x):
    with pytest.raises(BadOption, match="Expected recipe 'auto' or a recipe object"):
        ScoreDensity(wrong).fit(x)
