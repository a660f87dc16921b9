"""Slopes of learned denoisers in balls, against central differences of the formula in mpmath."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from mpmath import mp, mpf

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.taylor import parts, taylor_order, variables
from symscore.exact.bijections.completed_squares import far_bound, rectangle_beyond, squares_bound
from symscore.exact.bijections.eigenvalues import defect_at_least, negativity
from symscore.exact.bijections.field_values import denoised
from symscore.exact.bijections.slope_forms import Composed, Differentiated
from tests.exact.learned_fields import (
    DIGITS,
    bump,
    denoiser,
    near,
    q,
    random_field,
    slope,
    smallest,
)

FORMS = (Composed, Differentiated)
FIELDS = [
    random_field(1, 1),
    random_field(1, 2, cells=1, degree=3),
    random_field(1, 3, kappa=12.0, rates=(1 / 8, 1 / 4)),
    random_field(2, 4),
    random_field(2, 5, cells=1),
    random_field(2, 6, kappa=0.25, degree=3, rates=(1 / 8, 1 / 16)),
    random_field(2, 7, kappa=8.0, degree=1, amplitude=0.02),
]
WIDTHS = (1e-3, 0.3, 4.0)
# Eigenvalues of the oracle are rounded to doubles; entries are of size 10 at most.
SLACK = 1e-12


def places(field, n, seed):
    """Points in and around cells."""
    rng = np.random.default_rng(seed)
    centres = np.array(
        [[float(ball_of(value)) for value in field.centre(cell)] for cell in field.cells]
    )
    return centres[rng.integers(len(centres), size=n)] + rng.normal(scale=2.0, size=(n, field.dim))


def balls(y):
    return [arb(float(value)) for value in y]


@pytest.mark.parametrize("field", FIELDS)
def test_values_are_those_of_the_formula(field):
    for y in places(field, 4, 1):
        with precision(128), mp.workdps(DIGITS):
            (value,) = denoised(field, [[q(float(entry)) for entry in y]])
            expected = denoiser(field, [mpf(float(entry)) for entry in y])
            assert all(near(a, b) for a, b in zip(value, expected, strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", FIELDS)
def test_slopes_at_points(field, form):
    for y in places(field, 4, 2):
        expected = slope(field, y)
        with precision(128):
            found = form(field).at(balls(y))
            for row, truth in zip(found, expected, strict=True):
                assert all(near(a, b) and a.rad() < 1e-20 for a, b in zip(row, truth, strict=True))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", FIELDS)
def test_slopes_over_boxes_hold_those_of_all_their_points(field, form, width):
    rng = np.random.default_rng(3)
    for mid in places(field, 2, 4):
        with precision(64):
            half = [arb(0, 1) * arb(width)] * field.dim
            made = form(field)
            point, (values, changes) = made.at(balls(mid)), made.over(balls(mid), half)
            bound = squares_bound(made, balls(mid), half)
        for _ in range(4):
            step = rng.uniform(-width, width, size=field.dim)
            truth = slope(field, mid + step)
            assert -smallest(truth) <= float(bound) + SLACK
            for i, row in enumerate(truth):
                for j, entry in enumerate(row):
                    moved = sum((changes[k][i][j] * half[k] for k in range(field.dim)), point[i][j])
                    # Balls that are not finite hold everything.
                    assert all(
                        near(ball, entry) for ball in (values[i][j], moved) if ball.is_finite()
                    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", [f for f in FIELDS if len(f.cells) == 1])
def test_the_bound_by_squares_loses_nothing_at_a_point_of_one_cell(field, form):
    (y,) = places(field, 1, 5)
    with precision(64):
        bound = squares_bound(form(field), balls(y), [arb(0)] * field.dim)
    assert float(bound) == pytest.approx(-smallest(slope(field, y)), rel=1e-9)


@pytest.mark.parametrize("field", FIELDS)
def test_far_bounds_hold_outside_the_rectangle(field):
    rng = np.random.default_rng(6)
    with precision(64):
        smallest_t = next(t for t in range(1, 99) if far_bound(field, t).is_finite())
        for t in (smallest_t, smallest_t + 3):
            area, bound = rectangle_beyond(field, far_bound(field, t))
            assert bound <= far_bound(field, t)
            for k, (mid, half) in enumerate(area):
                for sign in (-1, 1):
                    for beyond in (1e-9, 0.7, 5.0):
                        y = places(field, 1, int(rng.integers(1000)))[0]
                        y[k] = float(ball_of(mid)) + sign * (float(ball_of(half)) + beyond)
                        assert -smallest(slope(field, y)) <= float(bound) + SLACK


def test_far_bounds_are_no_smaller_than_what_is_far_out():
    """A deviation of degree three that falls steeply at nine standard deviations."""
    field = bump(q(1), q(0.5), [q(0), q(0), q(0), q(0.2)], Fraction(1, 16))
    steepest = min(smallest(slope(field, np.array([y]))) for y in np.arange(0, 60, 0.25))
    assert steepest < -0.1
    with precision(64):
        area, bound = rectangle_beyond(field, arb(0.001))
        assert bound <= 0.001
        assert float(ball_of(area[0][1])) > 25


def test_a_mixtures_own_denoiser_is_never_bounded_below_zero_far_out():
    with precision(64):
        assert far_bound(random_field(2, 8, amplitude=0.0), 1) <= 0


def test_eigenvalues_of_matrices_of_balls():
    rng = np.random.default_rng(7)
    for _ in range(50):
        matrix = rng.normal(size=(2, 2))
        truth = -np.linalg.eigvalsh((matrix + matrix.T) / 2)[0]
        inside = [[arb(float(value)) + arb(0, 0.01) for value in row] for row in matrix]
        exact = [[arb(float(value)) for value in row] for row in matrix]
        assert float(defect_at_least(inside)) <= truth <= float(negativity(inside))
        assert float(negativity(exact)) == pytest.approx(truth, abs=1e-12)
        assert float(defect_at_least(exact)) == pytest.approx(truth, abs=1e-12)


def test_eigenvalues_of_three_rows_are_refused():
    with pytest.raises(UnsupportedInstance, match="one or two dimensions"):
        negativity([[arb(1)] * 3] * 3)


def test_taylor_polynomials_in_two_variables():
    before = ctx.cap
    with precision(64), taylor_order(2, 2):
        x, y = variables([arb(1), arb(-2)], 2)
        first, second = parts((x * x * y).exp() / (1 + y * y), 2, 2)
    # f = exp(x^2 y) / (1 + y^2) at (1, -2), by hand.
    e = float(np.exp(-2.0))
    assert [float(v) for v in first] == pytest.approx([-4 * e / 5, e / 5 + 4 * e / 25], rel=1e-14)
    mixed = (2 * e - 4 * e) / 5 - 4 * e * 4 / 25
    assert float(second[0][1]) == float(second[1][0]) == pytest.approx(mixed, rel=1e-14)
    assert float(second[0][0]) == pytest.approx((16 - 4) * e / 5, rel=1e-14)
    assert ctx.cap == before


def test_taylor_polynomials_in_three_variables_are_refused():
    with pytest.raises(UnsupportedInstance, match="got 3"), taylor_order(3, 2):
        pass
