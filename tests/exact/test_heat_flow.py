from fractions import Fraction

import numpy as np
import pytest
from scipy import integrate, stats

from symscore.errors import NotCertified
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.bounds.heat_flow import fisher_integral_above
from symscore.exact.information.fisher import fisher_enclosure

TWO = RationalMixture.of(ExactMixture(["1/2", "1/2"], [-2, 2], [1, 1]))


def mixture_density(x, alpha):
    return (stats.norm.pdf(x, 2 * alpha) + stats.norm.pdf(x, -2 * alpha)) / 2


def test_stams_inequality_bounds_the_integral_of_the_information():
    alphas = [Fraction(1, 10), Fraction(1, 2), Fraction(1)]
    found = fisher_integral_above(TWO, alphas, fisher_enclosure, Fraction(1, 10**8))

    def information(t):
        x = np.linspace(-12, 12, 2001)
        density = mixture_density(x, np.exp(-t))
        slope = np.gradient(density, x, edge_order=2)
        return (slope**2 / density).sum() * (x[1] - x[0])

    true, _ = integrate.quad(information, 0, np.log(10), epsabs=1e-7)
    # First order in the spacing, of which there are 120.
    assert true < found < true + 0.05


def test_stams_inequality_is_sharp_for_white_gaussians():
    white = RationalMixture.of(ExactMixture([1], [[1, 2]], [[[3, 0], [0, 3]]]))
    found = fisher_integral_above(
        white, [Fraction(1, 5), Fraction(1)], fisher_enclosure, Fraction(1, 10**12)
    )
    # J = 2 / (1 + 2 e^{-2t}) over [0, log 5] is log((e^{2t} + 2) / 3).
    assert float(found) == pytest.approx(np.log(27 / 3), abs=1e-9)


def test_an_information_that_is_out_of_reach_is_not_passed_over():
    def failing(mixture, width):
        raise NotCertified("out of reach")

    with pytest.raises(NotCertified):
        fisher_integral_above(TWO, [Fraction(1, 2), Fraction(1)], failing, Fraction(1, 10))
