import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from symscore.errors import BadData, BadOption, NotCertified
from symscore.exact.arithmetic.balls import precision
from symscore.exact.bounds.tail_claims import HERMITE_NOISE, HERMITE_STRIP
from symscore.exact.bounds.tail_theorems import strip_by_sums
from symscore.exact.bounds.tails import certified_degree, hermite_tail_bound
from symscore.exact.certificate import Certificate

# A certificate's end has seven digits, rounded up.
ROUNDING = Fraction(2, 10**6)
# The trapezoid rule on this grid is exact to rounding for what is analytic in |Im y| < pi / 4.
GRID = np.linspace(-14, 14, 1121)
STEP = GRID[1] - GRID[0]
NORMAL = np.exp(-(GRID**2) / 2) / np.sqrt(2 * np.pi)


def hermite(count: int) -> np.ndarray:
    """Return the orthonormal Hermite polynomials h_0 to h_(count-1) on the grid."""
    rows = [np.ones_like(GRID), GRID]
    for k in range(2, count):
        rows.append((GRID * rows[-1] - np.sqrt(k - 1) * rows[-2]) / np.sqrt(k))
    return np.array(rows[:count])


def coefficients(mu: float, count: int = 300) -> np.ndarray:
    """Return the Hermite coefficients of mu tanh(mu y), the denoiser of (+-mu with noise 1)."""
    return hermite(count) @ (mu * np.tanh(mu * GRID) * NORMAL) * STEP


def law_error(mu: float, degree: int) -> float:
    """Return the least L2(P) distance of mu tanh(mu y) to polynomials, by least squares."""
    density = (np.exp(-((GRID - mu) ** 2) / 2) + np.exp(-((GRID + mu) ** 2) / 2)) / np.sqrt(
        8 * np.pi
    )
    root = np.sqrt(density * STEP)
    basis = np.polynomial.legendre.legvander(GRID / 14, degree) * root[:, None]
    target = mu * np.tanh(mu * GRID) * root
    return float(np.linalg.norm(target - basis @ np.linalg.lstsq(basis, target, rcond=None)[0]))


@pytest.mark.parametrize("mu", ["1/2", "1", "2"])
@pytest.mark.parametrize("degree", [0, 1, 4, 10, 20, 40])
def test_the_bounds_lie_above_the_true_tail(mu, degree):
    found = coefficients(float(Fraction(mu)))
    true = np.sqrt((found[degree + 1 :] ** 2).sum())
    strip = hermite_tail_bound(mu, 1, degree)
    noise = hermite_tail_bound(mu, 1, degree, method="noise")
    assert true < strip.upper <= noise.upper <= Fraction(mu) * (1 + ROUNDING)
    assert strip.lower == noise.lower == 0


@pytest.mark.parametrize(
    ("mu", "degree", "figure"), [("1/2", 10, 0.0517), ("1/2", 40, 1.1e-3), (1, 40, 0.096)]
)
def test_noise_sensitivity_has_the_figures_of_the_text(mu, degree, figure):
    # Figures of two digits.
    assert float(hermite_tail_bound(mu, 1, degree, method="noise").upper) == pytest.approx(
        figure, rel=0.02
    )


def test_the_strip_has_the_rate_of_the_hyperbolic_tangent():
    bounds = [float(hermite_tail_bound(1, 1, order - 1).upper) for order in (400, 900)]
    rate = np.log(bounds[0] / bounds[1]) / (30 - 20)
    # pi / 2, less what powers of the order in front cost between these two.
    assert rate == pytest.approx(np.pi / 2, abs=0.12)


@pytest.mark.parametrize("mu", ["1/2", "1", "3/2"])
@pytest.mark.parametrize("degree", [0, 3, 9, 19])
def test_the_bounds_of_the_law_lie_above_the_true_error(mu, degree):
    true = law_error(float(Fraction(mu)), degree)
    for method in ("strip", "noise"):
        assert true < hermite_tail_bound(mu, 1, degree, method=method, norm="law").upper


@pytest.mark.parametrize(
    ("radius", "dim", "orders"), [("1/2", 1, (16, 36)), (1, 1, (79, 169)), (1, 3, (83, 175))]
)
def test_certified_degrees_are_those_of_the_text(radius, dim, orders):
    found = tuple(
        certified_degree(radius, 1, error, dim, method="noise") + 1 for error in ("1/10", "1/100")
    )
    assert found == orders
    assert certified_degree(radius, 1, "1/100", dim) + 1 < orders[1]


def test_the_certified_degree_is_where_the_bound_first_does():
    degree = certified_degree("3/4", "1/2", "1/50", norm="reference")
    target = Fraction(3, 4) / 50
    assert hermite_tail_bound("3/4", "1/2", degree).upper <= target
    assert hermite_tail_bound("3/4", "1/2", degree - 1).upper > target


@pytest.mark.parametrize("radius", [1.0, 2.0])
@pytest.mark.parametrize("order", [1, 3, 5, 9, 15])
def test_the_bounds_hold_in_the_plane_for_a_circle(radius, order):
    # mu uniform on a circle: f = R I_1(R r) / I_0(R r) y / r, in the span of y L_j^(1)(r^2 / 2),
    # of degree 2 j + 1 and squared norm 2 (j + 1).
    r, weight = np.linspace(1e-9, 14, 40_001), 14 / 40_000
    density = r * np.exp(-(r**2) / 2)
    f = radius * special.ive(1, radius * r) / special.ive(0, radius * r)
    total = (f**2 * density).sum() * weight
    kept = sum(
        ((f * r * special.eval_genlaguerre(j, 1, r**2 / 2) * density).sum() * weight) ** 2
        / (2 * (j + 1))
        for j in range(order // 2)
    )
    # The rectangle rule is off by less than 1e-6 here.
    true = np.sqrt(max(total - kept - 1e-6, 0))
    for method in ("strip", "noise"):
        bound = hermite_tail_bound(int(radius), 1, order - 1, 2, method=method)
        assert true < bound.upper


@pytest.mark.parametrize("theta", [Fraction(1, 2), Fraction(5, 4), Fraction(3, 2)])
@pytest.mark.parametrize("order", [1, 6, 30])
def test_the_strip_bound_is_its_formula(order, theta):
    x = float(theta**2)
    circle = (1 / np.cos(float(theta) * np.sin(np.arange(4000) * 2 * np.pi / 4000)) ** 2).mean()
    with precision(96):
        line = float(strip_by_sums(1, order, Fraction(1), theta).mid())
        space = float(strip_by_sums(4, order, Fraction(1), theta).mid())
    laguerre = special.eval_laguerre(order, -x)
    assert line == pytest.approx(np.sqrt(circle / laguerre), rel=1e-9)
    # In n dimensions G is L_d^(n/2-1)(-x/2) over its value at 0.
    general = special.eval_genlaguerre(order, 1, -x / 2) / (order + 1)
    assert space == pytest.approx(np.sqrt(circle / general), rel=1e-9)


@pytest.mark.parametrize("mu", [0.5, 1.0])
def test_parseval_on_the_circle(mu):
    # The identity in the proof of theorem A, on mu tanh(mu y).
    r, found = 0.6, coefficients(mu)
    orders = np.arange(len(found))
    left = (special.eval_laguerre(orders, -(r**2)) * found**2).sum()
    turns = np.exp(2j * np.pi * np.arange(64) / 64)
    shifted = mu * np.tanh(mu * (GRID[:, None] + r * turns))
    right = (np.abs(shifted) ** 2).mean(axis=1) @ NORMAL * STEP
    assert left == pytest.approx(right, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    st.fractions("1/4", 2, max_denominator=9),
    st.fractions("1/4", 2, max_denominator=9),
    st.integers(0, 40),
    st.integers(1, 6),
    st.sampled_from([("strip", HERMITE_STRIP), ("noise", HERMITE_NOISE)]),
    st.sampled_from(["reference", "law"]),
)
def test_two_routes_agree_and_the_second_confirms(radius, variance, degree, dim, kind, norm):
    method, claim = kind
    bound = hermite_tail_bound(radius, variance, degree, dim, method=method, norm=norm)
    again, fresh = claim.derive(claim.read(bound.inputs), Fraction(1), but=bound.method)
    assert again != bound.method
    assert fresh.upper <= bound.upper
    assert bound.upper <= fresh.upper * (1 + ROUNDING)


@settings(max_examples=15, deadline=None)
@given(st.fractions("1/4", 2, max_denominator=9), st.integers(0, 30), st.integers(1, 4))
def test_bounds_scale_and_fall(radius, degree, dim):
    bound = hermite_tail_bound(radius, 1, degree, dim)
    assert hermite_tail_bound(10 * radius, 100, degree, dim).upper == 10 * bound.upper
    assert hermite_tail_bound(radius, 1, degree + 1, dim).upper <= bound.upper
    assert bound.upper <= hermite_tail_bound(radius, 1, degree, dim + 1).upper


def test_a_certificate_survives_its_record():
    bound = hermite_tail_bound("1/2", "3/4", 12, 2, norm="law")
    assert Certificate.from_json(json.loads(json.dumps(bound.to_json()))) == bound


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((0, 1, 3), {}),
        ((1, 0, 3), {}),
        ((1, 1, -1), {}),
        ((1, 1, 3001), {}),
        ((1, 1, True), {}),
        ((1, 1, 3, 0), {}),
        ((1, 1, 3), {"method": "jackson"}),
        ((1, 1, 3), {"norm": "sup"}),
        ((10**7, 1, 3), {}),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, options):
    with pytest.raises(BadOption):
        hermite_tail_bound(*arguments, **options)


def test_what_is_not_rational_is_refused():
    with pytest.raises(BadData):
        hermite_tail_bound(0.5, 1, 3)
    with pytest.raises(BadData):
        hermite_tail_bound("sqrt(2)", 1, 3)


def test_an_error_out_of_reach_is_not_certified():
    with pytest.raises(NotCertified, match="degree of at most 3000"):
        certified_degree(3, 1, "1/100", method="noise")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("witness", "202/128"),
        ("witness", "0"),
        ("dilation", "-1"),
        ("radius", "0"),
        ("variance", "-1"),
        ("degree", "3"),
        ("dim", 0),
    ],
)
def test_a_spoilt_record_is_refused(name, value):
    inputs = {**hermite_tail_bound(1, 1, 3).inputs, name: value}
    with pytest.raises(BadData):
        HERMITE_STRIP.derive(HERMITE_STRIP.read(inputs), Fraction(1))


def test_a_specification_needs_no_witness():
    given = {"radius": "1", "variance": "1", "degree": 3}
    law = HERMITE_STRIP.read({**given, "norm": "law"})
    assert HERMITE_STRIP.write(law) == hermite_tail_bound(1, 1, 3, norm="law").inputs
    assert HERMITE_STRIP.write(HERMITE_STRIP.read(given)) == hermite_tail_bound(1, 1, 3).inputs
    for spoilt in ({"norm": "sup"}, {"witness": "1"}, {"dilation": "1", "norm": "law"}):
        with pytest.raises(BadData, match="expected a norm"):
            HERMITE_STRIP.read({**given, **spoilt})


def test_a_spoilt_order_is_refused():
    inputs = {**hermite_tail_bound(1, 1, 3, method="noise").inputs, "witness": "5"}
    with pytest.raises(BadData):
        HERMITE_NOISE.derive(HERMITE_NOISE.read(inputs), Fraction(1))
