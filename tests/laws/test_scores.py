"""What holds for every score: of a mixture, of a learned level, of a flow."""

import numpy as np
import pytest

from symscore.arrays import FloatArray
from symscore.errors import BadData
from symscore.learn.hard import HardScore
from tests.flows import make_flow, random_field, random_frame, random_mixture
from tests.tolerances import derivative, monte_carlo, roundoff

CRUDE = random_mixture(2, 3, 5, spread=0.8)
NOISY = CRUDE.at(random_field(CRUDE, 1.5, -1, 0.0, 0).level)
FIELD = random_field(CRUDE, 1.5, 2, 0.02, 0)
HARD = HardScore(CRUDE, FIELD.level, FIELD.coef, 3.0)
FLOW = make_flow(CRUDE, degree=2, frame=random_frame(2, 5))

# Name: the score, a log density that it is the gradient of (if it is one's), and draws.
SCORES = {
    "mixture": (CRUDE.score, CRUDE.log_density, CRUDE.draw),
    "noised mixture": (NOISY.score, NOISY.log_density, NOISY.draw),
    "learned level": (FIELD.score, None, NOISY.draw),
    "level without deviation": (FIELD.scaled(0.0).score, NOISY.log_density, NOISY.draw),
    "level with hard cells": (HARD.score, None, NOISY.draw),
    "flow": (FLOW.score, FLOW.log_density, FLOW.draw),
}
DENSITIES = {name: parts for name, parts in SCORES.items() if parts[1] is not None}
each_score = pytest.mark.parametrize("parts", SCORES.values(), ids=SCORES)
each_density = pytest.mark.parametrize("parts", DENSITIES.values(), ids=DENSITIES)


def points(parts, n: int) -> FloatArray:
    return parts[2](n, rng=np.random.default_rng(1))


@each_score
@pytest.mark.parametrize("n", [0, 1, 7])
def test_one_vector_per_row(parts, n):
    x = points(parts, n)
    value = parts[0](x)
    assert value.shape == x.shape
    assert value.dtype == np.float64
    assert np.isfinite(value).all()


@each_score
def test_input_is_left_alone_and_any_order_of_memory_will_do(parts):
    x = points(parts, 30)
    before = x.copy()
    value = parts[0](x)
    assert (x == before).all()
    assert (parts[0](np.asfortranarray(x)) == value).all()
    assert (parts[0](x.tolist()) == value).all()
    assert (parts[0](np.repeat(x, 2, axis=0)[::2]) == value).all()


@each_score
def test_rows_are_independent(parts):
    x = points(parts, 30)
    order = np.random.default_rng(2).permutation(30)
    assert np.abs(parts[0](x[order]) - parts[0](x)[order]).max() <= roundoff(64, 1e3)


@each_score
@pytest.mark.parametrize("x", [[[0.0, np.nan]], [[0.0]], [0.0, 0.0], [[[0.0, 0.0]]]])
def test_what_are_no_points_is_refused(parts, x):
    with pytest.raises(BadData, match=r"Expected (finite x|x of shape)"):
        parts[0](x)


@each_density
def test_score_is_the_gradient_of_its_log_density(parts):
    x = points(parts, 10)
    want, error = derivative(parts[1], x, step=2.0**-13)
    assert np.all(np.abs(parts[0](x) - want) <= error)


@each_density
def test_mean_score_under_its_density_is_zero(parts):
    # E[grad log p] = 0, and E[grad log p (x)^T x] = -d: Stein's identity for x itself.
    n = 4000
    x = points(parts, n)
    score = parts[0](x)
    along = (score * x).sum(axis=1)
    checks = 3 * len(DENSITIES)
    limit = monte_carlo(n, score.std(axis=0), comparisons=checks)
    assert np.all(np.abs(score.mean(axis=0)) <= limit)
    assert abs(along.mean() + 2) <= monte_carlo(n, along.std(), comparisons=checks)
