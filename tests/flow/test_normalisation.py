"""The density is one: mass on lattices, determinants far out, and two estimates of one distance.

A sampler of the same exact denoisers that steps from data to noise must be caught by them.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.flow.flow import ScoreFlow
from symscore.learn.batch import jacobian_batch
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import lattice, make_flow, random_frame, random_mixture, two_modes
from tests.tolerances import bernstein, derivative, roundoff

NORMALISED = 1e-3
SHELLS = (4.0, 8.0, 20.0, 100.0)
DISTANCES = (4.0, 10.0, 30.0, 100.0)
OBLIQUE = GaussianMixture(
    [0.2, 0.5, 0.3],
    [[-2.0, -1.0], [2.0, 1.5], [0.0, 3.0]],
    [[[1.0, 0.6], [0.6, 1.0]], [[0.5, 0.0], [0.0, 1.5]], [[0.8, -0.3], [-0.3, 0.6]]],
)


def mass(
    log_density: Callable[[FloatArray], FloatArray], mixture: GaussianMixture, step: float
) -> float:
    """Integral by the trapezoid rule over a box that reaches six sd beyond all modes."""
    reach = 6 * np.linalg.eigvalsh(mixture.covariances).max() ** 0.5
    x = lattice(mixture.means.min(axis=0) - reach, mixture.means.max(axis=0) + reach, step)
    return float(np.exp(log_density(x)).sum()) * step**mixture.dim


# ---- the flow


@pytest.mark.parametrize("distance", DISTANCES)
def test_mass_of_two_modes_and_their_bridge(distance):
    mixture = two_modes(distance)
    assert abs(mass(make_flow(mixture).log_density, mixture, 0.25) - 1) <= NORMALISED


@pytest.mark.parametrize("distance", DISTANCES)
def test_mass_on_the_line(distance):
    mixture = two_modes(distance, dim=1)
    assert abs(mass(make_flow(mixture).log_density, mixture, 1 / 64) - 1) <= NORMALISED


@pytest.mark.parametrize("degree", [-1, 0, 1, 2, 3])
def test_mass_with_deviations_of_every_degree(degree):
    flow = make_flow(OBLIQUE, degree=degree, amplitude=0.02)
    assert abs(mass(flow.log_density, OBLIQUE, 0.25) - 1) <= NORMALISED


def test_mass_with_few_steps():
    # A step ratio of 2.2 errs in which density it is, not in its mass.
    flow = make_flow(OBLIQUE, max_ratio=2.2)
    assert abs(mass(flow.log_density, OBLIQUE, 0.25) - 1) <= NORMALISED


def test_mass_in_another_frame():
    frame = random_frame(2, 5)
    flow = make_flow(OBLIQUE, frame=frame)
    turned = GaussianMixture(
        OBLIQUE.weights,
        frame.unwhiten(OBLIQUE.means),
        frame.scale_tril @ OBLIQUE.covariances @ frame.scale_tril.T,
    )
    step = 0.4 * float(np.linalg.eigvalsh(turned.covariances).min()) ** 0.5
    assert abs(mass(flow.log_density, turned, step) - 1) <= NORMALISED


# ---- determinants


def step_jacobians(flow: ScoreFlow, i: int, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """G' and K' of step i at y, whose product is the step's derivative."""
    rule, kappas = flow.ladder.schedule.rule, flow.ladder.schedule.kappas
    h, eye = kappas[i + 1] - kappas[i], np.eye(flow.dim)
    value, slope = jacobian_batch(flow.packed, y, 2 * i)
    inner = eye + rule.a * h * slope
    _, slope = jacobian_batch(flow.packed, y + rule.a * h * value, 2 * i + 1)
    return inner, (1 - rule.b) * np.linalg.inv(inner) + rule.b * eye + rule.w * h * slope


def shell(crude: GaussianMixture, kappa: float, radius: float, n: int = 60) -> FloatArray:
    """Points y at `radius` standard deviations around every component carried to kappa."""
    rng = np.random.default_rng(int(radius))
    directions = rng.normal(size=(n, crude.dim))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    roots = np.linalg.cholesky(kappa**2 * crude.covariances + np.eye(crude.dim))
    around = np.einsum("cij,nj->cni", roots, radius * directions)
    return (kappa * crude.means[:, None] + around).reshape(-1, crude.dim)


def between(crude: GaussianMixture, kappa: float, n: int = 60) -> FloatArray:
    """Points y on the segments between components, where gates turn over."""
    share = np.linspace(0, 1, n)[:, None]
    pairs = [
        (1 - share) * a + share * b for k, a in enumerate(crude.means) for b in crude.means[:k]
    ]
    return kappa * np.concatenate(pairs)


@pytest.mark.parametrize(
    "mixture",
    [*map(two_modes, DISTANCES), OBLIQUE, random_mixture(1, 3, 0), random_mixture(5, 4, 1)],
    ids=lambda mixture: f"d={mixture.dim}, {np.ptp(mixture.means):.0f} wide",
)
def test_exact_scores_stretch_in_every_direction_at_every_step(mixture):
    # Corollary of docs/method.md, section 3: G' >= I, K' >= b I, eigenvalues of K' G' >= 1.
    flow = make_flow(mixture, max_ratio=2.2)
    b = flow.ladder.schedule.rule.b
    for i, kappa in enumerate(flow.ladder.schedule.kappas[:-1].tolist()):
        shells = [shell(mixture, kappa, radius) for radius in SHELLS]
        y = np.concatenate([*shells, between(mixture, kappa)])
        inner, outer = step_jacobians(flow, i, y)
        # A denoiser's derivative averages products of |f| and |V^-1 (y - centre)|, which cancel:
        # their rounding, times h, is what may be missing.
        products = (np.linalg.norm(y, axis=1) + 1) ** 2 * (1 + np.abs(mixture.means).max())
        slack = roundoff(64 * mixture.dim, 1.0) * products * np.linalg.norm(inner, axis=(1, 2))
        assert np.all(np.linalg.eigvalsh((inner + inner.swapaxes(1, 2)) / 2)[:, 0] >= 1 - slack)
        assert np.all(np.linalg.eigvalsh((outer + outer.swapaxes(1, 2)) / 2)[:, 0] >= b - slack)
        assert np.all(np.linalg.det(inner) > 0)
        assert np.all(np.linalg.det(outer) > 0)


@pytest.mark.parametrize("mixture", [two_modes(4.0), two_modes(30.0), OBLIQUE])
@pytest.mark.parametrize("radius", SHELLS)
def test_shells_have_a_density(mixture, radius):
    flow = make_flow(mixture)
    kappa = flow.ladder.schedule.end.kappa
    x = shell(mixture, kappa, radius) / kappa
    log_density, score = flow.log_density_and_score(x)
    assert np.isfinite(log_density).all()
    assert np.isfinite(score).all()


# ---- two estimates of the distance to a truth


def distances(flow: ScoreFlow, truth: GaussianMixture, n: int) -> tuple[FloatArray, FloatArray]:
    """(1 - p / q)+ at draws of the flow's and (1 - q / p)+ at draws of the truth."""
    own = flow.draw(n, rng=np.random.default_rng(1))
    true = truth.draw(n, rng=np.random.default_rng(2))
    at_own = truth.log_density(own) - flow.log_density(own)
    at_true = flow.log_density(true) - truth.log_density(true)
    return -np.expm1(np.minimum(at_own, 0)), -np.expm1(np.minimum(at_true, 0))


@pytest.mark.parametrize(
    ("crude", "degree"), [(OBLIQUE, -1), (OBLIQUE, 2), (two_modes(10.0), -1), (two_modes(4.0), 1)]
)
def test_both_estimates_of_total_variation_agree(crude, degree):
    flow = make_flow(crude, degree=degree, amplitude=0.05)
    one, other = distances(flow, OBLIQUE if crude is OBLIQUE else crude, 6000)
    # Both estimate the same integral if and only if q integrates to one, as p does.
    allowed = bernstein(one, comparisons=2) + bernstein(other, comparisons=2)
    assert abs(one.mean() - other.mean()) <= allowed
    assert allowed < 0.05  # the smallest fault of mass that is sure to be seen


# ---- the mutant: explicit Heun from data to noise, with exact denoisers


class DataToNoise:
    """x to z by explicit Heun in (y, kappa); log density by the product of |det| of its steps."""

    def __init__(self, mixture: GaussianMixture, kappas: FloatArray) -> None:
        self.mixture, self.kappas = mixture, kappas

    def field(self, kappa: float, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        level = NoiseLevel.from_kappa(kappa)
        noised = self.mixture.at(level)
        gates = noised.responsibilities(level.sigma * y)
        gain = kappa * np.linalg.solve(
            kappa**2 * self.mixture.covariances + np.eye(self.mixture.dim),
            self.mixture.covariances,
        )
        centred = y[:, None] - kappa * self.mixture.means
        own = self.mixture.means + np.einsum("kij,nkj->nki", gain, centred)
        mean = np.einsum("nk,nki->ni", gates, own)
        spread = own - mean[:, None]
        covariance = np.einsum("nk,nki,nkj->nij", gates, spread, spread)
        return mean, np.einsum("nk,kij->nij", gates, gain) + kappa * covariance

    def __call__(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log q (n,) and whether a step's determinant was not positive (n,)."""
        eye = np.eye(self.mixture.dim)
        y = self.kappas[-1] * x
        log_det = np.full(len(x), self.mixture.dim * np.log(self.kappas[-1]))
        folded = np.zeros(len(x), dtype=bool)
        for kappa, before in pairwise(self.kappas[::-1].tolist()):
            h = kappa - before
            first, slope = self.field(kappa, y)
            guess, turn = y - h * first, eye - h * slope
            second, last = self.field(before, guess)
            y = y - 0.5 * h * (first + second)
            sign, part = np.linalg.slogdet(eye - 0.5 * h * (slope + last @ turn))
            folded |= sign <= 0
            log_det += part
        scale = np.hypot(1, self.kappas[0])
        log_det -= self.mixture.dim * np.log(scale)
        log_normal = -0.5 * ((y / scale) ** 2).sum(axis=1)
        return log_normal - 0.5 * self.mixture.dim * np.log(2 * np.pi) + log_det, folded


def mutant(mixture: GaussianMixture) -> DataToNoise:
    return DataToNoise(mixture, make_flow(mixture).ladder.schedule.kappas)


def test_the_mutant_is_written_down_right():
    # Its derivative by differences, and, with many short steps and one mode, the right answer.
    wrong = mutant(two_modes(4.0))
    y = np.random.default_rng(0).normal(size=(10, 2))
    want, error = derivative(lambda at: wrong.field(0.7, at)[0], y)
    assert np.all(np.abs(wrong.field(0.7, y)[1] - want) <= error)
    one = GaussianMixture([1.0], np.zeros((1, 2)), [np.eye(2)])
    log_density, folded = DataToNoise(one, np.geomspace(1e-2, 1e2, 500))(y)
    assert not folded.any()
    assert np.abs(log_density - one.log_density(y)).max() < 1e-3


@pytest.mark.parametrize("distance", [10.0, 30.0, 100.0])
def test_the_mutant_is_caught(distance):
    mixture = two_modes(distance)
    wrong = mutant(mixture)
    x = lattice([-distance / 2 - 3, -3], [distance / 2 + 3, 3], 0.25)
    assert wrong(x)[1].mean() > 0.05  # a determinant that is not positive
    assert mass(lambda x: wrong(x)[0], mixture, 0.25) - 1 > 10 * NORMALISED


def test_a_round_trip_does_not_catch_the_mutant():
    # Why mass and signs are tested at all: on its own modes it is close to the truth.
    mixture = two_modes(30.0)
    x = mixture.draw(200, rng=np.random.default_rng(3))
    assert np.abs(mutant(mixture)(x)[0] - mixture.log_density(x)).mean() < 0.5
