"""The greedy cover by brute force, and warm starts on a known mixing measure."""

from itertools import combinations

import numpy as np
import pytest

from symscore.errors import BadOption
from symscore.learn.warm_start.covers import greedy_cover, warm_starts
from symscore.learn.warm_start.means import fit_means

ATOMS = np.array([-4.0, -2.5, 2.2, 3.5])
SHARES = np.array([0.2, 0.3, 0.3, 0.2])


@pytest.mark.parametrize("seed", range(5))
def test_every_pick_is_the_heaviest(seed):
    rng = np.random.default_rng(seed)
    points, weights = rng.normal(size=(40, 2)), rng.dirichlet(np.ones(40))
    cover = greedy_cover(points, weights, 0.7, 6)
    left = np.ones(40, dtype=bool)
    for centre in cover.centres:
        near = np.sqrt(((points[:, None] - points) ** 2).sum(axis=2)) <= 0.7
        held = (near & left).astype(float) @ weights
        own = np.flatnonzero((points == centre).all(axis=1))[0]
        assert left[own]
        assert held[own] >= held[left].max() - 1e-12
        left &= ~near[own]
    assert cover.covered == pytest.approx(1 - weights[left].sum(), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_the_greedy_cover_is_nearly_as_good_as_the_best(seed):
    """Lemma 5.13: if k balls cover 1 - eps, k ln(1 / eps) of twice the radius cover 1 - 2 eps.

    The best balls are found by trying all; an uncovered point of such a ball covers it with twice
    the radius.
    """
    rng = np.random.default_rng(seed)
    points, k = rng.normal(size=(16, 2)), 3
    near = ((points[:, None] - points) ** 2).sum(axis=2) <= 0.6**2
    best = max(near[list(few)].any(axis=0).mean() for few in combinations(range(16), k))
    eps = max(1 - best, 1e-3)
    rounds = int(np.ceil(k * np.log(1 / eps)))
    cover = greedy_cover(points, np.full(16, 1 / 16), 1.2, rounds)
    assert cover.covered >= 1 - 2 * eps - 1e-12


def test_balls_that_hold_too_little_are_left_out_but_for_the_first():
    points = np.array([[0.0], [0.1], [0.2], [9.0]])
    cover = greedy_cover(points, np.full(4, 0.25), 0.5, 10, least=2)
    assert cover.centres.ravel().tolist() == [0.0]
    assert cover.covered == pytest.approx(0.75, rel=1e-15)
    assert len(greedy_cover(points, np.full(4, 0.25), 0.5, 10).centres) == 2
    assert len(greedy_cover(points, np.full(4, 0.25), 0.5, 10, least=99).centres) == 1
    assert len(greedy_cover(points, np.full(4, 0.25), 0.01, 2).centres) == 2


def test_centres_are_apart():
    points = np.random.default_rng(0).normal(size=(300, 2))
    centres = greedy_cover(points, np.full(300, 1 / 300), 0.8, 50).centres
    apart = np.sqrt(((centres[:, None] - centres) ** 2).sum(axis=2)) + np.eye(len(centres))
    assert apart.min() > 0.8


@pytest.mark.parametrize("wrong", [{"radius": 0.0}, {"rounds": 0}, {"points": np.zeros((0, 1))}])
def test_covers_are_of_something(wrong):
    given = {"points": np.zeros((2, 1)), "radius": 1.0, "rounds": 1, **wrong}
    with pytest.raises(BadOption, match="Expected points, radius > 0 and rounds >= 1"):
        greedy_cover(
            given["points"], np.ones(len(given["points"])), given["radius"], given["rounds"]
        )


def test_warm_starts_cover_the_support():
    """Four atoms in two groups of radius R_0 = .75, about 6 apart: each is near some centre.

    The conclusion of Lemma 5.12 has a wider radius than the balls of the algorithm, R~ + R_0 here;
    a group that no centre stands for is 4.7 away. Each group has 1000 rows, so chance has no part.
    """
    rng = np.random.default_rng(0)
    n, noise = 2000, 1.0
    x = (rng.choice(ATOMS, p=SHARES, size=n) + noise * rng.normal(size=n))[:, None]
    weights = np.full(n, 1 / n)
    mean = fit_means(
        x, weights, [], np.zeros((1, 1)), 4.0, noise=noise, degree=3, ball=10.0, radius=10.0
    )
    radius = 2.5
    cover = warm_starts(mean, x, weights, rng.normal(size=(n, 1)), radius, 6)
    assert cover.covered > 0.99
    assert len(cover.centres) <= 6
    assert np.abs(ATOMS[:, None] - cover.centres[:, 0]).min(axis=1).max() <= radius + 0.75
    again = mean.posterior_mean(x)
    assert np.abs(cover.centres).max() <= np.abs(again).max() + radius
