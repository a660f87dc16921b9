"""The mean square error of soft fields: against the integral itself, its tails, refusals."""

from fractions import Fraction
from random import Random

import pytest
from flint import arb, fmpq

from symscore.errors import BadData, BadOption
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import precision
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.certificate import Certificate
from symscore.exact.distances import soft_error
from symscore.exact.distances.polynomial_error import polynomial_error
from symscore.exact.distances.soft_error import (
    SOFT_FIELD_ERROR,
    SoftInputs,
    by_parts,
    by_quadrature,
    soft_field_error,
)
from symscore.exact.distances.soft_field import SoftField
from tests.exact.direct_integrals import (
    agrees,
    as_field,
    line_error,
    random_line_mixture,
)
from tests.exact.soft_fields import BLEND, FIELDS, LEARNED, TRUTH, deviating, in_mpmath

BITS = 128
fields = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)


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


def test_the_score_itself_has_no_error():
    score = SoftField.score(RationalMixture.of(TRUTH))
    assert soft_field_error(TRUTH, score).upper <= Fraction(1, 10**12)


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


def test_both_tails_count(monkeypatch):
    # For N(0, 1) and g = x the bound of g^2 + 2 g' is x^2 + 2 itself, of expectation 3.
    one = RationalMixture.of(ExactMixture([1], [0], [1]))
    monkeypatch.setattr(soft_error, "support", lambda *_: (fmpq(-1), fmpq(1)))
    with precision(BITS):
        assert soft_error._risk(one, SoftField.polynomial([0, 1])).overlaps(arb(3))


@pytest.mark.parametrize("route", SOFT_FIELD_ERROR.routes.values(), ids=SOFT_FIELD_ERROR.routes)
def test_a_steep_polynomial_far_out_is_not_forgotten(route):
    # Its error is all in the tails: E x^40 = 39!! is 3e23, of which |x| < 3 holds nothing. It has
    # more digits before the point than the first precision has bits for.
    steep = [Fraction(0)] * 20 + [Fraction(1)]
    one = ExactMixture([1], [0], [1])
    found = route(SoftInputs(RationalMixture.of(one), SoftField.polynomial(steep)), Fraction(1))
    exact = polynomial_error(one, as_field(steep))
    assert found.width <= 1
    assert found.lower <= exact.lower
    assert exact.upper <= found.upper


def test_separated_components():
    far = ExactMixture(["1/2", "1/2"], [-40, 40], [1, "1/100"])
    zero = SoftField.polynomial([0])
    # J of components that do not meet: the mean of their own.
    certificate = soft_field_error(far, zero, digits=20)
    assert abs(certificate.midpoint - Fraction(101, 2)) <= Fraction(1, 10**20)


def test_json_says_the_same():
    certificate = soft_field_error(TRUTH, BLEND)
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    inputs = SOFT_FIELD_ERROR.read(again.inputs)
    assert SOFT_FIELD_ERROR.certify(inputs, Fraction(1, 10**12)) == certificate


def test_refusals():
    with pytest.raises(BadData, match="on the line; got 2"):
        soft_field_error(ExactMixture([1], [[0, 0]], [[[1, 0], [0, 1]]]), LEARNED)
    with pytest.raises(BadOption, match="Expected digits"):
        soft_field_error(TRUTH, LEARNED, digits=0)
