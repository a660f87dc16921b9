"""Balls become enclosures that hold the number, at any precision, or an error."""

import threading
from fractions import Fraction

import pytest
from flint import arb, ctx, fmpq
from hypothesis import given
from hypothesis import strategies as st

from symscore.errors import NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact.arithmetic.balls import (
    Enclosure,
    as_fmpq,
    as_fraction,
    ball_of,
    narrowed,
    precision,
    within,
)
from symscore.exact.certificate import Claim


@given(st.fractions(max_denominator=10**9), st.integers(2, 80))
def test_the_enclosure_of_a_rounded_rational_holds_it(value, bits):
    with precision(bits):
        found = Enclosure.of_ball(ball_of(value))
    assert found.lower <= value <= found.upper
    if value.denominator % 3 == 0:
        assert found.lower < value < found.upper


@given(st.fractions(max_denominator=10**9))
def test_rationals_pass_through_flint(value):
    assert as_fraction(as_fmpq(value)) == value


@pytest.mark.parametrize("exponent", [-(10**9), -(10**5)])
def test_numbers_too_small_to_write_out_are_rounded_outwards(exponent):
    tiny = arb(2) ** exponent
    found = Enclosure.of_ball(tiny)
    assert found.lower <= 0 < found.upper < Fraction(1, 2**1000)
    assert Enclosure.of_ball(-tiny) == Enclosure(-found.upper, -found.lower)


def test_numbers_too_large_to_write_out_are_refused():
    with pytest.raises(NotCertified):
        Enclosure.of_ball(arb(2) ** (10**9))


def test_bounds_that_enclose_nothing_are_refused():
    with pytest.raises(NotCertified):
        Enclosure(Fraction(1), Fraction(0))


@given(st.fractions(0, 100, max_denominator=10**6))
def test_a_ball_within_a_bound_reaches_both_ends(bound):
    with precision(20):
        ball = within(ball_of(bound))
    found = Enclosure.of_ball(ball)
    assert found.lower <= -bound
    assert bound <= found.upper


def test_narrowing_stops_at_the_width_asked_for():
    width = Fraction(1, 10**50)
    found = narrowed(lambda bits: arb(2).sqrt(), width)
    assert found.width <= width
    assert found.lower**2 < 2 < found.upper**2


def test_a_ball_that_stays_wide_is_refused():
    with pytest.raises(NotCertified, match="no wider"):
        narrowed(lambda bits: arb(1, fmpq(1, 1000)), Fraction(1, 10**6))


def test_a_ball_that_is_never_finite_is_refused_soon():
    tried = []

    def compute(bits: int) -> arb:
        tried.append(bits)
        return arb("nan")

    with pytest.raises(NotCertified, match="no finite ball"):
        narrowed(compute, Fraction(1, 10**6))
    assert len(tried) == 3


def test_precision_is_put_back_after_an_error():
    before = ctx.prec
    with pytest.raises(ZeroDivisionError), precision(777):
        raise ZeroDivisionError
    assert ctx.prec == before


def test_threads_do_not_see_one_another_s_precision():
    seen = []

    def compute(bits: int) -> None:
        for _ in range(200):
            with precision(bits):
                ball = arb(2).sqrt()
                seen.append(ctx.prec == bits and ball.rel_accuracy_bits() > bits - 5)

    threads = [threading.Thread(target=compute, args=(bits,)) for bits in (60, 200, 500, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 800
    assert all(seen)


def claim(**routes) -> Claim:
    return Claim("toy", "a number", ("nothing",), dict, dict, routes)


def wide(inputs: object, width: Fraction) -> Enclosure:
    return Enclosure(Fraction(0), 3 * width)


def unsupported(inputs: object, width: Fraction) -> Enclosure:
    raise UnsupportedInstance("not this one.")


def too_large(inputs: object, width: Fraction) -> Enclosure:
    raise ResourceLimit("too many points.")


def good(inputs: object, width: Fraction) -> Enclosure:
    return Enclosure(Fraction(0), width)


def test_a_route_that_returns_a_wide_enclosure_is_not_believed():
    with pytest.raises(NotCertified, match="reached"):
        claim(first=wide).derive({}, Fraction(1, 100))


def test_routes_that_do_not_apply_are_passed_over():
    found, _ = claim(a=unsupported, b=too_large, c=good).derive({}, Fraction(1, 100))
    assert found == "c"


def test_a_route_is_left_out_on_request():
    assert claim(a=good, b=good).derive({}, Fraction(1), but="a")[0] == "b"
    with pytest.raises(UnsupportedInstance, match="second method"):
        claim(a=good).derive({}, Fraction(1), but="a")


def test_the_reason_of_size_wins_over_that_of_kind():
    with pytest.raises(ResourceLimit):
        claim(a=unsupported, b=too_large).derive({}, Fraction(1))
    with pytest.raises(UnsupportedInstance, match="not this one"):
        claim(a=unsupported).derive({}, Fraction(1))
