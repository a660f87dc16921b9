"""Hermite polynomials: their definition, orthogonality, products and change of basis."""

from itertools import product
from math import factorial

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, Symbol, symbols

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact.expansions.hermite import (
    hermite_e,
    hermite_normalised,
    hermite_product,
    hermite_to_monomials,
    monomials_to_hermite,
)

x, y, s, v = symbols("x y s v")

few = settings(max_examples=25, deadline=None)
rationals = st.builds(Rational, st.integers(-9, 9), st.integers(1, 4))


def indices(dim: int, most: int = 4) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(0, most)] * dim)


@pytest.mark.parametrize("n", range(9))
def test_derivatives_of_the_generating_function_define_them(n):
    derivative = sympy.diff(sympy.exp(s * x - v * s**2 / 2), s, n).subs(s, 0)
    assert sympy.expand(derivative - hermite_e(n, x, v)) == 0


@pytest.mark.parametrize("n", range(9))
def test_derivatives_of_the_gaussian_define_them(n):
    weight = sympy.exp(-(x**2) / 2)
    rodrigues = sympy.expand((-1) ** n * sympy.diff(weight, x, n) / weight)
    assert sympy.expand(rodrigues - hermite_e(n, x)) == 0


def test_extreme_variances_give_monomials_and_heat_polynomials():
    assert hermite_e(5, x, 0) == x**5
    assert hermite_e(4, x, -1) == x**4 + 6 * x**2 + 3


@given(indices(2), st.tuples(rationals, rationals), rationals)
@few
def test_several_variables_multiply(k, point, variance):
    assert hermite_e(k, point, variance) == hermite_e(k[0], point[0], variance) * hermite_e(
        k[1], point[1], variance
    )


@pytest.mark.parametrize("variance", [Rational(1), Rational(9, 4)])
def test_normalised_ones_are_orthonormal_by_quadrature(variance):
    with mpmath.workdps(30):
        spread = mpmath.mpf(int(variance.p)) / int(variance.q)
        # The trapezoidal rule: its error is of order exp(-2 pi^2 variance / step^2).
        step = mpmath.mpf(1) / 4
        points = [step * i for i in range(-96, 97)]
        weights = [step * mpmath.npdf(point, 0, mpmath.sqrt(spread)) for point in points]
        values = []
        for n in range(6):
            terms = sympy.Poly(hermite_normalised(n, x, variance), x).all_coeffs()
            polynomial = [mpmath.mpf(c.evalf(40)) for c in terms]
            values.append([mpmath.polyval(polynomial, point) for point in points])
        for one, two in product(range(6), repeat=2):
            inner = mpmath.fdot(
                zip(weights, map(mpmath.fmul, values[one], values[two]), strict=True)
            )
            # Thirty digits less the ten that entries up to 24^10 / 120 may cancel.
            assert abs(inner - (one == two)) < mpmath.mpf(10) ** -18


@given(indices(2, 3), indices(2, 3), rationals)
@few
def test_products_are_linear_combinations(k, other, variance):
    combined = sum(
        count * variance ** ((sum(k) + sum(other) - sum(n)) // 2) * hermite_e(n, (x, y), variance)
        for n, count in hermite_product(k, other).items()
    )
    direct = hermite_e(k, (x, y), variance) * hermite_e(other, (x, y), variance)
    assert sympy.expand(combined - direct) == 0


@given(indices(3))
@few
def test_the_constant_in_a_square_is_the_norm(k):
    assert hermite_product(k, k)[(0, 0, 0)] == factorial(k[0]) * factorial(k[1]) * factorial(k[2])


coefficients = st.dictionaries(indices(2), st.fractions(-5, 5, max_denominator=6), min_size=1)


@given(coefficients, st.fractions(-3, 3, max_denominator=4))
@few
def test_change_of_basis_is_inverted(polynomial, variance):
    there = monomials_to_hermite(polynomial, variance)
    back = {a: c for a, c in hermite_to_monomials(there, variance).items() if c}
    assert back == {a: c for a, c in polynomial.items() if c}


@given(coefficients)
@few
def test_change_of_basis_changes_no_value(polynomial):
    exact = {a: Rational(c.numerator, c.denominator) for a, c in polynomial.items()}
    direct = sum(c * x ** a[0] * y ** a[1] for a, c in exact.items())
    expanded = monomials_to_hermite(exact, v)
    through = sum(c * hermite_e(k, (x, y), v) for k, c in expanded.items())
    assert sympy.expand(through - direct) == 0


def test_misuse_is_refused():
    with pytest.raises(BadOption, match="at least 0"):
        hermite_e(-1, x)
    with pytest.raises(BadOption, match="at least 0"):
        hermite_e((1, True), (x, y))
    with pytest.raises(BadOption, match="at least 0"):
        hermite_e((), ())
    with pytest.raises(BadData, match="2 coordinates"):
        hermite_e((1, 2), x)
    with pytest.raises(BadData, match="float"):
        hermite_e(2, 0.5)
    with pytest.raises(ResourceLimit):
        hermite_e(401, x)
    with pytest.raises(BadOption, match="positive variance"):
        hermite_normalised(2, x, 0)
    with pytest.raises(BadData, match="one length"):
        hermite_product((1, 2), 1)


def test_the_highest_degree_is_quick_and_right():
    high = hermite_e(400, Symbol("t"))
    # He_n(0) = (-1)^(n/2) (n - 1)!!
    assert high.subs(Symbol("t"), 0) == sympy.factorial2(399)
