"""The papers' sampler on a target whose every step is known: one Gaussian, exact fields."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.errors import BadData, BadOption
from symscore.learn.field import PiecewiseScore
from symscore.learn.ladder import ScoreLadder
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel, Schedule
from tests.flows import identity, make_ladder, random_frame, random_mixture
from tests.tolerances import dvoretzky, gaussian_variance, monte_carlo

MEAN, VARIANCE = 2.0, 0.25
TARGET = GaussianMixture([1.0], [[MEAN]], [[[VARIANCE]]])
DRAWS = 40_000


def rho(level: NoiseLevel, following: NoiseLevel) -> float:
    return float(np.exp(level.t - following.t))


def rho_as_printed(level: NoiseLevel, following: NoiseLevel) -> float:
    return float(np.exp((level.t - following.t) / 2))


def moments(ladder: ScoreLadder, factor: Callable = rho) -> tuple[float, float]:
    """Mean and variance of the sampler's output: every step is affine in x plus a Gaussian."""
    mean, variance = 0.0, 1.0
    levels = [*ladder.levels, ladder.schedule.end]
    for level, following in pairwise(levels):
        r = factor(level, following)
        precision = 1 / (level.alpha**2 * VARIANCE + level.sigma**2)
        slope = r - 2 * (r - 1) * precision
        mean = slope * mean + 2 * (r - 1) * precision * level.alpha * MEAN
        variance = slope**2 * variance + r**2 - 1
    end = ladder.schedule.end
    return mean / end.alpha, variance / end.alpha**2


def draw_as_printed(ladder: ScoreLadder, n: int) -> FloatArray:
    """Algorithm 1 of arXiv 2404.18893 with its printed factor."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 1))
    for field, (level, following) in zip(
        ladder.fields, pairwise([*ladder.levels, ladder.schedule.end]), strict=True
    ):
        r = rho_as_printed(level, following)
        x = r * x + 2 * (r - 1) * field.score(x) + np.sqrt(r**2 - 1) * rng.standard_normal(x.shape)
    return x / ladder.schedule.end.alpha


def has_moments(x: FloatArray, mean: float, variance: float) -> bool:
    low, high = gaussian_variance(len(x), comparisons=2)
    near = abs(x.mean() - mean) <= monte_carlo(len(x), variance**0.5, comparisons=2)
    return bool(near and low <= np.mean((x - mean) ** 2) / variance <= high)


@pytest.fixture(scope="module")
def ladder():
    return make_ladder(TARGET, max_ratio=1.3)


def test_draws_have_the_moments_of_the_recursion(ladder):
    x = ladder.draw(DRAWS, rng=np.random.default_rng(1))
    assert has_moments(x, *moments(ladder))


def test_the_recursion_ends_near_the_target(ladder):
    # The step is of first order: halving the ratio's logarithm halves what is missing, and
    # extrapolating leaves a part of what it corrects. The mean lacks only what starting from
    # N(0, 1) instead of alpha_0 MEAN = 0.06 leaves of it after the ladder.
    coarse, fine = moments(ladder), moments(make_ladder(TARGET, max_ratio=1.3**0.5))
    assert abs(coarse[0] - MEAN) < 0.01 * MEAN
    correction = coarse[1] - fine[1]
    assert abs(fine[1] - correction - VARIANCE) < correction / 4


def test_the_printed_factor_is_caught(ladder):
    wrong = draw_as_printed(ladder, DRAWS)
    assert has_moments(wrong, *moments(ladder, rho_as_printed))
    assert not has_moments(wrong, *moments(ladder))
    assert abs(wrong.mean() - MEAN) > 0.1


def test_the_frame_is_applied_last():
    crude, frame = random_mixture(2, 3, 1), random_frame(2, 1)
    plain, framed = (
        make_ladder(crude, degree=1, amplitude=0.01, frame=f, max_ratio=2.4) for f in (None, frame)
    )
    one = plain.draw(50, rng=np.random.default_rng(0))
    other = framed.draw(50, rng=np.random.default_rng(0))
    assert (other == frame.unwhiten(one)).all()


def test_mixture_draws_are_close_to_the_mixture():
    crude = GaussianMixture([0.3, 0.7], [[-2.0], [1.0]], [[[0.3]], [[0.5]]])
    n = 20_000
    x = make_ladder(crude, max_ratio=1.2).draw(n, rng=np.random.default_rng(2))
    truth = np.sort(crude.draw(n, rng=np.random.default_rng(3)), axis=0)
    below = np.searchsorted(np.sort(x[:, 0]), truth[:, 0]) / n
    # Two samples, and a discretisation that widens Gaussians by 3 % (the recursion above), which
    # moves a distribution function by at most .03 exp(-1/2) / sqrt(2 pi) < .01.
    distance = np.abs(below - (np.arange(n) + 0.5) / n).max()
    assert distance <= 2 * dvoretzky(n, comparisons=2) + 0.01


def test_the_same_seed_gives_the_same_draws(ladder):
    one, other = (ladder.draw(30, rng=np.random.default_rng(5)) for _ in range(2))
    assert (one == other).all()


def test_another_method_is_refused(ladder):
    with pytest.raises(BadOption, match=r"Expected method 'ddpm'; got 'flow'"):
        ladder.draw(1, rng=np.random.default_rng(0), method="flow")


# ---- what is no ladder


def fields_at(kappas) -> tuple[PiecewiseScore, ...]:
    none = np.zeros((1, 0, 1))
    return tuple(PiecewiseScore(TARGET, NoiseLevel.from_kappa(k), none) for k in kappas)


def test_levels_and_fields_are_in_order():
    schedule = Schedule.up_to(20.0, max_ratio=2.0)
    ladder = ScoreLadder(identity(1), schedule, fields_at(schedule.field_kappas), ["a"])
    assert ladder.levels == tuple(field.level for field in ladder.fields)
    assert ladder.at(3) is ladder.fields[3]
    assert ladder.dim == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda kappas: kappas[:-1], "fields, two a step"),
        (lambda kappas: kappas[::-1], "levels to be those of the schedule"),
        (lambda kappas: kappas * (1 + 1e-9), "levels to be those of the schedule"),
    ],
)
def test_fields_of_other_levels_are_refused(change, message):
    schedule = Schedule.up_to(20.0, max_ratio=2.0)
    fields = fields_at(change(schedule.field_kappas))
    with pytest.raises(BadData, match=f"Expected .*{message}"):
        ScoreLadder(identity(1), schedule, fields, ("a",))


@pytest.mark.parametrize(("dim", "names"), [(1, ("a", "b")), (2, ("a",)), (2, ("a", "b"))])
def test_another_dimension_is_refused(dim, names):
    schedule = Schedule.up_to(20.0, max_ratio=2.0)
    with pytest.raises(BadData, match="fields and names of dimension"):
        ScoreLadder(identity(dim), schedule, fields_at(schedule.field_kappas), names)
