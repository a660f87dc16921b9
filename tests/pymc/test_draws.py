"""Whether PyMC's draws of a learned density have the flow's distribution, in every backend."""

from functools import cache

import numpy as np
import pymc as pm
import pytensor
import pytest
from pytensor.compile.mode import Mode
from scipy.stats import chi2, norm

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.pymc import LearnedScore
from tests.calibration import covering, spread_points
from tests.tolerances import dvoretzky, monte_carlo

N = 20_000
BACKENDS = {
    "python": "FAST_COMPILE",
    "C": Mode(linker="cvm", optimizer="fast_run"),
    "numba": "NUMBA",
}
ANGLES = np.linspace(0, np.pi, 8, endpoint=False)
# Eight projections, the radius and the angle of draws of two flows by three backends.
COMPARISONS = 10 * 2 * 3


def by_backend(name: str) -> pytest.param:
    missing = name == "C" and not pytensor.config.cxx
    marks = [pytest.mark.skipif(missing, reason="no C++ compiler")]
    return pytest.param(name, marks=marks if name == "python" else [*marks, pytest.mark.slow])


@pytest.fixture(params=["line", "flow"])
def density(request: pytest.FixtureRequest) -> ScoreFlow:
    return request.getfixturevalue(request.param)


def drawn(flow: ScoreFlow, backend: str = "python") -> FloatArray:
    with pm.Model():
        x = LearnedScore("x", flow, shape=(N, flow.dim))
    return pm.draw(x, random_seed=1, mode=BACKENDS[backend])


@cache  # for two tests
def latent_points(flow: ScoreFlow, backend: str) -> FloatArray:
    return flow.to_latent(drawn(flow, backend))


def distance_from_uniform(u: FloatArray) -> float:
    """The Kolmogorov-Smirnov distance."""
    u, steps = np.sort(u), np.arange(len(u) + 1) / len(u)
    return max((steps[1:] - u).max(), (u - steps[:-1]).max())


def uniforms(z: FloatArray) -> dict[str, FloatArray]:
    """Distribution functions of N(0, I) at z (n, d), each uniform if z is drawn from it."""
    if z.shape[1] == 1:
        return {"z": norm.cdf(z[:, 0])}
    projections = z @ np.stack([np.cos(ANGLES), np.sin(ANGLES)])
    return {f"at {a:.2f}": norm.cdf(p) for a, p in zip(ANGLES, projections.T, strict=True)} | {
        "radius": chi2.cdf((z**2).sum(axis=1), 2),
        "angle": np.arctan2(z[:, 1], z[:, 0]) / (2 * np.pi) + 0.5,
    }


@pytest.mark.parametrize("backend", [by_backend(name) for name in BACKENDS])
def test_latent_points_of_draws_are_standard_normal(density, backend):
    """On a line this is the exact distribution function: the flow is increasing.

    Sees a mean off by .06 of a standard deviation, or a mass of a mode off by .024.
    """
    z = latent_points(density, backend)
    limit = dvoretzky(N, comparisons=COMPARISONS)
    for name, u in uniforms(z).items():
        assert distance_from_uniform(u) < limit, name


@pytest.mark.parametrize("backend", [by_backend(name) for name in BACKENDS])
def test_rows_of_draws_are_independent(density, backend):
    z = latent_points(density, backend)
    assert len(np.unique(z, axis=0)) == N
    products = z[1:, :, None] * z[:-1, None, :]
    # Of two independent standard normals, thus of variance one; neighbours share none of it.
    assert np.abs(products.mean(axis=0)).max() < monte_carlo(N - 1, 1.0, comparisons=2 * 3 * 4)


def test_draws_follow_the_integral_of_the_density(density):
    """Without the flow's map: masses below a draw are sums of the density over other points."""
    x = drawn(density)
    sums = [masses_below(density, x, seed) for seed in (1, 2)]
    error = np.abs(sums[0] - sums[1]).max()
    limit = dvoretzky(N, comparisons=3 * 2)
    assert error < limit / 3
    for u in sums[0].T:
        assert distance_from_uniform(u) < limit + error


def masses_below(flow: ScoreFlow, x: FloatArray, seed: int) -> FloatArray:
    """Integrals (n, k) of the density below each column of x (n, d), and below their sum."""
    rng = np.random.default_rng(seed)
    values, log_spread = spread_points(covering(flow), 10_000, rng=rng)
    points = flow.ladder.frame.unwhiten(values)
    weights = np.exp(flow.log_density(points) + flow.ladder.frame.log_det - log_spread)
    weights /= len(weights)
    found = []
    for here, there in zip(with_sum(points).T, with_sum(x).T, strict=True):
        order = np.argsort(here)
        cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
        found.append(cumulated[np.searchsorted(here[order], there)])
    return np.stack(found, axis=1)


def with_sum(x: FloatArray) -> FloatArray:
    return np.column_stack([x, x.sum(axis=1)])


WRONG = {
    "shifted": lambda z: z + 0.08 / np.sqrt(z.shape[1]),
    "wider": lambda z: 1.15 * z,
    "a twentieth on one side": lambda z: np.concatenate([np.abs(z[: N // 20]), z[N // 20 :]]),
}


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("fault", WRONG)
def test_wrong_draws_are_seen(dim, fault):
    z = WRONG[fault](np.random.default_rng(7).standard_normal((N, dim)))
    distances = map(distance_from_uniform, uniforms(z).values())
    assert max(distances) > dvoretzky(N, comparisons=COMPARISONS)
