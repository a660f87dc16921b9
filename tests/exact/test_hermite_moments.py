"""Hermite moments and coefficients: against derivatives, plain moments and quadrature."""

from functools import cache
from itertools import product

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, symbols

from symscore.errors import BadData, BadOption, ResourceLimit, UnsupportedInstance
from symscore.exact import ExactMixture, exact_float
from symscore.exact.arithmetic.moments import exponents, moments
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.hermite import hermite_e
from symscore.exact.expansions.hermite_moments import hermite_coefficients, hermite_moments

x, y, m, n, v, w, s, t = symbols("x y m n v w s t")

# The shares are exact decimals of binary numbers, so that mpmath rounds none of them.
THREE = ExactMixture(["1/4", "1/2", "1/4"], [-2, 0, "3/2"], [1, "1/2", 2])
UNEQUAL = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0], [-1, 1], [0, -2]],
    [[[1, 0], [0, 1]], [["3/2", "1/2"], ["1/2", 1]], [["1/2", 0], [0, 2]]],
)
PER_UNIT = 12
rationals = st.builds(Rational, st.integers(-5, 5), st.integers(1, 3))


def test_they_are_derivatives_of_the_generating_function():
    mixture = ExactMixture([w, 1 - w], [[m, n], [0, 1]], [[[v, 1], [1, 2]], [[1, 0], [0, v]]])
    generating = w * sympy.exp(s * m + t * n + ((v - 1) * s**2 + 2 * s * t + t**2) / 2) + (
        1 - w
    ) * sympy.exp(t + (v - 1) * t**2 / 2)
    for k, value in hermite_moments(mixture, 3).items():
        derivative = sympy.diff(generating, s, k[0], t, k[1]).subs({s: 0, t: 0})
        assert sympy.expand(derivative - value) == 0


@given(rationals)
@settings(max_examples=10, deadline=None)
def test_they_are_combinations_of_plain_moments(variance):
    table = moments(RationalMixture.of(UNEQUAL), 5)
    found = hermite_moments(UNEQUAL, 5, variance)
    for k in exponents(2, 5):
        terms = sympy.Poly(hermite_e(k, (x, y), variance), x, y).terms()
        direct = sum(c * Rational(int(table[a].p), int(table[a].q)) for a, c in terms)
        assert found[k] == direct


def test_with_the_noise_as_variance_they_are_moments_of_the_means():
    mixture = ExactMixture([w, 1 - w], [m, n], [v, v])
    for (k,), value in hermite_moments(mixture, 6, v).items():
        assert sympy.expand(value - (w * m**k + (1 - w) * n**k)) == 0


def test_noise_multiplies_them_by_powers_of_alpha():
    alpha = Rational(3, 5)
    clean, noisy = hermite_moments(UNEQUAL, 6), hermite_moments(UNEQUAL.at(alpha), 6)
    assert noisy == {k: alpha ** sum(k) * value for k, value in clean.items()}


@cache
def _grid() -> list[tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]]:
    """Points of the trapezoidal rule, with THREE's density and its derivative."""
    rows = []
    for i in range(-26 * PER_UNIT, 26 * PER_UNIT + 1):
        point = mpmath.mpf(i) / PER_UNIT
        density, slope = mpmath.mpf(0), mpmath.mpf(0)
        for weight, (mean,), ((variance,),) in zip(
            THREE.weights, THREE.means, THREE.covariances, strict=True
        ):
            part = float(weight) * mpmath.npdf(point, float(mean), mpmath.sqrt(float(variance)))
            density += part
            slope += part * (float(mean) - point) / float(variance)
        rows.append((point, density, slope))
    return rows


def _h(k: int, point: mpmath.mpf, sigma: float = 1) -> mpmath.mpf:
    return mpmath.polyval(_integers(k), point / sigma) / mpmath.sqrt(mpmath.factorial(k))


@cache
def _integers(k: int) -> list[int]:
    return [int(c) for c in sympy.Poly(hermite_e(k, x), x).all_coeffs()]


@pytest.mark.parametrize(("sigma", "relative"), [(2, False), (2, True), (0.5, True)])
def test_under_a_gaussian_they_enclose_the_integral(sigma, relative):
    variance = exact_float(float(sigma)) ** 2
    [found] = hermite_coefficients(THREE, 6, variance, relative=relative, digits=14)
    with mpmath.workdps(25):
        targets = [
            (point, (slope / density + point * relative) * mpmath.npdf(point, 0, sigma) / PER_UNIT)
            for point, density, slope in _grid()
        ]
        for k in range(7):
            direct = mpmath.fsum(target * _h(k, point, sigma) for point, target in targets)
            # Halving the step changes the sum by less than this.
            enclosure, slack = found[(k,)], Rational(1, 10**18)
            assert enclosure.width <= Rational(1, 10**14)
            assert enclosure.lower - slack <= Rational(str(direct)) <= enclosure.upper + slack


@pytest.mark.parametrize("relative", [False, True])
def test_under_the_mixture_they_are_the_expectation(relative):
    [found] = hermite_coefficients(THREE, 5, relative=relative)
    with mpmath.workdps(25):
        targets = [
            (point, (slope + point * density * relative) / PER_UNIT)
            for point, density, slope in _grid()
        ]
        for k in range(6):
            direct = mpmath.fsum(target * _h(k, point) for point, target in targets)
            assert abs(direct - mpmath.mpf(found[(k,)].evalf(30))) < 1e-18


def test_under_the_mixture_two_variables_follow_stein():
    eta = hermite_moments(UNEQUAL, 4)
    first, second = hermite_coefficients(UNEQUAL, 3)
    relative = hermite_coefficients(UNEQUAL, 3, relative=True)
    assert first[(2, 1)] == -2 * eta[(1, 1)] / sympy.sqrt(2)
    assert second[(2, 1)] == -eta[(2, 0)] / sympy.sqrt(2)
    assert relative[1][(2, 1)] == eta[(2, 2)] / sympy.sqrt(2)
    # E[x_j He_k] is what the relative score has more.
    table = moments(RationalMixture.of(UNEQUAL), 4)
    for k, j in product(exponents(2, 3), range(2)):
        terms = sympy.Poly((x, y)[j] * hermite_e(k, (x, y)), x, y).terms()
        more = sum(c * Rational(int(table[a].p), int(table[a].q)) for a, c in terms)
        norm = sympy.sqrt(sympy.factorial(k[0]) * sympy.factorial(k[1]))
        difference = relative[j][k] - (first, second)[j][k]
        assert sympy.expand(difference * norm) == more


def test_a_single_gaussian_has_two_coefficients():
    [found] = hermite_coefficients(ExactMixture([1], [2], [3]), 4, "1/4", digits=25)
    assert found[(0,)].lower <= Rational(2, 3) <= found[(0,)].upper
    assert found[(1,)].lower <= -Rational(1, 6) <= found[(1,)].upper
    for k in range(2, 5):
        assert found[(k,)].lower <= 0 <= found[(k,)].upper


def test_misuse_is_refused():
    symbolic = ExactMixture([w, 1 - w], [-m, m], [1, 1])
    with pytest.raises(BadOption, match="at least 0"):
        hermite_moments(THREE, -1)
    with pytest.raises(ResourceLimit):
        hermite_moments(UNEQUAL, 62)
    with pytest.raises(BadOption, match="positive rational"):
        hermite_coefficients(THREE, 2, v)
    with pytest.raises(BadOption, match="positive rational"):
        hermite_coefficients(THREE, 2, 0)
    with pytest.raises(BadOption, match="digits"):
        hermite_coefficients(THREE, 2, 1, digits=0)
    with pytest.raises(BadData, match="reference"):
        hermite_coefficients(THREE, 2, "gaussian")
    with pytest.raises(BadData, match="rational"):
        hermite_coefficients(symbolic, 2, 1)
    with pytest.raises(UnsupportedInstance, match="one dimension"):
        hermite_coefficients(UNEQUAL, 2, 1)
