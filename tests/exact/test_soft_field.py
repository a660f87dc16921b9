"""Soft fields: their values, derivatives, bounds and JSON form."""

from fractions import Fraction

import mpmath
import pytest
from flint import acb, arb, arb_series, fmpq

from symscore.errors import BadData
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.distances.soft_error import (
    height_bound,
    slope_bound,
)
from symscore.exact.distances.soft_field import (
    SoftCell,
    SoftField,
    read_soft_field,
    write_soft_field,
)
from tests.exact.direct_integrals import (
    DIGITS,
    density_and_score,
    line_parts,
    number,
)
from tests.exact.soft_fields import BLEND, FIELDS, LEARNED, TRUTH, in_mpmath

BITS = 128
fields = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)


def contains(ball: arb, value: mpmath.mpf) -> bool:
    """Whether an mpmath number of thirty digits may be what the ball encloses."""
    middle, radius = number(ball.mid().fmpq()), number(ball.rad().fmpq())
    return abs(middle - value) <= radius + mpmath.mpf(10) ** (3 - DIGITS) * (1 + abs(value))


@fields
@pytest.mark.parametrize("place", ["-40", "-7/3", "0", "1/2", "9/4", "25"])
def test_value_is_the_formula(field, place):
    with mpmath.workdps(DIGITS), precision(BITS):
        ball = field.value(ball_of(Fraction(place)))
        assert ball.rel_accuracy_bits() > 64
        assert contains(ball, in_mpmath(field, number(Fraction(place))))


@fields
@pytest.mark.parametrize("place", ["-40", "-7/3", "0", "1/2", "9/4", "25"])
def test_derivative_is_that_of_the_power_series(field, place):
    with precision(BITS):
        x = ball_of(Fraction(place))
        series, slope = field.value(arb_series([x, 1], 3)), field.derivative(x)
        assert slope.overlaps(series[1])
        assert max(slope.rad(), series[1].rad()) < arb(2) ** -64
        assert series[0].overlaps(field.value(x))


@fields
def test_complex_values_extend_the_real_ones(field):
    with precision(BITS):
        x = acb(fmpq(1, 3))
        assert field.value(x).real.overlaps(field.value(arb(fmpq(1, 3))))
        assert field.value(acb(1, 2)).conjugate().overlaps(field.value(acb(1, -2)))
        # The gates of two cells have poles off the real line.
        assert not field.value(acb(arb(0, 9), arb(0, 9))).is_finite()


def test_gates_sum_to_one_far_out_too():
    block = SoftField(((SoftCell(1, -300, 1), SoftCell(2, 0, 5), SoftCell(1, 3, 2)),))
    with precision(BITS):
        (ready,) = block.in_balls().blocks
        for place in (-1000, -150, 0, 2, 1000):
            found = ready.gates(arb(place))
            assert abs(sum(found, arb(0)) - 1) < arb(2) ** -100
            assert all(gate >= 0 or gate.contains(0) for gate in found)


def test_score_of_a_mixture_is_its_score():
    field = SoftField.score(RationalMixture.of(TRUTH))
    with mpmath.workdps(DIGITS), precision(BITS):
        for place in (-3, 0, 1, 4):
            _, score = density_and_score(line_parts(TRUTH), mpmath.mpf(place))
            assert contains(field.value(arb(place)), score)


def test_moved_with_its_variable():
    loc, scale = Fraction(3, 2), Fraction(1, 3)
    moved = BLEND.moved(loc, scale)
    with precision(BITS):
        for place in (fmpq(-2), fmpq(1, 3), fmpq(5)):
            there = (ball_of(place) - ball_of(loc)) / ball_of(scale)
            assert moved.value(ball_of(place)).overlaps(BLEND.value(there) / ball_of(scale))
    # The score of loc + scale Y is that of Y moved.
    means = [loc + scale * Fraction(str(m[0])) for m in TRUTH.means]
    variances = [scale**2 * Fraction(str(c[0][0])) for c in TRUTH.covariances]
    law = RationalMixture.of(ExactMixture(TRUTH.weights, means, variances))
    assert SoftField.score(RationalMixture.of(TRUTH)).moved(loc, scale) == SoftField.score(law)


def test_scaled():
    with precision(BITS):
        x = arb(fmpq(1, 3))
        assert BLEND.scaled("-2/7").value(x).overlaps(ball_of(fmpq(-2, 7)) * BLEND.value(x))


# Every term of the bounds is the largest one somewhere here.
EXTREMES = FIELDS | {
    "damped alone": SoftField(((SoftCell(1, 0, 1, (), [1], 1),),)),
    "rate zero": SoftField(((SoftCell(1, 1, 1, (), [0, 0, 1], 0),),)),
    "a steep step": SoftField(((SoftCell(1, -3, "1/2", [-1]), SoftCell(1, 3, "1/2", [1])),)),
}


@pytest.mark.parametrize("field", EXTREMES.values(), ids=EXTREMES)
def test_bounds_hold(field):
    with precision(BITS):
        for origin in (fmpq(0), fmpq(-2)):
            height, slope = height_bound(field, origin), slope_bound(field, origin)
            for place in (fmpq(n, 2) for n in range(-40, 41)):
                y = abs(place - origin)
                assert not abs(field.value(ball_of(place))) > ball_of(height(y))
                assert not abs(field.derivative(ball_of(place))) > ball_of(slope(y))


def test_json_says_the_same():
    assert read_soft_field(write_soft_field(BLEND)) == BLEND
    assert read_soft_field({"polynomial": ["1/2", 3]}) == SoftField.polynomial(["1/2", 3])
    law = {"weights": ["1/3", "2/3"], "means": [-1, 2], "covariances": [1, "1/4"]}
    assert read_soft_field({"score": law}) == SoftField.score(RationalMixture.of(TRUTH))


CELL = {
    "weight": "1",
    "centre": "0",
    "variance": "1",
    "plain": ["0"],
    "damped": [],
    "rate": "0",
}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: SoftCell(0, 0, 1), "positive weight and variance"),
        (lambda: SoftCell(1, 0, -1), "positive weight and variance"),
        (lambda: SoftCell(1, 0, 1, rate=-1), "rate >= 0"),
        (lambda: SoftCell(0.5, 0, 1), "Expected an exact value"),
        (lambda: SoftCell(1, 0, 1, plain=[1] * 300), "at most 201 coefficients"),
        (lambda: SoftField(()), "at least one block"),
        (lambda: SoftField(((),)), "no empty one"),
        (lambda: LEARNED.moved(0, 0), "scale > 0"),
        (lambda: SoftField.score(RationalMixture.of(PLANE)), "on the line; got 2"),
        (lambda: read_soft_field({"blocks": [[{**CELL, "rate": "-1"}]]}), "rate >= 0"),
        (lambda: read_soft_field({"blocks": [[{**CELL, "what": 1}]]}), "got 'what'"),
        (lambda: read_soft_field({"blocks": [{}]}), r"blocks\[0\]: expected a list"),
        (lambda: read_soft_field([]), "expected an object"),
    ],
)
def test_refusals(make, match):
    with pytest.raises(BadData, match=match):
        make()


PLANE = ExactMixture([1], [[0, 0]], [[[1, 0], [0, 1]]])
