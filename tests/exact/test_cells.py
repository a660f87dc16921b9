"""Partitions: what they accept; moments and score integrals on their cells, by both formulas."""

from fractions import Fraction

import mpmath
import pytest
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from symscore.errors import BadData, ResourceLimit, UnsupportedInstance
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import ball_of, precision
from symscore.exact.arithmetic.moments import exponents, lowered, moments
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.distances.cell_moments import component_tables, total
from symscore.exact.distances.cell_scores import by_divergence, by_gradient, fluxes
from symscore.exact.distances.cells import Grid, Slabs, read_cells, write_cells
from symscore.exact.distances.incomplete import by_gamma, by_recurrence
from tests.exact.direct_integrals import number

BITS = 256
# Cancellation in the recurrences and in differences of error functions may cost a hundred bits.
SMALL = arb(2) ** -128

LINE = ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"])
SPACE = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0, 0], [-1, 1, "1/2"], [0, -2, 1]],
    [
        [[2, 1, 0], [1, 2, 0], [0, 0, "1/2"]],
        [[1, 0, "1/3"], [0, 1, 0], ["1/3", 0, 1]],
        [[1, 0, 0], [0, 3, 0], [0, 0, 1]],
    ],
)
DIAGONAL = ExactMixture(
    ["1/4", "3/4"], [[1, 0], [-1, "1/2"]], [[[2, 0], [0, 1]], [["1/2", 0], [0, 3]]]
)
CASES = {
    "line": (LINE, Slabs([1], [-1, 0, "1/2"])),
    "line, normal turned and stretched": (LINE, Slabs([-2], [-1, 0, "1/2"])),
    "line, one cell": (LINE, Slabs([1], [])),
    "line, knots": (LINE, Grid([[-1, 0, "1/2"]])),
    "line, far cells": (LINE, Slabs([1], [-30, 20])),
    "space, slabs": (SPACE, Slabs([1, "-1/2", 2], [-1, "1/3"])),
    "plane, boxes": (DIAGONAL, Grid([[0, 1], [-1, "1/2"]])),
    "plane, one axis": (DIAGONAL, Grid([[], ["1/2"]])),
}
cases = pytest.mark.parametrize(("mixture", "cells"), CASES.values(), ids=CASES)


def close(one: arb, two: arb) -> bool:
    """Whether two balls may hold one number and are both small enough to tell."""
    scale = 1 + abs(one)
    return one.overlaps(two) and bool(one.rad() < SMALL * scale and two.rad() < SMALL * scale)


rationals = st.builds(lambda p, q: fmpq(p, q), st.integers(-40, 40), st.integers(1, 6))
positive = st.builds(lambda p, q: fmpq(p, q), st.integers(1, 40), st.integers(1, 6))


@given(rationals, positive, rationals, positive, st.sampled_from(["both", "left", "right", "none"]))
@settings(max_examples=60)
def test_two_formulas_for_moments_on_an_interval(mean, variance, lower, length, open_end):
    left = None if open_end in ("left", "none") else lower
    right = None if open_end in ("right", "none") else lower + length
    with precision(BITS):
        one = by_recurrence(mean, variance, left, right, 8)
        two = by_gamma(mean, variance, left, right, 8)
        assert all(close(a, b) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("formula", [by_recurrence, by_gamma])
def test_moments_on_an_interval_are_integrals(formula):
    with precision(BITS), mpmath.workdps(30):
        for k, ball in enumerate(formula(fmpq(1, 3), fmpq(2), fmpq(-1), fmpq(5, 2), 5)):
            value = mpmath.quad(
                lambda x, k=k: x**k * mpmath.npdf(x, mpmath.mpf(1) / 3, mpmath.sqrt(2)), [-1, 2.5]
            )
            # The quadrature of a smooth function on one interval is good to all but a few digits.
            assert abs(number(ball.mid().fmpq()) - value) < mpmath.mpf(10) ** -25


def test_the_far_tail_keeps_its_relative_accuracy():
    with precision(BITS):
        (mass,) = by_recurrence(fmpq(0), fmpq(1), fmpq(60), None, 0)
        assert mass > 0
        assert mass.rad() < mass * SMALL


@cases
def test_cells_add_up_to_space(mixture, cells):
    rational = RationalMixture.of(mixture)
    whole = moments(rational, 4)
    with precision(BITS):
        tables = [
            total(rational, parts) for parts in component_tables(rational, cells, 4, by_recurrence)
        ]
        assert len(tables) == cells.n_cells
        for a, exact in whole.items():
            assert close(sum((table[a] for table in tables), arb(0)), ball_of(exact))


@cases
def test_boundary_terms_cancel_between_cells(mixture, cells):
    rational = RationalMixture.of(mixture)
    with precision(BITS):
        edges = list(fluxes(rational, cells, 3))
        assert len(edges) == cells.n_cells
        for j in range(cells.dim):
            for a in exponents(cells.dim, 3):
                assert close(sum((edge[j][a] for edge in edges), arb(0)), arb(0))


@cases
def test_both_formulas_for_the_score_agree_on_every_cell(mixture, cells):
    rational = RationalMixture.of(mixture)
    with precision(BITS):
        one = by_divergence(rational, cells, 3)
        two = by_gradient(rational, cells, 3)
        for (table, scores), (other, others) in zip(one, two, strict=True):
            assert all(close(table[a], other[a]) for a in exponents(cells.dim, 6))
            for score, again in zip(scores, others, strict=True):
                assert all(close(score[a], again[a]) for a in score)


@cases
def test_stein_in_all_of_space(mixture, cells):
    rational = RationalMixture.of(mixture)
    whole = moments(rational, 3)
    with precision(BITS):
        found = [scores for _, scores in by_gradient(rational, cells, 3)]
        for j in range(cells.dim):
            for a in exponents(cells.dim, 3):
                exact = -a[j] * whole[lowered(a, j)] if a[j] else fmpq(0)
                assert close(sum((scores[j][a] for scores in found), arb(0)), ball_of(exact))


def test_normal_points_towards_larger_offsets():
    one = RationalMixture.of(ExactMixture([1], [0], [1]))
    with precision(BITS):
        below, above = component_tables(one, Slabs([1], [3]), 0, by_recurrence)
        assert below[0][(0,)] > above[0][(0,)]
        below, above = component_tables(one, Slabs([-1], [3]), 1, by_recurrence)
        # {-x < 3} holds most of the mass, and the mean of the rest is below -3.
        assert below[0][(0,)] > above[0][(0,)]
        assert above[0][(1,)] < -3 * above[0][(0,)]


def test_last_axis_runs_fastest():
    boxes = Grid([[0], [5]]).boxes()
    assert boxes[1] == ((None, fmpq(0)), (fmpq(5), None))
    rational = RationalMixture.of(DIAGONAL)
    with precision(BITS):
        masses = [
            total(rational, parts)[(0, 0)]
            for parts in component_tables(rational, Grid([[0], [5]]), 0, by_recurrence)
        ]
        assert masses[0] > 1 / arb(2)  # left, and below 5
        assert masses[1] < 1 / arb(100)


@pytest.mark.parametrize("cells", [case[1] for case in CASES.values()], ids=CASES)
def test_json_says_the_same(cells):
    assert read_cells(write_cells(cells), cells.dim) == cells


def test_exact_numbers_of_any_kind():
    assert Slabs(("1/2",), (Fraction(1, 3), 2)) == Slabs([fmpq(1, 2)], [fmpq(1, 3), fmpq(2)])


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Slabs([0, 0], []), "normal that is not zero"),
        (lambda: Slabs([1], [1, 1]), "strictly increasing offsets"),
        (lambda: Slabs([1], [0.5]), "Expected an exact value"),
        (lambda: Grid([]), "at least one axis"),
        (lambda: Grid([[0], [2, 1]]), r"strictly increasing knots\[1\]"),
        (lambda: read_cells({"normal": ["1"], "offsets": []}, 2), "in 2 dimensions; got 1"),
        (lambda: read_cells({"normal": ["1"]}, 1), "expected the key 'offsets'"),
        (lambda: read_cells([], 1), "expected an object"),
        (lambda: read_cells({"knots": "0"}, 1), "expected a list"),
    ],
)
def test_refusals(make, match):
    with pytest.raises(BadData, match=match):
        make()


def test_too_many_cells():
    with pytest.raises(ResourceLimit, match="at most 4096 boxes"):
        Grid([range(100), range(100)])
    with pytest.raises(ResourceLimit, match="fewer than 4096 offsets"):
        Slabs([1], range(5000))


def test_boxes_need_diagonal_covariances():
    rational = RationalMixture.of(SPACE)
    with pytest.raises(UnsupportedInstance, match=r"diagonal covariances.*use slabs"):
        list(component_tables(rational, Grid([[0], [], []]), 1, by_recurrence))
