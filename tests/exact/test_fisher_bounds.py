"""Error bounds at work: sums so coarse and intervals so short that the bounds matter."""

from fractions import Fraction

import pytest
from flint import arb, fmpq

from symscore.errors import NotCertified, UnsupportedInstance
from symscore.exact import ExactMixture, check, fisher_information
from symscore.exact.arithmetic.balls import Enclosure, precision
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information import fisher_far, fisher_line, lattice, lattice_integers
from symscore.exact.information.gram_coordinates import components
from symscore.exact.information.lattice_bounds import Axis, Lattice, aliasing, independent, outside
from symscore.exact.information.statistic import statistic

EYE = [[1, 0], [0, 1]]
MIXTURES = {
    "two": ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]),
    "lopsided": ExactMixture(["1/9", "5/9", "1/3"], [-1, 0, 2], ["1/2"] * 3),
    "plane": ExactMixture(["1/2", "1/3", "1/6"], [[1, 0], [-1, 1], [0, -1]], [EYE] * 3),
}
# Spacing and reach in standard deviations: what is left out, aliasing, or both are large; neither
# is in the first, where what is cut or rounded off is all there is.
COARSE = [(Fraction(1, 4), 7), (Fraction(1, 4), 2), (Fraction(3, 2), 6), (Fraction(5, 4), 2)]
each_mixture = pytest.mark.parametrize("name", MIXTURES)
each_lattice = pytest.mark.parametrize(("spacing", "reach"), COARSE)


def true_spread(mixture: ExactMixture) -> Enclosure:
    """E of the posterior spread, from the trace and a certificate of J at full accuracy."""
    certificate = fisher_information(mixture, digits=12)
    trace = statistic(RationalMixture.of(mixture)).trace
    exact = Fraction(int(trace.p), int(trace.q))
    return Enclosure(exact - certificate.upper, exact - certificate.lower)


def coarse_lattice(parts, spacing: Fraction, reach: int, cut: fmpq) -> Lattice:
    axes = []
    for j, variance in enumerate(parts.variances):
        step = fmpq(spacing.numerator, spacing.denominator)
        ends = [mean[j] for mean in parts.means]
        low = int(((min(ends) - reach * variance) / step).floor())
        high = int(((max(ends) + reach * variance) / step).ceil())
        axes.append(Axis(step, low, high))
    # cos(a D / 2) is far from both of its ends at this height.
    height = fmpq(2) / fmpq(int(float(parts.squared_diameter) ** 0.5 * 1000) + 1, 1000)
    return Lattice(tuple(axes), height, cut)


@each_mixture
@each_lattice
@pytest.mark.parametrize("cut", [fmpq(0), fmpq(1, 50)])
def test_a_coarse_sum_in_balls_holds_the_truth(name, spacing, reach, cut):
    mixture = RationalMixture.of(MIXTURES[name])
    found = statistic(mixture)
    parts = independent(found, found.law)
    with precision(64):
        ball = lattice.spread_on(parts, coarse_lattice(parts, spacing, reach, cut))
    assert Enclosure.of_ball(ball).contains(true_spread(MIXTURES[name]))


@each_mixture
@each_lattice
@pytest.mark.parametrize("bits", [10, 40])
def test_a_coarse_sum_in_integers_holds_the_truth(name, spacing, reach, bits):
    mixture = MIXTURES[name]
    plain = [[Fraction(str(e)) for e in mean] for mean in mixture.means]
    weights = [Fraction(str(e)) for e in mixture.weights]
    variance = Fraction(str(mixture.covariances[0][0][0]))
    inverse = [
        [Fraction(int(i == j)) / variance for j in range(mixture.dim)] for i in range(mixture.dim)
    ]
    parts = components(tuple(weights), tuple(map(tuple, plain)), inverse)
    axes = []
    for j, delta in enumerate(parts.precisions):
        step = lattice_integers.root_below(spacing**2 / delta, 12)
        ends = [mean[j] for mean in parts.means]
        low = int((min(ends) - reach * step / spacing) / step) - 1
        high = int((max(ends) + reach * step / spacing) / step) + 1
        axes.append(lattice_integers.Axis(step, range(low, high), delta))
    height = 2 / lattice_integers.root_above(lattice_integers.squared_diameter(parts))
    ends = lattice_integers.spread_on(parts, axes, height, bits)
    assert Enclosure(*ends).contains(true_spread(mixture))


@pytest.mark.parametrize("name", ["two", "lopsided"])
@pytest.mark.parametrize("half", [2, 3])
@pytest.mark.parametrize("route", ["spread", "departure", "direct"])
def test_a_short_interval_holds_the_truth(monkeypatch, name, half, route):
    monkeypatch.setattr(fisher_line, "support", lambda law, bits: (fmpq(-half), fmpq(half)))
    certificate = fisher_information(MIXTURES[name], digits=12)
    routes = {
        "spread": fisher_line.spread_on_the_line,
        "departure": fisher_line.departure_on_the_line,
        "direct": fisher_line.direct_on_the_line,
    }
    found = routes[route](RationalMixture.of(MIXTURES[name]), Fraction(100))
    assert found.contains(certificate.enclosure)


def test_unequal_variances_on_a_short_interval(monkeypatch):
    mixture = ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"])
    certificate = fisher_information(mixture, digits=12)
    monkeypatch.setattr(fisher_line, "support", lambda law, bits: (fmpq(-3), fmpq(4)))
    for route in (fisher_line.spread_on_the_line, fisher_line.direct_on_the_line):
        found = route(RationalMixture.of(mixture), Fraction(100))
        assert found.width > Fraction(1, 10**4)
        assert found.contains(certificate.enclosure)


@each_mixture
def test_bounds_grow_as_they_should(name):
    mixture = RationalMixture.of(MIXTURES[name])
    found = statistic(mixture)
    parts = independent(found, found.law)
    with precision(64):
        wide, narrow = (coarse_lattice(parts, Fraction(1, 2), reach, fmpq(0)) for reach in (5, 3))
        assert outside(parts, narrow) > outside(parts, wide)
        fine, rough = (coarse_lattice(parts, step, 5, fmpq(0)) for step in (Fraction(1, 2), 1))
        assert aliasing(parts, rough) > aliasing(parts, fine)


def test_a_strip_with_zeros_of_the_density_is_refused():
    mixture = RationalMixture.of(MIXTURES["two"])
    found = statistic(mixture)
    parts = independent(found, found.law)
    grid = Lattice((Axis(fmpq(1, 2), -20, 20),), fmpq(2), fmpq(0))
    with precision(64), pytest.raises(UnsupportedInstance, match="zeros"):
        aliasing(parts, grid)


OVERLAPPING = [
    ExactMixture(["1/3", "2/3"], [0, 3], [1, 1]),
    ExactMixture(["1/3", "2/3"], [0, 12], [1, 1]),
    ExactMixture(["1/3", "2/3"], [0, 5], [1, 4]),
    ExactMixture(["1/2", "1/2"], [0, 0], ["1/9", 2]),
    ExactMixture(["1/2", "1/2"], [[0, 0], [3, 1]], [EYE, [[2, 1], [1, 2]]]),
]


@pytest.mark.parametrize("mixture", OVERLAPPING)
def test_the_overlap_bound_is_above_the_overlap(mixture):
    rational, wide = RationalMixture.of(mixture), Fraction(10**6)
    certificate = fisher_information(mixture, digits=8)
    found = [fisher_far.far_apart(rational, wide), fisher_far.far_apart_again(rational, wide)]
    if rational.shares_covariance:
        found.append(fisher_far.far_apart_in_integers(rational, wide))
    for enclosure in found:
        assert enclosure.lower <= certificate.upper
        assert certificate.lower <= enclosure.upper
        assert float(enclosure.width) == pytest.approx(float(found[0].width), rel=1e-9)


@pytest.mark.parametrize("far", [10**3, 10**5, 10**40])
def test_unequal_components_far_apart(far):
    two = ExactMixture(["1/2", "1/2"], [[0, 0], [far, 1]], [EYE, [[2, 1], [1, 2]]])
    made = fisher_information(two, digits=20)
    assert check(made).method != made.method
    # tr C^-1 is 2 and 4/3, and either counts a half.
    assert made.lower < Fraction(5, 3) < made.upper


def test_a_ball_that_is_not_finite_encloses_nothing():
    with pytest.raises(NotCertified):
        Enclosure.of_ball(arb("nan"))
    with pytest.raises(NotCertified):
        Enclosure.of_ball(1 / arb(0, 1))
