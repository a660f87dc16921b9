"""Errors of piecewise polynomials: a published table, the integral itself, refusals."""

import itertools
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from flint import fmpq

from symscore.errors import BadData, BadOption, NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact import ExactMixture
from symscore.exact.arithmetic import balls
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.certificate import Certificate
from symscore.exact.distances.cells import Grid, Slabs
from symscore.exact.distances.piecewise import (
    BEST_PIECEWISE,
    PIECEWISE,
    best_piecewise_error,
    piecewise_error,
)
from symscore.exact.distances.piecewise_inputs import BestInputs
from symscore.exact.distances.polynomial_error import polynomial_error
from symscore.exact.information.fisher import fisher_information
from tests.exact.direct_integrals import (
    REACH,
    agrees,
    as_field,
    density_and_score_in_plane,
    line_error,
    plane_nodes,
    polynomial_on_line,
    random_line_mixture,
    random_polynomial,
)

HALVES = Slabs([1], [0])
WHOLE = Slabs([1], [])
WIDTH = Fraction(1, 10**12)


def pair(mu: int) -> ExactMixture:
    return ExactMixture(["1/2", "1/2"], [-mu, mu], [1, 1])


# Root mean squares for 1/2 N(-mu, 1) + 1/2 N(mu, 1), rounded as printed, by degree: two half-lines,
# then one cell.
DEGREES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20)
TWO_CELLS = {
    1: ".5623 .1396 .0491 .0110 .0054 .0048 .0027 2.8e-4 1.7e-4 4.8e-5 5.1e-6 2.4e-7",
    2: ".8450 .2394 .1742 .1116 .0629 .0304 .0125 .0067 .0046 .0017 2.7e-4 8.7e-5",
    3: ".9811 .1034 .0961 .0831 .0666 .0499 .0349 .0136 .0040 .0029 .0015 2.2e-4",
    4: ".9992 .0213 .0212 .0207 .0196 .0177 .0153 .0100 .0055 .0025 6.4e-4 4.8e-4",
    6: "1.000 1.8e-4",
}
ONE_CELL_DEGREES = (1, 3, 5, 7, 9, 11, 15, 21, 31, 41)
ONE_CELL = {
    1: ".2245 .1093 .0612 .0370 .0235 .0155 .0073 .0027 6.7e-4 2.0e-4",
    2: ".7250 .4567 .3296 .2531 .2015 .1642 .1142 .0714 .0366 .0205",
    3: ".9288 .5400 .3801 .2931 .2381 .1999 .1499 .1062 .0672 .0458",
    4: ".9693 .4674 .2867 .2000 .1511 .1204 .0846 .0579 .0371 .0266",
}
# The lowest degree that reaches .03: one cell, two cells.
DEGREE_FOR_3_PERCENT = {1: (9, 3), 2: (35, 6), 3: (55, 7), 4: (39, 1), 5: (17, 1), 6: (11, 1)}


def rounds_to(certificate: Certificate, printed: str) -> bool:
    """Whether the root of every number in the enclosure rounds to what is printed."""
    mantissa, _, exponent = printed.partition("e")
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    half = Fraction(1, 2 * 10**places)
    value = Fraction(printed)
    return (value - half) ** 2 <= certificate.lower and certificate.upper <= (value + half) ** 2


@pytest.mark.parametrize("mu", TWO_CELLS)
def test_table_of_two_half_lines(mu):
    for degree, printed in zip(DEGREES, TWO_CELLS[mu].split(), strict=False):
        certificate = best_piecewise_error(pair(mu), HALVES, degree, digits=18)
        assert rounds_to(certificate, printed), (degree, printed, certificate)


@pytest.mark.parametrize("mu", ONE_CELL)
def test_table_of_one_cell(mu):
    for degree, printed in zip(ONE_CELL_DEGREES, ONE_CELL[mu].split(), strict=True):
        certificate = best_piecewise_error(pair(mu), WHOLE, degree, digits=18)
        assert rounds_to(certificate, printed), (degree, printed, certificate)


@pytest.mark.parametrize("mu", DEGREE_FOR_3_PERCENT)
def test_degree_that_reaches_three_percent(mu):
    aim = Fraction(3, 100) ** 2
    for cells, degree in zip((WHOLE, HALVES), DEGREE_FOR_3_PERCENT[mu], strict=True):
        assert best_piecewise_error(pair(mu), cells, degree).upper < aim
        # Of an even law only odd degrees help one cell.
        assert best_piecewise_error(pair(mu), cells, max(degree - 1, 0)).lower > aim


def random_cells(random: Random) -> tuple[Fraction, ...]:
    numbers = random.sample(range(-16, 17), random.randint(0, 4))
    return tuple(Fraction(n, 4) for n in sorted(numbers))


def disagreements(seeds) -> list[int]:
    found = []
    for seed in seeds:
        random = Random(seed)
        mixture, knots = random_line_mixture(random), random_cells(random)
        pieces = [random_polynomial(random, random.randint(0, 4)) for _ in range(len(knots) + 1)]
        certificate = piecewise_error(
            mixture, Slabs([1], knots), [as_field(q) for q in pieces], digits=18
        )
        oracle = line_error(mixture, [polynomial_on_line(q) for q in pieces], knots)
        if not agrees(certificate, oracle):
            found.append(seed)
    return found


def test_the_integral_itself_lies_inside():
    assert disagreements(range(5)) == []


@pytest.mark.slow
def test_the_integral_itself_lies_inside_for_three_hundred():
    assert disagreements(range(100, 400)) == []


# --- In the plane, against least squares at the nodes of a quadrature ------------------------

PLANE = ExactMixture(
    ["1/2", "1/2"], [[1, 0], [-1, "1/2"]], [[[1, "1/2"], ["1/2", 1]], [[1, "1/2"], ["1/2", 1]]]
)
BOXED = ExactMixture(["1/4", "3/4"], [[1, 0], [-1, "1/2"]], [[["1/2", 0], [0, 1]]] * 2)


def boxes_of(cells, reach: float):
    """Cells as rectangles in the coordinates (u, w) along and across the normal, x = frame @ uw."""
    if isinstance(cells, Grid):
        frame = np.eye(2)
        ends = [[-reach, *map(float, map(fraction, axis)), reach] for axis in cells.knots]
    else:
        normal = np.array([float(fraction(entry)) for entry in cells.normal])
        length = np.hypot(*normal)
        frame = np.array([normal, [-normal[1], normal[0]]]).T / length
        ends = [[-reach, *(float(fraction(b)) / length for b in cells.offsets), reach]]
        ends.append([-reach, reach])
    first, second = ([*itertools.pairwise(e)] for e in ends)
    return frame, [(one, two) for one in first for two in second]


def fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def monomials(points: np.ndarray, degree: int) -> np.ndarray:
    x, y = points.T
    return np.stack([x**i * y ** (t - i) for t in range(degree + 1) for i in range(t + 1)], axis=1)


def plane_least_error(mixture, cells, degree: int, panels: int) -> float:
    frame, rectangles = boxes_of(cells, REACH)
    value = 0.0
    for (a, b), (c, d) in rectangles:
        (u, wu), (v, wv) = plane_nodes(a, b, panels), plane_nodes(c, d, panels)
        points = np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1).reshape(-1, 2) @ frame.T
        density, score = density_and_score_in_plane(mixture, points)
        root = np.sqrt(np.outer(wu, wv).ravel() * density)[:, None]
        basis, _ = np.linalg.qr(root * monomials(points, degree))
        target = root * score
        value += float(((target - basis @ (basis.T @ target)) ** 2).sum())
    return value


PLANE_CASES = {
    "half-planes": (PLANE, Slabs([1, -2], ["1/3"])),
    "slabs": (PLANE, Slabs([-1, "1/2"], [-1, "1/2"])),
    "boxes": (BOXED, Grid([[0], [-1, 1]])),
}


@pytest.mark.parametrize(("mixture", "cells"), PLANE_CASES.values(), ids=PLANE_CASES)
def test_best_in_the_plane_is_least_squares_at_nodes(mixture, cells):
    certificate = best_piecewise_error(mixture, cells, 2, digits=10)
    coarse, fine = (plane_least_error(mixture, cells, 2, panels) for panels in (9, 13))
    # What finer panels change, what float64 loses in sums of terms of size one, and the width.
    tolerance = 10 * abs(fine - coarse) + 1e-12 + float(certificate.width)
    assert tolerance < 1e-8
    assert abs(float(certificate) - fine) <= tolerance


@pytest.mark.parametrize(("mixture", "cells"), PLANE_CASES.values(), ids=PLANE_CASES)
def test_both_routes_meet_in_the_plane(mixture, cells):
    inputs = BestInputs(RationalMixture.of(mixture), cells, 2)
    one, two = (route(inputs, WIDTH) for route in BEST_PIECEWISE.routes.values())
    assert one.overlaps(two)


def test_both_routes_meet_on_far_and_narrow_cells():
    mixture = RationalMixture.of(ExactMixture(["1/3", "2/3"], [-1, 2], ["1/4", "9/4"]))
    inputs = BestInputs(mixture, Slabs([1], [-20, "1/1000", "1/500", 15]), 4)
    one, two = (route(inputs, WIDTH) for route in BEST_PIECEWISE.routes.values())
    assert one.overlaps(two)


# --- Laws ------------------------------------------------------------------------------------


def test_one_cell_is_one_polynomial():
    q = [Fraction(1, 3), Fraction(-1, 2), Fraction(1, 100)]
    one = piecewise_error(pair(2), WHOLE, [as_field(q)])
    assert one.enclosure.overlaps(polynomial_error(pair(2), as_field(q)).enclosure)


def test_cutting_a_piece_changes_nothing():
    q = as_field([Fraction(1, 3), Fraction(-1, 2)])
    cut = piecewise_error(pair(2), Slabs([1], [-1, "1/7"]), [q, q, q])
    assert cut.enclosure.overlaps(piecewise_error(pair(2), WHOLE, [q]).enclosure)


def test_pieces_belong_to_their_cells():
    left, right = as_field([Fraction(-3), Fraction(-1)]), as_field([Fraction(3), Fraction(-1)])
    assert piecewise_error(pair(3), HALVES, [left, right]).upper < Fraction(1, 30)
    assert piecewise_error(pair(3), HALVES, [right, left]).lower > 1
    # With the normal turned, so is the order of the cells.
    assert piecewise_error(pair(3), Slabs([-1], [0]), [right, left]).upper < Fraction(1, 30)


def test_length_of_the_normal_plays_no_part():
    short = best_piecewise_error(PLANE, Slabs([1, -2], ["1/3"]), 1)
    long = best_piecewise_error(PLANE, Slabs([6, -12], [2]), 1)
    assert short.enclosure.overlaps(long.enclosure)


def test_grid_of_the_line_is_its_slabs():
    mixture = ExactMixture(["1/3", "2/3"], [-1, 2], ["1/4", "9/4"])
    grid = best_piecewise_error(mixture, Grid([[-1, 1]]), 2)
    assert grid.enclosure.overlaps(best_piecewise_error(mixture, Slabs([1], [-1, 1]), 2).enclosure)


def test_degree_zero_on_one_cell_captures_nothing():
    assert best_piecewise_error(pair(1), WHOLE, 0).enclosure.overlaps(
        fisher_information(pair(1), 12).enclosure
    )


@pytest.mark.parametrize("digits", [3, 12, 40])
def test_no_wider_than_asked(digits):
    certificate = best_piecewise_error(pair(2), HALVES, 3, digits=digits)
    assert certificate.width <= Fraction(1, 10**digits)
    wide = best_piecewise_error(pair(2), HALVES, 3, digits=60)
    assert certificate.enclosure.contains(wide.enclosure)


def test_json_says_the_same():
    best = best_piecewise_error(BOXED, Grid([[0], [-1, 1]]), 1, digits=8)
    q = as_field([Fraction(1, 3), Fraction(-1, 2)])
    given = piecewise_error(pair(2), HALVES, [q, q], digits=8)
    for claim, certificate in ((BEST_PIECEWISE, best), (PIECEWISE, given)):
        again = Certificate.from_json(certificate.to_json())
        assert again == certificate
        assert claim.certify(claim.read(again.inputs), Fraction(1, 10**8)) == certificate
        assert certificate.excludes


# --- Refusals --------------------------------------------------------------------------------


def test_misuse():
    zero = as_field([Fraction(0)])
    with pytest.raises(BadData, match="cells in the 1 dimensions of the mixture; got 2"):
        best_piecewise_error(pair(1), Slabs([1, 0], [0]), 1)
    with pytest.raises(BadOption, match="degree of at least 0"):
        best_piecewise_error(pair(1), HALVES, -1)
    with pytest.raises(BadOption, match="degree of at least 0"):
        best_piecewise_error(pair(1), HALVES, True)
    with pytest.raises(BadOption, match="Expected digits"):
        best_piecewise_error(pair(1), HALVES, 1, digits=0)
    with pytest.raises(BadData, match="one field for each of 2 cells; got 1"):
        piecewise_error(pair(1), HALVES, [zero])
    with pytest.raises(BadData, match=r"expected 1 polynomials|tuples of 1 powers"):
        piecewise_error(pair(1), HALVES, [zero, zero * 2])
    with pytest.raises(ResourceLimit, match="fewer cells or a lower degree"):
        best_piecewise_error(BOXED, Grid([range(60), range(60)]), 12)
    with pytest.raises(UnsupportedInstance, match="diagonal"):
        best_piecewise_error(PLANE, Grid([[0], []]), 1)


def test_width_out_of_reach(monkeypatch):
    # A sliver in the far tail makes Gram matrices that these few bits cannot tell from singular.
    monkeypatch.setattr(balls.narrowed, "__defaults__", (64, 3))
    with pytest.raises(NotCertified, match="ask for fewer digits"):
        best_piecewise_error(pair(1), Slabs([1], [20, "2001/100"]), 12, digits=3)
