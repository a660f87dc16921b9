import json
import math

import numpy as np
import pytest
from scipy.linalg import eigvalsh
from scipy.stats import linregress, norm
from scipy.stats import t as student

from benchmarks import (
    question_answers,
    question_crude,
    question_degree,
    question_pictures,
    question_size,
    question_soft,
    question_tables,
)
from benchmarks.question_crude import KINDS, held_out, perturbed, whitened
from benchmarks.question_families import SPREAD, Family
from benchmarks.question_growth import exponent, geometric_mean, needed
from benchmarks.question_memory import Memory
from benchmarks.question_size import EM, OURS, RATIO, STEPS, Point, climb, one_sided, sizes
from benchmarks.question_summaries import degree_summary, size_summary
from benchmarks.questions import finite
from symscore.learn.folds import fold_labels
from symscore.learn.frame import Whitening
from symscore.learn.select import Sample, merged
from tests.tolerances import monte_carlo, roundoff

FAMILY = Family(3, 4, 2.5)
CLOSE = roundoff(10_000, 1.0)  # of small well-conditioned linear algebra


def law(n, scale=1.0):
    """A point of the parametric law TV = scale / sqrt(n), with n / 1000 seconds."""
    return Point(n, {OURS: (scale / math.sqrt(n), n / 1000), EM: (scale / math.sqrt(n), n / 1000)})


# ---- families


@pytest.mark.parametrize("seed", range(5))
def test_a_family_has_the_separation_and_the_condition_that_it_names(seed):
    member = FAMILY.member(seed)
    gaps = [
        math.sqrt(gap @ np.linalg.solve((first + second) / 2, gap))
        for i, first in enumerate(member.covariances)
        for j, second in enumerate(member.covariances[:i])
        for gap in [member.means[i] - member.means[j]]
    ]
    assert min(gaps) == pytest.approx(FAMILY.separation, rel=CLOSE)
    values = np.linalg.eigvalsh(member.covariances)
    assert 1 / SPREAD - CLOSE <= values.min() <= values.max() <= SPREAD + CLOSE


def test_a_family_counts_its_free_parameters():
    assert Family(1, 1, 1.0).parameters == 2
    assert Family(2, 3, 1.0).parameters == 3 * (2 + 3) + 2


def test_members_of_one_seed_are_equal_and_of_others_are_not():
    first, again, other = (FAMILY.member(seed) for seed in (1, 1, 2))
    assert (first.means == again.means).all()
    assert (first.covariances == again.covariances).all()
    assert (first.means != other.means).all()


# ---- rows needed


def test_sizes_are_geometric_and_start_with_the_parameters():
    grid = list(sizes(FAMILY))
    assert grid == [3 * FAMILY.parameters * RATIO**step for step in range(STEPS)]


def test_climbing_stops_when_every_method_is_below_the_least_target():
    points = climb(FAMILY, law)
    assert all(point.reached[OURS][0] > 0.05 for point in points[:-1])
    assert points[-1].reached[OURS][0] <= 0.05


def test_rows_needed_are_exact_for_a_power_law():
    points = [law(n) for n in (50, 100, 200, 400, 800)]
    for target in (0.1, 0.05):
        found = needed(points, OURS, target)
        assert found.rows == pytest.approx(target**-2, rel=CLOSE)
        assert found.seconds == pytest.approx(target**-2 / 1000, rel=CLOSE)


def test_rows_needed_below_the_grid_are_extrapolated_and_above_it_are_unknown():
    points = [law(n) for n in (200, 400)]
    assert needed(points, OURS, 0.1).rows == pytest.approx(100, rel=CLOSE)
    assert math.isnan(needed(points, OURS, 0.01).rows)


def test_an_exponent_is_exact_for_a_power_law_and_leaves_out_what_is_unknown():
    x = [1.0, 2.0, 4.0, 8.0, 16.0]
    found = exponent(x, [3 * v**1.5 for v in x[:-1]] + [math.nan])
    assert found.value == pytest.approx(1.5, rel=CLOSE)
    assert found.half_width == pytest.approx(0, abs=1e-7)  # root of a rounding error
    assert math.isnan(exponent([1.0, 2.0], [1.0, 2.0]).value)


def test_an_exponent_agrees_with_scipys_regression():
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 10, 12)
    y = x**2 * np.exp(rng.normal(size=12))
    other = linregress(np.log(x), np.log(y))
    found = exponent(x.tolist(), y.tolist())
    assert found.value == pytest.approx(other.slope, rel=CLOSE)
    assert found.half_width == pytest.approx(student.ppf(0.975, 10) * other.stderr, rel=CLOSE)


def test_the_geometric_mean_leaves_out_what_is_unknown():
    assert geometric_mean([2.0, 8.0, math.nan]) == pytest.approx(4, rel=CLOSE)
    assert math.isnan(geometric_mean([math.nan]))


def test_one_sided_total_variation_is_that_of_two_normals():
    # TV of N(0, 1) and N(1, 1) is .383; terms lie in [0, 1], so their sd is at most 1/2. Five
    # standard errors: false alarms 6e-7; an error of .02 is seen.
    draws = np.random.default_rng(0).standard_normal(20_000)
    found = one_sided(norm.logpdf(draws), norm.logpdf(draws, loc=1))
    assert found == pytest.approx(2 * norm.cdf(0.5) - 1, abs=monte_carlo(20_000, 0.5))


def test_a_summary_recovers_the_exponents_it_is_given():
    axes = {"d": [Family(d, 2, 3.0) for d in (1, 2, 4, 8)]}
    found = {
        family: {seed: climb(family, lambda n, d=family.dim: law(n, d)) for seed in (1, 2)}
        for family in axes["d"]
    }
    summary = size_summary(axes, found)
    # TV = d / sqrt(n) takes d^2 / TV^2 rows.
    for slope, width in summary["axes"]["d"]["exponents"][OURS]["rows"]:
        assert slope == pytest.approx(2, rel=CLOSE)
        assert width == pytest.approx(0, abs=1e-7)
    assert any("0.05" in line for line in summary["theorems"])
    lines = list(question_tables.size_lines(summary))
    assert any("exponent in d, symscore" in line and "2.00 +- 0.00" in line for line in lines)


# ---- crude mixtures


@pytest.mark.parametrize("kind", KINDS)
def test_a_perturbed_mixture_is_at_the_distance_asked_for(kind):
    truth, distance = FAMILY.member(3), 0.7
    crude = perturbed(truth, kind, distance, rng=np.random.default_rng(0))
    moved = np.einsum("kij,kj->ki", truth.chol_precisions, crude.means - truth.means)
    bent = [
        np.linalg.norm(np.log(eigvalsh(own, true)))
        for own, true in zip(crude.covariances, truth.covariances, strict=True)
    ]
    everything = kind == "all three"
    expected = distance if everything or kind == "means" else 0
    assert np.linalg.norm(moved, axis=1) == pytest.approx(expected, abs=CLOSE)
    expected = distance if everything or kind == "covariances" else 0
    assert bent == pytest.approx(np.full(4, expected), abs=CLOSE)
    # Equal weights: e^(delta g) up to a common factor, so their spread is that of delta g.
    tilted = np.ptp(np.log(crude.weights))
    assert (tilted > 0) == (everything or kind == "weights")


def test_a_whitened_mixture_is_the_same_density_in_other_coordinates():
    mixture = FAMILY.member(0)
    frame = Whitening(np.array([1.0, 2.0, 3.0]), np.array([[2.0, 0, 0], [1, 1, 0], [0, 0.5, 3]]))
    x = mixture.draw(50, rng=np.random.default_rng(1))
    here = whitened(mixture, frame).log_density(frame.whiten(x))
    assert here == pytest.approx(mixture.log_density(x) + frame.log_det, rel=CLOSE, abs=CLOSE)


@pytest.fixture(scope="module")
def folded():
    """Sums of four folds at a level of a mixture that is wrong, and their sample."""
    truth = Family(2, 2, 3.0).member(0)
    x = truth.draw(300, rng=np.random.default_rng(0))
    sample = Sample(x, np.full(300, 1 / 300), fold_labels(300, None, 4, seed=0), 0)
    crude = perturbed(truth, "means", 1.0, rng=np.random.default_rng(0))
    return sample, crude, sample.statistics(crude, 0, 1.0, degree=2, rho=3.0)


def test_an_infinite_ridge_is_judged_as_the_crude_mixture(folded):
    _, _, parts = folded
    assert held_out(parts, 2, math.inf) == pytest.approx(sum(p.energy for p in parts.values()))


def test_held_out_losses_are_those_of_fields_fitted_to_the_other_folds(folded):
    sample, _, parts = folded
    (z,) = sample.noises(0, 1)
    total = 0.0
    for fold in range(4):
        field = merged([sums for other, sums in parts.items() if other != fold]).field(1, 0.1)
        own, level = sample.folds == fold, field.level
        for sign in (1, -1):
            noised = level.alpha * sample.x[own] + sign * level.sigma * z[own]
            residual = sample.x[own] - field.denoise(noised)
            total += (sample.weights[own, None] * residual**2).sum() / 2
    assert held_out(parts, 1, 0.1) == pytest.approx(total, rel=1e-9)  # cancellation in the sums


# ---- degrees and cells


def test_cuts_are_those_of_equal_mass_and_two_cells_are_half_lines():
    assert question_degree.offsets(2, 1) == ()
    assert question_degree.offsets(2, 2) == (0,)
    cuts = np.array([float(cut) for cut in question_degree.offsets(2, 8)])
    mass = (norm.cdf(cuts, -2) + norm.cdf(cuts, 2)) / 2
    # A cut is rounded to a hundredth, by at most half of one, where the density is at most .4.
    assert mass == pytest.approx(np.arange(1, 8) / 8, abs=0.005 * 0.4)


@pytest.fixture(scope="module")
def certified():
    return {count: question_degree.certified(1, count) for count in question_degree.CELLS}


def test_certified_degrees_are_those_of_the_separation_plan(certified):
    assert (certified[1]["degree"], certified[2]["degree"]) == (9, 3)
    assert certified[1]["rms"][1] == pytest.approx(0.2245, abs=5e-5)
    assert certified[2]["rms"][3] == pytest.approx(0.0110, abs=5e-5)


@pytest.fixture(scope="module")
def measured():
    return [question_degree.measure(1, 400, seed) for seed in (0, 1)]


@pytest.mark.parametrize("count", question_degree.CELLS)
def test_nothing_learned_is_better_than_the_certified_best(certified, measured, count):
    # At these degrees clipping is idle, so what is learned is a polynomial. A cell's edge falls
    # between two points of the integral: the squared error, at most 1 there, counts for a step.
    step = 2 * (1 + question_degree.REACH) / question_degree.GRID
    for row in measured:
        squares = np.square(row[str(count)]["rms"][:4])
        best = np.square(certified[count]["rms"][:4])
        assert (squares >= best - count * step).all()
        assert squares[1] < 2 * best[1] + 0.1  # and it does learn


def test_held_out_risks_and_errors_are_those_of_plain_least_squares():
    mu, n, seed, degree = 1, 300, 0, 3
    row = question_degree.measure(mu, n, seed)["1"]
    sample = question_degree.Sample.draw(mu, n, seed)
    (cell,) = question_degree.cells_of(mu, 1)
    risks = []
    for d in (degree, degree + 1):
        total = 0.0
        for fold in range(question_degree.FOLDS):
            out = sample.folds == fold
            learned = np.polynomial.Polynomial.fit(sample.noised[~out], sample.target[~out], d)
            total += ((learned(sample.noised[out]) - sample.target[out]) ** 2).sum()
        risks.append(total / len(sample.noised))
    gap = row["held_out"][degree + 1] - row["held_out"][degree]
    assert gap == pytest.approx(risks[1] - risks[0], abs=1e-8)  # two solvers, condition < 1e4
    learned = np.polynomial.Polynomial.fit(sample.noised, sample.target, degree)
    grid = np.linspace(-9, 9, 3001)
    law = question_degree.noised_law(mu)
    error = (learned(grid) - law.score(grid[:, None])[:, 0]) ** 2
    square = (np.exp(law.log_density(grid[:, None])) * error).sum() * (grid[1] - grid[0])
    assert row["rms"][degree] == pytest.approx(math.sqrt(square), rel=1e-6)
    assert cell.holds(grid).all()


def test_copies_of_a_row_share_its_fold():
    sample = question_degree.Sample.draw(1, 50, 0)
    assert (sample.folds.reshape(-1, 50) == sample.folds[:50]).all()
    pairs = (sample.noised.reshape(2, -1, 50)).sum(axis=0) / 2
    assert pairs[0] == pytest.approx(pairs[1], abs=CLOSE)  # antithetic noise cancels


def test_denoisers_are_clipped_to_the_ball():
    x = np.array([0.0, 1.0])
    level = question_degree.LEVEL
    score = question_degree.clipped(x, np.array([[1e6], [0.0]]), 2.0)
    denoised = (x[:, None] + level.sigma**2 * score) / level.alpha
    assert denoised[:, 0] == pytest.approx([2.0, 1 / level.alpha], rel=CLOSE)


# ---- memory, tables and pictures


def test_an_answer_is_worked_out_once_and_again_when_a_source_changes(tmp_path):
    source = tmp_path / "source.py"
    source.write_text("first")
    calls = []

    def work():
        calls.append(1)
        return {"tv": 0.1 + 0.2}

    answers = [Memory([source], tmp_path / "cache").recall("asked", work) for _ in range(2)]
    assert answers == [{"tv": 0.1 + 0.2}] * 2
    assert len(calls) == 1
    source.write_text("second")
    Memory([source], tmp_path / "cache").recall("asked", work)
    assert len(calls) == 2


def test_figures_without_a_value_become_null():
    value = finite({2: (math.nan, 1 / 3), "n": 5, "none": None})
    assert json.dumps(value, allow_nan=False)
    assert value == {"2": [None, 0.333333], "n": 5, "none": None}


def test_pictures_and_tables_come_from_small_answers(tmp_path, certified, measured):
    rows = [{"mu": 1, "n": 400, "seed": seed, **row} for seed, row in enumerate(measured)]
    summary = degree_summary(rows, {1: certified})
    assert sum(row["votes"] for row in summary) == 1
    best = np.sqrt(np.mean([np.square(row["2"]["rms"]) for row in measured], axis=0))
    assert summary[1]["best"] == best.argmin()
    assert any("(" in line for line in question_tables.degree_lines(summary))
    question_pictures.draw_degrees(summary, {1: certified}, tmp_path / "degree.png")

    uses = question_tables.USES
    crude = [
        {"kind": "means", "distance": d, "seed": 1, "reached": dict.fromkeys(uses, 0.1 + d)}
        for d in (0.0, 0.5)
    ]
    lines = list(question_tables.crude_lines(crude, 100))
    assert lines[3].split() == ["means", "0.5", *["0.6000"] * len(uses)]
    question_pictures.draw_crude(crude, tmp_path / "crude.png")

    axes = {"d": [Family(d, 2, 3.0) for d in (1, 2, 3)], "k": [Family(2, k, 3.0) for k in (1, 2)]}
    found = {f: {1: climb(f, law)} for own in axes.values() for f in own}
    question_pictures.draw_sizes(size_summary(axes, found), tmp_path / "size.png")
    for name in ("degree", "crude", "size"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert question_crude.FAMILY.components == 3


def test_every_seed_is_measured_except_for_large_families(monkeypatch, tmp_path):
    monkeypatch.setattr(question_answers, "SIZE_MEMORY", Memory([], tmp_path))
    monkeypatch.setattr(question_size, "measure", lambda family, n, seed: law(n, seed))
    small, large = Family(1, 2, 3.0), Family(8, 2, 3.0)
    assert small.parameters <= question_answers.LARGE < large.parameters
    steps = []
    found = question_answers.size_answer(
        {"d": [small, large], "k": [small]}, (1, 2), lambda *step: steps.append(step)
    )
    assert {family: list(seeds) for family, seeds in found.items()} == {small: [1, 2], large: [1]}
    assert steps[-1] == ("sample size", 3, 3)
    # TV = seed / sqrt(n), remembered and read back.
    points = found[small][2]
    assert points == climb(small, lambda n: law(n, 2))


def test_soft_cells_are_judged_in_the_coordinates_of_the_level():
    # One Gaussian cell and no deviation is linear regression: its error is certified for degree 1.
    row = question_soft.measure(1, 400, 0)
    assert row["rms"] < question_degree.certified(1, 1)["rms"][1]
    assert "cells" in row["partition"] or "EM" in row["partition"]
    assert any(
        row["partition"] in line
        for line in question_tables.soft_lines([{"mu": 1, "n": 400, "seed": 0, **row}])
    )
