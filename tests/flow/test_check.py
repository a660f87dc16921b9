"""The fit-time check: it leaves sound ladders alone and mends those that fold."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from symscore.errors import FieldShrunk
from symscore.flow.check import MARGIN, Step, make_bijective, search
from symscore.flow.flow import ScoreFlow
from symscore.flow.probes import probes
from symscore.learn.batch import jacobian_batch
from symscore.learn.ladder import ScoreLadder
from tests.flows import make_ladder, random_mixture

CRUDE = random_mixture(2, 3, 4)
BEND = 0.5  # of the deviations: far more than a fit ever leaves


def data(seed: int, n: int = 300):
    return CRUDE.draw(n, rng=np.random.default_rng(seed))


def checked(ladder: ScoreLadder, seed: int = 0):
    """The mended ladder and its report; a FieldShrunk warning is an error."""
    return make_bijective(ladder, data(seed), rng=np.random.default_rng(seed))


def mended(ladder: ScoreLadder, seed: int = 0):
    with pytest.warns(FieldShrunk, match="scaled down at .* of .* steps to keep the flow"):
        return checked(ladder, seed)


def ladder_step(ladder: ScoreLadder, i: int) -> Step:
    h = float(np.diff(ladder.schedule.kappas)[i])
    return Step(ladder.fields[2 * i], ladder.fields[2 * i + 1], h, ladder.schedule.rule)


def lowest(ladder: ScoreLadder, i: int, y) -> tuple[float, float]:
    """Smallest eigenvalues of sym(G') and sym(K') of step i at y, written out."""
    rule, kappas = ladder.schedule.rule, ladder.schedule.kappas
    h, eye = float(kappas[i + 1] - kappas[i]), np.eye(ladder.dim)
    value, slope = jacobian_batch(ladder.fields[2 * i].packed, y)
    inner = eye + rule.a * h * slope
    stage = y + rule.a * h * value
    _, slope = jacobian_batch(ladder.fields[2 * i + 1].packed, stage)
    outer = (1 - rule.b) * np.linalg.inv(inner) + rule.b * eye + rule.w * h * slope
    one, other = (
        float(np.linalg.eigvalsh((m + m.swapaxes(1, 2)) / 2).min()) for m in (inner, outer)
    )
    return one, other


def noised(ladder: ScoreLadder, i: int, seed: int):
    rng = np.random.default_rng([seed, i])
    x = data(seed)
    return ladder.schedule.kappas[i] * x + rng.normal(size=x.shape)


@pytest.mark.parametrize("degree", [-1, 1, 2])
def test_a_sound_ladder_is_returned_as_it_is(degree):
    ladder = make_ladder(CRUDE, degree=degree, amplitude=0.005)
    same, checks = checked(ladder)
    assert all(one is other for one, other in zip(same.fields, ladder.fields, strict=True))
    assert len(checks) == ladder.schedule.n_steps
    assert all(check.factors == (1.0, 1.0) for check in checks)
    assert all(min(check.first_stage, check.second_stage) >= MARGIN for check in checks)
    assert all(check.n_points > 300 for check in checks)


def test_an_exact_ladder_has_the_eigenvalues_of_the_theorem():
    ladder = make_ladder(CRUDE)
    _, checks = checked(ladder)
    # sym G' >= I and sym K' >= b I; far out, products of size |y|^2 = 1e8 in J round.
    assert all(check.first_stage >= 1 - 1e-6 for check in checks)
    assert all(check.second_stage >= ladder.schedule.rule.b - 1e-6 for check in checks)


def test_a_folding_ladder_is_mended_and_then_passes_at_fresh_points():
    ladder = make_ladder(CRUDE, degree=1, amplitude=BEND)
    sound, checks = mended(ladder)
    shrunk = [i for i, check in enumerate(checks) if check.factors != (1.0, 1.0)]
    assert shrunk
    for i, check in enumerate(checks):
        assert min(check.first_stage, check.second_stage) >= MARGIN
        # Fresh points may lie a little lower than those that were searched, not below zero.
        assert min(lowest(sound, i, noised(sound, i, seed=7))) > 0
    before = [min(lowest(ladder, i, noised(ladder, i, seed=7))) for i in shrunk]
    assert min(before) < 0


def test_deviations_are_scaled_by_what_the_report_says():
    ladder = make_ladder(CRUDE, degree=1, amplitude=BEND)
    sound, checks = mended(ladder)
    factors = np.ravel([check.factors for check in checks])
    assert factors.min() >= 0
    assert factors.max() <= 1
    for old, new, factor in zip(ladder.fields, sound.fields, factors, strict=True):
        assert (new.coef == factor * old.coef).all()
        assert new.crude is old.crude
        assert new.level == old.level
    assert sound.schedule is ladder.schedule
    assert sound.frame is ladder.frame


def test_deviations_are_not_scaled_down_much_further_than_needed():
    ladder = make_ladder(CRUDE, degree=1, amplitude=BEND)
    sound, checks = mended(ladder)
    # Each mending goes to CAUTION of the factor that passes; the next ones find little more. With
    # twice the factor left, the step fails.
    rows, rng = data(0), np.random.default_rng(1)
    for i, check in enumerate(checks):
        step = ladder_step(sound, i)
        for stage, part in enumerate(("first", "second")):
            factor = check.factors[stage]
            if 0 < factor <= 0.5:
                larger = replace(step, **{part: getattr(step, part).scaled(2.0)})
                fresh = probes(step.first, rows, rng=rng)
                assert search(larger, fresh, rng=rng)[1][:, stage].min() < MARGIN


@pytest.mark.parametrize(
    ("crude", "degree", "amplitude"),
    [
        (CRUDE, 1, BEND),
        (CRUDE, 2, 0.2),  # folds in corners that are easily missed
        (CRUDE, 3, 0.3),
        (random_mixture(2, 8, 1), 2, 0.1),
        (random_mixture(1, 3, 0), 3, BEND),
    ],
)
def test_mended_flows_invert_at_all_their_draws(crude, degree, amplitude):
    ladder = make_ladder(crude, degree=degree, amplitude=amplitude)
    rng = np.random.default_rng(0)
    with pytest.warns(FieldShrunk):
        sound, _ = make_bijective(ladder, crude.draw(300, rng=rng), rng=rng)
    flow = ScoreFlow(sound)
    z = np.random.default_rng(3).normal(size=(2000, crude.dim))
    assert np.abs(flow.to_latent(flow.from_latent(z)) - z).max() <= 1e-8


def test_one_bad_step_is_mended_alone():
    ladder = make_ladder(CRUDE, degree=2, amplitude=0.005)
    bad = 2 * (ladder.schedule.n_steps // 2) + 1
    fields = list(ladder.fields)
    fields[bad] = fields[bad].scaled(200.0)
    sound, checks = mended(replace(ladder, fields=tuple(fields)))
    changed = [k for k, (a, b) in enumerate(zip(fields, sound.fields, strict=True)) if a is not b]
    assert set(changed) <= {bad - 1, bad}
    assert checks[bad // 2].factors[0] == 1.0
    assert 0 < checks[bad // 2].factors[1] < 1


def test_the_same_seed_gives_the_same_check():
    ladder = make_ladder(CRUDE, degree=2, amplitude=0.005)
    assert checked(ladder, 3)[1] == checked(ladder, 3)[1]


def test_few_rows_are_enough():
    ladder = make_ladder(CRUDE, degree=1, amplitude=0.005)
    _, checks = make_bijective(ladder, data(0, 5), rng=np.random.default_rng(0))
    assert len(checks) == ladder.schedule.n_steps


def test_one_dimension():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FieldShrunk)
        crude, rng = random_mixture(1, 3, 0), np.random.default_rng(0)
        ladder = make_ladder(crude, degree=3, amplitude=BEND)
        sound, _ = make_bijective(ladder, crude.draw(300, rng=rng), rng=rng)
    z = np.linspace(-3, 3, 400)[:, None]
    x = ScoreFlow(sound).from_latent(z)
    assert np.all(np.diff(x[:, 0]) > 0)  # on the line a bijection is an increasing function
    unsound = ScoreFlow(ladder).from_latent(z)
    assert np.any(np.diff(unsound[:, 0]) < 0)
