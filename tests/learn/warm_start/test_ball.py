"""The coefficient ball: its optimality conditions, and a brute-force search."""

import numpy as np
import pytest

from symscore.errors import BadOption
from symscore.learn.warm_start.ball import ball_least_squares
from tests.tolerances import roundoff


def problem(size: int, dim: int, seed: int, condition: float = 1e3):
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(size, size)))
    values = np.geomspace(1, 1 / condition, size)
    return turn @ np.diag(values) @ turn.T, rng.normal(size=(size, dim))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.9, 0.1, 1e-3])
def test_the_optimality_conditions_hold(seed, share):
    gram, cross = problem(6, 2, seed)
    free = np.linalg.solve(gram, cross)
    radius = share * float(np.linalg.norm(free))
    found = ball_least_squares(gram, cross, radius)
    assert found.multiplier > 0
    assert abs(np.linalg.norm(found.coef) / radius - 1) <= roundoff(200, 1e3)
    residual = gram @ found.coef + found.multiplier * found.coef - cross
    assert np.abs(residual).max() <= roundoff(200, 1e3 * np.abs(cross).max())


def test_a_wide_ball_changes_nothing():
    gram, cross = problem(5, 3, 0)
    free = np.linalg.solve(gram, cross)
    found = ball_least_squares(gram, cross, 1.001 * float(np.linalg.norm(free)))
    assert found.multiplier == 0
    assert np.abs(found.coef - free).max() <= roundoff(200, 1e3 * np.abs(free).max())
    assert (ball_least_squares(gram, cross, np.inf).coef == found.coef).all()


def test_no_point_of_the_circle_has_less_loss():
    gram, cross = problem(2, 1, 3, 50.0)
    radius = 0.5 * float(np.linalg.norm(np.linalg.solve(gram, cross)))
    found = ball_least_squares(gram, cross, radius)
    angle = np.linspace(0, 2 * np.pi, 20_001)
    circle = radius * np.stack([np.cos(angle), np.sin(angle)])

    def loss(b):
        return np.einsum("in,ij,jn->n", b, gram, b) - 2 * cross[:, 0] @ b

    assert loss(found.coef)[0] <= loss(circle).min() + roundoff(100, 1.0)


def test_directions_that_no_row_shows_get_nothing():
    rng = np.random.default_rng(0)
    design = rng.normal(size=(3, 5))  # three rows, five coefficients
    target = rng.normal(size=(3, 2))
    found = ball_least_squares(design.T @ design, design.T @ target, np.inf)
    shortest = np.linalg.pinv(design) @ target
    slack = np.linalg.cond(design) ** 2 * roundoff(100, np.abs(shortest).max())
    assert np.abs(found.coef - shortest).max() <= slack


def test_nothing_to_fit_is_nothing():
    found = ball_least_squares(np.zeros((2, 2)), np.zeros((2, 1)), 1.0)
    assert (found.coef == 0).all()
    assert found.multiplier == 0


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan])
def test_the_radius_is_positive(radius):
    with pytest.raises(BadOption, match="Expected a ball of radius > 0"):
        ball_least_squares(np.eye(2), np.ones((2, 1)), radius)
