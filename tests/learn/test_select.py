"""Cross-fitting against its definition, written out."""

import numpy as np
import pytest

from symscore.learn import reference
from symscore.learn.partition import EMCells, KMeansCells
from symscore.learn.select import (
    Candidate,
    CrossFit,
    Sample,
    candidates_of,
    cross_fit,
    merged,
    race,
)
from symscore.learn.statistics import accumulate, regression_noise
from tests.flows import random_mixture
from tests.tolerances import roundoff

KAPPAS = np.array([0.2, 1.0, 5.0])
ONE, THREE = EMCells(1), KMeansCells(3)
RHO = 3.0


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    x = random_mixture(2, 3, 8).draw(240, rng=rng)
    return Sample(x, rng.dirichlet(np.full(240, 3.0)), np.arange(240) % 3, seed=5)


def fits(sample):
    return {p: p.fit(sample.x, sample.weights, seed=5) for p in (ONE, THREE)}


def silent(text, done, total):
    pass


def test_candidates_are_every_degree_and_ridge_and_the_crude_mixture():
    found = candidates_of({ONE: 1, THREE: 2}, (1e-2, np.inf, 1e-1))
    assert found == (
        Candidate(ONE, 1, 1e-2),
        Candidate(ONE, 1, 1e-1),
        Candidate(ONE, 0, np.inf),
        Candidate(THREE, 1, 1e-2),
        Candidate(THREE, 1, 1e-1),
        Candidate(THREE, 2, 1e-2),
        Candidate(THREE, 2, 1e-1),
        Candidate(THREE, 0, np.inf),
    )


def test_risks_are_of_held_out_rows_and_of_a_partition_that_has_not_seen_them(sample):
    candidates = (Candidate(ONE, 1, 1e-2), Candidate(THREE, 2, 1e-1), Candidate(THREE, 0, np.inf))
    level, kappa = 1, float(KAPPAS[1])
    crude = fits(sample)
    options = {"rho": RHO, "progress": silent}
    got = cross_fit(sample, KAPPAS, candidates, crude, [level], **options).risks
    assert np.isnan(got[[0, 2]]).all()
    noise = regression_noise(5, level, sample.x.shape)
    for j, candidate in enumerate(candidates):
        total = size = 0.0
        for fold in range(3):
            rest, out = sample.folds != fold, sample.folds == fold
            weights = sample.weights[rest] / sample.weights[rest].sum()
            fitted = candidate.partition.fit(
                sample.x[rest], weights, seed=5, start=crude[candidate.partition]
            )
            sums = accumulate(
                fitted,
                kappa,
                sample.x[rest],
                sample.weights[rest],
                [noise[rest]],
                degree=candidate.degree,
                rho=RHO,
            )
            field = sums.field(candidate.degree, candidate.ridge)
            for sign in (1, -1):
                y = kappa * sample.x[out] + sign * noise[out]
                error = ((sample.x[out] - reference.denoise(field, y)) ** 2).sum(axis=1)
                total += 0.5 * float(sample.weights[out] @ error)
                size += float(sample.weights[out] @ (sample.x[out] ** 2).sum(axis=1))
        # Gates below the floor of the sums are in the twin's denoiser: 1e-7 of a coefficient.
        assert abs(got[level, j] - total) <= roundoff(10**5, 10 * size) + 1e-7 * size


def test_statistics_of_folds_add_up_to_those_of_all_rows(sample):
    crude = fits(sample)[THREE]
    options = {"degree": 1, "rho": RHO, "pairs": 2}
    parts = sample.statistics(crude, 2, 5.0, **options)
    assert list(parts) == [0, 1, 2]
    whole = Sample(sample.x, sample.weights, np.zeros(240, dtype=int), sample.seed)
    total = whole.statistics(crude, 2, 5.0, **options)[0]
    scale = np.sqrt(np.diagonal(total.gram))
    together = merged(list(parts.values()))
    assert np.all(np.abs(together.gram - total.gram) <= roundoff(960, np.outer(scale, scale)))


def test_pairs_of_noise_are_different_noise(sample):
    crude = fits(sample)[THREE]
    one, two = (
        merged(list(sample.statistics(crude, 2, 5.0, degree=0, rho=RHO, pairs=k).values()))
        for k in (1, 2)
    )
    assert one.energy != two.energy
    assert abs(one.weight - two.weight) <= roundoff(480, 1)


def test_training_rows_leave_the_fold_out(sample):
    x, weights = sample.without(1)
    assert (x == sample.x[sample.folds != 1]).all()
    assert abs(weights.sum() - 1) <= roundoff(240, 1)


def test_best_is_the_least_risk_of_the_level():
    candidates = candidates_of({ONE: 1}, (1e-2, 1e-1))
    table = CrossFit(candidates, np.array([[3.0, 2.0, 4.0], [1.0, 2.0, 3.0]]))
    assert table.best(0) == candidates[1]
    assert table.best(1) == candidates[0]


def test_a_race_keeps_whoever_is_good_somewhere():
    partitions = [EMCells(k) for k in (1, 2, 3, 4)]
    candidates = candidates_of(dict.fromkeys(partitions, 0), ())
    risks = np.array([[1.0, 2.0, 3.0, 4.0], [np.nan] * 4, [4.0, 1.0, 3.0, 2.0]])
    first = CrossFit(candidates, risks)
    assert [c.partition for c in race(first, 1)] == partitions[:2]
    assert [c.partition for c in race(first, 2)] == [partitions[0], partitions[1], partitions[3]]


def test_a_race_keeps_all_candidates_of_a_partition():
    candidates = candidates_of({ONE: 1, THREE: 1}, (1e-2,))
    risks = np.array([[1.0, 9.0, 2.0, 3.0]])
    assert race(CrossFit(candidates, risks), 1) == candidates[:2]
