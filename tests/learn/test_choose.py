"""The race: who is tried, who survives, what is chosen, and what it is worth."""

from dataclasses import replace

import numpy as np
import pytest

from symscore.learn import choose as module
from symscore.learn.choose import (
    AVERAGED,
    NOISY,
    RACED,
    SHARED,
    Choice,
    Options,
    choose,
    nats_saved,
    nodes_of,
    plainest,
    spread,
    survivors,
)
from symscore.learn.combine import Combination
from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.select import Candidate, CrossFit, Sample, cross_fit, fit_cells
from tests.flows import random_mixture
from tests.tolerances import roundoff

ONE, TWO, THREE, FOUR = EMCells(1), EMCells(2), KMeansCells(3), KMeansCells(4)
DEGREES = {ONE: 1, TWO: 2, THREE: 2, FOUR: 0}
OPTIONS = Options(2, DEGREES, (1e-2, np.inf, 1e-1), (3.0, 2.0), 3, 50, plain=True)


# ---- what is tried


def test_first_are_every_degree_and_ridge_and_the_crude_mixture():
    assert OPTIONS.first(TWO) == (
        Candidate(TWO, 1, 1e-2, 3.0),
        Candidate(TWO, 1, 1e-1, 3.0),
        Candidate(TWO, 2, 1e-2, 3.0),
        Candidate(TWO, 2, 1e-1, 3.0),
        Candidate(TWO, 0, np.inf, 3.0),
    )
    assert OPTIONS.first(FOUR) == (Candidate(FOUR, 0, np.inf, 3.0),)


def test_refined_are_other_radii_and_higher_degrees_and_nothing_twice():
    found = OPTIONS.refined(TWO)
    assert not set(found) & set(OPTIONS.first(TWO))
    assert len(set(found)) == len(found)
    assert all(np.isfinite(c.ridge) for c in found)
    assert {(c.degree, c.rho) for c in found} == {(3, 3.0), (1, 2.0), (2, 2.0), (3, 2.0)}
    assert {c.ridge for c in found} == {1e-2, 1e-1}


def test_partitions_with_too_many_features_are_not_raised_in_degree():
    # Three cells of degree 3 in four dimensions have 105 features, in two 30.
    assert max(c.degree for c in replace(OPTIONS, dim=4).refined(THREE)) == 2
    assert max(c.degree for c in OPTIONS.refined(THREE)) == 3


def test_costly_degrees_wait_until_their_cells_have_won(monkeypatch):
    monkeypatch.setattr(module, "CHEAP", 11)  # two cells of degree 1, and not of degree 2
    assert {c.degree for c in OPTIONS.first(TWO)} == {0, 1}
    assert {(c.degree, c.rho) for c in OPTIONS.refined(TWO)} == {
        (2, 3.0),
        (3, 3.0),
        (1, 2.0),
        (2, 2.0),
        (3, 2.0),
    }
    monkeypatch.setattr(module, "CHEAP", 1)  # degree 1 is tried at once, whatever it costs
    assert {c.degree for c in OPTIONS.first(TWO)} == {0, 1}


def test_a_partition_without_degrees_has_nothing_to_refine():
    assert OPTIONS.refined(FOUR) == ()


def test_one_radius_and_no_higher_degree_leave_nothing_to_refine():
    assert Options(2, DEGREES, (1e-2,), (3.0,), 2, 50, plain=True).refined(TWO) == ()


# ---- who survives

PLAIN = [Candidate(EMCells(k), 0, np.inf) for k in range(1, 7)]


def race(risks, candidates=None) -> CrossFit:
    names = tuple(PLAIN[: np.shape(risks)[1]] if candidates is None else candidates)
    return CrossFit(names, np.array([risks], dtype=float), np.ones(1), {})


def test_a_race_keeps_whoever_is_good_somewhere(monkeypatch):
    risks = [[1.0, 2.0, 3.0, 4.0], [np.nan] * 4, [4.0, 3.0, 1.0, 2.0]]
    want = {1: [1, 3], 2: [1, 2, 3, 4]}
    for kept, cells in want.items():
        monkeypatch.setattr(module, "SURVIVORS", kept)
        assert [p.n_cells for p in survivors(race(risks), [0, 2], PLAIN[0])] == cells


def test_a_partition_runs_with_its_best_candidate(monkeypatch):
    monkeypatch.setattr(module, "SURVIVORS", 1)
    candidates = [PLAIN[0], Candidate(EMCells(1), 1, 1e-2), PLAIN[1]]
    found = survivors(race([[9.0, 1.0, 2.0]], candidates), [0], PLAIN[1])
    # The other one is the plain mixture, which is kept for comparison.
    assert [p.n_cells for p in found] == [1, 2]


def test_the_plain_mixture_survives_though_it_wins_nowhere(monkeypatch):
    monkeypatch.setattr(module, "SURVIVORS", 1)
    cells = [Candidate(KMeansCells(k), 0, np.inf) for k in (4, 8)]
    risks = [[1.0, 2.0, 5.0, 3.0], [2.0, 1.0, 5.0, 3.0]]
    found = survivors(race(risks, [*cells, *PLAIN[:2]]), [0, 1], PLAIN[1])
    assert found == [KMeansCells(4), KMeansCells(8), EMCells(2)]


# ---- what a difference of risks is worth


def gaussian_risk(kappas, variance):
    """Mean of |x - D(y)|^2, x ~ N(0, 1), y = kappa x + z, D of N(0, variance): closed form."""
    gain = kappas * variance / (kappas**2 * variance + 1)
    return (1 - kappas * gain) ** 2 + gain**2


def divergence(kappa, variance):
    """Kullback-Leibler divergence of N(0, kappa^2 + 1) from N(0, kappa^2 variance + 1), nats."""
    ratio = (kappa**2 + 1) / (kappa**2 * variance + 1)
    return 0.5 * (ratio - 1 - np.log(ratio))


@pytest.mark.parametrize("variance", [0.5, 2.0, 9.0])
@pytest.mark.parametrize("ratio", [1.05, 1.5])
def test_saved_risks_are_worth_the_divergence_of_the_two_gaussians(variance, ratio):
    kappas = 0.02 * ratio ** np.arange(np.ceil(np.log(2000) / np.log(ratio)))
    saved = gaussian_risk(kappas, variance) - gaussian_risk(kappas, 1.0)
    mass = np.array([0.2, 0.3, 0.5])
    got, error = nats_saved(kappas, saved[:, None] * mass, mass)
    want = divergence(kappas[-1], variance) - divergence(kappas[0], variance)
    # The trapezoid rule in s = log kappa is off by at most h^2 / 12 times the integral of |f''|.
    s = np.linspace(np.log(kappas[0]), np.log(kappas[-1]), 200_001)
    f = np.exp(2 * s) * (gaussian_risk(np.exp(s), variance) - gaussian_risk(np.exp(s), 1.0))
    curvature = np.abs(np.diff(f, 2)).sum() / (s[1] - s[0])
    assert abs(got - want) <= 1.001 * np.log(ratio) ** 2 / 12 * curvature + roundoff(10**4, want)
    assert error <= roundoff(10**3, abs(got))  # equal batches say the same
    if ratio < 1.1:
        assert abs(got - want) < 0.01 * want


def test_spread_is_the_standard_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=40)
    want = values.std(ddof=1) / np.sqrt(40)
    assert abs(spread(values, np.ones(40)) - want) <= roundoff(200, want)


def test_spread_of_uneven_batches_is_that_of_a_ratio():
    rng = np.random.default_rng(1)
    found, estimates = [], []
    for _ in range(2000):
        mass = rng.uniform(0.5, 2.0, size=24)
        sums = 3.0 * mass + np.sqrt(mass) * rng.normal(size=24)
        found.append(spread(sums, mass))
        estimates.append(sums.sum() / mass.sum())
    # The root mean square of estimated errors is the true one to a few per cent.
    assert abs(np.sqrt(np.mean(np.square(found))) / np.std(estimates) - 1) < 0.15


def test_batches_of_one_ratio_have_no_spread():
    mass = np.array([0.25, 0.5, 1.0])
    assert spread(2.0 * mass, mass) == 0.0


def combination(members, losses, mixture_losses, mass) -> Combination:
    shares = (1 / len(members),) * len(members)
    own, plain = np.array(losses), np.array(mixture_losses)
    return Combination(members, shares, own, own, plain, own, own, mass)


@pytest.mark.parametrize("n_levels", [2, SHARED, SHARED + 2, 6 * SHARED])
def test_nodes_are_the_sharpest_levels_of_what_shares_them(n_levels):
    kappas = np.geomspace(NOISY, 100 * NOISY, n_levels)
    nodes = nodes_of(kappas)
    assert nodes[-1] == n_levels - 1
    for level in range(n_levels):
        node = nodes[level // SHARED]
        assert level <= node < level + SHARED


@pytest.mark.parametrize("n_noisy", [1, SHARED, 3 * SHARED + 1, 5 * SHARED])
def test_levels_of_much_noise_share_one_choice(n_noisy):
    few = 2 * SHARED
    kappas = np.concatenate([np.full(n_noisy, NOISY / 2), np.full(few, 2 * NOISY)])
    nodes = nodes_of(kappas)
    assert nodes[-1] == len(kappas) - 1
    assert nodes[0] >= n_noisy - 1
    assert nodes[0] < n_noisy + SHARED
    assert kappas[nodes[0]] >= NOISY
    # Also where every level is noisy there is a choice.
    assert nodes_of(kappas[:n_noisy])[-1] == n_noisy - 1


def test_a_choice_is_shared_by_levels_and_its_gain_is_of_the_nodes():
    mass = np.array([0.5, 0.5])
    nodes = (
        combination((0,), [1.0, 1.0], [1.0, 1.0], mass),
        combination((1, 0), [0.5, 0.5], [0.75, 1.0], mass),
    )
    kappas = np.geomspace(1.0, 2.0, 2 * SHARED)
    crossed = race([[1.0, 2.0]] * 2)
    choice = Choice(kappas, crossed, nodes, crossed.candidates, 0, (0.0, 0.0))
    for level in range(2 * SHARED):
        node = nodes[level // SHARED]
        assert choice.at(level) is node
        assert choice.candidates_at(level) == tuple(crossed.candidates[j] for j in node.members)


def test_nats_are_a_trapezoid_in_log_kappa():
    kappas, mass = np.array([1.0, 2.0]), np.array([0.5, 0.5])
    saved = np.array([[0.0, 0.0], [0.25, 0.5]])
    # One panel between the nodes: half the sum of the ends, times the width in log kappa.
    panel = 0.5 * np.log(2.0) * 2.0**2
    nats, error = nats_saved(kappas, saved, mass)
    assert abs(nats - 0.75 * panel) <= roundoff(64, panel)
    assert abs(error - 0.25 * panel) <= roundoff(64, panel)


# ---- all of it, on few rows

N = 240
KAPPAS = np.geomspace(0.05, 20.0, 6 * SHARED)
NODES = list(nodes_of(KAPPAS))
SMALL = Options(2, {ONE: 1, TWO: 2, THREE: 1, FOUR: 1}, (1e-2,), (3.0, 2.0), 2, 50, plain=False)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(1)
    x = random_mixture(2, 3, 8).draw(N, rng=rng)
    return Sample(x / x.std(axis=0), np.full(N, 1 / N), np.arange(N) % 3, seed=5)


@pytest.fixture(scope="module")
def cells(sample):
    return {p: fit_cells(sample, p) for p in SMALL.degrees}


def run(sample, cells, options=SMALL, **changes):
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setattr(module, name, value)
        choice = choose(sample, KAPPAS, cells, options, progress=lambda *call: calls.append(call))
    return choice, calls


@pytest.fixture(scope="module")
def everything(sample, cells):
    """The choice without a race, for there are few rows, and with all combinations."""
    return run(sample, cells, AVERAGED=-np.inf)[0]


def test_at_every_node_the_best_of_all_comes_first(everything):
    for k, node in zip(NODES, everything.nodes, strict=True):
        assert node.members[0] == np.nanargmin(everything.crossed.risks[k])


def test_nothing_is_tried_between_nodes(everything):
    between = np.setdiff1d(np.arange(len(KAPPAS)), NODES)
    assert len(between) > 0
    assert np.isnan(everything.crossed.risks[between]).all()


def test_refinements_are_tried_where_their_partition_has_won_and_nowhere_else(everything):
    risks, candidates = everything.crossed.risks[NODES], everything.crossed.candidates
    first = {c for p in SMALL.degrees for c in SMALL.first(p)}
    plain = [j for j, c in enumerate(candidates) if c in first]
    assert not np.isnan(risks[:, plain]).any()
    winners = [candidates[plain[j]].partition for j in risks[:, plain].argmin(axis=1)]
    assert len(set(winners)) > 1  # so that the test says something
    for j, candidate in enumerate(candidates):
        if candidate not in first:
            assert candidate in SMALL.refined(candidate.partition)
            tried = ~np.isnan(risks[:, j])
            assert tried.tolist() == [winner == candidate.partition for winner in winners]


def test_what_was_tried_is_listed_once(everything):
    assert len(set(everything.tried)) == len(everything.tried)
    assert set(everything.tried) == set(everything.crossed.candidates)


def held_out_rows(sample, cells, partition):
    """Log densities of rows under the mixture fitted to the other folds."""
    mixtures = [cells[partition].without[fold] for fold in sample.folds]
    return np.array([m.log_density(x[None])[0] for m, x in zip(mixtures, sample.x, strict=True)])


@pytest.mark.parametrize("worth", [-np.inf, 0.0, 2.0, np.inf])
def test_the_plainest_mixture_is_the_smallest_that_is_as_good(sample, cells, worth, monkeypatch):
    monkeypatch.setattr(module, "WORTH", worth)
    plain = [Candidate(p, 0, np.inf) for p in (TWO, ONE, FOUR, THREE)]
    got = plain[plainest(sample, plain, cells)].partition
    values = {p: held_out_rows(sample, cells, p) for p in (ONE, TWO, THREE, FOUR)}
    em = sorted((p for p in values if isinstance(p, EMCells)), key=lambda p: p.n_cells)
    best = max(em, key=lambda p: values[p].sum())
    for p in em:
        behind = values[best] - values[p]
        folds = [np.flatnonzero(sample.folds == f) for f in range(3)]
        batches = np.array([behind[rows[b::4]].mean() for rows in folds for b in range(4)])
        error = batches.std(ddof=1) / np.sqrt(len(batches))
        if p == best or behind.mean() <= worth * error:
            break
    if np.isneginf(worth):
        p = best
    assert got == p


def test_a_plain_mixture_is_taken_where_nothing_gains_on_it(sample, cells, everything):
    assert everything.gain[0] > 0

    def taken(plain, **changes):
        choice = run(sample, cells, replace(SMALL, plain=plain), AVERAGED=-np.inf, **changes)[0]
        assert choice.gain == everything.gain
        found = {node.members == (choice.mixture,) for node in choice.nodes}
        for node in choice.nodes:
            if found == {True}:
                assert (node.losses == node.mixture_losses).all()
        return found == {True}

    z = everything.gain[0] / everything.gain[1]
    assert taken(True, SURE=1.01 * z)
    assert not taken(True, SURE=0.99 * z)
    assert not taken(False, SURE=1.01 * z)
    assert not taken(True, SURE=1.01 * z, FEW=0)


def test_combinations_never_lose_to_their_first_member(everything):
    assert any(len(node.members) > 1 for node in everything.nodes)
    for node in everything.nodes:
        assert node.losses.sum() <= node.best_losses.sum() * (1 + roundoff(10**4, 1))


def test_combinations_that_are_not_worth_it_are_dropped_altogether(sample, cells, everything):
    alone = run(sample, cells, AVERAGED=np.inf)[0]
    for one, other in zip(alone.nodes, everything.nodes, strict=True):
        assert one.members == other.members[:1]
        assert one.shares == (1.0,)
        assert (one.losses == other.best_losses).all()
    saved = np.stack([node.best_fresh - node.fresh for node in everything.nodes])
    worth, error = nats_saved(KAPPAS[NODES], saved, everything.nodes[0].mass)
    usual = run(sample, cells)[0]
    kept = any(len(node.members) > 1 for node in usual.nodes)
    assert kept == (worth > AVERAGED * error)


def test_gain_is_that_of_the_nodes(everything):
    saved = np.stack([node.mixture_losses - node.fresh for node in everything.nodes])
    want = nats_saved(KAPPAS[NODES], saved, everything.nodes[0].mass)
    assert everything.gain == want


def test_a_race_of_many_rows_keeps_few_partitions(sample, cells, everything):
    few = N - 40
    choice, _ = run(sample, cells, SURVIVORS=1, RACE_ROWS=few)
    first = [c for p in SMALL.degrees for c in SMALL.first(p)]
    assert set(first) <= set(choice.tried)
    raced = [NODES[round(share * (len(NODES) - 1))] for share in RACED]
    thinned = sample.thinned(few)
    race = cross_fit(thinned, KAPPAS, first, cells, raced, progress=lambda *_: None)
    risks = race.risks[raced]
    winners = {first[j].partition for j in risks.argmin(axis=1)}
    plain = first[plainest(thinned, first, cells)].partition
    kept = {c.partition for c in choice.crossed.candidates}
    assert kept == winners | {plain}
    assert len(kept) < len(SMALL.degrees)  # so that the test says something
    # What is left is judged on all rows, as it would have been among all.
    for j, candidate in enumerate(choice.crossed.candidates):
        if candidate in first:
            own = everything.crossed.candidates.index(candidate)
            assert np.array_equal(
                choice.crossed.risks[:, j], everything.crossed.risks[:, own], equal_nan=True
            )


def test_the_choice_is_the_same_every_time(sample, cells, everything):
    again = run(sample, cells, AVERAGED=-np.inf)[0]
    assert np.array_equal(again.crossed.losses, everything.crossed.losses, equal_nan=True)
    assert [n.shares for n in again.nodes] == [n.shares for n in everything.nodes]


def test_progress_never_passes_its_total(sample, cells):
    calls = run(sample, cells, SURVIVORS=1, RACE_ROWS=N - 40)[1]
    assert {text for text, *_ in calls} == {"choosing cells", "combining"}
    assert all(0 < done <= total for _, done, total in calls)
    assert calls[-1] == ("combining", len(NODES), len(NODES))
