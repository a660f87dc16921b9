"""E|s - q|^2 of given polynomials: against the integral itself, in closed cases, and refusals."""

from fractions import Fraction
from random import Random

import pytest
from flint import fmpq

from symscore.errors import BadData, BadOption
from symscore.exact import ExactMixture, exact_float
from symscore.exact.arithmetic.balls import as_fraction
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.certificate import Certificate
from symscore.exact.distances.polynomial_error import (
    POLYNOMIAL_ERROR,
    PolynomialInputs,
    polynomial_error,
    population_risk,
)
from symscore.exact.information.fisher import fisher_information
from tests.exact.direct_integrals import (
    agrees,
    as_field,
    line_error,
    polynomial_on_line,
    random_line_mixture,
    random_polynomial,
)

TWO = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
# A shared covariance and three means that span a plane of space.
SPACE = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0, 0], [-1, 1, "1/2"], [0, -2, 1]],
    [[[2, 1, 0], [1, 2, 0], [0, 0, "1/2"]]] * 3,
)


def disagreements(seeds) -> list[int]:
    found = []
    for seed in seeds:
        random = Random(seed)
        mixture = random_line_mixture(random)
        q = random_polynomial(random, random.randint(0, 6))
        certificate = polynomial_error(mixture, as_field(q), digits=20)
        if not agrees(certificate, line_error(mixture, [polynomial_on_line(q)])):
            found.append(seed)
    return found


def test_the_integral_itself_lies_inside():
    assert disagreements(range(4)) == []


@pytest.mark.slow
def test_the_integral_itself_lies_inside_for_three_hundred():
    assert disagreements(range(100, 400)) == []


@pytest.mark.parametrize("digits", [6, 12, 30])
def test_no_wider_than_asked(digits):
    assert polynomial_error(TWO, as_field([Fraction(1, 3)]), digits=digits).width <= Fraction(
        1, 10**digits
    )


def test_zero_field_leaves_the_fisher_information():
    zero = polynomial_error(TWO, as_field([Fraction(0)]), digits=30)
    assert zero.enclosure.overlaps(fisher_information(TWO, 30).enclosure)


def test_the_score_of_one_gaussian_has_no_error():
    one = ExactMixture([1], [[3, "1/2"]], [[[2, 1], [1, 2]]])
    # -C^-1 (x - m) with C^-1 = [[2, -1], [-1, 2]] / 3
    score = (
        {(0, 0): fmpq(11, 6), (1, 0): fmpq(-2, 3), (0, 1): fmpq(1, 3)},
        {(0, 0): fmpq(-2, 3), (1, 0): fmpq(1, 3), (0, 1): fmpq(-2, 3)},
    )
    certificate = polynomial_error(one, score)
    assert certificate.lower <= 0 <= certificate.upper


@pytest.mark.parametrize("mixture", [TWO, SPACE], ids=["line", "space"])
def test_all_routes_meet(mixture):
    d = mixture.dim
    units = [tuple(int(i == j) for i in range(d)) for j in range(d)]
    field = tuple({unit: fmpq(-1, 2), (0,) * d: fmpq(j, 5)} for j, unit in enumerate(units))
    inputs = PolynomialInputs(RationalMixture.of(mixture), field)
    width = Fraction(1, 10**12)
    routes = list(POLYNOMIAL_ERROR.routes.values())
    found = [route(inputs, width) for route in (routes if d == 1 else (routes[0], routes[2]))]
    assert all(one.overlaps(two) for one in found for two in found)


def test_risk_is_the_error_less_the_information():
    field = as_field([Fraction(1, 7), Fraction(-1, 3), Fraction(0), Fraction(1, 50)])
    risk = as_fraction(population_risk(RationalMixture.of(TWO), field))
    error, information = polynomial_error(TWO, field, digits=25), fisher_information(TWO, 25)
    assert error.lower <= information.upper + risk
    assert information.lower + risk <= error.upper


def test_learned_floats_enter_exactly():
    learned = exact_float(-0.1)
    exact = Fraction(int(learned.p), int(learned.q))
    assert exact != Fraction(-1, 10)
    inputs = polynomial_error(TWO, as_field([exact])).inputs
    assert inputs["field"][0][0]["coefficient"] == str(exact)


def test_zero_terms_change_nothing():
    plain = polynomial_error(TWO, ({(1,): fmpq(-1, 2)},))
    assert polynomial_error(TWO, ({(1,): fmpq(-1, 2), (9,): fmpq(0)},)) == plain


def test_json_says_the_same():
    certificate = polynomial_error(TWO, as_field([Fraction(1, 3), Fraction(-1, 2)]))
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    inputs = POLYNOMIAL_ERROR.read(again.inputs)
    assert POLYNOMIAL_ERROR.certify(inputs, Fraction(1, 10**12)) == certificate


def test_refusals():
    with pytest.raises(BadData, match="expected 1 polynomials"):
        polynomial_error(TWO, ({(1,): fmpq(1)}, {(1,): fmpq(1)}))
    with pytest.raises(BadData, match="tuples of 1 powers"):
        polynomial_error(TWO, ({(1, 0): fmpq(1)},))
    with pytest.raises(BadOption, match="Expected digits"):
        polynomial_error(TWO, as_field([Fraction(1)]), digits=0)
    with pytest.raises(BadData, match="expected the key 'field'"):
        POLYNOMIAL_ERROR.read({"mixture": {"weights": [1], "means": [0], "covariances": [1]}})
