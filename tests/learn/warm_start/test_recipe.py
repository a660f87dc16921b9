"""The whole recipe: what it learns of known mixing measures, its theory sizes, its report."""

import numpy as np
import pytest

from symscore import ScoreDensity
from symscore.errors import BadData, BadOption, NoDensity, ResourceLimit
from symscore.learn.hard_ladder import HardLadder
from symscore.learn.recipes.warm_start_voronoi import WarmStartVoronoi
from symscore.learn.report import LadderReport
from symscore.learn.select import Sample
from symscore.learn.twin import TwinOptions
from symscore.learn.warm_start.loop import Plan, learn_means
from symscore.learn.warm_start.subspace import SubspaceScore
from symscore.mixture import GaussianMixture
from tests.tolerances import bernstein, dvoretzky

QUICK = TwinOptions(pairs=1)


def fit(recipe: WarmStartVoronoi, x, seed: int = 0) -> tuple[HardLadder, LadderReport]:
    names = [f"c{j}" for j in range(x.shape[1])]
    return recipe.fit(x, np.ones(len(x)), None, names, seed=seed, progress=lambda *_: None)


def noisy_circle(n: int, dim: int, noise: float, *, rng: np.random.Generator) -> np.ndarray:
    """Points of the unit circle in the first two coordinates, with noise in all."""
    angle = rng.uniform(0, 2 * np.pi, n)
    x = noise * rng.normal(size=(n, dim))
    x[:, :2] += np.column_stack([np.cos(angle), np.sin(angle)])
    return x


def test_two_clusters_are_drawn():
    """Distribution functions of 4000 draws and of the truth, 1500 rows learned from.

    Both errors of counting are bounded by Dvoretzky's inequality, at 1e-6 together; .04 is allowed
    for steps of ratio 1.2 and for polynomials. A mode that is lost, or masses off by .1 more than
    chance, are caught.
    """
    truth = GaussianMixture([0.4, 0.6], [[-2.0], [2.0]], [[[0.25]]] * 2)
    x = truth.draw(1500, rng=np.random.default_rng(0))
    ladder, _ = fit(WarmStartVoronoi(noise=0.5, max_ratio=1.2, twin=QUICK), x)
    draws = np.sort(ladder.draw(4000, rng=np.random.default_rng(1))[:, 0])
    fresh = np.sort(truth.draw(200_000, rng=np.random.default_rng(2))[:, 0])
    grid = np.linspace(-5, 5, 801)
    gap = np.searchsorted(draws, grid) / 4000 - np.searchsorted(fresh, grid) / 200_000
    chance = sum(dvoretzky(n, comparisons=3) for n in (1500, 4000, 200_000))
    assert np.abs(gap).max() <= chance + 0.04


def test_a_circle_with_noise_in_five_dimensions_is_drawn():
    """Corollary 1.3: a mixing measure on a curve. Radii and angles of draws, by shares of them.

    The truth's shares are those of a million points. Chance, of 1200 rows and 3000 draws, is
    bounded by Bernstein's inequality at 1e-6; .05 is allowed for the learned score. A disc in place
    of the circle has a quarter of its points within radius .5, the circle one in a thousand.
    """
    noise, dim = 0.2, 5
    x = noisy_circle(1200, dim, noise, rng=np.random.default_rng(0))
    recipe = WarmStartVoronoi(noise=noise, max_ratio=1.25, pairs=2, twin=QUICK)
    ladder, report = fit(recipe, x)
    draws = ladder.draw(3000, rng=np.random.default_rng(1))
    fresh = noisy_circle(1_000_000, dim, noise, rng=np.random.default_rng(2))
    assert isinstance(ladder.at(0), SubspaceScore)
    assert "2 of 5 dimensions" in str(report)

    def events(z):
        radius = np.hypot(z[:, 0], z[:, 1])
        rest = (z[:, 2:] ** 2).sum(axis=1) / noise**2
        return np.column_stack(
            [radius < 0.6, radius > 1.3, z[:, 0] > 0.5, z[:, 1] < -0.5, rest < 2.37]
        ).astype(float)

    for own, rows, want in zip(events(draws).T, events(x).T, events(fresh).T, strict=True):
        chance = sum(bernstein(part, comparisons=15) for part in (own, rows, want))
        assert abs(own.mean() - want.mean()) <= chance + 0.05


def test_warm_starts_follow_the_noise_down():
    """One centre in the noise, at least one a cluster at the end, at each halving of the time."""
    truth = GaussianMixture([0.5, 0.25, 0.25], [[-6.0], [0.0], [6.0]], [[[0.09]]] * 3)
    x = truth.draw(800, rng=np.random.default_rng(0))
    sample = Sample(x / 4.5, np.full(800, 1 / 800), np.zeros(800, dtype=np.int64), 0)
    times = tuple(np.geomspace(200, 1e-3, 60).tolist())
    plan = Plan(
        times=times, noise=0.3 / 4.5, degree=2, ball=4.0, radius=4.0, base=0.0, factor=2.5,
        rounds=8, fresh=4, pairs=1, least=10.0,
    )  # fmt: skip
    fields, refreshes = learn_means(sample, plan, progress=lambda *_: None)
    assert [field.t for field in fields] == list(times[:-1])
    at = np.array([times[0]] + [refresh.t for refresh in refreshes])
    assert np.all(at[1:] <= at[:-1] / 2)
    # Halving is noticed at the next level of the grid, whose ratio is 1.23.
    assert np.all(at[1:] >= at[:-1] / 2 * (times[1] / times[0]) * (1 - 1e-12))
    assert len(refreshes[0].cover.centres) == 1
    last = refreshes[-1].cover.centres[:, 0] * 4.5
    assert np.abs(last[:, None] - truth.means[:, 0]).min(axis=0).max() < 1.5
    for field, before in zip(fields[1:], fields[:-1], strict=True):
        moved = not np.array_equal(field.centres, before.centres)
        assert moved <= (before.t in at)


def test_the_theory_runs_on_a_tiny_instance():
    truth = GaussianMixture([0.5, 0.5], [[-1.5], [1.5]], np.ones((2, 1, 1)))
    x = truth.draw(300, rng=np.random.default_rng(0))
    recipe = WarmStartVoronoi.theory(
        noise=1.0, epsilon=0.5, dim=1, k=2, alpha_min=0.4, local_radius=0.5, support_radius=2.0,
        step_constant=4.0, twin=QUICK,
    )  # fmt: skip
    ladder, report = fit(recipe, x)
    assert recipe.sizes is not None
    times = recipe.sizes.times()
    assert len(ladder.fields) == len(times) - 1
    assert ladder.end.kappa == pytest.approx(times[-1] ** -0.5, rel=1e-12)
    assert (ladder.frame.loc == 0).all()
    assert (ladder.frame.scale_tril == 1).all()
    assert "asked for by Lemma 5.7; 300 given" in str(report)
    assert all(len(field.centres) <= recipe.sizes.rounds for field in ladder.fields)
    draws = ladder.draw(1000, rng=np.random.default_rng(1))
    # Mean and variance of the truth, 0 and 3.25, to five standard errors of rows and draws and a
    # fifth for steps as long as the theorem's; one component alone has the mean 1.5.
    assert abs(draws.mean()) < 5 * np.sqrt(3.25 * (1 / 300 + 1 / 1000)) + 0.2
    assert 0.6 < draws.var() / 3.25 < 1.5


def test_a_covariance_puts_the_theory_in_units_of_the_noise():
    recipe = WarmStartVoronoi.theory(
        noise=[[4.0]], epsilon=0.5, dim=1, k=1, alpha_min=0.4, local_radius=0.5, support_radius=2.0,
        step_constant=8.0, twin=QUICK,
    )  # fmt: skip
    x = 2 * np.random.default_rng(0).normal(size=(200, 1))
    ladder, _ = fit(recipe, x)
    assert (ladder.frame.scale_tril == 2).all()
    with pytest.raises(BadOption, match="Expected data of dimension 1; got 2"):
        fit(recipe, np.random.default_rng(0).normal(size=(50, 2)))


def test_large_theory_is_refused():
    recipe = WarmStartVoronoi.theory(
        noise=1.0, epsilon=0.02, dim=1, k=2, alpha_min=0.4, local_radius=1.0, support_radius=5.0
    )
    with pytest.raises(ResourceLimit, match="levels and"):
        fit(recipe, np.random.default_rng(0).normal(size=(50, 1)))


def test_the_report_tells_what_was_done():
    x = noisy_circle(300, 2, 0.3, rng=np.random.default_rng(0))
    ladder, report = fit(WarmStartVoronoi(degree=2, max_ratio=1.5, pairs=1, twin=QUICK), x)
    found = {finding.name: finding.text for finding in report.findings}
    assert "estimated" in found["noise"]
    assert found["warm starts"].endswith("at each refresh")
    assert "fits of a cell" in found["ball"]
    assert "%" in found["covered"]
    assert [level.n_cells for level in report.levels] == [len(f.centres) for f in ladder.fields]
    assert report.smoothing == pytest.approx(1 / ladder.end.kappa, rel=1e-12)


def test_it_draws_and_softens_but_has_no_density():
    x = np.random.default_rng(0).normal(size=(200, 2))
    learned = ScoreDensity(WarmStartVoronoi(max_ratio=2.0, twin=QUICK), random_state=0).fit(x)
    with pytest.raises(NoDensity):
        learned.score_samples(x)
    assert np.isfinite(learned.soften().score_samples(x)).all()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"degree": -1}, "Expected degree >= 0"),
        ({"cover": 0.0}, "Expected degree >= 0"),
        ({"fresh": 1}, "Expected fresh 0, or one row in 2 or more"),
        ({"sharpness": 0.0}, "Expected sharpness > 0"),
        ({"subspace": 2}, "a given noise, which shows the subspace"),
        ({"noise": [1.0, 2.0]}, "Expected noise as an sd or"),
    ],
)
def test_options_are_checked(wrong, text):
    with pytest.raises(BadOption, match=text):
        WarmStartVoronoi(**wrong)


def test_options_can_be_compared_and_hashed():
    given = WarmStartVoronoi(noise=np.eye(2))
    assert given == WarmStartVoronoi(noise=[[1.0, 0.0], [0.0, 1.0]])
    assert hash(given) == hash(WarmStartVoronoi(noise=np.eye(2).tolist()))


def test_too_few_rows_are_refused():
    with pytest.raises(BadData, match="Expected at least 4 distinct rows for 2 columns; got 3"):
        fit(WarmStartVoronoi(), np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]]))
