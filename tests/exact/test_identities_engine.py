"""The engine that decides identities: what it proves, refutes and refuses, and how fast."""

from fractions import Fraction
from time import process_time

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import (
    Abs,
    I,
    Rational,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    log,
    pi,
    sin,
    sinh,
    sqrt,
    symbols,
    tanh,
)

from symscore.errors import BadData, NotCertified, ResourceLimit
from symscore.exact import is_identity, prove

x, y, m, v, w = symbols("x y m v w")
s, t = symbols("s t", positive=True)

TRUE = [
    (exp(2 * x), exp(x) ** 2),
    (exp(x / 3) * exp(x / 2), exp(x) ** Rational(5, 6) if x.is_real else exp(5 * x / 6)),
    ((exp(2 * x) - 1) / (exp(x) - 1), exp(x) + 1),
    (exp(x + y) - exp(x), exp(x) * (exp(y) - 1)),
    (-x + tanh(x), -x + (exp(x) - exp(-x)) / (exp(x) + exp(-x))),
    (tanh(x + y), (tanh(x) + tanh(y)) / (1 + tanh(x) * tanh(y))),
    (cosh(x) ** 2 - sinh(x) ** 2, 1),
    (cos(x) ** 2 + sin(x) ** 2, 1),
    (sin(x + y), sin(x) * cos(y) + cos(x) * sin(y)),
    (exp(I * x) + exp(-I * x), 2 * cos(x)),
    (sqrt(x * y), sqrt(x) * sqrt(y)),
    (sqrt(x**2), Abs(x)),
    (sqrt(x) * Abs(x), x * sqrt(x)),
    (sqrt(x**2 - 2 * x + 1), Abs(1 - x)),
    (1 / (sqrt(2) - 1), sqrt(2) + 1),
    (sqrt(6) * sqrt(10) / sqrt(15), 2),
    (sqrt(2 * pi * s * t), sqrt(2) * sqrt(pi * s) * sqrt(t)),
    (s ** Rational(1, 3) * sqrt(s), s ** Rational(5, 6)),
    (log(6), log(2) + log(3)),
    (log(s**2 * t), 2 * log(s) + log(t)),
    (log(w / (1 - w)), log(w) - log(1 - w)),
    (log(1 + exp(x)), x + log(1 + exp(-x))),
    (log(sqrt(s)), log(s) / 2),
    (exp(log(w / (1 - w)) / 2 + x), exp(x) * sqrt(w) / sqrt(1 - w)),
    (2**x * 3**x, 6**x),
    (exp(exp(x) / 2) ** 2, exp(exp(x))),
    (erf(x) + erfc(x), 1),
    (erf((x**2 - 1) / (x - 1)), erf(x + 1)),
    ((x**3 - 1) / (x - 1), x**2 + x + 1),
    (tanh(m * x / v + log(w / (1 - w)) / 2), 1 - 2 * (1 - w) / (w * exp(2 * m * x / v) + 1 - w)),
    (exp(Rational(1, 3)) ** 6, exp(2)),
]
FALSE = [
    (exp(2 * x), exp(x) + exp(x)),
    (sqrt(x**2), x),
    (Abs(x), x),
    (sin(x + y), sin(x) * cos(y) - cos(x) * sin(y)),
    (log(s * t), log(s) * log(t)),
    (pi, Rational(355, 113)),
    (exp(pi * sqrt(163)), 640320**3 + 744),
    (tanh(x), tanh(2 * x) / 2),
    (exp(x), 1 + x + x**2 / 2),
    (exp(I * x), cos(x) - I * sin(x)),
    (x, x + Rational(1, 10**80)),
    (sqrt(2) + sqrt(3), sqrt(10)),
]


def timed(left, right):
    start = process_time()
    proof = prove(left, right)
    assert process_time() - start < 2
    return proof


@pytest.mark.parametrize(("left", "right"), TRUE)
def test_true_identities_are_proved_and_numbers_agree(left, right):
    assert timed(left, right).holds
    assert timed(right, left).holds
    values = {x: Rational(7, 5), y: Rational(3, 7), m: 2, v: 3, w: Rational(1, 3), s: 5, t: 7}
    # mpmath evaluates both to forty digits; its last two may be rounding.
    numbers = [sympy.sympify(side).subs(values).evalf(40) for side in (left, right)]
    assert abs(numbers[0] - numbers[1]) <= Rational(1, 10**38) * abs(numbers[1])


@pytest.mark.parametrize(("left", "right"), TRUE)
def test_a_true_identity_with_something_added_is_refuted(left, right):
    for fault in (Rational(1, 10**50), x, exp(-x) / 7, sqrt(s)):
        assert not timed(left, right + fault).holds


@pytest.mark.parametrize(("left", "right"), FALSE)
def test_false_identities_are_refuted_by_a_point(left, right):
    proof = timed(left, right)
    assert not proof.holds
    point = {symbol: Rational(p.numerator, p.denominator) for symbol, p in proof.witness}
    # The difference may be as small as 1e-80, so a hundred digits are asked for.
    gap = sympy.sympify(left - right).subs(point).evalf(100)
    assert any(part.lower > 0 or part.upper < 0 for part in proof.difference)
    assert gap != 0


fractions = st.builds(Fraction, st.integers(-5, 5), st.integers(1, 4))


@given(st.lists(fractions, min_size=4, max_size=4), st.lists(fractions, min_size=2, max_size=2))
@settings(max_examples=25)
def test_sums_of_exponentials_multiply_out(coefficients, exponents):
    a, b, c, d = map(Rational, coefficients)
    p, q = map(Rational, exponents)
    left = (a * exp(p * x) + b) * (c * exp(q * x) + d * x)
    right = a * c * exp((p + q) * x) + b * c * exp(q * x) + a * d * x * exp(p * x) + b * d * x
    assert is_identity(left, right)
    assert not is_identity(left, right + exp((p + 1) * x))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (sqrt(3 + 2 * sqrt(2)), 1 + sqrt(2)),  # true, but no relation between the roots is known
        (sympy.gamma(x + 1), x * sympy.gamma(x)),
        (sympy.Integral(exp(-(x**2)), x), 0),
        (sqrt(-1 - x**2), 0),  # defined at no real point
        (sqrt(1 + I * x) ** 3, 0),
        (symbols("z", imaginary=True), 0),
    ],
)
def test_what_is_not_decided_is_refused(left, right):
    with pytest.raises(NotCertified, match="Expected"):
        timed(left, right)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, "exact value"),
        (x + 0.5, "exact value"),
        (sympy.oo, "finite"),
        ("x + 1", "as a fraction"),
        (x + sympy.zoo, "finite"),
    ],
)
def test_what_is_no_exact_expression_is_refused(value, message):
    with pytest.raises(BadData, match=message):
        prove(value, 1)


def test_numbers_and_fractions_are_taken_as_they_are():
    assert is_identity("1/3", Fraction(1, 3))
    assert is_identity(sqrt(3) ** 2 / 9, Rational(1, 3))


many = symbols("z0:24")
HUGE = [
    ((sum(many) + 1) ** 40, sum(many) * (sum(many) + 2) ** 39),
    (sympy.Mul(*(z + w + 1 for z in many)) ** 9 - 1, sympy.Mul(*(z + w for z in many)) ** 9),
]


@pytest.mark.parametrize("case", range(len(HUGE)))
def test_false_identities_of_any_size_are_refuted_quickly(case):
    assert not timed(*HUGE[case]).holds


def test_a_proof_that_is_too_long_is_refused_in_time():
    left = (sum(many) + exp(x)) ** 12
    right = (sum(many) + exp(x)) ** 6 * (sum(many[:12]) + (sum(many[12:]) + exp(x))) ** 6
    start = process_time()
    with pytest.raises(ResourceLimit, match="products of terms"):
        prove(left + sqrt(s) ** 3, right + s * sqrt(s) + (s - s) * x)
    assert process_time() - start < 2
