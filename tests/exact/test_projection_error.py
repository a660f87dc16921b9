"""Certified errors of the best polynomials: published figures, quadrature, monotony."""

from fractions import Fraction
from math import isqrt

import mpmath
import numpy as np
import pytest

from symscore.errors import BadOption, ResourceLimit
from symscore.exact import ExactMixture, check, projection_error
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.projection import projected_field
from tests.exact.mixtures import line_density_and_score, line_expectation, mpf, random_mixture

# Root mean square errors for 1/2 N(-mu, 1) + 1/2 N(mu, 1), to the digits printed.
DEGREES = (1, 3, 5, 7, 9, 11, 15, 21, 31, 41)
TABLE = {
    1: ".2245 .1093 .0612 .0370 .0235 .0155 .0073 .0027 .00067 .00020",
    2: ".7250 .4567 .3296 .2531 .2015 .1642 .1142 .0714 .0366 .0205",
    3: ".9288 .5400 .3801 .2931 .2381 .1999 .1499 .1062 .0672 .0458",
    4: ".9693 .4674 .2867 .2000 .1511 .1204 .0846 .0579 .0371 .0266",
}
CASES = [
    (mu, degree, text)
    for mu, row in TABLE.items()
    for degree, text in zip(DEGREES, row.split(), strict=True)
]


def rounds_to(lower: Fraction, upper: Fraction, text: str) -> bool:
    """Whether the root of every number between the ends rounds to the digits of `text`."""
    unit = Fraction(1, 10 ** len(text.partition(".")[2]))
    value = Fraction(text)
    return (value - unit / 2) ** 2 <= lower <= upper <= (value + unit / 2) ** 2


@pytest.mark.parametrize(("mu", "degree", "text"), CASES)
def test_published_errors(mu, degree, text):
    two = ExactMixture(["1/2", "1/2"], [-mu, mu], [1, 1])
    found = projection_error(two, degree, digits=14)
    assert rounds_to(found.lower, found.upper, text)


@pytest.mark.parametrize("seed", range(3))
def test_the_direct_integral_agrees(seed):
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, 3, 1, shared=False, spread=1.5)
    degree = int(rng.integers(1, 6))
    found = projection_error(mixture, degree, digits=15)
    field = projected_field(RationalMixture.of(mixture), degree)[0]
    with mpmath.workdps(30):
        _, score = line_density_and_score(mixture)

        def squared(x: mpmath.mpf) -> mpmath.mpf:
            return (score(x) - mpmath.fsum(mpf(c) * x ** a[0] for a, c in field.items())) ** 2

        direct = line_expectation(mixture, squared)
        assert abs(direct - mpf_of(found.midpoint)) < mpmath.mpf(10) ** -15


def mpf_of(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def test_a_higher_degree_is_never_worse():
    mixture = ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"])
    errors = [projection_error(mixture, degree).upper for degree in range(8)]
    assert errors == sorted(errors, reverse=True)


def test_one_gaussian_needs_degree_one():
    one = ExactMixture([1], [[1, 2]], [[[2, 1], [1, 3]]])
    assert projection_error(one, 1).lower <= 0 <= projection_error(one, 1).upper
    assert projection_error(one, 0).lower > Fraction(9, 10)


def test_certificates_are_confirmed_in_the_plane():
    eye = [[1, 0], [0, 1]]
    three = ExactMixture(["1/2", "1/3", "1/6"], [[1, 0], [-1, 1], [0, -2]], [eye] * 3)
    made = projection_error(three, 4, digits=10)
    assert check(made).method != made.method
    assert isqrt(int(made.upper * 10**12)) > 0


@pytest.mark.parametrize("degree", [-1, 1.0, True, "3"])
def test_what_is_no_degree_is_refused(degree):
    with pytest.raises(BadOption):
        projection_error(ExactMixture([1], [0], [1]), degree)


def test_too_many_monomials_are_refused():
    five = ExactMixture([1], [[0] * 5], [[[int(i == j) for j in range(5)] for i in range(5)]])
    with pytest.raises(ResourceLimit):
        projection_error(five, 12)
