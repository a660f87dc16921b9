"""Cross-fitting against its definition, written out."""

import numpy as np
import pytest

from symscore.learn import reference
from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.select import Candidate, CrossFit, Sample, cross_fit, fit_cells, merged
from symscore.learn.statistics import accumulate, regression_noise
from tests.flows import random_mixture
from tests.tolerances import roundoff

KAPPAS = np.array([0.2, 1.0, 5.0])
ONE, THREE = EMCells(1), KMeansCells(3)
RHO = 3.0
NAN = np.nan


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    x = random_mixture(2, 3, 8).draw(240, rng=rng)
    return Sample(x, rng.dirichlet(np.full(240, 3.0)), np.arange(240) % 3, seed=5)


def cells(sample):
    return {p: fit_cells(sample, p) for p in (ONE, THREE)}


def silent(text, done, total):
    pass


@pytest.mark.parametrize("partition", [ONE, THREE, EMCells(2)], ids=str)
def test_cells_are_those_of_all_rows_and_of_all_but_each_fold(sample, partition):
    found = fit_cells(sample, partition)
    whole = partition.fit(sample.x, sample.weights / sample.weights.sum(), seed=5)
    assert (found.whole.means == whole.means).all()
    assert list(found.without) == [0, 1, 2]
    for fold, fitted in found.without.items():
        rest = sample.folds != fold
        weights = sample.weights[rest] / sample.weights[rest].sum()
        want = partition.refit(sample.x[rest], weights, seed=5, whole=whole)
        for name in ("weights", "means", "covariances"):
            assert (getattr(fitted, name) == getattr(want, name)).all()


@pytest.mark.parametrize("partition", [ONE, THREE, EMCells(2)], ids=str)
def test_cells_have_not_seen_the_fold_that_is_held_out(sample, partition):
    found = fit_cells(sample, partition)
    x = sample.x.copy()
    x[sample.folds == 1] += 1e-3
    rest = Sample(x, sample.weights, sample.folds, 5).without(1)
    moved = partition.refit(*rest, seed=5, whole=found.whole)
    assert (moved.means == found.without[1].means).all()
    assert (moved.covariances == found.without[1].covariances).all()


def test_risks_are_of_held_out_rows_and_of_a_partition_that_has_not_seen_them(sample):
    candidates = (
        Candidate(ONE, 1, 1e-2, RHO),
        Candidate(THREE, 2, 1e-1, RHO),
        Candidate(THREE, 2, 1e-1, 2.0),
        Candidate(THREE, 0, np.inf),
    )
    level, kappa = 1, float(KAPPAS[1])
    fitted = cells(sample)
    crossed = cross_fit(sample, KAPPAS, candidates, fitted, [level], progress=silent)
    got = crossed.risks
    assert np.isnan(got[[0, 2]]).all()
    noise = regression_noise(5, level, sample.x.shape)
    for j, candidate in enumerate(candidates):
        total = size = 0.0
        for f, fold in enumerate(range(3)):
            rest, out = sample.folds != fold, sample.folds == fold
            sums = accumulate(
                fitted[candidate.partition].without[fold],
                kappa,
                sample.x[rest],
                sample.weights[rest],
                [noise[rest]],
                degree=candidate.degree,
                rho=candidate.rho,
            )
            field = sums.field(candidate.degree, candidate.ridge)
            lost = 0.0
            for sign in (1, -1):
                y = kappa * sample.x[out] + sign * noise[out]
                error = ((sample.x[out] - reference.denoise(field, y)) ** 2).sum(axis=1)
                lost += 0.5 * float(sample.weights[out] @ error)
                size += float(sample.weights[out] @ (sample.x[out] ** 2).sum(axis=1))
            total += lost
            # Gates below the floor of the sums are in the twin's denoiser: 1e-7 of a coefficient.
            limit = roundoff(10**5, 10 * size) + 1e-7 * size
            assert abs(crossed.losses[f, level, j] - lost) <= limit
            assert crossed.coefs[f, level, j].shape == field.coef.shape
        assert abs(got[level, j] - total) <= roundoff(10**5, 10 * size) + 1e-7 * size


def test_candidates_are_judged_on_the_same_noise_whatever_else_is_tried(sample):
    fitted = cells(sample)
    few = (Candidate(THREE, 1, 1e-2, RHO),)
    many = (Candidate(ONE, 2, 1e-1, RHO), *few, Candidate(THREE, 0, np.inf))
    alone, among = (
        cross_fit(sample, KAPPAS, some, fitted, [0, 2], progress=silent) for some in (few, many)
    )
    assert np.array_equal(alone.losses[:, :, 0], among.losses[:, :, 1], equal_nan=True)


def test_statistics_of_folds_add_up_to_those_of_all_rows(sample):
    crude = THREE.fit(sample.x, sample.weights, seed=5)
    options = {"degree": 1, "rho": RHO}
    parts = sample.statistics(crude, 2, 5.0, **options)
    assert list(parts) == [0, 1, 2]
    total = sample.all_statistics(crude, 2, 5.0, **options, pairs=1)
    scale = np.sqrt(np.diagonal(total.gram))
    together = merged(list(parts.values()))
    assert np.all(np.abs(together.gram - total.gram) <= roundoff(960, np.outer(scale, scale)))
    assert abs(together.weight - total.weight) <= roundoff(480, 1)


def test_pairs_of_noise_are_different_noise(sample):
    crude = THREE.fit(sample.x, sample.weights, seed=5)
    one, two = (sample.all_statistics(crude, 2, 5.0, degree=0, rho=RHO, pairs=k) for k in (1, 2))
    assert one.energy != two.energy
    assert abs(one.weight - two.weight) <= roundoff(480, 1)
    first, second = sample.noises(2, 2)
    assert (first == sample.noises(2, 1)[0]).all()
    assert (first != second).all()


def test_training_rows_leave_the_fold_out(sample):
    x, weights = sample.without(1)
    assert (x == sample.x[sample.folds != 1]).all()
    assert abs(weights.sum() - 1) <= roundoff(240, 1)


def test_thinning_keeps_rows_with_what_is_theirs(sample):
    assert sample.thinned(240) is sample
    few = sample.thinned(100)
    assert len(few.x) == 100
    place = [int(np.flatnonzero((sample.x == row).all(axis=1))[0]) for row in few.x]
    assert place == sorted(place)
    assert (few.weights == sample.weights[place]).all()
    assert (few.folds == sample.folds[place]).all()
    assert (sample.thinned(100).x == few.x).all()
    other = Sample(sample.x, sample.weights, sample.folds, seed=6).thinned(100)
    assert (other.x != few.x).any()


# ---- tables of losses


def table(losses, candidates=3) -> CrossFit:
    names = tuple(Candidate(EMCells(k + 1), 0, np.inf) for k in range(candidates))
    array = np.array(losses, dtype=float)
    return CrossFit(names, array, np.array([0.25, 0.75]), {(0, 0, 0): np.zeros((1, 0, 2))})


def test_risks_are_losses_over_the_mass():
    found = table([[[1.0, 2.0, NAN]], [[3.0, 5.0, NAN]]])
    assert np.array_equal(found.risks, [[4.0, 7.0, NAN]], equal_nan=True)


def test_best_is_the_least_risk_of_the_level_among_those_tried():
    found = table([[[3.0, 2.0, NAN], [NAN, 2.0, 1.0]], [[1.0, 1.0, NAN], [NAN, 0.0, 2.0]]])
    assert found.best(0) == 1
    assert found.best(1) == 1


def test_joined_tables_keep_every_ones_losses_and_coefficients():
    one, other = table([[[1.0, 2.0, 3.0]], [[1.0, 1.0, 1.0]]]), table([[[7.0]], [[8.0]]], 1)
    both = one.joined(other)
    assert both.candidates == one.candidates + other.candidates
    assert np.array_equal(both.losses[:, :, :3], one.losses)
    assert np.array_equal(both.losses[:, :, 3:], other.losses)
    assert both.coefs[0, 0, 0] is one.coefs[0, 0, 0]
    assert both.coefs[0, 0, 3] is other.coefs[0, 0, 0]
