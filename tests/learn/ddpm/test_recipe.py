"""The whole recipe: parameters recovered within a designed bound, and what the report says."""

import json
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from symscore import load
from symscore.learn.ddpm.free import FreeDescent
from symscore.learn.ddpm.noised import Noise
from symscore.learn.ddpm.starts import FarthestCells
from symscore.learn.ddpm.two_stages import TwoStages
from symscore.mixture import GaussianMixture
from symscore.recipes import DDPMGradient, recipe_of
from tests.tolerances import monte_carlo

THREE = GaussianMixture(np.full(3, 1 / 3), [[0, 0], [5, 0], [1, 5]], np.tile(np.eye(2), (3, 1, 1)))


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread():
    with threadpool_limits(1):
        yield


def fit(recipe, x):
    names = [f"c{j}" for j in range(x.shape[1])]
    return recipe.fit(x, np.ones(len(x)), None, names, seed=0, progress=lambda *_: None)


def matched(found, truth):
    """The components of `found` in the order of those of `truth` that they are nearest to."""
    order = [int(((found.means - mean) ** 2).sum(axis=1).argmin()) for mean in truth.means]
    assert sorted(order) == list(range(truth.n_components))
    return found.weights[order], found.means[order], found.covariances[order]


@pytest.mark.parametrize("noise", list(Noise))
def test_two_components_from_a_random_start(noise):
    """Their difference is estimated at sd 1 / sqrt(n) a coordinate, at separation 6 sd.

    Sampled noise of sd .43 over two pairs adds at most half of that. Alarm 1e-6; an error of
    .05 in 3 is 3 limits.
    """
    rng, n, mu = np.random.default_rng(0), 2000, np.array([1.8, -2.4])
    x = rng.normal(size=(n, 2)) + rng.choice([-1, 1], size=(n, 1)) * mu + [7.0, 1.0]
    ladder, report = fit(DDPMGradient.paper(method=TwoStages(noise=noise)), x)
    found = report.parameters
    half = (found.means[0] - found.means[1]) / 2
    half = half * np.sign(half[0])
    assert np.all(np.abs(half - mu) <= 1.5 * monte_carlo(n, 1.0, comparisons=2))
    assert [f.name for f in report.findings] == ["descent", "descent", "against EM"]
    assert ladder.dim == 2
    json.dumps(report.to_dict(), allow_nan=False)


@pytest.mark.parametrize("start", [FarthestCells, THREE])
def test_three_components_of_known_covariance(start):
    """The covariance is given as such: a diagonal one, with the data stretched along with it."""
    n, stretch = 3000, np.array([2.0, 0.5])
    x = THREE.draw(n, rng=np.random.default_rng(1)) * stretch
    if isinstance(start, GaussianMixture):
        start = GaussianMixture(
            THREE.weights, (THREE.means + 0.4) * stretch, THREE.covariances * np.diag(stretch**2)
        )
    _, report = fit(DDPMGradient.paper(3, covariance=np.diag(stretch**2), start=start), x)
    _, centres, covariances = matched(
        report.parameters,
        GaussianMixture(THREE.weights, THREE.means * stretch, THREE.covariances),
    )
    # A component has n / 3 rows on average, and no fewer than n / 3.5 but for chance 1e-7; the
    # noise of the level adds less than the rows themselves.
    limit = 1.5 * monte_carlo(int(n / 3.5), 1.0, comparisons=6) * stretch
    assert np.all(np.abs(centres - THREE.means * stretch) <= limit)
    assert np.allclose(covariances, np.diag(stretch**2), rtol=1e-12)


@pytest.mark.parametrize(
    "method", [FreeDescent(), FreeDescent(noise=Noise.STEIN)], ids=["seen", "unseen"]
)
def test_everything_free_recovers_weights_means_and_covariances(method):
    truth = GaussianMixture(
        [0.3, 0.7], [[-3.0, 0.0], [3.0, 1.0]], [np.diag([0.5, 1.0]), [[1.0, 0.6], [0.6, 0.8]]]
    )
    n = 2000
    x = truth.draw(n, rng=np.random.default_rng(2))
    _, report = fit(DDPMGradient(choices=(1, 2), method=method), x)
    assert report.n_folds == 3
    weights, centres, covariances = matched(report.parameters, truth)
    # At six sd apart these are sample figures of each component, less than twice as noisy.
    per = 0.85 * n * truth.weights
    assert np.all(np.abs(weights - truth.weights) <= monte_carlo(n, 0.46, comparisons=20))
    for own in range(2):
        sd = np.sqrt(np.diag(truth.covariances[own]))
        limit = 1.5 * monte_carlo(per[own], sd, comparisons=20)
        assert np.all(np.abs(centres[own] - truth.means[own]) <= limit)
        spread = 2.0 * monte_carlo(per[own], np.sqrt(2) * np.outer(sd, sd), comparisons=20)
        assert np.all(np.abs(covariances[own] - truth.covariances[own]) <= spread)


def test_options_are_kept_as_values():
    assert DDPMGradient.paper(covariance=np.eye(2)) == DDPMGradient.paper(covariance=np.eye(2))
    assert hash(DDPMGradient(covariance=2)) == hash(DDPMGradient(covariance=2.0))
    assert recipe_of("ddpm-gradient") == DDPMGradient()


def test_one_covariance_for_all():
    x = THREE.draw(1500, rng=np.random.default_rng(3))
    method = FreeDescent(shared=True, equal_weights=True)
    found = fit(DDPMGradient(n_components=3, method=method), x)[1].parameters
    assert np.allclose(found.covariances, found.covariances[0], rtol=1e-12)
    assert np.allclose(found.weights, 1 / 3, rtol=1e-12)


@pytest.mark.slow
def test_the_command_line_takes_its_name(tmp_path):
    x = THREE.draw(300, rng=np.random.default_rng(4))
    lines = "\n".join(f"{a:.17g},{b:.17g}" for a, b in x)
    (tmp_path / "data.csv").write_text(f"a,b\n{lines}\n", encoding="utf-8")
    words = ["fit", "data.csv", "-o", "m.npz", "--recipe", "ddpm-gradient", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "symscore", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    parameters = json.loads(done.stdout)["report"]["ladder"]["parameters"]
    assert len(parameters["weights"]) == 3
    assert np.isfinite(load(tmp_path / "m.npz").log_density(x)).all()
