"""Hermite expansions against plain polynomial algebra."""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, diff, expand, symbols

from symscore.errors import BadData, BadOption
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.moments import moments
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.hermite_expansion import HermiteExpansion

x, y, u, w, alpha, v = symbols("x y u w alpha v")
point = (x, y)

rationals = st.builds(Rational, st.integers(-9, 9), st.integers(1, 4))
indices = st.tuples(st.integers(0, 3), st.integers(0, 3))
expansions = st.builds(
    HermiteExpansion,
    st.dictionaries(indices, rationals, min_size=1, max_size=4),
    st.just(Rational(2, 3)),
)
few = settings(max_examples=25, deadline=None)


@given(expansions, expansions)
@few
def test_ring_operations(one, two):
    left, right = one.expression(point), two.expression(point)
    assert (one + two).expression(point) == expand(left + right)
    assert (one - two).expression(point) == expand(left - right)
    assert (one * two).expression(point) == expand(left * right)
    assert HermiteExpansion.of(left, point, one.variance) == one


@given(expansions, st.integers(0, 1))
@few
def test_ladder_operators(one, j):
    plain, axis = one.expression(point), point[j]
    assert one.partial(j).expression(point) == expand(diff(plain, axis))
    assert one.times(j).expression(point) == expand(axis * plain)
    raised = expand(axis * plain - one.variance * diff(plain, axis))
    assert one.raised(j).expression(point) == raised


@given(expansions)
@few
def test_the_generator_is_the_differential_operator(one):
    plain = one.expression(point)
    applied = sum(one.variance * diff(plain, a, 2) - a * diff(plain, a) for a in point)
    assert one.generator().expression(point) == expand(applied)


def test_every_hermite_polynomial_is_an_eigenfunction():
    for k in [(0, 0), (3, 0), (2, 2), (1, 4)]:
        one = HermiteExpansion({k: 1}, v)
        assert one.generator() == one.scaled(-sum(k))


@pytest.mark.parametrize("variance", [1, v, 0, Rational(1, 3)])
def test_noise_is_an_average_over_a_gaussian(variance):
    one = HermiteExpansion({(3, 2): 2, (0, 1): v, (1, 1): -5}, variance)
    sigma = symbols("sigma")
    shifted = one.expression((alpha * x + sigma * u, alpha * y + sigma * w))
    # E u^n of a standard normal; only even powers of sigma survive, and sigma^2 = 1 - alpha^2.
    terms = sympy.Poly(shifted, u, w, sigma).terms()
    average = sum(
        c * sympy.factorial2(i - 1) * sympy.factorial2(j - 1) * (1 - alpha**2) ** (n // 2)
        for (i, j, n), c in terms
        if i % 2 == j % 2 == 0
    )
    smoothed = one.noised(alpha).expression(point)
    assert sympy.cancel(smoothed - expand(average)) == 0


@given(expansions)
@few
def test_expectations_are_those_of_the_moments(one):
    mixture = ExactMixture(
        ["1/3", "2/3"], [[1, 0], ["-1/2", 2]], [[[1, 0], [0, 2]], [[1, "1/2"], ["1/2", 1]]]
    )
    table = moments(RationalMixture.of(mixture), one.degree)
    direct = sum(c * Rational(int(table[a].p), int(table[a].q)) for a, c in one.monomials().items())
    assert one.expectation(mixture) == direct


@given(expansions)
@few
def test_energy_is_the_expected_square(one):
    variance = [[one.variance, 0], [0, one.variance]]
    reference = ExactMixture([1], [[0, 0]], [variance])
    assert one.energy() == (one * one).expectation(reference)


def test_zero_is_an_expansion():
    zero = HermiteExpansion.of(x - x, x)
    assert zero.coefficients == {(0,): 0}
    assert zero.partial(0) == zero.raised(0).scaled(0) == zero
    assert zero.degree == 0


def test_misuse_is_refused():
    one = HermiteExpansion({(1, 0): 1})
    with pytest.raises(BadData, match="one length"):
        HermiteExpansion({(1,): 1, (1, 0): 1})
    with pytest.raises(BadData, match="at least one"):
        HermiteExpansion({})
    with pytest.raises(BadData, match="float"):
        HermiteExpansion({(1,): 0.5})
    with pytest.raises(BadData, match="polynomial"):
        HermiteExpansion.of(sympy.exp(x), x)
    with pytest.raises(BadData, match="variance 1"):
        one + HermiteExpansion({(1, 0): 1}, 2)
    with pytest.raises(BadOption, match="coordinate from 0 to 1"):
        one.raised(2)
    with pytest.raises(BadOption, match="alpha"):
        one.noised(2)
    with pytest.raises(BadData, match="mixture in 2 variables"):
        one.expectation(ExactMixture([1], [0], [1]))
