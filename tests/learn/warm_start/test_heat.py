"""Heat times, sizes and the reverse update, against the proof's conditions and exact recursions."""

import math
from itertools import pairwise

import numpy as np
import pytest

from symscore.errors import BadOption, ResourceLimit
from symscore.learn.diffusion import reverse_diffusion
from symscore.learn.warm_start.heat import heat_step, heat_times, level_of, n_heat_times
from symscore.learn.warm_start.sizes import MOST_LEVELS, theory_sizes
from symscore.mixture import GaussianMixture
from tests.tolerances import roundoff

INSTANCE = {
    "epsilon": 0.3,
    "noise": 1.0,
    "dim": 1,
    "k": 1,
    "alpha_min": 0.5,
    "local_radius": 1.0,
    "support_radius": 2.0,
}


@pytest.mark.parametrize("step", [0.01, 0.3, 0.9])
def test_steps_are_as_large_as_the_proof_allows(step):
    """In Ornstein-Uhlenbeck time, no step is above kappa min(1, time at its end)."""
    times = heat_times(100.0, 0.01, step)
    assert times[0] == 100.0
    assert times[-1] == 0.01
    clock = np.log1p(times) / 2
    sizes, ends = -np.diff(clock), clock[1:]
    allowed = step * np.minimum(1, ends)
    slack = roundoff(16, 1.0)
    assert np.all(sizes <= allowed + slack)
    assert np.all(sizes[:-1] >= allowed[:-1] * (1 - 1e-9) - slack)  # all but the last are as large


def test_the_printed_exponent_breaks_the_condition():
    """With kappa = 1/2 and t_{k+1} = 1, as the corrected exponent does not."""
    step, before = 0.5, 1.0
    printed = (before + 1) * max(math.exp(-2 * step), (before + 1) ** -step) - 1
    moved = (math.log1p(before) - math.log1p(printed)) / 2
    end = math.log1p(printed) / 2
    assert moved > 1.9 * step * end
    corrected = heat_times(before, 0.1, step)[1]
    assert (math.log1p(before) - math.log1p(corrected)) / 2 <= step * math.log1p(
        corrected
    ) / 2 + 1e-15


@pytest.mark.parametrize(
    ("first", "last", "step"), [(100.0, 0.01, 0.05), (3.0, 1e-4, 0.5), (1e5, 1.0, 0.01)]
)
def test_their_number_is_bounded(first, last, step):
    count = len(heat_times(first, last, step))
    assert count <= n_heat_times(first, last, step) <= 1.1 * count + 4


def test_times_need_an_order():
    with pytest.raises(BadOption, match="Expected first > last > 0"):
        heat_times(0.1, 0.2, 0.5)


def test_sizes_are_those_of_the_theorems():
    sizes = theory_sizes(**INSTANCE, second_moment=5.0)
    assert sizes.first == pytest.approx(6 / 0.09, rel=1e-14)
    assert sizes.last == pytest.approx(0.09 / 2, rel=1e-14)
    assert sizes.step == pytest.approx(0.09 / (5 + math.log(6 / 0.09 + 1)), rel=1e-14)
    log = math.log(1 / 0.3)
    assert sizes.degree == math.ceil((log**3 + 1) * log**4)
    assert (sizes.rank, sizes.rounds, sizes.base) == (1, 1, 1.0)
    assert sizes.factor == pytest.approx(math.sqrt(math.log(2)), rel=1e-14)
    assert theory_sizes(**INSTANCE).first == pytest.approx((2**2 + 1 + 1) / 0.09, rel=1e-14)


@pytest.mark.parametrize(
    ("constant", "field", "factor"),
    [
        ("horizon_constant", "first", 2.0),
        ("cover_constant", "base", 2.0),
        ("cover_constant", "factor", 2.0),
        ("rounds_constant", "rounds", 2),
    ],
)
def test_every_constant_is_an_argument(constant, field, factor):
    one, two = (theory_sizes(**INSTANCE, **{constant: value}) for value in (1.0, 2.0))
    assert getattr(two, field) == factor * getattr(one, field)


def test_more_constants():
    one = theory_sizes(**INSTANCE)
    assert theory_sizes(**INSTANCE, step_constant=0.5).step == one.step / 2
    assert theory_sizes(**INSTANCE, degree_constant=0.1).degree < one.degree
    more = theory_sizes(**INSTANCE, samples_constant=10.0)
    assert more.log10_samples == pytest.approx(one.log10_samples + 1, rel=1e-12)


def test_large_instances_are_refused_with_their_numbers():
    large = theory_sizes(**{**INSTANCE, "epsilon": 0.05, "dim": 5, "k": 5})
    with pytest.raises(
        ResourceLimit, match=rf"at most {MOST_LEVELS} levels .* of degree {large.degree}"
    ):
        large.times()


@pytest.mark.parametrize("wrong", [{"epsilon": 0.6}, {"alpha_min": 1.0}, {"noise": 0.0}, {"k": 0}])
def test_sizes_refuse_what_the_theorem_does_not_cover(wrong):
    with pytest.raises(BadOption, match="Expected 0 < epsilon <= 1/2"):
        theory_sizes(**{**INSTANCE, **wrong})


def test_the_update_is_the_exponential_integrator():
    """In the coordinates of the heat flow, for the exact score of a mixture."""
    target = GaussianMixture([0.3, 0.7], [[-1.0, 0.5], [2.0, 0.0]], [np.eye(2), 0.5 * np.eye(2)])
    times = heat_times(50.0, 0.05, 0.4)
    n = 40
    fields = [target.at(level_of(t)) for t in times[:-1]]
    got = reverse_diffusion(fields, level_of(times[-1]), n, rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    y = np.sqrt(times[0] + 1) * rng.standard_normal((n, 2))
    for before, after in pairwise(times):
        noisy = GaussianMixture(
            target.weights, target.means, target.covariances + before * np.eye(2)
        )
        y = heat_step(y, noisy.score(y), before, after, rng.standard_normal((n, 2)))
    # Each step multiplies errors by at most rho = exp(step), 33 times over the whole way.
    growth = np.sqrt((times[0] + 1) / (times[-1] + 1))
    assert np.abs(got - y).max() <= growth**2 * roundoff(64 * len(times), 10.0)


def gaussian_end(mean, variance, times, pull):
    """Mean and variance after the reverse update with exact scores of N(mean, variance)."""
    m, v = 0.0, times[0] + 1
    for before, after in pairwise(times):
        c = pull(before, after) / (variance + before)
        m, v = m - c * (m - mean), (1 - c) ** 2 * v + before - after
    return m, v


def test_a_gaussian_is_sampled_by_the_corrected_update_and_not_by_the_printed_one():
    """N(2, 1/4): mean and variance by exact recursions; below t = 1 the printed pull is negative.

    The recursion is that of :func:`heat_step`, which is affine in y: checked at two points.
    """
    mean, variance = 2.0, 0.25
    times = heat_times(1e4, 1e-3, 0.02)

    def ours(before: float, after: float) -> float:
        zero, one = (
            heat_step(np.zeros((1, 1)), np.full((1, 1), s), before, after, np.zeros((1, 1)))
            for s in (0.0, 1.0)
        )
        return float((one - zero)[0, 0])

    m, v = gaussian_end(mean, variance, times, ours)
    # N(0, T + 1) in place of N(2, T + 1/4), and steps of first order in kappa.
    assert abs(m - mean) < 0.02 * mean
    assert abs(v / (variance + times[-1]) - 1) < 0.05

    def printed(before: float, after: float) -> float:
        return 2 * ((before - 1) - math.sqrt(max((after - 1) * (before - 1), 0.0)))

    low = [t for t in times if t < 1]
    assert all(printed(b, a) < 0 for b, a in pairwise(low))
