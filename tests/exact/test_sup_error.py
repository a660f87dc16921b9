"""The largest error on an interval: against a search, spikes that must not be missed, refusals."""

from fractions import Fraction
from random import Random

import flint
import mpmath
import pytest
from flint import arb

from symscore.errors import BadData, BadOption, NotCertified
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.certificate import Certificate
from symscore.exact.distances import supremum
from symscore.exact.distances.soft_field import SoftCell, SoftField
from symscore.exact.distances.sup_error import SUP_ERROR, SupInputs, sup_error
from tests.exact.direct_integrals import (
    DIGITS,
    density_and_score,
    line_parts,
    number,
    polynomial_on_line,
    random_line_mixture,
    random_polynomial,
)

TWO = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
# The best polynomial of degree 5 for TWO.
QUINTIC = [0, Fraction(-307, 1522), 0, Fraction(-125, 1522), 0, Fraction(9, 3044)]
routes = pytest.mark.parametrize("route", SUP_ERROR.routes.values(), ids=SUP_ERROR.routes)


def searched(mixture: ExactMixture, q, lower: Fraction, upper: Fraction) -> mpmath.mpf:
    """The largest |s - q| on a grid, each local maximum refined by golden section."""
    with mpmath.workdps(DIGITS):
        parts, field = line_parts(mixture), polynomial_on_line(q)

        def gap(x: mpmath.mpf) -> mpmath.mpf:
            return abs(density_and_score(parts, x)[1] - field(x))

        n, a, b = 400, number(lower), number(upper)
        xs = [a + (b - a) * k / n for k in range(n + 1)]
        ys = [gap(x) for x in xs]
        best = max(ys[0], ys[-1])
        for k in range(1, n):
            if ys[k] >= max(ys[k - 1], ys[k + 1]):
                best = max(best, golden(gap, xs[k - 1], xs[k + 1]))
        return best


def golden(gap, a: mpmath.mpf, b: mpmath.mpf) -> mpmath.mpf:
    ratio = (mpmath.sqrt(5) - 1) / 2
    for _ in range(60):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if gap(c) > gap(d):
            b = d
        else:
            a = c
    return gap((a + b) / 2)


# Sixty golden sections leave an error of (3e-13)^2 in the value at a smooth maximum, and at a kink
# of |s - q|, which is a zero, there is no maximum.
SEARCH_ERROR = mpmath.mpf(10) ** -18


def disagreements(seeds) -> list[int]:
    found = []
    for seed in seeds:
        random = Random(seed)
        mixture = random_line_mixture(random)
        q = random_polynomial(random, random.randint(0, 5))
        lower = Fraction(random.randint(-12, 4), 3)
        upper = lower + Fraction(random.randint(1, 20), 3)
        certificate = sup_error(mixture, SoftField.polynomial(q), lower, upper, digits=15)
        best = searched(mixture, q, lower, upper)
        with mpmath.workdps(DIGITS):
            below = number(certificate.lower) <= best + SEARCH_ERROR
            above = best - SEARCH_ERROR <= number(certificate.upper)
        if not (below and above):
            found.append(seed)
    return found


def test_a_search_finds_the_same():
    assert disagreements(range(8)) == []


@pytest.mark.slow
def test_a_search_finds_the_same_for_three_hundred():
    assert disagreements(range(100, 400)) == []


@routes
@pytest.mark.parametrize("digits", [3, 12, 25])
def test_every_route_reaches_the_width(route, digits):
    inputs = SupInputs(
        RationalMixture.of(TWO), SoftField.polynomial(QUINTIC), Fraction(-3), Fraction(3)
    )
    found = route(inputs, Fraction(1, 10**digits))
    assert found.width <= Fraction(1, 10**digits)
    # Seen with independent Taylor models in another program.
    assert found.lower <= Fraction("0.09919433777")
    assert found.upper >= Fraction("0.09919338144")


@routes
def test_a_narrow_spike_is_not_missed(route):
    # A gate of width 1e-4 at 1/3, which is no middle of any interval that is tried.
    spike = SoftField(
        (
            (
                SoftCell(1, 0, 1, [0, -1]),
                SoftCell("1/1000", "1/3", "1/100000000", [1, -1]),
            ),
        )
    )
    one = RationalMixture.of(ExactMixture([1], [0], [1]))
    found = route(SupInputs(one, spike, Fraction(-2), Fraction(2)), Fraction(1, 10**6))
    assert found.lower > Fraction(6, 5)
    assert found.width <= Fraction(1, 10**6)


@routes
@pytest.mark.parametrize(("lower", "upper", "worst"), [(-1, 2, 2), (-3, 2, 3), (0, 5, 5)])
def test_the_largest_error_may_be_at_an_end(route, lower, upper, worst):
    one = RationalMixture.of(ExactMixture([1], [0], [1]))
    found = route(
        SupInputs(one, SoftField.polynomial([0]), Fraction(lower), Fraction(upper)),
        Fraction(1, 10**9),
    )
    assert found.lower <= worst <= found.upper


# Where nothing is larger than the rest, every interval must be as short as the width asks for.
@pytest.mark.parametrize(
    ("route", "digits"), [*zip(SUP_ERROR.routes.values(), (9, 3), strict=True)]
)
def test_no_error_at_all(route, digits):
    mixture, width = RationalMixture.of(TWO), Fraction(1, 10**digits)
    found = route(SupInputs(mixture, SoftField.score(mixture), Fraction(-3), Fraction(3)), width)
    assert found.lower == 0
    assert found.upper <= width


def test_json_says_the_same():
    certificate = sup_error(TWO, SoftField.polynomial(QUINTIC), "-3", "5/2", digits=9)
    again = Certificate.from_json(certificate.to_json())
    assert again == certificate
    assert SUP_ERROR.certify(SUP_ERROR.read(again.inputs), Fraction(1, 10**9)) == certificate
    assert certificate.excludes[0] == "It says nothing of points outside the interval."


def test_misuse():
    line = SoftField.polynomial([0, -1])
    with pytest.raises(BadData, match="lower < upper; got 1 and 1"):
        sup_error(TWO, line, 1, 1)
    with pytest.raises(BadData, match="Expected an exact value"):
        sup_error(TWO, line, 0.5, 1)
    with pytest.raises(BadData, match="on the line; got 2"):
        sup_error(ExactMixture([1], [[0, 0]], [[[1, 0], [0, 1]]]), line, 0, 1)
    with pytest.raises(BadOption, match="Expected digits"):
        sup_error(TWO, line, 0, 1, digits=-3)


def test_too_many_intervals(monkeypatch):
    monkeypatch.setattr(supremum, "MOST_INTERVALS", 5)
    with pytest.raises(NotCertified, match="5 intervals were not enough"):
        sup_error(TWO, SoftField.polynomial(QUINTIC), -3, 3)


def test_what_is_never_finite_is_refused(monkeypatch):
    monkeypatch.setattr(supremum, "MOST_INTERVALS", 100)

    def prepare():
        return lambda x: x, lambda middle, radius: arb("nan")

    with pytest.raises(NotCertified, match="were not enough"):
        supremum.supremum(prepare, Fraction(0), Fraction(1), Fraction(1, 8))


def test_balls_too_wide_for_the_width_are_refused(monkeypatch):
    monkeypatch.setattr(supremum, "MOST_BITS", 128)
    blurred = arb(0, 2.0**-20)

    def prepare():
        return (
            lambda x: x + blurred,
            lambda m, r: ball_of(m - r).union(ball_of(m + r)) + blurred,
        )

    with pytest.raises(NotCertified, match="bits were not enough"):
        supremum.supremum(prepare, Fraction(0), Fraction(1), Fraction(1, 2**40))


def test_short_power_series_are_refused(monkeypatch):
    certificate = sup_error(TWO, SoftField.polynomial(QUINTIC), -3, 3, digits=4)
    inputs = SUP_ERROR.read(certificate.inputs)
    monkeypatch.setattr(flint.ctx, "cap", 4)
    with pytest.raises(NotCertified, match=r"leave flint\.ctx\.cap"):
        SUP_ERROR.routes["Taylor models"](inputs, Fraction(1, 10**4))
