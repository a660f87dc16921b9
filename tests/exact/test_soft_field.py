"""Soft fields: their values and derivatives, and their mean square error."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import mpmath
import pytest
from flint import acb, arb, arb_series, fmpq

from symscore.errors import BadData, BadOption
from symscore.exact import ExactMixture, soft_error
from symscore.exact.balls import ball_of, precision
from symscore.exact.certificate import Certificate
from symscore.exact.polynomial_error import polynomial_error
from symscore.exact.rational import RationalMixture
from symscore.exact.soft_error import (
    SOFT_FIELD_ERROR,
    SoftInputs,
    by_parts,
    by_quadrature,
    height_bound,
    slope_bound,
    soft_field_error,
)
from symscore.exact.soft_field import SoftCell, SoftField, read_soft_field, write_soft_field
from tests.exact.direct_integrals import (
    DIGITS,
    agrees,
    as_field,
    density_and_score,
    line_error,
    line_parts,
    number,
    random_line_mixture,
)

CRUDE = ExactMixture(["1/4", "3/4"], ["-9/10", "21/10"], ["11/10", "3/10"])
TRUTH = ExactMixture(["1/3", "2/3"], [-1, 2], [1, "1/4"])
BITS = 128


def deviating(crude: ExactMixture, random: Random) -> SoftField:
    """The crude mixture's score and damped deviations of degree 2, as a fit has them."""
    (block,) = SoftField.score(RationalMixture.of(crude)).blocks

    def deviation() -> tuple[Fraction, ...]:
        return tuple(Fraction(random.randint(-9, 9), 20) for _ in range(3))

    return SoftField(
        (tuple(replace(c, damped=deviation(), rate=1 / (9 * c.variance)) for c in block),)
    )


LEARNED = deviating(CRUDE, Random(1))
# Two blocks, undamped and damped parts, one cell alone.
BLEND = SoftField(
    (
        *LEARNED.scaled("2/3").blocks,
        (SoftCell(1, "1/2", 2, ["1/5", "-1/3"], [0, 0, "1/7"], "1/2"),),
    )
)
FIELDS = {"learned": LEARNED, "blend": BLEND}
fields = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)


def in_mpmath(field: SoftField, x: mpmath.mpf) -> mpmath.mpf:
    """The formula of the module, written down once more."""
    total = mpmath.mpf(0)
    for block in field.blocks:
        logs, heights = [], []
        for cell in block:
            v, variance = x - number(cell.centre), number(cell.variance)
            logs.append(mpmath.log(number(cell.weight) ** 2 / variance) / 2 - v**2 / (2 * variance))
            plain, damped = (
                mpmath.fsum(number(c) * v**j for j, c in enumerate(part))
                for part in (cell.plain, cell.damped)
            )
            heights.append(plain + mpmath.exp(-number(cell.rate) * v**2 / 2) * damped)
        shares = [mpmath.exp(value - max(logs)) for value in logs]
        total += mpmath.fdot(shares, heights) / mpmath.fsum(shares)
    return total


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
    assert soft_field_error(TRUTH, field).upper <= Fraction(1, 10**12)


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


@fields
def test_bounds_hold_and_are_no_wild_guess(field):
    with precision(BITS):
        for origin in (fmpq(0), fmpq(-2)):
            height, slope = height_bound(field, origin), slope_bound(field, origin)
            for place in (fmpq(n, 2) for n in range(-40, 41)):
                y = abs(place - origin)
                assert abs(field.value(ball_of(place))) <= ball_of(height(y))
                assert abs(field.derivative(ball_of(place))) <= ball_of(slope(y))


# --- The error -------------------------------------------------------------------------------


def disagreements(seeds) -> list[int]:
    found = []
    for seed in seeds:
        random = Random(seed)
        truth = random_line_mixture(random)
        field = deviating(random_line_mixture(random), random)
        certificate = soft_field_error(truth, field, digits=18)
        if not agrees(certificate, line_error(truth, [lambda x, f=field: in_mpmath(f, x)])):
            found.append(seed)
    return found


def test_the_integral_itself_lies_inside():
    assert disagreements(range(2)) == []


@pytest.mark.slow
def test_the_integral_itself_lies_inside_for_many():
    assert disagreements(range(100, 200)) == []


@fields
def test_both_routes_meet(field):
    inputs = SoftInputs(RationalMixture.of(TRUTH), field)
    width = Fraction(1, 10**15)
    one, two = by_quadrature(inputs, width), by_parts(inputs, width)
    assert one.overlaps(two)
    assert max(one.width, two.width) <= width


def test_a_polynomial_is_a_soft_field():
    q = [Fraction(1, 3), Fraction(-1, 2), Fraction(1, 100)]
    soft = soft_field_error(TRUTH, SoftField.polynomial(q))
    assert soft.enclosure.overlaps(polynomial_error(TRUTH, as_field(q)).enclosure)


@pytest.mark.parametrize("formula", ["_direct", "_risk"])
def test_what_lies_outside_the_quadrature_is_bounded(formula, monkeypatch):
    # With the ends pulled in, the tail is most of the integral, and the bound must hold it.
    inputs = SoftInputs(RationalMixture.of(TRUTH), LEARNED)
    compute = getattr(soft_error, formula)
    with precision(BITS):
        whole = compute(inputs.mixture, inputs.field)
        for ends in ((-2, 3), (-1, 2), (-4, 5)):
            monkeypatch.setattr(soft_error, "support", lambda *_, e=ends: tuple(map(fmpq, e)))
            cut = compute(inputs.mixture, inputs.field)
            assert cut.is_finite()
            assert cut.overlaps(whole)


def test_a_steep_polynomial_far_out_is_not_forgotten():
    # Its error is all in the tails: E x^40 = 39!! is 3e23, of which |x| < 3 holds nothing.
    steep = [Fraction(0)] * 20 + [Fraction(1)]
    one = ExactMixture([1], [0], [1])
    direct = by_quadrature(
        SoftInputs(RationalMixture.of(one), SoftField.polynomial(steep)), Fraction(1)
    )
    exact = polynomial_error(one, as_field(steep))
    assert direct.width <= 1
    assert direct.lower <= exact.lower
    assert exact.upper <= direct.upper


def test_separated_components():
    far = ExactMixture(["1/2", "1/2"], [-40, 40], [1, "1/100"])
    zero = SoftField.polynomial([0])
    # J of components that do not meet: the mean of their own.
    certificate = soft_field_error(far, zero, digits=20)
    assert abs(certificate.midpoint - Fraction(101, 2)) <= Fraction(1, 10**20)


def test_json_says_the_same():
    assert read_soft_field(write_soft_field(BLEND)) == BLEND
    assert read_soft_field({"polynomial": ["1/2", 3]}) == SoftField.polynomial(["1/2", 3])
    law = {"weights": ["1/3", "2/3"], "means": [-1, 2], "covariances": [1, "1/4"]}
    assert read_soft_field({"score": law}) == SoftField.score(RationalMixture.of(TRUTH))
    certificate = soft_field_error(TRUTH, BLEND)
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    inputs = SOFT_FIELD_ERROR.read(again.inputs)
    assert SOFT_FIELD_ERROR.certify(inputs, Fraction(1, 10**12)) == certificate


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
        (lambda: soft_field_error(PLANE, LEARNED), "on the line; got 2"),
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


def test_digits_are_an_option():
    with pytest.raises(BadOption, match="Expected digits"):
        soft_field_error(TRUTH, LEARNED, digits=0)
