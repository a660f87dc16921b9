"""Seeded faults of a flow, each caught by checks that the flow itself passes.

A check sees a flow through four functions (:class:`Parts`); a mutant is the same flow with one of
them wrong in a way that a programmer might get it wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.compare.metrics import mean_log_density, total_variation
from symscore.flow.flow import ScoreFlow
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import Schedule, StepRule
from tests.flow.test_normalisation import DataToNoise, step_jacobians
from tests.flows import lattice, make_flow, random_field, random_frame, random_mixture, two_modes
from tests.tolerances import derivative, monte_carlo, roundoff

NORMALISED = 1e-3
STANDARD_ERRORS = 4.0  # one false alarm in 16,000 comparisons, over seeds
# The ends of a ladder leave a few 1e-4 of a Gaussian's standard deviation (docs/method.md, section
# 4), 3e-4 here; the midpoint rule leaves 1.2e-3, and 5 % in `a` alone 4e-3.
WIDTH = 5e-4


@dataclass(frozen=True)
class Parts:
    """A flow as four functions, and the law that it was made for."""

    flow: ScoreFlow
    truth: GaussianMixture
    push: Callable[[FloatArray], FloatArray]
    log_density: Callable[[FloatArray], FloatArray]
    score: Callable[[FloatArray], FloatArray]
    draw: Callable[[int, np.random.Generator], FloatArray]


def parts_of(flow: ScoreFlow) -> Parts:
    """The sound one: truth is the mixture of the exact fields, smoothed as the ladder ends."""
    ladder = flow.ladder
    crude, frame, kappa = ladder.at(0).crude, ladder.frame, ladder.schedule.end.kappa
    covariances = crude.covariances + np.eye(crude.dim) / kappa**2
    truth = GaussianMixture(
        crude.weights,
        frame.unwhiten(crude.means),
        frame.scale_tril @ covariances @ frame.scale_tril.T,
    )
    return Parts(
        flow,
        truth,
        flow.from_latent,
        flow.log_density,
        flow.score,
        lambda n, rng: flow.draw(n, rng=rng),
    )


# ---- the targets, each in a frame of its own that changes volumes

TARGETS = {
    "one Gaussian": make_flow(
        GaussianMixture([1.0], [[0.3, -0.2]], [[[0.9, 0.2], [0.2, 0.5]]]), frame=random_frame(2, 1)
    ),
    "modes that overlap": make_flow(random_mixture(2, 3, 5, spread=0.8), frame=random_frame(2, 5)),
    "modes 10 sd apart": make_flow(two_modes(10.0), frame=random_frame(2, 3)),
    "five dimensions": make_flow(random_mixture(5, 3, 2, spread=0.8), frame=random_frame(5, 2)),
}


# ---- the checks


def check_mass(parts: Parts) -> None:
    """The integral over a lattice that resolves modes and bridges is one."""
    frame, crude = parts.flow.ladder.frame, parts.flow.ladder.at(0).crude
    sd = np.linalg.eigvalsh(crude.covariances) ** 0.5
    reach, step = 6 * sd.max(), min(0.5 * sd.min(), 0.25)
    u = lattice(crude.means.min(axis=0) - reach, crude.means.max(axis=0) + reach, step)
    volume = step**crude.dim * np.diagonal(frame.scale_tril).prod()
    assert abs(np.exp(parts.log_density(frame.unwhiten(u))).sum() * volume - 1) <= NORMALISED


def check_change_of_variables(parts: Parts) -> None:
    """The density is that of N(0, I) moved by the map, differentiated by differences."""
    dim = parts.flow.dim
    z = np.random.default_rng(0).normal(size=(20, dim))
    slope, error = derivative(parts.push, z, step=2.0**-13)
    normal = -0.5 * (z**2).sum(axis=1) - 0.5 * dim * np.log(2 * np.pi)
    limit = 2 * np.einsum("nij,nji->n", np.abs(np.linalg.inv(slope)), error)
    got = parts.log_density(parts.push(z))
    want = normal - np.linalg.slogdet(slope)[1]
    assert np.all(np.abs(got - want) <= limit + roundoff(10**4, 1 + np.abs(got)))
    assert np.median(limit) <= 1e-5  # so that the comparison says something


def check_gradient(parts: Parts) -> None:
    """The score is the gradient of the log density."""
    x = parts.flow.draw(12, rng=np.random.default_rng(0))
    want, error = derivative(parts.log_density, x, step=2.0**-11)
    assert np.all(np.abs(parts.score(x) - want) <= error)
    assert np.median(error) <= 1e-6 * np.abs(want).max()


def check_twins(parts: Parts) -> None:
    """Draws of either side give one total variation distance."""
    rng = np.random.default_rng(1)
    found = total_variation(
        parts.truth.log_density,
        parts.log_density,
        draws_p=parts.truth.draw(4000, rng=rng),
        draws_q=parts.draw(4000, rng),
    )
    error = np.hypot(found.from_p.standard_error, found.from_q.standard_error)
    assert abs(found.from_p.value - found.from_q.value) <= STANDARD_ERRORS * error


def check_draws(parts: Parts) -> None:
    """The mean log density of data is that of own draws.

    Five per cent in scale are d / 20 nats; 20,000 / d rows make that seven standard errors in
    every dimension, of which `limit` is 4.9.
    """
    n, rng = 20_000 // parts.flow.dim, np.random.default_rng(2)
    data = mean_log_density(parts.log_density(parts.truth.draw(n, rng=rng)))
    own = mean_log_density(parts.log_density(parts.draw(n, rng)))
    limit = monte_carlo(1, np.hypot(data.standard_error, own.standard_error))
    assert abs(data.value - own.value) <= limit


def check_width(parts: Parts) -> None:
    """One Gaussian comes out as wide as it is, in every direction."""
    origin = np.zeros((1, parts.flow.dim))
    matrix = (parts.push(np.eye(parts.flow.dim)) - parts.push(origin)).T
    root = np.linalg.cholesky(parts.truth.covariances[0])
    ratios = np.linalg.svd(np.linalg.solve(root, matrix), compute_uv=False)
    assert np.abs(ratios - 1).max() <= WIDTH


CHECKS = {
    "mass": (check_mass, ("modes that overlap", "modes 10 sd apart")),
    "change of variables": (check_change_of_variables, ("modes that overlap", "five dimensions")),
    "gradient": (check_gradient, ("modes that overlap", "five dimensions")),
    "twins": (check_twins, ("modes that overlap", "modes 10 sd apart", "five dimensions")),
    "draws": (check_draws, ("one Gaussian", "modes that overlap", "five dimensions")),
    "width": (check_width, ("one Gaussian",)),
}
RUNS = [(check, target) for check, (_, targets) in CHECKS.items() for target in targets]


# ---- the mutants


def heun_from_data_to_noise(parts: Parts) -> Parts:
    """Explicit in the direction that folds, with the absolute value of its determinant."""
    ladder = parts.flow.ladder
    inner = DataToNoise(ladder.at(0).crude, ladder.schedule.kappas)
    frame = ladder.frame
    return replace(parts, log_density=lambda x: inner(frame.whiten(x))[0] - frame.log_det)


def heavier(parts: Parts, by: float) -> Parts:
    """A constant of the log density wrong."""
    return replace(parts, log_density=lambda x: parts.log_density(x) + by)


def no_volume_of_the_whitening(parts: Parts) -> Parts:
    return heavier(parts, parts.flow.ladder.frame.log_det)


def no_ratio_of_sigmas(parts: Parts) -> Parts:
    """Without d log(sigma kappa), sigma of the noise end and kappa of the data end."""
    return heavier(parts, -parts.flow.dim * log_sigma_kappa(parts.flow.ladder.schedule))


def ratio_of_sigmas_upside_down(parts: Parts) -> Parts:
    return heavier(parts, -2 * parts.flow.dim * log_sigma_kappa(parts.flow.ladder.schedule))


def sigma_of_the_noise_end_forgotten(parts: Parts) -> Parts:
    """Nine ten-thousandths of the mass in d = 2: no sum over a lattice sees it."""
    return heavier(
        parts, parts.flow.dim * 0.5 * np.log1p(parts.flow.ladder.schedule.kappas[0] ** 2)
    )


def alpha_not_undone(parts: Parts) -> Parts:
    """1 / sigma of the data end for its kappa, alpha / sigma."""
    level = parts.flow.ladder.schedule.end
    return heavier(parts, -parts.flow.dim * np.log(level.alpha))


def log_sigma_kappa(schedule: Schedule) -> float:
    return float(np.log(schedule.kappas[-1]) - 0.5 * np.log1p(schedule.kappas[0] ** 2))


def path(flow: ScoreFlow, x: FloatArray) -> FloatArray:
    """The states y_0 ... y_N that lead to x (n, d), (N + 1, n, d)."""
    return flow.latent_path(flow.to_latent(x))


def only_stage(which: int) -> Callable[[Parts], Parts]:
    def mutate(parts: Parts) -> Parts:
        flow = parts.flow

        def log_density(x: FloatArray) -> FloatArray:
            value = parts.log_density(x)
            for i, y in enumerate(path(flow, x)[:-1]):
                value += np.linalg.slogdet(step_jacobians(flow, i, y)[1 - which])[1]
            return value

        return replace(parts, log_density=log_density)

    return mutate


def log_det(flow: ScoreFlow, i: int, y: FloatArray) -> FloatArray:
    """log |det| of step i at y (n, d)."""
    inner, outer = step_jacobians(flow, i, y)
    return np.linalg.slogdet(inner)[1] + np.linalg.slogdet(outer)[1]


def gradient(parts: Parts, *, implicit: bool = True, determinants: bool = True) -> Parts:
    """The gradient as a sweep along the path, all of it or with a term left out.

    With L_i the part of log q that the states up to y_i determine,
    grad L_{i+1} = F'^-T (grad L_i - grad log det F'): the inverse is what solving for y_i brings.
    """
    flow = parts.flow
    schedule, frame = flow.ladder.schedule, flow.ladder.frame

    def score(x: FloatArray) -> FloatArray:
        states = path(flow, x)
        bar = -states[0] / (1 + schedule.kappas[0] ** 2)
        for i, y in enumerate(states[:-1]):
            if determinants:
                bar = bar - derivative(lambda at, i=i: log_det(flow, i, at), y)[0]
            if implicit:
                inner, outer = step_jacobians(flow, i, y)
                whole = (outer @ inner).swapaxes(1, 2)
                bar = np.linalg.solve(whole, bar[..., None])[..., 0]
        return schedule.kappas[-1] * np.linalg.solve(frame.scale_tril.T, bar.T).T

    return replace(parts, score=score)


def with_rule(rule_of: Callable[[StepRule], StepRule]) -> Callable[[Parts], Parts]:
    """A flow of the same exact fields that steps by another rule, and does so throughout."""

    def mutate(parts: Parts) -> Parts:
        ladder = parts.flow.ladder
        schedule = Schedule(ladder.schedule.kappas, rule_of(ladder.schedule.rule))
        crude, levels = ladder.at(0).crude, schedule.field_kappas.tolist()
        fields = tuple(random_field(crude, kappa, -1, 0.0, 0) for kappa in levels)
        changed = ScoreLadder(ladder.frame, schedule, fields, ladder.names)
        return replace(parts_of(ScoreFlow(changed)), truth=parts.truth)

    return mutate


swapped = with_rule(lambda rule: StepRule(rule.a, 1 - rule.w))
heun = with_rule(lambda _: StepRule(1.0, 0.5))
midpoint = with_rule(lambda _: StepRule(0.5, 1.0))
a_off = with_rule(lambda rule: StepRule(1.05 * rule.a, rule.w))


def swapped_where_inverted(parts: Parts) -> Parts:
    """w and 1 - w swapped in the density, not in the draws."""
    return replace(parts, log_density=swapped(parts).log_density)


def stretched(factor: float) -> Callable[[Parts], Parts]:
    """Draws off in scale, about the centre of the frame."""

    def mutate(parts: Parts) -> Parts:
        loc = parts.flow.ladder.frame.loc
        return replace(parts, draw=lambda n, rng: loc + factor * (parts.draw(n, rng) - loc))

    return mutate


# Mutant: how it is made, and every (check, target) that must catch it.
MUTANTS = {
    "Heun from data to noise": (heun_from_data_to_noise, [("mass", "modes 10 sd apart")]),
    "no volume of the whitening": (
        no_volume_of_the_whitening,
        [(check, "modes that overlap") for check in ("mass", "change of variables", "twins")],
    ),
    "determinant of the first stage alone": (
        only_stage(0),
        [(check, "modes that overlap") for check in ("mass", "change of variables", "gradient")],
    ),
    "determinant of the second stage alone": (
        only_stage(1),
        [(check, "modes that overlap") for check in ("mass", "change of variables", "gradient")],
    ),
    "no ratio of sigmas": (
        no_ratio_of_sigmas,
        [("mass", "modes that overlap"), ("twins", "five dimensions")],
    ),
    "ratio of sigmas upside down": (
        ratio_of_sigmas_upside_down,
        [("mass", "modes that overlap"), ("twins", "five dimensions")],
    ),
    "sigma of the noise end forgotten": (
        sigma_of_the_noise_end_forgotten,
        [("change of variables", "modes that overlap")],
    ),
    "alpha of the data end not undone": (
        alpha_not_undone,
        [("change of variables", "modes that overlap"), ("mass", "modes 10 sd apart")],
    ),
    "w and 1 - w swapped": (swapped, [("width", "one Gaussian"), ("draws", "one Gaussian")]),
    "w and 1 - w swapped in the density": (
        swapped_where_inverted,
        [("change of variables", "modes that overlap"), ("change of variables", "five dimensions")],
    ),
    "Heun's coefficients": (heun, [("width", "one Gaussian")]),
    "the midpoint's coefficients": (midpoint, [("width", "one Gaussian")]),
    "a off by 5 %": (a_off, [("width", "one Gaussian")]),
    "gradient without the implicit term": (
        lambda parts: gradient(parts, implicit=False),
        [("gradient", "modes that overlap"), ("gradient", "five dimensions")],
    ),
    "gradient without the determinants": (
        lambda parts: gradient(parts, determinants=False),
        [("gradient", "modes that overlap"), ("gradient", "five dimensions")],
    ),
    "draws 5 % too wide": (stretched(1.05), [("draws", target) for target in CHECKS["draws"][1]]),
    "draws 5 % too narrow": (
        stretched(0.95),
        [("draws", target) for target in CHECKS["draws"][1]],
    ),
}
CAUGHT = [(mutant, *run) for mutant, (_, runs) in MUTANTS.items() for run in runs]


@pytest.mark.parametrize(("check", "target"), RUNS)
def test_the_flow_itself_passes(check, target):
    CHECKS[check][0](parts_of(TARGETS[target]))


@pytest.mark.parametrize(("mutant", "check", "target"), CAUGHT)
def test_the_mutant_is_caught(mutant, check, target):
    parts = MUTANTS[mutant][0](parts_of(TARGETS[target]))
    with pytest.raises(AssertionError):
        CHECKS[check][0](parts)


def test_every_check_catches_something():
    assert {check for _, check, _ in CAUGHT} == set(CHECKS)


@pytest.mark.parametrize("target", ["modes that overlap", "five dimensions"])
def test_the_twin_of_the_gradient_is_right_when_nothing_is_left_out(target):
    # So that the mutants of the gradient are wrong for the reason they are named by.
    check_gradient(gradient(parts_of(TARGETS[target])))


def test_both_stages_together_are_the_determinant():
    parts = parts_of(TARGETS["modes that overlap"])
    flow, schedule = parts.flow, parts.flow.ladder.schedule
    x = flow.draw(10, rng=np.random.default_rng(3))
    states = path(flow, x)
    log_dets = sum(log_det(flow, i, y) for i, y in enumerate(states[:-1]))
    z = states[0] / np.hypot(1, schedule.kappas[0])
    normal = -0.5 * (z**2).sum(axis=1) - np.log(2 * np.pi)
    constant = 2 * log_sigma_kappa(schedule) - flow.ladder.frame.log_det
    want = normal - log_dets + constant
    assert np.abs(parts.log_density(x) - want).max() <= 1e-8
