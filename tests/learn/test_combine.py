"""Convex combinations of candidates: the small optimisation, and the sums that it runs on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from symscore.arrays import FloatArray
from symscore.learn import combine as combining
from symscore.learn import reference
from symscore.learn.combine import (
    BATCHES,
    MEMBERS,
    OF_A_PARTITION,
    SHORTLIST,
    SMALLEST,
    best_shares,
    combine,
    shortlist,
    simplex_minimum,
)
from symscore.learn.field import PiecewiseScore
from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.select import Candidate, CrossFit, Sample, cross_fit, fit_cells
from symscore.schedule import NoiseLevel
from tests.flows import random_mixture
from tests.tolerances import monte_carlo, roundoff

# ---- the minimum over the simplex


def random_gram(n: int, rank: int, seed: int) -> FloatArray:
    """Products of residuals with a common part, as those of candidates have."""
    rng = np.random.default_rng(seed)
    residuals = rng.normal(size=rank) + 0.5 * rng.normal(size=(n, rank))
    residuals *= rng.uniform(0.8, 1.2, size=(n, 1))
    return residuals @ residuals.T


def assert_optimal(gram: FloatArray, weights: FloatArray) -> None:
    """Assert the conditions of Karush, Kuhn and Tucker, which a convex problem's minimum has.

    The gradient G w is at least the value w^T G w in every coordinate, and equal on the support.
    """
    assert weights.min() >= 0
    assert abs(weights.sum() - 1) <= roundoff(64, 1)
    gradient = gram @ weights
    value = weights @ gradient
    limit = roundoff(10**3, np.linalg.cond(gram) * np.abs(gram).max())
    assert np.all(gradient >= value - limit)
    assert np.all(np.abs(gradient - value)[weights > 0] <= limit)


@given(st.integers(1, 4), st.integers(0, 10**6))
def test_simplex_minimum_is_a_minimum(n, seed):
    gram = random_gram(n, 12, seed)
    assert_optimal(gram, simplex_minimum(gram))


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_simplex_minimum_is_scipys(n, seed):
    gram = random_gram(n, 12, 100 + seed)
    found = minimize(
        lambda w: w @ gram @ w,
        np.full(n, 1 / n),
        jac=lambda w: 2 * gram @ w,
        method="SLSQP",
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    weights = simplex_minimum(gram)
    # SLSQP stops when the value changes by less than ftol; near the minimum it is quadratic.
    assert weights @ gram @ weights <= found.fun * (1 + 1e-12)
    assert found.fun <= weights @ gram @ weights * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_no_point_of_a_lattice_of_the_simplex_is_lower(seed):
    gram, weights = random_gram(3, 6, seed), simplex_minimum(random_gram(3, 6, seed))
    steps = np.arange(0, 1 + 1 / 128, 1 / 64)
    first, second = (axis.ravel() for axis in np.meshgrid(steps, steps))
    inside = first + second <= 1
    points = np.stack([first, second, 1 - first - second], axis=1)[inside]
    values = np.einsum("ni,ij,nj->n", points, gram, points)
    best = float(weights @ gram @ weights)
    assert best <= values.min() * (1 + roundoff(64, 1))
    # And the lattice comes near: a vertex of its cell is within 1 / 64 of the minimum.
    assert values.min() - best <= (2 / 64) ** 2 * np.linalg.eigvalsh(gram)[-1] + 2 / 64 * (
        np.abs(gram @ weights - best).max()
    )


@pytest.mark.parametrize("shared", [0.0, 0.25])
def test_independent_errors_are_weighed_by_their_precisions(shared):
    variances = np.array([1.0, 2.0, 4.0])
    weights = simplex_minimum(np.diag(variances) + shared)
    assert np.abs(weights - np.array([4, 2, 1]) / 7).max() <= roundoff(64, 8)


def test_a_candidate_that_is_worse_in_every_way_gets_nothing():
    residuals = np.array([[1.0, 0.0], [2.0, 0.1]])
    assert simplex_minimum(residuals @ residuals.T).tolist() == [1.0, 0.0]


def test_equal_candidates_share_as_one():
    weights = simplex_minimum(np.ones((2, 2)))
    assert abs(weights.sum() - 1) <= roundoff(8, 1)
    assert weights.min() >= 0


@given(st.integers(0, 10**6), st.integers(-30, 30))
def test_units_are_nothing(seed, power):
    gram = random_gram(3, 8, seed)
    assert np.abs(simplex_minimum(gram * 2.0**power) - simplex_minimum(gram)).max() <= 1e-9


# ---- which candidates, and how much of each


def noisy(sds: list[float], rows: int = 4000, seed: int = 0) -> FloatArray:
    """Residuals of a common part of sd 1 and parts of their own."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=rows) + np.array(sds)[:, None] * rng.normal(size=(len(sds), rows))


def products_of(sds: list[float], rows: int = 4000, seed: int = 0) -> FloatArray:
    residuals = noisy(sds, rows, seed)
    return residuals @ residuals.T


def value(products: FloatArray, chosen: list[int], shares: FloatArray) -> float:
    return float(shares @ products[np.ix_(chosen, chosen)] @ shares)


def test_one_candidate_is_chosen_whole():
    chosen, shares = best_shares(products_of([0.5]))
    assert chosen == [0]
    assert shares.tolist() == [1.0]


def test_independent_errors_are_averaged():
    products = products_of([0.5, 0.5, 0.5])
    chosen, shares = best_shares(products)
    assert len(chosen) == MEMBERS
    assert chosen[0] == 0
    # A share moves by a third of the relative error of a variance: sd sqrt(2 / 4000), 2.2 %.
    assert np.abs(shares - 1 / 3).max() <= monte_carlo(4000, 1.0, comparisons=3)
    assert value(products, chosen, shares) < 0.9 * products[0, 0]


def test_a_candidate_that_is_worse_in_every_way_stays_out():
    first = noisy([0.5])
    residuals = np.concatenate([first, 1.1 * first, 2.0 * first])
    chosen, shares = best_shares(residuals @ residuals.T)
    assert chosen == [0]
    assert shares.tolist() == [1.0]


def test_a_small_share_is_no_member():
    # Of independent errors the shares are as the precisions: 4 % and 96 %.
    assert best_shares(np.diag([1.0, 24.0]))[0] == [0]
    assert best_shares(np.diag([1.0, 10.0]))[0] == [0, 1]


def test_those_who_help_most_join_first():
    chosen, _ = best_shares(np.diag([1.0, 9.0, 3.0, 2.0, 5.0]))
    assert chosen == [0, 3, 2][:MEMBERS]


@given(st.integers(1, 8), st.integers(0, 10**6))
def test_shares_are_convex_and_never_worse_than_the_first(count, seed):
    rng = np.random.default_rng(seed)
    products = products_of(rng.uniform(0.1, 1.0, size=count).tolist(), 320, seed)
    chosen, shares = best_shares(products)
    assert chosen[0] == 0
    assert len(set(chosen)) == len(chosen) == len(shares) <= MEMBERS
    assert abs(shares.sum() - 1) <= roundoff(64, 1)
    assert len(chosen) == 1 or shares.min() >= SMALLEST
    assert value(products, chosen, shares) <= products[0, 0] * (1 + roundoff(64, 1))
    assert_optimal(products[np.ix_(chosen, chosen)], shares)


# ---- the shortlist


def crossed_of(partitions: list, risks: list[float]) -> CrossFit:
    candidates = tuple(Candidate(p, 1, 10.0**-j) for j, p in enumerate(partitions))
    return CrossFit(candidates, np.array([[risks]]), np.ones(1), {})


def test_the_shortlist_is_ascending_in_risk():
    partitions = [EMCells(k + 1) for k in range(5)]
    assert shortlist(crossed_of(partitions, [3.0, 1.0, np.nan, 0.5, 2.0]), 0) == [3, 1, 4, 0]


def test_of_a_partition_few_are_listed():
    one, other = EMCells(2), KMeansCells(2)
    partitions = [one] * (OF_A_PARTITION + 2) + [other]
    listed = shortlist(crossed_of(partitions, list(range(len(partitions)))), 0)
    assert listed == [*range(OF_A_PARTITION), len(partitions) - 1]


def test_the_shortlist_is_short():
    partitions = [EMCells(k + 1) for k in range(SHORTLIST + 5)]
    assert len(shortlist(crossed_of(partitions, list(range(len(partitions)))), 0)) == SHORTLIST


# ---- on data

LEVEL, KAPPA = 1, 2.0
KAPPAS = np.array([0.5, KAPPA])


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(1)
    x = random_mixture(2, 3, 8).draw(240, rng=rng)
    sample = Sample(x, rng.dirichlet(np.full(240, 3.0)), np.arange(240) % 3, seed=5)
    cells = {p: fit_cells(sample, p) for p in (EMCells(1), EMCells(2), KMeansCells(3))}
    candidates = [Candidate(p, k, r) for p in cells for k, r in ((0, np.inf), (1, 1e-2), (2, 1e-2))]
    crossed = cross_fit(sample, KAPPAS, candidates, cells, [LEVEL], progress=lambda *_: None)
    return sample, cells, crossed


def held_out(fitted, members, shares) -> tuple[float, float]:
    """Held-out loss of an average of candidates, row by row by the twin; and what rounds."""
    sample, cells, crossed = fitted
    noise, total, size = sample.noises(LEVEL, 1)[0], 0.0, 0.0
    for f, fold in enumerate(np.unique(sample.folds).tolist()):
        out = sample.folds == fold
        x = sample.x[out]
        for sign in (1, -1):
            value = np.zeros_like(x)
            for j, share in zip(members, shares, strict=True):
                candidate = crossed.candidates[j]
                field = PiecewiseScore(
                    cells[candidate.partition].without[fold],
                    NoiseLevel.from_kappa(KAPPA),
                    crossed.coefs[f, LEVEL, j],
                    candidate.rho,
                )
                value += share * reference.denoise(field, KAPPA * x + sign * noise[out])
            total += 0.5 * float(sample.weights[out] @ ((x - value) ** 2).sum(axis=1))
            size += float(sample.weights[out] @ (x**2 + value**2).sum(axis=1))
    return total, float(roundoff(10**5, size))


def test_losses_of_a_combination_are_those_of_the_average_of_its_fields(fitted):
    sample, cells, crossed = fitted
    found = combine(sample, KAPPA, crossed, cells, LEVEL, mixture=3)
    want, error = held_out(fitted, found.members, found.shares)
    assert abs(found.losses.sum() - want) <= error
    want, error = held_out(fitted, [3], [1.0])
    assert abs(found.mixture_losses.sum() - want) <= error
    assert abs(found.mass.sum() - sample.weights.sum()) <= roundoff(240, 1)


def test_a_combination_begins_with_the_best_candidate_and_is_no_worse(fitted):
    sample, cells, crossed = fitted
    found = combine(sample, KAPPA, crossed, cells, LEVEL, mixture=0)
    assert found.members[0] == crossed.best(LEVEL)
    alone, error = held_out(fitted, found.members[:1], [1.0])
    # The sums of the cross-fit leave out features below 1e-7; the fields here do not.
    want = crossed.losses[:, LEVEL, found.members[0]].sum()
    assert abs(alone - want) <= error + 1e-6 * alone
    assert abs(found.best_losses.sum() - alone) <= error
    assert found.losses.sum() <= alone + error
    assert len(found.members) == len(found.shares)
    assert abs(sum(found.shares) - 1) <= roundoff(64, 1)


def test_the_first_member_alone_is_what_it_was_before_others_joined(fitted):
    sample, cells, crossed = fitted
    found = combine(sample, KAPPA, crossed, cells, LEVEL, mixture=0)
    alone = found.best_alone()
    assert (alone.members, alone.shares) == (found.members[:1], (1.0,))
    assert (alone.losses == found.best_losses).all()
    assert (alone.mixture_losses == found.mixture_losses).all()


def test_fresh_losses_are_of_what_the_other_folds_would_have_combined(fitted):
    sample, cells, crossed = fitted
    listed = shortlist(crossed, LEVEL)
    products, _ = combining._products(sample, KAPPA, crossed, cells, LEVEL, listed)
    found = combine(sample, KAPPA, crossed, cells, LEVEL, mixture=0)
    for f in range(3):
        own = slice(f * BATCHES, (f + 1) * BATCHES)
        rest = np.delete(products, np.arange(own.start, own.stop), axis=0).sum(axis=0)
        first = int(np.argmin(np.diagonal(rest)))
        want = products[own, first, first]
        assert np.all(np.abs(found.best_fresh[own] - want) <= roundoff(10**3, want))
        order = [first, *(j for j in np.argsort(np.diagonal(rest)) if j != first)]
        chosen, shares = best_shares(rest[np.ix_(order, order)])
        some = np.array(order)[chosen]
        want = np.array([shares @ one[np.ix_(some, some)] @ shares for one in products[own]])
        assert np.all(np.abs(found.fresh[own] - want) <= roundoff(10**4, want))


def test_fresh_losses_do_not_know_the_fold(fitted):
    # Of two candidates each fold prefers another, the sum neither: fresh, both look worse.
    products = np.zeros((3 * BATCHES, 2, 2))
    for f, diagonal in enumerate(([1.0, 4.0], [4.0, 1.0], [2.0, 2.0])):
        products[f * BATCHES : (f + 1) * BATCHES] = np.diag(diagonal) + 10.0
    combined, alone = combining._fresh_losses(products)
    assert alone[:BATCHES].tolist() == [14.0] * BATCHES
    assert alone[BATCHES : 2 * BATCHES].tolist() == [14.0] * BATCHES
    assert combined.sum() < alone.sum()


def test_batches_share_the_rows_of_every_fold(fitted):
    sample, cells, crossed = fitted
    found = combine(sample, KAPPA, crossed, cells, LEVEL, mixture=0)
    for losses in (found.losses, found.best_losses, found.mixture_losses):
        assert losses.shape == found.mass.shape
    assert np.all(found.mass > 0)
    assert np.all(found.losses > 0)
    count = len(found.mass) // 3
    for f in range(3):
        want = sample.weights[sample.folds == f].sum()
        assert abs(found.mass[f * count : (f + 1) * count].sum() - want) <= roundoff(240, 1)
