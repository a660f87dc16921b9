"""Far modes: mass, determinants, round trips, and densities on the bridges between them.

Between modes 30 sd apart the map stretches by exp(30^2 / 8): x cannot be had back from a z of 64
bits, whatever computes it. What can be promised there is that z and the density are right, and that
every step is undone; both are checked, the first against 50 digits.
"""

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

from symscore import ScoreDensity
from symscore.arrays import FloatArray
from symscore.compare.metrics import total_variation
from symscore.errors import InversionFailed
from symscore.flow.flow import ScoreFlow
from symscore.flow.kernels import density_rows, flow_scratch, invert
from symscore.learn import reference
from symscore.mixture import GaussianMixture
from symscore.recipes import Auto
from symscore.schedule import Schedule
from tests.flow.test_normalisation import SHELLS, between, shell, step_jacobians
from tests.flows import lattice, make_flow, random_mixture, two_modes

NORMALISED = 1e-3
ROUND_TRIP = 1e-8  # relative to the scale of what is compared
STANDARD_ERRORS = 4.0  # one false alarm in 16,000 comparisons, over seeds
DISTANCES = (4.0, 10.0, 30.0, 100.0)
DIMENSIONS = (1, 2, 5, 10)
DEGREES = (-1, 2)  # exact fields, and fields with random deviations
each_distance = pytest.mark.parametrize("distance", DISTANCES)
each_dimension = pytest.mark.parametrize("dim", DIMENSIONS)
each_degree = pytest.mark.parametrize("degree", DEGREES)


def axis(dim: int) -> FloatArray:
    """A unit vector that is no coordinate axis, so that matrices are full."""
    direction = np.random.default_rng(dim).normal(size=dim)
    return direction / np.linalg.norm(direction)


def far_modes(distance: float, dim: int) -> GaussianMixture:
    """Two unit Gaussians at `distance` along :func:`axis`."""
    half = distance / 2 * axis(dim)
    return GaussianMixture([0.5, 0.5], [-half, half], [np.eye(dim)] * 2)


def bridge(mixture: GaussianMixture, n: int) -> FloatArray:
    """Points half a standard deviation about the segment between the two modes."""
    share = np.linspace(0, 1, n)[:, None]
    start, end = mixture.means
    noise = np.random.default_rng(n).normal(size=(n, mixture.dim))
    return (1 - share) * start + share * end + 0.5 * noise


# ---- mass


@each_distance
@pytest.mark.parametrize(("dim", "step"), [(1, 1 / 32), (2, 0.4)])
@pytest.mark.parametrize(("degree", "amplitude"), [(2, 0.05), (3, 0.02)])
def test_mass_with_random_deviations(distance, dim, step, degree, amplitude):
    mixture = two_modes(distance, dim)
    flow = make_flow(mixture, degree=degree, amplitude=amplitude)
    x = lattice(mixture.means.min(axis=0) - 5, mixture.means.max(axis=0) + 5, step)
    log_density = np.empty(len(x))
    density_rows(*flow.packed, x, log_density, np.empty((0, dim)))  # NaN where asking would raise
    answered = ~np.isnan(log_density)
    assert answered.mean() >= 0.999
    assert abs(np.exp(log_density[answered]).sum() * step**dim - 1) <= NORMALISED


# ---- determinants, where no lattice is possible


@each_degree
@each_distance
@pytest.mark.parametrize("dim", [5, 10])
def test_no_step_folds_on_shells_or_bridges(dim, distance, degree):
    mixture = far_modes(distance, dim)
    flow = make_flow(mixture, degree=degree)
    for i, kappa in enumerate(flow.ladder.schedule.kappas[:-1].tolist()):
        shells = [shell(mixture, kappa, radius) for radius in SHELLS]
        for jacobian in step_jacobians(flow, i, np.concatenate([*shells, between(mixture, kappa)])):
            assert np.all(np.linalg.slogdet(jacobian)[0] > 0)


@each_degree
@each_distance
@pytest.mark.parametrize("dim", [5, 10])
def test_shells_and_bridges_have_a_density(dim, distance, degree):
    mixture = far_modes(distance, dim)
    flow = make_flow(mixture, degree=degree)
    shells = [shell(mixture, 1.0, radius, n=5) for radius in SHELLS]
    log_density, score = flow.log_density_and_score(np.concatenate([*shells, bridge(mixture, 20)]))
    assert np.isfinite(log_density).all()
    assert np.isfinite(score).all()


# ---- round trips


def round_trip_error(flow: ScoreFlow, x: FloatArray) -> float:
    return float(np.abs(flow.from_latent(flow.to_latent(x)) - x).max() / (1 + np.abs(x).max()))


@each_degree
@each_distance
@each_dimension
def test_round_trip_of_data_and_draws(dim, distance, degree):
    mixture = far_modes(distance, dim)
    flow = make_flow(mixture, degree=degree)
    rng = np.random.default_rng(0)
    z, data = rng.normal(size=(30, dim)), mixture.draw(30, rng=rng)
    x = flow.from_latent(z)
    assert np.abs(flow.to_latent(x) - z).max() <= ROUND_TRIP
    assert round_trip_error(flow, x) <= ROUND_TRIP
    assert round_trip_error(flow, data) <= ROUND_TRIP


@each_degree
@pytest.mark.parametrize("distance", [4.0, 10.0])
@each_dimension
def test_round_trip_of_bridges(dim, distance, degree):
    mixture = far_modes(distance, dim)
    flow = make_flow(mixture, degree=degree)
    assert round_trip_error(flow, bridge(mixture, 30)) <= ROUND_TRIP


def states(flow: ScoreFlow, x: FloatArray) -> FloatArray:
    """The states y_0 ... y_N that inverting one point x (d,) finds, (N + 1, d)."""
    numbers, layout = flow.packed
    work, at = flow_scratch(layout)
    assert np.isfinite(invert(numbers, layout, work, at, x))
    n_states = flow.ladder.schedule.n_steps + 1
    return work[: n_states * flow.dim].reshape(-1, flow.dim).copy()


def undone(flow: ScoreFlow, i: int, y: FloatArray, target: FloatArray) -> FloatArray:
    """Newton step (n, d) that is left of solving F(y) = target, F of step i by its formula."""
    rule, kappas = flow.ladder.schedule.rule, flow.ladder.schedule.kappas
    h = float(kappas[i + 1] - kappas[i])
    first = reference.denoise(flow.ladder.fields[2 * i], y)
    second = reference.denoise(flow.ladder.fields[2 * i + 1], y + rule.a * h * first)
    residual = target - y - h * ((1 - rule.w) * first + rule.w * second)
    inner, outer = step_jacobians(flow, i, y)
    return np.linalg.solve(outer @ inner, residual[..., None])[..., 0]


@each_degree
@each_distance
@each_dimension
def test_every_step_is_undone_on_bridges(dim, distance, degree):
    mixture = far_modes(distance, dim)
    flow = make_flow(mixture, degree=degree)
    x = bridge(mixture, 12)
    path = np.stack([states(flow, row) for row in x], axis=1)
    scale = 1 + np.linalg.norm(path, axis=2)
    end = path[-1] / flow.ladder.schedule.kappas[-1]
    assert np.abs(end - x).max() <= ROUND_TRIP * (1 + np.abs(x).max())
    for i in range(flow.ladder.schedule.n_steps):
        left = np.linalg.norm(undone(flow, i, path[i], path[i + 1]), axis=1)
        assert np.all(left <= ROUND_TRIP * scale[i])


@pytest.mark.parametrize(("dim", "degree", "amplitude"), [(1, 2, 0.05), (1, 3, 0.02)])
def test_the_very_middle_of_a_bridge_is_inverted(dim, degree, amplitude):
    flow = make_flow(two_modes(30.0, dim), degree=degree, amplitude=amplitude)
    assert np.isfinite(flow.log_density(np.zeros((1, dim)))).all()


# ---- bridges and shells against 50 digits


class Precise:
    """z and log q of two unit modes, to 50 digits: along their axis, and across it (linear)."""

    def __init__(self, schedule: Schedule, distance: float) -> None:
        self.half, self.rule = distance / 2, schedule.rule
        self.nodes, self.levels = schedule.kappas.tolist(), schedule.field_kappas.tolist()

    def denoise(self, kappa, y, tanh):
        """D(y) and D'(y), in the numbers that y is of."""
        kappa, half = type(y)(kappa), type(y)(self.half)
        noisy = kappa**2 + 1
        gate = tanh(kappa * half * y / noisy)
        slope = (kappa + half**2 * kappa * (1 - gate**2) / noisy) / noisy
        return (kappa * y + half * gate) / noisy, slope

    def step(self, i, y, tanh):
        """F(y) and F'(y) of step i."""
        kappa, stage = self.levels[2 * i : 2 * i + 2]
        a, w, h = self.coefficients(i, type(y))
        first, slope = self.denoise(kappa, y, tanh)
        second, last = self.denoise(stage, y + a * h * first, tanh)
        value = y + h * ((1 - w) * first + w * second)
        return value, 1 + h * ((1 - w) * slope + w * last * (1 + a * h * slope))

    def coefficients(self, i, number):
        h = number(self.nodes[i + 1]) - number(self.nodes[i])
        return number(self.rule.a), number(self.rule.w), h

    def invert(self, i, target):
        """Solve F(y) = target: in float64 to begin with, then by Newton's method."""
        near, reach = float(target), 1 + abs(float(target))
        start = brentq(lambda y: self.step(i, y, math.tanh)[0] - near, -reach, reach, maxiter=2000)
        y = mpmath.mpf(start)
        for _ in range(50):
            value, slope = self.step(i, y, mpmath.tanh)
            moved = (target - value) / slope
            y += moved
            if abs(moved) <= mpmath.mpf(10) ** -40 * (1 + abs(y)):
                return y
        raise AssertionError("Newton's method has not converged.")

    def growth(self, i):
        """The factor by which step i multiplies what is across the axis."""
        kappa, stage = map(mpmath.mpf, self.levels[2 * i : 2 * i + 2])
        a, w, h = self.coefficients(i, mpmath.mpf)
        first, second = kappa / (kappa**2 + 1), stage / (stage**2 + 1)
        return 1 + h * ((1 - w) * first + w * second * (1 + a * h * first))

    def __call__(self, along: float, across: float, dim: int) -> tuple[float, float, float]:
        """Return z along the axis, |z| across it, and log q."""
        with mpmath.workdps(50):
            start = mpmath.sqrt(1 + mpmath.mpf(self.nodes[0]) ** 2)
            y, stretch = along * mpmath.mpf(self.nodes[-1]), 1 / mpmath.mpf(self.nodes[-1])
            log_det = mpmath.mpf(0)
            for i in reversed(range(len(self.nodes) - 1)):
                y = self.invert(i, y)
                log_det += mpmath.log(self.step(i, y, mpmath.tanh)[1])
                stretch *= self.growth(i)
            log_det += mpmath.log(start / self.nodes[-1]) + (dim - 1) * mpmath.log(start * stretch)
            z, aside = y / start, across / (start * stretch)
            square = z**2 + aside**2 + dim * mpmath.log(2 * mpmath.pi)
            return float(z), float(aside), float(-square / 2 - log_det)


def assert_right(distance: float, dim: int, x: FloatArray, *, may_fail: bool = False) -> int:
    """Compare z and log q at rows x with 50 digits; return how many rows raised InversionFailed."""
    flow, direction = make_flow(far_modes(distance, dim)), axis(dim)
    precise, failed = Precise(flow.ladder.schedule, distance), 0
    for row in x:
        try:
            z, log_density = flow.to_latent(row[None])[0], flow.log_density(row[None])[0]
        except InversionFailed:
            assert may_fail
            failed += 1
            continue
        along = float(row @ direction)
        across = float(np.linalg.norm(row - along * direction))
        got = z @ direction, np.linalg.norm(z - (z @ direction) * direction), log_density
        want = precise(along, across, dim)
        scale = 1 + np.linalg.norm(want[:2]), 1 + np.linalg.norm(want[:2]), 1 + abs(want[2])
        assert np.all(np.abs(np.subtract(got, want)) <= ROUND_TRIP * np.array(scale))
    return failed


@each_distance
@each_dimension
def test_bridges_and_shells_are_right(dim, distance):
    mixture = far_modes(distance, dim)
    shells = [shell(mixture, 1.0, radius, n=1) for radius in SHELLS]
    middle = np.linspace(-0.3, 0.3, 5)[:, None] * axis(dim)  # where the gate turns over
    assert_right(distance, dim, np.concatenate([bridge(mixture, 8), middle, *shells]))


@each_distance
@pytest.mark.parametrize("dim", [1, 5])
def test_beyond_all_data_answers_are_right_or_refused(dim, distance):
    powers = np.array([3, 5, 7, 9, 12, 15, 30, 100, 140, 160, 200])
    direction = axis(dim) + 0.1 * np.random.default_rng(1).normal(size=dim)
    x = 10.0 ** powers[:, None] * direction
    assert 1 <= assert_right(distance, dim, x, may_fail=True) <= 5


# ---- two estimates of the distance to the truth


def assert_twins_agree(truth: GaussianMixture, flow: ScoreFlow, n: int) -> None:
    rng = np.random.default_rng(1)
    found = total_variation(
        truth.log_density,
        flow.log_density,
        draws_p=truth.draw(n, rng=rng),
        draws_q=flow.draw(n, rng=rng),
    )
    error = float(np.hypot(found.from_p.standard_error, found.from_q.standard_error))
    assert abs(found.from_p.value - found.from_q.value) <= STANDARD_ERRORS * error
    assert STANDARD_ERRORS * error <= 0.1  # the smallest fault of mass that is seen for certain


@each_dimension
def test_twin_distances_of_exact_fields_agree(dim):
    mixture = random_mixture(dim, 4, 3)
    assert_twins_agree(mixture, make_flow(mixture), 1000)


@pytest.mark.slow
@each_dimension
def test_twin_distances_of_a_fit_agree(dim):
    truth = random_mixture(dim, 3, 4)
    density = ScoreDensity(Auto(kmeans=(4,), em=(1, 3)), random_state=0)
    density.fit(truth.draw(1500, rng=np.random.default_rng(0)))
    assert_twins_agree(truth, density.flow_, 2000)
