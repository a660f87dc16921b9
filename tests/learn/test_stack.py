"""Averages of mixtures: the density, the shares, and that the held-out fold stays unseen."""

import numpy as np
import pytest
from scipy.optimize import minimize

from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.select import Cells, Sample, fit_cells
from symscore.learn.stack import (
    LARGEST,
    SMALLEST,
    StackedCells,
    averaged,
    best_average,
    held_out,
    stacked,
)
from tests.flows import random_mixture
from tests.tolerances import roundoff

PARTITIONS = (EMCells(1), EMCells(3), KMeansCells(4))


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, size=400)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.3 * rng.normal(size=(400, 2))
    return Sample(x, rng.dirichlet(np.full(400, 5.0)), np.arange(400) % 3, seed=5)


@pytest.fixture(scope="module")
def cells(sample):
    return {p: fit_cells(sample, p) for p in PARTITIONS}


def test_the_density_of_an_average_is_the_average_of_densities():
    mixtures = [random_mixture(2, k, k) for k in (1, 3)]
    x = np.random.default_rng(0).normal(size=(50, 2))
    want = 0.25 * np.exp(mixtures[0].log_density(x)) + 0.75 * np.exp(mixtures[1].log_density(x))
    got = np.exp(averaged(mixtures, (0.25, 0.75)).log_density(x))
    assert np.all(np.abs(got - want) <= roundoff(10**4, want))


def loss(values, weights, shares) -> float:
    return float(-weights @ np.log(np.exp(values) @ shares))


def test_shares_are_near_the_best_there_are():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(300, 1)) + 0.8 * rng.normal(size=(300, 3))
    weights = rng.dirichlet(np.full(300, 4.0))
    shares = best_average(values, weights, np.ones(3))
    found = minimize(
        lambda w: loss(values, weights, w),
        np.full(3, 1 / 3),
        method="SLSQP",
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert abs(shares.sum() - 1) <= roundoff(8, 1)
    # A hundred rounds from even shares: the iteration's gap falls as one over their number,
    # log(3) / 100 at most.
    assert loss(values, weights, shares) <= found.fun + np.log(3) / 100
    assert loss(values, weights, shares) < min(loss(values, weights, w) for w in np.eye(3))


def test_small_shares_and_too_many_components_are_dropped():
    values = np.log(np.tile([[1.0, 1e-9, 1.0]], (50, 1)))
    weights = np.full(50, 0.02)
    shares = best_average(values, weights, np.ones(3))
    assert shares[1] == 0
    assert np.abs(shares[[0, 2]] - 0.5).max() <= roundoff(10**3, 1)
    assert best_average(values, weights, np.array([LARGEST, 1, 1])).tolist() == [1.0, 0.0, 0.0]
    assert np.all((shares == 0) | (shares >= SMALLEST))


def test_a_stack_is_of_the_mixtures_fitted_to_the_same_rows(sample, cells):
    stack, own = stacked(sample, cells)
    assert set(stack.parts) <= set(PARTITIONS)
    assert abs(sum(stack.shares) - 1) <= roundoff(8, 1)
    whole = averaged([cells[p].whole for p in stack.parts], stack.shares)
    assert (own.whole.means == whole.means).all()
    assert (own.whole.weights == whole.weights).all()
    again = stack.fit(sample.x, sample.weights / sample.weights.sum(), seed=sample.seed)
    assert (again.means == whole.means).all()
    assert (again.covariances == whole.covariances).all()


def test_what_a_fold_is_judged_by_has_not_seen_it(sample, cells):
    _, own = stacked(sample, cells)
    x = sample.x.copy()
    x[sample.folds == 1] *= 1.5
    moved = Sample(x, sample.weights, sample.folds, sample.seed)
    kept = {
        p: Cells(found.whole, {1: found.without[1], **found.without}) for p, found in cells.items()
    }
    # The other mixtures are kept: the shares without fold 1 come from rows that did not move.
    _, other = stacked(moved, kept)
    assert (own.without[1].weights == other.without[1].weights).all()
    assert (own.without[1].means == other.without[1].means).all()
    assert own.without[0].weights.tolist() != other.without[0].weights.tolist()


def test_held_out_log_density_gains_by_averaging(sample, cells):
    stack, own = stacked(sample, cells)
    values = {p: sample.weights @ held_out(sample, cells[p]) for p in PARTITIONS}
    parts = sum(share * values[p] for p, share in zip(stack.parts, stack.shares, strict=True))
    assert sample.weights @ held_out(sample, own) > parts


def test_held_out_is_under_the_mixture_without_the_fold(sample, cells):
    got = held_out(sample, cells[EMCells(3)])
    for row in (0, 1, 2, 100):
        crude = cells[EMCells(3)].without[int(sample.folds[row])]
        assert got[row] == crude.log_density(sample.x[row : row + 1])[0]


def test_one_mixture_is_no_stack(sample, cells):
    assert stacked(sample, {EMCells(3): cells[EMCells(3)]}) is None


def test_a_stack_says_what_it_is():
    stack = StackedCells((EMCells(3), KMeansCells(4)), (0.5, 0.5))
    assert stack.n_cells == 7
    assert str(stack) == "average of 2 mixtures"
