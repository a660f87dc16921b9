"""Gradients of the objective: finite differences, the compiled twin, and the paper's formulas."""

import numpy as np
import pytest

from symscore.learn.ddpm import kernels, means, reference
from symscore.learn.ddpm.free import FreeDescent
from symscore.learn.ddpm.layout import Layout
from symscore.learn.ddpm.noised import Noise
from symscore.learn.ddpm.objective import ddpm_slope, stein_slope
from symscore.learn.ddpm.starts import given_covariance
from symscore.learn.select import Sample
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel
from tests.flows import random_mixture
from tests.tolerances import derivative, monte_carlo, roundoff

LEVEL = NoiseLevel.from_kappa(1.3)
N = 400
TRUTH = random_mixture(2, 3, 5)
STUDENT = random_mixture(2, 3, 7)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    clean, z = TRUTH.draw(N, rng=rng), rng.standard_normal((N, 2))
    return clean, z, LEVEL.alpha * clean + LEVEL.sigma * z, rng.dirichlet(np.ones(N))


def slopes(rows):
    _, z, x, share = rows
    return {
        "seen": lambda student: ddpm_slope(student, x, z, share),
        "unseen": lambda student: stein_slope(student, x, share),
    }


@pytest.mark.parametrize("form", ["seen", "unseen"])
def test_the_slope_is_the_derivative_of_the_loss(rows, form):
    slope, student = slopes(rows)[form], STUDENT.at(LEVEL)

    def losses(vectors):
        found = []
        for vector in vectors:
            logits, moved, entries = np.split(vector, [3, 9])
            weights = student.weights * np.exp(logits)
            change = np.zeros((3, 2, 2))
            change[:, 0, 0], change[:, 1, 1] = entries[0:3], entries[3:6]
            change[:, 0, 1] = change[:, 1, 0] = entries[6:9]
            mixture = GaussianMixture(
                weights / weights.sum(),
                student.means + moved.reshape(3, 2),
                student.covariances + change,
                LEVEL,
            )
            found.append(slope(mixture).loss)
        return np.array(found)

    want, error = derivative(losses, np.zeros((1, 18)))
    got = slope(student)
    by = got.covariances
    flat = [got.logits, got.means.ravel(), by[:, 0, 0], by[:, 1, 1], 2 * by[:, 0, 1]]
    assert np.all(np.abs(np.concatenate(flat) - want[0]) <= error[0])


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(("k", "d"), [(1, 1), (3, 2), (4, 5)])
def test_the_compiled_sums_are_those_of_the_twin(seen, k, d):
    rng = np.random.default_rng(k)
    x, noise, weights = rng.normal(size=(60, d)), rng.normal(size=(60, d)), rng.random(60)
    roots = np.tril(rng.normal(size=(k, d, d))) + 2 * np.eye(d)
    centres, traces = rng.normal(size=(k, d)), (roots**2).sum(axis=(1, 2))
    shapes = [(k,), (k,), (k, d), (k, d), (k, d, d), (k, d, d)]
    found = []
    for twin in (kernels, reference):
        sums = [np.zeros(shape) for shape in shapes]
        how = seen, np.linspace(-1, 0, k), centres, roots, traces
        loss = twin.add_sums(
            x, noise, weights, *how, np.empty((2 * k + 2, k + d)), np.empty(d), *sums
        )
        found.append([np.array(loss), *sums])
    for own, other in zip(*found, strict=True):
        assert np.abs(own - other).max() <= roundoff(60 * 8 * d * d, 10 * np.abs(other).max() + 1)


def test_the_papers_formulas_are_the_case_of_unit_covariances(rows):
    _, z, x, share = rows
    students = STUDENT.means
    unit = GaussianMixture(np.full(3, 1 / 3), students, np.tile(np.eye(2), (3, 1, 1)), LEVEL)
    size = roundoff(8 * N, 100.0)
    got = means.stein_gradient(students, x, share)
    assert np.abs(got - stein_slope(unit, x, share).means).max() <= size
    got = means.ddpm_gradient(students, x, z, share, sigma=LEVEL.sigma)
    assert np.abs(got - ddpm_slope(unit, x, z, share).means).max() <= size
    # The losses differ by what no student changes, E|x|^2 - 2 d.
    constant = share @ (x**2).sum(axis=1) - 4
    assert (
        abs(means.stein_loss(students, x, share) + constant - stein_slope(unit, x, share).loss)
        <= size
    )


def test_seeing_the_noise_changes_nothing_on_average():
    """Differences of the two gradients, of noise alone, have mean 0: alarm 1e-6 over all entries.

    A sign or factor wrong in one term, .1 or more of a gradient, is over ten standard errors.
    """
    rng = np.random.default_rng(1)
    clean, share, student = TRUTH.draw(50, rng=rng), np.full(50, 0.02), STUDENT.at(LEVEL)
    gaps = []
    for _ in range(600):
        z = rng.standard_normal(clean.shape)
        x = LEVEL.alpha * clean + LEVEL.sigma * z
        one, other = ddpm_slope(student, x, z, share), stein_slope(student, x, share)
        parts = [one.logits - other.logits, one.means - other.means]
        parts += [one.covariances - other.covariances]
        loss = one.loss - other.loss - 2 / LEVEL.sigma**2
        gaps.append(np.concatenate([[loss], *[part.ravel() for part in parts]]))
    found = np.array(gaps)
    limit = monte_carlo(600, found.std(axis=0, ddof=1), comparisons=found.shape[1])
    assert np.all(np.abs(found.mean(axis=0)) <= 1.1 * limit + roundoff(600, 1.0))


def test_at_the_truth_the_gradient_is_noise():
    rng = np.random.default_rng(2)
    n = 20_000
    x = TRUTH.at(LEVEL).draw(n, rng=rng)
    parts = [stein_slope(TRUTH.at(LEVEL), own, np.full(200, 1 / 200)) for own in np.split(x, 100)]
    found = np.array([np.concatenate([p.logits, p.means.ravel()]) for p in parts])
    limit = monte_carlo(100, found.std(axis=0, ddof=1), comparisons=9)
    assert np.all(np.abs(found.mean(axis=0)) <= 1.4 * limit)  # Student's t, 99 degrees of freedom


@pytest.mark.parametrize("noise", [Noise.SAMPLED, Noise.STEIN])
@pytest.mark.parametrize(
    "how", [{}, {"shared": True}, {"equal": True}, {"known": True}, {"shared": True, "equal": True}]
)
def test_free_parameters_have_the_gradient_of_all_levels(rows, noise, how):
    sample = Sample(rows[0], rows[3], np.zeros(N, dtype=np.int64), 0)
    method = FreeDescent(noise=noise, pairs=1, ratio=4.0)
    start = STUDENT if "shared" not in how else given_covariance(STUDENT, STUDENT.covariances[0])
    levels = method.levels(0.3)
    noises = method.noises(sample, levels)
    layout = Layout(start, levels[-1].kappa ** -2, **how)
    at = 0.1 * np.random.default_rng(3).normal(size=layout.size)

    def losses(vectors):
        found = [method.slope(layout.mixture(v), sample, levels, noises).loss for v in vectors]
        return np.array(found)

    want, error = derivative(losses, at[None])
    slope = method.slope(layout.mixture(at), sample, levels, noises)
    assert np.all(np.abs(layout.gradient(at, slope) - want[0]) <= error[0])


def test_the_start_is_the_origin_of_its_layout():
    layout = Layout(STUDENT, 1e-3)
    found = layout.mixture(np.zeros(layout.size))
    for part in ("weights", "means", "covariances"):
        gap = np.abs(getattr(found, part) - getattr(STUDENT, part)).max()
        assert gap <= roundoff(16, 10.0)


def test_the_loss_of_all_levels_is_the_negative_log_likelihood():
    """Differences between mixtures agree, but for noise beyond the ends and the sampled noise.

    The levels of ratio 1.5 reach kappa sd = 20: measured gap .004 of a difference of .25; the
    limit, .02, is far below what one level more or less would add.
    """
    x = TRUTH.draw(4000, rng=np.random.default_rng(4))
    sample = Sample(x, np.full(4000, 1 / 4000), np.zeros(4000, dtype=np.int64), 0)
    method = FreeDescent(ratio=1.5, reach=20.0, pairs=4)
    levels = method.levels(0.3)
    noises = method.noises(sample, levels)
    wide = GaussianMixture(TRUTH.weights, TRUTH.means, 1.5 * TRUTH.covariances)
    losses = [method.slope(m, sample, levels, noises).loss for m in (wide, TRUTH)]
    nats = float((TRUTH.log_density(x) - wide.log_density(x)).mean())
    assert abs(losses[0] - losses[1] - nats) <= 0.02
