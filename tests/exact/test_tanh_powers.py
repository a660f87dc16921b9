"""Powers of the generator on mu tanh(mu y), against derivatives and floating quadrature."""

from fractions import Fraction

import numpy as np
import pytest
import sympy
from flint import fmpq

from symscore.errors import BadOption
from symscore.exact.bounds.tanh_powers import generator_moment, generator_power

NODES = np.arange(-1400, 1401) / 100


@pytest.mark.parametrize(("mu", "m"), [("1", 0), ("1", 2), ("3/2", 1), ("1/2", 3)])
def test_the_polynomial_is_what_derivatives_give(mu, m):
    y, size = sympy.Symbol("y"), sympy.Rational(mu)
    f = size * sympy.tanh(size * y)
    for _ in range(m):
        f = f.diff(y, 2) - y * f.diff(y)
    terms = generator_power(fmpq(int(size.p), int(size.q)), m)
    at = sympy.Rational(7, 5)
    tanh = sympy.tanh(size * at)
    value = sum(sympy.Rational(str(c)) * at**i * tanh**j for (i, j), c in terms.items())
    assert abs(float(f.subs(y, at)) - float(value)) < 1e-12


@pytest.mark.parametrize("law", [False, True])
@pytest.mark.parametrize(("m", "p"), [(0, 2), (1, 2), (2, 2), (1, 4)])
def test_moments_agree_with_trapezoids(m, p, law):
    terms = generator_power(fmpq(1), m)
    weights = np.exp(-(NODES**2) / 2) / np.sqrt(2 * np.pi) / 100
    if law:
        weights = weights * np.cosh(NODES) * np.exp(-0.5)
    tanh = np.tanh(NODES)
    value = sum(float(fmpq(c)) * NODES**i * tanh**j for (i, j), c in terms.items())
    found = generator_moment(Fraction(1), m, p, law=law)
    # The sum errs like exp(-2 pi a / h), a = pi / 2 the height of the poles, h = 1/100; what is
    # beyond 14 is below exp(-80); so rounding is left.
    assert float(found) == pytest.approx(float(weights @ value**p), rel=1e-12)
    assert found.is_finite()
    assert float(found.rad()) < 1e-6 * float(found.mid())


def test_odd_powers_are_refused():
    with pytest.raises(BadOption, match="even"):
        generator_moment(Fraction(1), 1, 3)
