"""Noise levels, the coefficients of the step, and the levels that it joins."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from symscore.errors import BadOption, NoStepRule
from symscore.schedule import (
    CLEAN,
    KAPPA_NOISE,
    NoiseLevel,
    Schedule,
    StepRule,
    balanced_step,
)
from tests.tolerances import EPS, roundoff

KAPPAS = st.floats(1e-6, 1e6)
TIMES = st.floats(1e-12, 8.0)
HEUN = StepRule(1.0, 0.5)
LAST_DIGIT = 0.5e-8  # the table below gives eight decimals

# Ratio: a, and the largest accumulated error of a long ladder (docs/method.md, section 4).
TABLE = {
    1.2: (0.57407579, 1e-13),
    1.492: (0.59813382, 6.5e-11),
    1.794: (0.63611970, 1.75e-7),
    2.2: (0.72486225, 1.65e-5),
}


# ---- noise levels


def test_a_pythagorean_level_is_exact():
    assert NoiseLevel.from_kappa(0.75) == NoiseLevel(0.6, 0.8)
    assert math.isinf(CLEAN.kappa)
    assert CLEAN.t == 0


@given(KAPPAS)
def test_kappa_round_trip(kappa):
    level = NoiseLevel.from_kappa(kappa)
    assert math.isclose(level.kappa, kappa, rel_tol=roundoff(6, 1))
    assert abs(level.alpha**2 + level.sigma**2 - 1) <= roundoff(8, 1)


@given(TIMES)
def test_time_round_trip_keeps_its_digits_at_small_times(t):
    # alpha = exp(-t) is off by an ulp and (sigma / alpha)^2 grows with t: t is off by e^(2 t) / t
    # ulps only where alpha alone would tell it; sigma carries the digits here.
    level = NoiseLevel.from_time(t)
    assert math.isclose(level.t, t, rel_tol=roundoff(12, 1))
    assert level.alpha == math.exp(-t)


@given(TIMES, TIMES)
def test_times_add(first, second):
    level = NoiseLevel.from_time(first).then(NoiseLevel.from_time(second))
    assert math.isclose(level.t, first + second, rel_tol=roundoff(24, 1))


@given(KAPPAS)
def test_clean_data_are_neutral(kappa):
    level = NoiseLevel.from_kappa(kappa)
    assert CLEAN.then(level) == level
    assert level.then(CLEAN) == level


@pytest.mark.parametrize(
    ("alpha", "sigma"),
    [(0.6, 0.6), (0.0, 1.0), (-0.6, 0.8), (0.6, -0.8), (math.nan, 0.5), (1.1, 0.0)],
)
def test_numbers_that_are_no_level_are_refused(alpha, sigma):
    with pytest.raises(BadOption, match="Expected 0 < alpha <= 1"):
        NoiseLevel(alpha, sigma)


@pytest.mark.parametrize("kappa", [0.0, -1.0, math.inf, math.nan])
def test_bad_kappa_is_refused(kappa):
    with pytest.raises(BadOption, match="Expected a positive finite kappa"):
        NoiseLevel.from_kappa(kappa)


@pytest.mark.parametrize("t", [-1e-9, math.inf, math.nan])
def test_bad_time_is_refused(t):
    with pytest.raises(BadOption, match="Expected a finite time t >= 0"):
        NoiseLevel.from_time(t)


# ---- the step


def denoised(kappa: float, variance: float, y: float) -> float:
    """E[x_0 | y] for x_0 ~ N(0, variance)."""
    return kappa * variance * y / (kappa**2 * variance + 1)


def step_error(rule: StepRule, ratio: float, log_s: float) -> float:
    """log of (step / exact flow) on a Gaussian of variance e^log_s, from kappa = 1."""
    variance, h = math.exp(log_s), ratio - 1
    slope = denoised(1.0, variance, 1.0)
    stage = denoised(1.0 + rule.a * h, variance, 1.0 + rule.a * h * slope)
    moved = h * ((1 - rule.w) * slope + rule.w * stage)
    return math.log1p(moved) - 0.5 * math.log((ratio**2 * variance + 1) / (variance + 1))


def accumulated_error(rule: StepRule, ratio: float) -> float:
    """Largest error over all phases of a ladder that is long at both ends."""
    period = 2 * math.log(ratio)
    reach = math.ceil(60 / period)  # terms fall like e^-|log s|: e^-60 is under all rounding
    phases = np.linspace(0, period, 12, endpoint=False).tolist()
    return max(
        abs(math.fsum(step_error(rule, ratio, p + period * j) for j in range(-reach, reach)))
        for p in phases
    )


@pytest.mark.parametrize("ratio", TABLE)
def test_the_tabulated_coefficients(ratio):
    a, _ = TABLE[ratio]
    rule = balanced_step(ratio)
    assert abs(rule.a - a) <= LAST_DIGIT
    assert rule.w == 1 - 0.2 * rule.a
    assert math.isclose(rule.b, 0.2, rel_tol=roundoff(8, 1))


def test_the_second_coefficient_of_the_table():
    assert abs(balanced_step(1.492).w - 0.88037324) <= LAST_DIGIT


@pytest.mark.parametrize("ratio", [1.01, *TABLE, 2.5])
def test_the_mean_error_is_zero_and_only_there(ratio):
    def mean(rule: StepRule) -> tuple[float, float]:
        return quad(lambda s: step_error(rule, ratio, s), -45, 45, epsabs=1e-13, limit=400)

    rule = balanced_step(ratio)
    value, quadrature = mean(rule)
    # The rule's own sum ends at |log s| = 24, and errors fall like (ratio - 1) e^-|log s|.
    assert abs(value) <= quadrature + roundoff(16, 90) + 2 * (ratio - 1) * math.exp(-24)
    nearby = [mean(StepRule(a, 1 - 0.2 * a))[0] for a in (rule.a - 1e-6, rule.a + 1e-6)]
    assert nearby[0] * nearby[1] < 0


@pytest.mark.parametrize("ratio", TABLE)
def test_what_a_long_ladder_leaves_of_any_gaussian(ratio):
    rounding = roundoff(16, 4 * math.ceil(60 / (2 * math.log(ratio))))
    assert accumulated_error(balanced_step(ratio), ratio) <= TABLE[ratio][1] + rounding


def test_another_rule_would_be_seen():
    assert accumulated_error(HEUN, 1.492) > 1e-2
    assert accumulated_error(balanced_step(1.5), 1.492) > 1e-5


def test_there_is_no_rule_for_far_levels():
    assert balanced_step(2.54).a < 1.2
    with pytest.raises(NoStepRule, match=r"Expected a level ratio of at most about 2.5, got 2.55"):
        balanced_step(2.55)


@pytest.mark.parametrize("ratio", [1.0, 0.5, math.inf, math.nan])
def test_a_ratio_that_is_none_is_refused(ratio):
    with pytest.raises(BadOption, match="Expected a level ratio above 1"):
        balanced_step(ratio)


# ---- schedules


@given(st.floats(0.031, 1e6), st.floats(1.05, 2.5))
def test_levels_are_uniform_and_as_few_as_the_ratio_allows(kappa_data, max_ratio):
    schedule = Schedule.up_to(kappa_data, max_ratio=max_ratio)
    logs, n = np.log(schedule.kappas), schedule.n_steps
    span = math.log(kappa_data / KAPPA_NOISE)
    # Each log is off by an ulp of itself; the ratio's own error is raised to the power n.
    slack = roundoff(8 * (n + 1), float(np.abs(logs).max()) + 1)
    assert schedule.kappas[0] == KAPPA_NOISE
    assert np.abs(logs - logs[0] - span * np.arange(n + 1) / n).max() <= slack
    assert span / n <= math.log(max_ratio) * (1 + 4 * EPS)
    assert n == 1 or span / (n - 1) > math.log(max_ratio)


def test_the_rule_belongs_to_the_ratio_in_use():
    schedule = Schedule.up_to(20.0, max_ratio=1.5)
    ratio = math.exp(math.log(20 / KAPPA_NOISE) / schedule.n_steps)
    assert ratio < 1.5
    assert schedule.rule == balanced_step(ratio)


def test_stages_lie_exactly_between_their_nodes():
    schedule = Schedule.up_to(20.0)
    kappas, fields = schedule.kappas, schedule.field_kappas
    assert fields.shape == (2 * schedule.n_steps,)
    assert fields[::2].tolist() == kappas[:-1].tolist()
    stages = kappas[:-1] + schedule.rule.a * (kappas[1:] - kappas[:-1])
    assert fields[1::2].tolist() == stages.tolist()
    assert schedule.end == NoiseLevel.from_kappa(float(kappas[-1]))


def test_levels_cannot_be_changed():
    schedule = Schedule.up_to(20.0)
    with pytest.raises(ValueError, match="read-only"):
        schedule.kappas[0] = 1.0


@pytest.mark.parametrize("kappas", [[1.0], [2.0, 1.0], [0.0, 1.0], [1.0, math.inf], [1.0, 1.0]])
def test_kappas_that_do_not_rise_are_refused(kappas):
    with pytest.raises(BadOption, match="Expected at least two positive, increasing"):
        Schedule(np.array(kappas), HEUN)


@pytest.mark.parametrize("kappa_data", [KAPPA_NOISE, 0.0, math.inf, math.nan])
def test_an_end_before_the_beginning_is_refused(kappa_data):
    with pytest.raises(BadOption, match="Expected a finite kappa_data above"):
        Schedule.up_to(kappa_data)


@pytest.mark.parametrize("max_ratio", [1.0, math.nan])
def test_a_max_ratio_that_is_none_is_refused(max_ratio):
    with pytest.raises(BadOption, match="Expected max_ratio above 1"):
        Schedule.up_to(20.0, max_ratio=max_ratio)
