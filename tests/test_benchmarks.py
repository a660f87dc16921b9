"""The benchmarks' own parts: targets, remembered results, tables and verdicts."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t, t
from sklearn.model_selection import KFold

from benchmarks.accuracy import HIGH_DIM, LARGE, jobs, report, run, table
from benchmarks.baselines import em_bic, em_true
from benchmarks.marron_wand import MARRON_WAND, TABLE, Term, as_mixture
from benchmarks.measured import Result, Sample, judging_draws, measure, remembered
from benchmarks.methods import BIC, FLOWS, KDE, MAIN, METHODS, OURS, TRUE_K
from benchmarks.real import (
    FOLDS,
    GAUSSIAN,
    Held,
    cross_validated,
    dequantised,
    judged,
    line,
    scaled,
)
from benchmarks.real_data import DATA, NotFetched, Wheel
from benchmarks.remember import PACKAGE, Memory, digest, fit_files
from benchmarks.shapes import Banana, noisy_sphere, student_clusters
from benchmarks.targets import MIXTURE, OTHER, TARGETS, Target, target
from benchmarks.verdicts import as_json, conclusion, not_normalised, ratios, verdicts
from symscore import GaussianMixture
from symscore.errors import BadData
from tests.tolerances import monte_carlo, roundoff

# Means of this many draws are off by at most 3.5 % of their sd, at the false alarms of
# tests/tolerances.py.
DRAWS = 20_000


def mean_and_centred(terms: list[Term], power: int) -> tuple[Fraction, Fraction]:
    """Return the mean and the second or third central moment of exact terms."""
    mean = sum((w * m for w, m, _ in terms), Fraction(0))
    extra = {2: lambda away, sigma: sigma**2, 3: lambda away, sigma: 3 * away * sigma**2}[power]
    moments = (w * ((m - mean) ** power + extra(m - mean, s)) for w, m, s in terms)
    return mean, sum(moments, Fraction(0))


# ---- Marron and Wand


def test_marron_wand_weights_sum_to_one_exactly() -> None:
    assert [sum(w for w, _, _ in density()) for density in TABLE] == [1] * 15


def test_marron_wand_components_are_those_of_the_paper() -> None:
    sizes = [len(density()) for density in TABLE]
    assert sizes == [1, 3, 8, 2, 2, 2, 2, 2, 3, 6, 9, 6, 8, 6, 6]


@pytest.mark.parametrize("number", [1, 4, 5, 6, 7, 9, 10, 11])
def test_symmetric_marron_wand_densities_are_symmetric(number: int) -> None:
    terms = TABLE[number - 1]()
    assert {(w, -m, s) for w, m, s in terms} == set(terms)
    assert mean_and_centred(terms, 3) == (0, 0)


def test_marron_wand_variances_worked_out_by_hand() -> None:
    variances = [mean_and_centred(TABLE[number - 1](), 2)[1] for number in (4, 5, 6, 7, 10)]
    wanted = ["67/100", "109/1000", "13/9", "5/2", "151/200"]
    assert variances == [Fraction(text) for text in wanted]


# Their names say so: a mode for each finger of a claw and each tooth of a comb. Two fingers of #11
# and of #13 lie on top of a mode.
MODES = {
    1: 1,
    2: 1,
    3: 1,
    4: 1,
    5: 1,
    6: 2,
    7: 2,
    8: 2,
    9: 3,
    10: 5,
    11: 7,
    12: 5,
    13: 6,
    14: 6,
    15: 6,
}


@pytest.mark.parametrize(("number", "modes"), MODES.items())
def test_marron_wand_densities_have_their_modes(number: int, modes: int) -> None:
    mixture = as_mixture(TABLE[number - 1]())
    height = mixture.log_density(np.linspace(-4, 4, 16_001)[:, None])
    assert np.sum((height[1:-1] > height[:-2]) & (height[1:-1] > height[2:])) == modes


# ---- the other targets


def test_banana_is_normalised_and_its_draws_have_its_moments() -> None:
    # The trapezoidal rule converges faster than any power of the step: .1 is a fifth of the
    # smallest sd, which leaves exp(-2 pi^2 25); outside lies less than exp(-32).
    axes = np.arange(-8, 8.05, 0.1), np.arange(-4, 68, 0.1)
    lattice = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    mass = 0.01 * np.exp(Banana().log_density(lattice)).sum()
    assert abs(mass - 1) < 1e-10
    x = Banana().draw(DRAWS, rng=np.random.default_rng(1))
    assert abs(x[:, 0].mean()) <= monte_carlo(DRAWS, 1.0)
    assert abs(x[:, 1].mean() - 1) <= monte_carlo(DRAWS, 2.25**0.5)
    # Given x_0 the sd is .5; one wrong by 3 % would be seen.
    away = (x[:, 1] - x[:, 0] ** 2) ** 2
    assert abs(away.mean() - 0.25) <= monte_carlo(DRAWS, 0.25 * 2**0.5)


def test_student_clusters_agree_with_scipy() -> None:
    clusters = student_clusters()
    x = clusters.draw(DRAWS, rng=np.random.default_rng(2))
    shapes = clusters.scale_trils @ clusters.scale_trils.swapaxes(1, 2)
    parts = [
        weight * multivariate_t(mean, shape, clusters.nu).pdf(x[:100])
        for weight, mean, shape in zip(clusters.weights, clusters.means, shapes, strict=True)
    ]
    assert np.exp(clusters.log_density(x[:100])) == pytest.approx(np.sum(parts, axis=0), rel=1e-12)
    sigma = np.sqrt(shapes[:, 1, 1])
    share = clusters.weights @ t.cdf((1 - clusters.means[:, 1]) / sigma, clusters.nu)
    assert abs(np.mean(x[:, 1] < 1) - share) <= monte_carlo(DRAWS, 0.5)


def directions(m: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and unit vectors that integrate over the circle or the sphere."""
    around = np.arange(200) * np.pi / 100
    circle = np.column_stack([np.cos(around), np.sin(around)])
    if m == 2:
        return np.full(200, 1 / 200), circle
    nodes, weights = np.polynomial.legendre.leggauss(100)
    flat = np.sqrt(1 - nodes**2)[:, None, None] * circle
    points = np.concatenate([flat, np.broadcast_to(nodes[:, None, None], (100, 200, 1))], axis=2)
    return np.repeat(weights / 400, 200), points.reshape(-1, 3)


@pytest.mark.parametrize("m", [2, 3])
def test_noisy_sphere_is_the_mixture_over_its_points(m: int) -> None:
    sphere = noisy_sphere(m, 5)
    x = sphere.draw(DRAWS, rng=np.random.default_rng(m))
    weights, unit = directions(m)
    away = ((x[:20, None] - unit @ sphere.axes) ** 2).sum(axis=2)
    kernels = np.exp(-away / (2 * sphere.sigma**2)) / (2 * np.pi * sphere.sigma**2) ** 2.5
    wanted = kernels @ weights
    # The integrand is analytic and as wide as sigma / r = .15: 100 nodes leave only rounding.
    assert np.exp(sphere.log_density(x[:20])) == pytest.approx(wanted, rel=1e-11)
    squared = (x**2).sum(axis=1)
    wanted_square = 1 + 5 * sphere.sigma**2
    sd = np.sqrt(4 * sphere.sigma**2 + 10 * sphere.sigma**4)
    assert abs(squared.mean() - wanted_square) <= monte_carlo(DRAWS, sd)
    centre = sphere.log_density(np.zeros((1, 5)))
    assert centre == pytest.approx(-1 / (2 * 0.15**2) - 5 * np.log(0.15 * np.sqrt(2 * np.pi)))


def test_there_are_the_targets_asked_for() -> None:
    truths = [target(name) for name in TARGETS]
    assert len(MARRON_WAND) == 15 <= sum(truth.dim == 1 for truth in truths)
    assert {truth.dim for truth in truths} == {1, 2, 5, 10, 20, 50}
    assert len(LARGE) == 8
    assert set(LARGE) <= set(TARGETS)
    assert target("scales").group == target("random20").group == MIXTURE
    assert {target(name).group for name in ("ring", "banana", "mw11-double-claw")} == {OTHER}
    assert target("banana").n_components is target("sphere5").n_components is None


def test_the_low_rank_mixture_differs_in_three_directions_only() -> None:
    mixture = TARGETS["lowrank50"]()
    assert isinstance(mixture, GaussianMixture)
    differences = mixture.covariances[1:] - mixture.covariances[0]
    spread = np.concatenate([mixture.means[1:] - mixture.means[0], *differences])
    values = np.linalg.svd(spread, compute_uv=False)
    assert values[2] > 0.1
    assert values[3] <= roundoff(50**2, float(values[0]))


# ---- remembering


def toy_result(truth: str, method: str, tv: float, seed: int = 1) -> Result:
    return Result(truth, method, 100, seed, tv, 0.001, tv, 0.001, 2 * tv, 0.002, 1.5, "k = 2")


def test_results_are_measured_once(tmp_path: Path) -> None:
    asked = []

    def work(sample: Sample, method: str) -> Result | None:
        asked.append((sample.seed, method))
        if method == TRUE_K:
            return None
        return toy_result(sample.target.name, method, 0.1 + sample.seed / 100, sample.seed)

    def again() -> list[Result | None]:
        samples = [Sample.of(target("banana"), 100, seed) for seed in (1, 2)]
        pairs = [(sample, method) for sample in samples for method in (KDE, TRUE_K)]
        return [remembered(Memory(tmp_path), sample, method, work) for sample, method in pairs]

    first = again()
    assert first == again()
    assert asked == [(1, KDE), (1, TRUE_K), (2, KDE), (2, TRUE_K)]
    assert len(list(tmp_path.iterdir())) == 4


def test_memory_keeps_all_or_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "new")
    assert memory.get("a") is None
    memory.put("a", {"x": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        memory.put("a", {"x": float("nan")})
    assert memory.get("a") == {"x": 1.5}
    assert [file.name for file in memory.folder.iterdir()] == ["a.json"]


def test_the_name_of_parts_depends_on_where_they_end() -> None:
    names = {digest("ab", "c"), digest("a", "bc"), digest(np.zeros(2)), digest(np.zeros(3))}
    assert len(names) == 4


def test_sources_of_a_default_fit_leave_out_what_does_not_decide_it() -> None:
    names = {file.relative_to(PACKAGE).as_posix() for file in fit_files()}
    assert {"estimator.py", "mixture.py", "learn/kernels.py", "flow/steps.py"} <= names
    assert {"learn/recipes/auto.py", "learn/prepared.py", "learn/gram.py"} <= names
    assert not any(name.startswith(("pymc/", "exact/", "compare/")) for name in names)
    assert "learn/recipes/hard_cells.py" not in names


def test_fewer_draws_judge_where_a_density_costs_more() -> None:
    sizes = [judging_draws(n, dim) for n, dim in ((5000, 1), (5000, 2), (1000, 2), (5000, 5))]
    assert sizes == [10_000, 10_000, 4000, 4000]
    assert judging_draws(5000, 50) == judging_draws(100, 1) == 2000


def test_a_seed_and_target_fix_the_sample() -> None:
    first, again = (Sample.of(target("banana"), 50, 3) for _ in range(2))
    other = Sample.of(Target("renamed", Banana()), 50, 3)
    assert (first.data == again.data).all()
    assert (first.test == again.test).all()
    assert not (first.data == other.data).any()
    assert first.key(KDE) == again.key(KDE) != first.key(BIC)


# ---- the runs


def test_jobs_go_from_few_dimensions_to_many_and_end_with_flows() -> None:
    truths = [target(name) for name in ("random20", "banana", "mw10-claw")]
    todo = list(jobs(truths, 4, ("zuko", OURS, KDE)))
    assert [name for _, _, name in todo].index("zuko") == len(todo) - 11
    main = [job for job in todo if job[2] not in FLOWS]
    assert [seed for _, seed, _ in main] == sorted(seed for _, seed, _ in main)
    assert [truth.dim for truth, seed, name in main if (seed, name) == (1, KDE)] == [1, 2, 20]
    assert max(seed for truth, seed, _ in main if truth.dim >= HIGH_DIM) == 3


def test_a_run_survives_failures_and_ends_in_time() -> None:
    said: list[str] = []

    def work(sample: Sample, method: str) -> Result | None:
        if method == KDE:
            raise BadData("no rows")
        return toy_result(sample.target.name, method, 0.1)

    def todo() -> Iterator[tuple[Target, int, str]]:
        return jobs([target("banana")], 1, (OURS, KDE, BIC))

    results = run(todo(), 20, said.append, work=work)
    assert [result.method for result in results] == [OURS, BIC]
    assert said[1] == "banana, seed 1, KDE: BadData: no rows"
    assert run(todo(), 20, said.append, work=work, deadline=0.0) == []


def test_peers_are_fitted_and_judged() -> None:
    truth = Target("two", GaussianMixture([0.5, 0.5], [[-4], [4]], [[[1]], [[1]]]))
    sample = Sample.of(truth, 60, 1)
    known, chosen = measure(sample, TRUE_K), measure(sample, BIC)
    assert known is not None
    assert chosen is not None
    assert known.note == chosen.note == "k = 2"
    # Five parameters from 60 rows: the mean squared error of log q is about 5 / 60.
    assert 0 < known.tv < 0.25
    assert known.kl is not None
    assert abs(known.tv - known.twin) <= 5 * np.hypot(known.tv_error, known.twin_error)
    # KL bounds TV (Pinsker).
    assert known.tv <= np.sqrt(known.kl / 2) + 5 * known.tv_error
    assert em_true(sample.data, target("banana"), 1) is None


def test_the_scan_keeps_rows_for_every_component() -> None:
    rows = np.random.default_rng(0).standard_normal((13, 2))
    assert em_bic(rows, None, 0).note in ("k = 1", "k = 2")  # 13 // (2 * 3) = 2


# ---- tables and verdicts

TOY = [
    toy_result("separated", OURS, 0.02),
    toy_result("separated", BIC, 0.04),
    toy_result("separated", KDE, 0.08),
    toy_result("scales", OURS, 0.04),
    toy_result("scales", BIC, 0.03),
    toy_result("scales", KDE, 0.02),
    toy_result("ring", OURS, 0.03),
    toy_result("ring", BIC, 0.06),
    toy_result("ring", KDE, 0.05),
    toy_result("banana", OURS, 0.03),
]


def group_of(name: str) -> str:
    return target(name).group


def test_ratios_are_to_the_better_rival() -> None:
    rows = {row.target: row for row in ratios(TOY, group_of)}
    assert set(rows) == {"separated", "scales", "ring"}  # nothing to compare banana with
    assert [row.value for row in rows.values()] == pytest.approx([0.5, 2.0, 0.6], rel=1e-15)
    assert [row.rival for row in rows.values()] == [BIC, KDE, KDE]
    assert [row.breaks for row in rows.values()] == [False, True, False]
    mixtures, others = verdicts(list(rows.values()))
    assert (mixtures.mean, mixtures.targets) == (pytest.approx(1.0, rel=1e-15), 2)
    assert not mixtures.met
    assert mixtures.interval is None
    assert others.mean == pytest.approx(0.6, rel=1e-15)
    assert others.met


def test_a_small_excess_breaks_nothing() -> None:
    close = [toy_result("ring", name, tv) for name, tv in ((OURS, 0.02), (BIC, 0.016), (KDE, 1))]
    assert not ratios(close, group_of)[0].breaks


def test_the_interval_is_that_of_paired_seeds() -> None:
    rng = np.random.default_rng(0)
    theirs = 0.05 * np.exp(0.2 * rng.standard_normal(8))

    def interval(noise: float) -> tuple[float, float]:
        own = 0.8 * theirs * np.exp(noise * np.resize([1, -1], 8))
        pairs = enumerate(zip(own, theirs, strict=True))
        seeds = [
            toy_result("ring", name, float(tv), seed)
            for seed, (a, b) in pairs
            for name, tv in ((OURS, a), (BIC, b), (KDE, 1.0))
        ]
        found = verdicts(ratios(seeds, group_of))[0].interval
        assert found is not None
        return found

    # Equal ratios leave no doubt, whatever the seeds' own spread.
    assert interval(0.0) == pytest.approx((0.8, 0.8), rel=1e-14)
    low, high = interval(0.1)
    assert low < 0.8 * 1.01
    # Independent ratios of spread s give 1.96 s / sqrt(8 - 1) to first order; weights of unequal
    # seeds change it by their spread, a fifth, at most.
    assert np.log(high / low) / 2 == pytest.approx(1.96 * 0.1 / 7**0.5, rel=0.25)


def test_twins_that_differ_are_named() -> None:
    off = replace(TOY[0], twin=TOY[0].tv + 0.01)
    assert not_normalised([*TOY, off]) == [off]


def test_figures_survive_json() -> None:
    found = json.loads(json.dumps(as_json(TOY, group_of), allow_nan=False))
    assert [Result(**row) for row in found["results"]] == TOY
    assert [row["breaks"] for row in found["ratios"]] == [False, True, False]
    assert [row["group"] for row in found["verdicts"]] == [MIXTURE, OTHER]


def test_the_table_has_a_line_for_every_target() -> None:
    said: list[str] = []
    truths = [target(name) for name in ("separated", "scales", "ring", "banana")]
    unbounded = replace(TOY[-1], kl=None, kl_error=None)
    report([*TOY[:-1], unbounded], truths, said.append)
    text = "\n".join(said)
    assert all(f"\n{truth.name} " in text for truth in truths)
    assert "2.00!" in text
    assert "more than 1.10 times the better of EM BIC and KDE and .005 above: scales (2.00)" in text
    lines = list(table([unbounded], truths))
    assert "inf" in lines[1]
    assert len(conclusion(TOY, group_of)) == 3


def test_methods_say_what_they_need() -> None:
    assert set(MAIN) | set(FLOWS) == set(METHODS)
    assert all(METHODS[name].missing == () for name in MAIN)
    assert replace(METHODS[KDE], needs=("no_such_package",)).missing == ("no_such_package",)


# ---- real data


def test_installed_data_have_their_shapes() -> None:
    assert [DATA[name]().shape for name in ("faithful", "iris", "wine")] == [
        (272, 2),
        (150, 4),
        (178, 13),
    ]
    assert scaled(DATA["wine"]()).std(axis=0) == pytest.approx(1.0, rel=1e-12)


def test_a_wheel_that_is_not_here_or_not_the_known_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.real_data.WHEELS", tmp_path)
    wheel = Wheel("no-such", "1.0", "0" * 64)
    with pytest.raises(NotFetched, match="bench real --fetch"):
        wheel.read("data.csv")
    (tmp_path / "no_such-1.0-py3-none-any.whl").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"Expected no_such-1\.0.*delete it"):
        wheel.read("data.csv")


def held(shift: float, rows: int = 100) -> Held:
    values = np.random.default_rng(0).standard_normal(rows)
    return Held(values + shift, 1.0, ("k = 2",))


def test_folds_hold_every_row_out_once_and_are_remembered(tmp_path: Path) -> None:
    rows = scaled(DATA["iris"]())
    found = cross_validated(rows, GAUSSIAN, Memory(tmp_path))
    assert len(list(tmp_path.iterdir())) == FOLDS
    again = cross_validated(rows, GAUSSIAN, Memory(tmp_path))
    assert (again.log_density == found.log_density).all()
    assert again.seconds == found.seconds
    inside, outside = next(KFold(FOLDS, shuffle=True, random_state=0).split(rows))
    mean, covariance = rows[inside].mean(axis=0), np.cov(rows[inside].T, bias=True)
    wanted = multivariate_normal(mean, covariance + 1e-6 * np.eye(4)).logpdf(rows[outside])
    # The condition, below 250, times squared lengths below 40 times the rounding of 120 rows' sums.
    assert found.log_density[outside] == pytest.approx(wanted, abs=roundoff(120, 250 * 40.0))


def test_rounded_columns_are_spread_over_their_step_and_others_left() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([np.round(rng.normal(size=200), 1), rng.normal(size=200)])
    spread = dequantised(rows)
    assert (spread[:, 1] == rows[:, 1]).all()
    assert (np.abs(spread[:, 0] - rows[:, 0]) <= 0.05 + 1e-12).all()
    assert len(np.unique(spread[:, 0])) == 200
    assert (dequantised(rows) == spread).all()


def test_the_difference_is_paired_to_the_best_baseline() -> None:
    rows = np.zeros((100, 2))
    methods = {OURS: held(-0.001), "one Gaussian": held(-1.0), BIC: held(0.0), KDE: held(-0.5)}
    row = judged("iris", rows, methods)
    assert row.best == BIC
    assert row.difference.value == pytest.approx(-0.001, rel=1e-9)
    assert row.difference.standard_error <= roundoff(100, 10.0)
    assert not row.passes
    assert "MISSED" in line(row)
    better = judged("banana", rows, methods | {OURS: held(0.01)})
    assert better.passes
    assert json.loads(json.dumps(asdict(better)))["best"] == BIC
