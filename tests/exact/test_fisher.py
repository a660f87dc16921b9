"""Fisher information against quadrature of its definition, closed forms and invariances."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from scipy.integrate import dblquad

from symscore.errors import BadData, BadOption, NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact import ExactMixture, check, fisher_information
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.fisher import FISHER
from tests.exact.mixtures import line_density_and_score, line_expectation, random_mixture

EYE = [[1, 0], [0, 1]]
SYMMETRIC = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
UNEQUAL = ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"])

# Digits published with the method (30 of each); quadrature below is a second opinion.
KNOWN = {
    "0.550400490793327170288319498822": SYMMETRIC,
    "0.564796096907268861023223201304": ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], [1, 1]),
    "1.02256208189133408410976140348": UNEQUAL,
    "0.999999999999999999997611616529": ExactMixture(["1/2", "1/2"], [-10, 10], [1, 1]),
}


def routes_for(mixture: ExactMixture, width: Fraction) -> dict:
    """What every method that applies encloses."""
    found = {}
    for method, route in FISHER.routes.items():
        try:
            found[method] = route(RationalMixture.of(mixture), width)
        except UnsupportedInstance:
            continue
    return found


def assert_agree(found: dict, width: Fraction) -> None:
    assert len(found) >= 2
    for one in found.values():
        assert 0 <= one.width <= width
        for two in found.values():
            assert one.overlaps(two)


@pytest.mark.parametrize("digits", KNOWN)
def test_thirty_known_digits(digits):
    certificate = fisher_information(KNOWN[digits], digits=28)
    assert abs(certificate.midpoint - Fraction(digits)) < Fraction(2, 10**28)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shared", [True, False])
def test_all_methods_agree_on_the_line_and_with_quadrature_of_the_definition(seed, shared):
    rng = np.random.default_rng([seed, shared])
    mixture = random_mixture(rng, int(rng.integers(2, 5)), 1, shared=shared)
    width = Fraction(1, 10**18)
    found = routes_for(mixture, width)
    assert_agree(found, width)
    with mpmath.workdps(30):
        _, score = line_density_and_score(mixture)
        direct = line_expectation(mixture, lambda x: score(x) ** 2)
        for enclosure in found.values():
            ends = [
                mpmath.mpf(e.numerator) / e.denominator for e in (enclosure.lower, enclosure.upper)
            ]
            # The quadrature of analytic integrands is good to far more than these digits.
            assert ends[0] - mpmath.mpf(10) ** -18 <= direct <= ends[1] + mpmath.mpf(10) ** -18


@pytest.mark.parametrize("seed", range(3))
def test_planar_mixtures_against_quadrature_of_the_definition(seed):
    mixture = random_mixture(np.random.default_rng(seed), 3, 2, shared=True, spread=1.2)
    width = Fraction(1, 10**9)
    found = routes_for(mixture, width)
    assert_agree(found, width)
    rational = RationalMixture.of(mixture)
    inverse = np.array(
        [[float(Fraction(str(e))) for e in row] for row in rational.precision(0).tolist()]
    )
    means = np.array([[int(e.p) / int(e.q) for e in mean] for mean in rational.means])
    weights = np.array([int(e.p) / int(e.q) for e in rational.weights])
    scale = np.sqrt(np.linalg.det(inverse)) / (2 * np.pi)

    def integrand(y: float, x: float) -> float:
        pulls = (means - (x, y)) @ inverse
        parts = scale * weights * np.exp(-0.5 * np.sum(pulls * (means - (x, y)), axis=1))
        return np.sum((parts @ pulls) ** 2) / parts.sum()

    low, high = means.min() - 9, means.max() + 9
    direct, _ = dblquad(integrand, low, high, low, high, epsabs=1e-7, epsrel=1e-7)
    for enclosure in found.values():
        assert abs(float(enclosure.midpoint) - direct) < 1e-6


def test_three_dimensions_by_balls_and_by_integers():
    mixture = random_mixture(np.random.default_rng(5), 4, 3, shared=True, spread=0.7)
    width = Fraction(1, 10**3)
    assert_agree(routes_for(mixture, width), width)


def test_one_component_has_the_trace_of_its_precision():
    certificate = fisher_information(ExactMixture([1], [[0, 1]], [[[2, 1], [1, 3]]]))
    assert certificate.lower < Fraction(5, 5) < certificate.upper  # tr = (2 + 3) / det


def test_an_independent_coordinate_adds_its_precision():
    line = fisher_information(SYMMETRIC, digits=25)
    plane = fisher_information(
        ExactMixture(["1/2", "1/2"], [[-1, 0], [1, 0]], [[[1, 0], [0, "1/3"]]] * 2), digits=25
    )
    assert abs(plane.midpoint - line.midpoint - 3) < Fraction(2, 10**25)


def test_a_rotation_changes_nothing():
    turned = [["3/5", "4/5"], ["-4/5", "3/5"]]
    means = [[1, 0], [-1, 1], [0, -2]]
    rotated = [
        [sum(Fraction(a) * b for a, b in zip(row, mean, strict=True)) for row in turned]
        for mean in means
    ]
    weights = ["1/2", "1/3", "1/6"]
    one = fisher_information(ExactMixture(weights, means, [EYE] * 3), digits=12)
    two = fisher_information(ExactMixture(weights, rotated, [EYE] * 3), digits=12)
    assert one.enclosure.overlaps(two.enclosure)


def test_scaling_divides_by_the_square():
    scaled = ExactMixture(["1/2", "1/2"], ["-1/3", "1/3"], ["1/9", "1/9"])
    assert abs(
        fisher_information(scaled, 20).midpoint - 9 * fisher_information(SYMMETRIC, 22).midpoint
    ) < Fraction(2, 10**20)


def test_a_component_given_twice_counts_as_one():
    twice = ExactMixture(["1/4", "1/4", "1/2"], [-1, -1, 1], [1, 1, 1])
    assert_agree(routes_for(twice, Fraction(1, 10**15)), Fraction(1, 10**15))
    assert abs(
        fisher_information(twice, 15).midpoint - fisher_information(SYMMETRIC, 15).midpoint
    ) < Fraction(2, 10**15)


def test_a_direction_shared_by_means_and_covariances_needs_one_integral():
    mixture = ExactMixture(["1/4", "3/4"], [[0, 0], [3, 0]], [EYE, [[2, 0], [0, 1]]])
    line = ExactMixture(["1/4", "3/4"], [0, 3], [1, 2])
    found = routes_for(mixture, Fraction(1, 10**15))
    assert_agree(found, Fraction(1, 10**15))
    expected = fisher_information(line, 15).midpoint + 1
    assert abs(fisher_information(mixture, 15).midpoint - expected) < Fraction(2, 10**15)


@pytest.mark.parametrize(
    ("mixture", "digits", "error"),
    [
        (random_mixture(np.random.default_rng(5), 4, 3, shared=True), 100, ResourceLimit),
        (
            ExactMixture(
                ["1/6"] * 5 + ["1/6"],
                [[0] * 5, *([int(i == j) for j in range(5)] for i in range(5))],
                [[[int(i == j) for j in range(5)] for i in range(5)]] * 6,
            ),
            3,
            UnsupportedInstance,
        ),
        (SYMMETRIC, 0, BadOption),
        (SYMMETRIC, 10**6, BadOption),
        (SYMMETRIC, True, BadOption),
    ],
)
def test_refusals(mixture, digits, error):
    with pytest.raises(error):
        fisher_information(mixture, digits)


@pytest.mark.parametrize("far", [10, 10**3, 10**40, 10**400])
def test_far_apart_components_have_the_information_of_one(far):
    certificate = fisher_information(ExactMixture(["1/2", "1/2"], [0, far], [1, 1]), digits=10)
    assert abs(certificate.midpoint - 1) < Fraction(1, 10**4)


@pytest.mark.parametrize("dim", [1, 2])
def test_a_common_shift_changes_nothing(dim):
    mixture = random_mixture(np.random.default_rng(7), 3, dim, shared=False, spread=1.0)
    means = [[entry + 10**30 for entry in mean] for mean in mixture.means]
    moved = ExactMixture(mixture.weights, means, mixture.covariances)
    assert fisher_information(moved, 6).enclosure == fisher_information(mixture, 6).enclosure


@pytest.mark.parametrize("scale", ["1/100000", "1/100000000000"])
def test_a_certificate_of_a_small_scale_is_confirmed(scale):
    small = Fraction(scale)
    two = ExactMixture(["1/2", "1/2"], [0, small], [small**2 / 100] * 2)
    made = fisher_information(two, digits=6)
    assert check(made).method != made.method
    close = ExactMixture(["1/2", "1/2"], [0, small / 10], [small**2] * 2)
    made = fisher_information(close, digits=6)
    assert check(made).method != made.method


def test_a_symbol_is_refused():
    import sympy

    with pytest.raises(BadData, match="rational"):
        fisher_information(ExactMixture([1], [sympy.Symbol("m")], [1]))


def test_refusals_are_kinds_of_one_error():
    assert issubclass(UnsupportedInstance, NotCertified)
