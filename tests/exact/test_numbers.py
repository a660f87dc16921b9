"""What enters the exact layer, and what is refused at its door."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import Symbol

from symscore.errors import BadData
from symscore.exact import exact_float
from symscore.exact.numbers import as_exact, as_exact_vector

rationals = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 6))


@given(rationals)
def test_every_spelling_of_a_rational_is_the_same_number(value):
    want = sympy.Rational(value.numerator, value.denominator)
    assert as_exact(value, "v") == as_exact(str(value), "v") == as_exact(want, "v") == want


@pytest.mark.parametrize(
    ("text", "want"), [("0.1", Fraction(1, 10)), ("-2e-3", Fraction(-1, 500)), (" 7 ", 7)]
)
def test_a_decimal_string_is_the_decimal_number(text, want):
    assert as_exact(text, "v") == want


@pytest.mark.parametrize("values", [["1/3", 2], ("1/3", 2), sympy.Matrix([[Fraction(1, 3), 2]])])
def test_every_sequence_is_a_vector(values):
    assert as_exact_vector(values, "v") == (sympy.Rational(1, 3), 2)


def test_a_scalar_is_a_vector_of_length_one():
    assert as_exact_vector("1/3", "v") == (sympy.Rational(1, 3),)


def test_numpy_integers_are_exact():
    assert as_exact_vector(np.array([2**62 + 1, -3]), "v") == (2**62 + 1, -3)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_float_keeps_every_bit(value):
    exact = exact_float(value)
    numerator, denominator = value.as_integer_ratio()
    assert (exact.p, exact.q) == (numerator, denominator)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_exact_float_refuses_what_is_not_finite(value):
    with pytest.raises(BadData, match="Expected a finite float"):
        exact_float(value)


def test_exact_float_refuses_what_is_no_float():
    with pytest.raises(BadData, match=r"Expected a float; got Fraction\(1, 3\)"):
        exact_float(Fraction(1, 3))


@pytest.mark.parametrize(
    "value", [0.1, np.float64(0.1), sympy.Float("0.1"), 1 + sympy.Float("0.1") * Symbol("a")]
)
def test_a_float_is_refused_with_its_remedy(value):
    with pytest.raises(BadData, match=r"Expected an exact value for w.*exact_float\(.*0\.1"):
        as_exact(value, "w")


@pytest.mark.parametrize(
    "text", ["x", "1/0", "", "nan", "__import__('os')", "1e4301", "1e9_999_999_999", "9" * 5000]
)
def test_a_string_that_is_no_fraction_is_refused(text):
    with pytest.raises(BadData, match="Expected w as a fraction"):
        as_exact(text, "w")


@pytest.mark.parametrize("value", [None, 1j, [1], sympy.true, np.float32(0.1)])
def test_other_types_are_refused(value):
    with pytest.raises(BadData, match="Expected w to be an int, Fraction"):
        as_exact(value, "w")


@pytest.mark.parametrize(
    "value", [sympy.oo, sympy.nan, sympy.zoo, 1 + sympy.I, Symbol("n", commutative=False)]
)
def test_an_expression_that_is_no_real_number_is_refused(value):
    with pytest.raises(BadData, match="Expected w to be finite and real"):
        as_exact(value, "w")
