from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from symscore.errors import UnsupportedInstance
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import precision
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.bounds.label_information import (
    by_quadrature,
    by_taylor,
    mean_component_entropy,
    taylor_integral,
)
from symscore.exact.bounds.overlaps import by_moments, by_natural_parameters

TINY = Fraction(1, 10**14)


def information(weights, means, variances):
    """Return the mutual information by mpmath's quadrature of the divergences E_i log(N_i / p)."""
    with mpmath.workdps(18):
        w, m, v = (
            [mpmath.mpf(x.numerator) / x.denominator for x in xs]
            for xs in (weights, means, variances)
        )
        deviation = mpmath.sqrt(max(v))

        def density(i, x):
            return mpmath.npdf(x, m[i], mpmath.sqrt(v[i]))

        def integrand(x):
            parts = [density(i, x) for i in range(len(w))]
            total = sum(a * b for a, b in zip(w, parts, strict=True))
            return sum(a * b * mpmath.log(b / total) for a, b in zip(w, parts, strict=True))

        knots = sorted({*m, min(m) - 11 * deviation, max(m) + 11 * deviation})
        return mpmath.quad(integrand, knots)


INSTANCES = [
    (("1/2", "1/2"), (-1, 1), (1, 1)),
    (("3/10", "4/10", "3/10"), (-4, 0, "3/2"), (1, "1/2", 1)),
    (("1/3", "2/3"), ("-7/5", "4/3"), ("1/4", "9/4")),
    (("1/2", "1/2"), (0, 0), ("1/4", 2)),
]


@pytest.mark.parametrize("instance", INSTANCES)
def test_three_ways_around_an_independent_quadrature(instance):
    mixture = RationalMixture.of(ExactMixture(*map(list, instance)))
    oracle = information(*([Fraction(x) for x in xs] for xs in instance))
    first, second = by_quadrature(mixture, TINY), by_taylor(mixture, TINY)
    assert first.width <= TINY
    assert second.width <= TINY
    assert first.overlaps(second)
    assert abs(mpmath.mpf(float(first.midpoint)) - oracle) < 1e-14
    assert by_moments(mixture, TINY).contains(first)


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_the_two_integrals_meet_on_random_mixtures(data):
    count = data.draw(st.integers(2, 3))
    shares = data.draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    means = data.draw(
        st.lists(st.fractions(-4, 4, max_denominator=5), min_size=count, max_size=count)
    )
    variances = data.draw(
        st.lists(st.fractions("1/2", 2, max_denominator=5), min_size=count, max_size=count)
    )
    weights = [Fraction(share, sum(shares)) for share in shares]
    mixture = RationalMixture.of(ExactMixture(weights, means, variances))
    width = Fraction(1, 10**7)
    first = by_quadrature(mixture, width)
    assert first.overlaps(by_taylor(mixture, width))
    assert by_moments(mixture, width).overlaps(first)


def test_a_common_component_costs_nothing():
    # In a frame turned by (3, 4) / 5, the second coordinate is the same in both components.
    turned = ExactMixture(
        ["1/2", "1/2"], [["-3/5", "-4/5"], ["3/5", "4/5"]], [[[1, 0], [0, 1]]] * 2
    )
    line = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    one, two = (by_quadrature(RationalMixture.of(m), TINY) for m in (line, turned))
    assert one.overlaps(two)


def test_one_component_tells_nothing():
    one = RationalMixture.of(ExactMixture([1], [3], ["1/2"]))
    for method in (by_quadrature, by_taylor, by_moments):
        found = method(one, TINY)
        assert found.lower == 0
        assert found.upper <= TINY


def test_the_entropy_of_a_gaussian():
    matrix = [[2, "1/2"], ["1/2", 1]]
    mixture = RationalMixture.of(ExactMixture([1], [[0, 1]], [matrix]))
    with precision(96):
        found = float(mean_component_entropy(mixture).mid())
    assert found == pytest.approx(
        float(mpmath.log((2 * mpmath.pi * mpmath.e) ** 2 * mpmath.mpf("1.75")) / 2), rel=1e-15
    )


@pytest.mark.parametrize("tolerance", ["0.5", "1e-3", "1e-9"])
def test_taylor_polynomials_keep_their_remainder(tolerance):
    with precision(128):
        found = taylor_integral(
            lambda t: (t * t * arb(-9)).exp(), fmpq(-3), fmpq(4), arb(tolerance)
        )
        true = (arb(9).erf() + arb(12).erf()) * arb.pi().sqrt() / 6
        assert found.overlaps(true)
        assert found.rad() <= arb(tolerance)
        # The polynomials alone are not the integral: the remainder is what makes it a proof.
        assert not found.mid().overlaps(true)


def test_taylor_polynomials_integrate_powers_exactly():
    def power(t):
        square = t * t
        fourth = square * square
        eighth = fourth * fourth
        return eighth * eighth * fourth * square

    with precision(128):
        found = taylor_integral(power, fmpq(-1), fmpq(1), arb(1))
        assert found.overlaps(arb(fmpq(2, 23)))
        assert found.rad() < arb("1e-30")


def test_two_directions_have_no_line():
    identity = [[1, 0], [0, 1]]
    mixture = RationalMixture.of(
        ExactMixture(["1/3"] * 3, [[0, 0], [1, 0], [0, 1]], [identity] * 3)
    )
    for method in (by_quadrature, by_taylor):
        with pytest.raises(UnsupportedInstance, match="these need 2"):
            method(mixture, TINY)


def test_two_formulas_for_overlaps_and_their_bound_in_the_plane():
    covariances = [[[1, 0], [0, 1]], [["3/2", "1/2"], ["1/2", 1]], [["1/2", 0], [0, 2]]]
    mixture = RationalMixture.of(
        ExactMixture(["1/2", "1/3", "1/6"], [[1, 0], [-1, 1], [0, -2]], covariances)
    )
    first, second = by_moments(mixture, TINY), by_natural_parameters(mixture, TINY)
    assert abs(first.lower - second.lower) <= TINY
    # The integral of the divergence of the posterior, by the trapezoid rule.
    axis = np.linspace(-10, 10, 401)
    points = np.stack(np.meshgrid(axis, axis), axis=-1)
    means = [[1, 0], [-1, 1], [0, -2]]
    floats = [[[float(Fraction(x)) for x in row] for row in c] for c in covariances]
    weighted = np.stack(
        [
            w * stats.multivariate_normal(m, c).pdf(points)
            for w, m, c in zip((1 / 2, 1 / 3, 1 / 6), means, floats, strict=True)
        ]
    )
    prior = np.array([1 / 2, 1 / 3, 1 / 6])[:, None, None]
    true = special.rel_entr(weighted, prior * weighted.sum(axis=0)).sum() * (axis[1] - axis[0]) ** 2
    assert 0.6 * true < float(first.lower) < true < float(first.upper)
