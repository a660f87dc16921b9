"""Integer arithmetic's bounds, held against 60 digits of mpmath."""

from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symscore.exact.arithmetic.integers import (
    cos_below,
    exp_units,
    pi_bounds,
    root_above,
    root_below,
    short,
)

mpmath_digits = 80


def exact(value: mpmath.mpf) -> Fraction:
    sign, mantissa, exponent, _ = value._mpf_
    return Fraction((-1) ** sign * int(mantissa)) * Fraction(2) ** exponent


@given(st.fractions(0, 400, max_denominator=10**6), st.integers(16, 160))
def test_exponential_lies_within_two_units(x, bits):
    units = exp_units(x, bits)
    with mpmath.workdps(mpmath_digits):
        true = exact(mpmath.exp(-mpmath.mpf(x.numerator) / x.denominator)) * (1 << bits)
    assert units <= true <= units + 2


@given(st.integers(4, 200))
def test_pi_lies_between_its_bounds(bits):
    low, high = pi_bounds(bits)
    with mpmath.workdps(mpmath_digits):
        true = exact(+mpmath.pi)
    assert low < true < high
    assert high - low <= Fraction(1, 1 << bits)


@given(st.fractions(0, 10**6, max_denominator=10**6), st.integers(8, 80))
def test_roots_are_bounded(value, bits):
    low, high = root_below(value, bits), root_above(value, bits)
    assert low**2 <= value < high**2
    assert high - low <= Fraction(1, 1 << bits)


@given(st.fractions(0, 2, max_denominator=10**4))
def test_cosine_is_bounded_from_below(angle):
    with mpmath.workdps(mpmath_digits):
        true = exact(mpmath.cos(mpmath.mpf(angle.numerator) / angle.denominator))
        # The argument of mpmath's cosine is itself rounded, at eighty digits.
        slack = Fraction(1, 10**70)
    assert cos_below(angle) <= true + slack
    assert true - cos_below(angle) < Fraction(1, 10**15)


@pytest.mark.parametrize("value", [1e-300, 0.3, 1.0, 7.0, 1e300])
def test_a_short_rational_is_near(value):
    found = short(value)
    assert abs(found / Fraction(value) - 1) < Fraction(1, 1 << 19)
    assert found.numerator.bit_length() <= 1020
