"""Warm starts: the population table, its failure, sizes, starts, and what options refuse."""

import numpy as np
import pytest

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.learn.ddpm import means as formulas
from symscore.learn.ddpm.choosing import affordable
from symscore.learn.ddpm.descent import descend, project_ball
from symscore.learn.ddpm.noised import Noise
from symscore.learn.ddpm.sizes import theory_sizes
from symscore.learn.ddpm.starts import FarthestCells, known_frame, to_data, to_frame
from symscore.learn.ddpm.two_stages import TwoStages, high_noise_time
from symscore.learn.ddpm.warm import WarmDescent
from symscore.learn.recipes.ddpm_gradient import DDPMGradient
from tests.flows import random_frame, random_mixture
from tests.tolerances import roundoff

TRUTH = np.array([[0.0, 0.0], [4.0, 0.0], [1.0, 4.0]])


def population(truth, step=0.15, reach=8.0):
    """Quadrature nodes of the mixture.

    Gates of means 5 apart are analytic in a strip of half-width pi / 5: the error of the
    trapezoid rule is exp(-2 pi (pi / 5) / step), 4e-12.
    """
    axis = np.arange(-reach, reach + step / 2, step)
    nodes = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    weights = np.exp(-0.5 * (nodes**2).sum(axis=1))
    x = np.concatenate([nodes + centre for centre in truth])
    return x, np.tile(weights / (len(truth) * weights.sum()), len(truth))


def run(start, steps, truth=TRUTH):
    x, weights = population(truth)
    return descend(
        start,
        lambda at: formulas.stein_gradient(at, x, weights),
        rate=len(truth) / 2,
        steps=steps,
    )[0]


def error(found, truth=TRUTH):
    return float(np.linalg.norm(found - truth, axis=1).max())


def test_from_a_warm_start_descent_contracts_faster_than_em():
    turn = 2 * np.pi * np.random.default_rng(0).random(3)
    start = TRUTH + 0.5 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    found = {steps: error(run(start, steps)) for steps in (1, 2, 5, 10)}
    # The published order of sizes for starts half an sd away: 2.9e-2, 4.3e-3, 2.5e-5, 5e-9.
    limits = {1: 0.1, 2: 0.02, 5: 2e-4, 10: 1e-7}
    assert all(found[steps] <= limits[steps] for steps in limits)
    x, weights = population(TRUTH)
    em = start
    for _ in range(10):
        em = formulas.em_step(em, x, weights)
    assert found[10] < 0.1 * error(em)


def test_the_truth_is_a_fixed_point():
    x, weights = population(TRUTH)
    assert np.abs(formulas.stein_gradient(TRUTH, x, weights)).max() <= 1e-10  # of the quadrature


def test_without_separation_or_from_a_bad_start_it_fails():
    """Two starts share the far component and the third is between the others: it stays so."""
    far = np.array([[-3.0, 0.0], [3.0, 0.0], [30.0, 0.0]])
    start = np.array([[0.0, 0.0], [29.5, 0.0], [30.5, 0.0]])
    assert error(run(start, 30, far), far) > 2.0


def test_descent_is_projected():
    end, _ = descend(np.array([1.0, 0.0]), lambda x: -x, rate=1.0, steps=9, radius=3.0)
    assert np.linalg.norm(end) == pytest.approx(3.0, abs=roundoff(8, 3.0))
    inside = np.array([[0.1, 0.2]])
    assert (project_ball(inside, 1.0) == inside).all()


def test_sizes_are_those_of_the_theorem():
    sizes = theory_sizes(epsilon=0.1, n_components=3, dim=20, bound=2.0, sample_constant=0.5)
    assert sizes.rows == pytest.approx(0.5 * 3**4 * 20.0**5 * 2.0**6 / 0.01, rel=1e-12)
    assert sizes.steps == int(np.ceil(np.log(np.log(20) / 0.1)))
    assert sizes.time == 0.1
    assert sizes.separation == sizes.warm_start == pytest.approx(np.sqrt(np.log(3)), rel=1e-12)
    assert high_noise_time(100) == pytest.approx(0.5 * np.log(100) + 0.5, rel=1e-15)


def test_theory_sized_instances_say_what_they_need():
    with pytest.raises(ResourceLimit, match=r"n' = .* rows; got 1.1e\+09, 16 GiB"):
        DDPMGradient.theory(epsilon=0.1, n_components=3, dim=2, bound=4.0)
    recipe = DDPMGradient.theory(
        epsilon=0.3, n_components=3, dim=2, bound=4.0, sample_constant=1e-5
    )
    x = np.random.default_rng(0).normal(size=(200, 2))
    with pytest.raises(BadData, match="Expected at least n' = 1180 distinct rows; got 200"):
        recipe.fit(x, np.ones(200), None, ("a", "b"), seed=0, progress=lambda *_: None)


def test_farthest_points_find_a_small_far_component():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(500, 2)), [30.0, 0.0] + 0.1 * rng.normal(size=(5, 2))])
    found = FarthestCells(2).fit(x, np.full(505, 1 / 505), seed=0)
    assert found.weights.min() == pytest.approx(5 / 505, abs=roundoff(505, 1.0))


def test_mixtures_survive_a_change_of_frame():
    mixture, frame = random_mixture(3, 2, 1), random_frame(3, 2)
    back = to_frame(to_data(mixture, frame), frame)
    condition = np.linalg.cond(frame.scale_tril) ** 2
    for part in ("means", "covariances"):
        gap = np.abs(getattr(back, part) - getattr(mixture, part)).max()
        assert gap <= roundoff(64, 100 * condition)


def test_affordable_numbers():
    assert affordable((8, 1, 3), 200, 2) == (1, 3)
    assert affordable((2, 3), 10, 2) == (1,)


@pytest.mark.parametrize("wrong", [np.eye(3), [[1.0, 0.5], [0.0, 1.0]], -np.eye(2)])
def test_a_covariance_that_is_none_is_refused(wrong):
    with pytest.raises(BadData, match=r"Expected a .*covariance"):
        known_frame(np.zeros((4, 2)), np.ones(4), np.asarray(wrong))


@pytest.mark.parametrize(
    "make",
    [
        lambda: TwoStages(rate=0.0),
        lambda: TwoStages(pairs=0),
        lambda: WarmDescent(noise=Noise.INTEGRATED),
        lambda: WarmDescent(steps=0),
        lambda: DDPMGradient(n_components=0),
        lambda: DDPMGradient(choices=()),
        lambda: DDPMGradient(method=WarmDescent()),
        lambda: DDPMGradient.paper(3, method=TwoStages()),
        lambda: theory_sizes(epsilon=2.0, n_components=2, dim=2, bound=1.0),
    ],
)
def test_options_outside_their_domain_are_refused(make):
    with pytest.raises(BadOption, match="Expected"):
        make()
