"""Plans: degrees that are known, proofs that they are the smallest, and the ways to say no."""

from fractions import Fraction
from itertools import pairwise
from math import isqrt

import pytest

from symscore.errors import BadData, BadOption, NotCertified, ResourceLimit, UnsupportedInstance
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.information.fisher import fisher_information
from symscore.exact.planning import needed_degree
from symscore.exact.planning.needed_degree import root
from symscore.exact.planning.needs import rounded
from symscore.exact.planning.planner import ALPHAS, plan
from symscore.exact.planning.reduction import reduced
from symscore.exact.planning.separation import separation_plan

TWO = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
SQUARE = [[1, 0], [0, 1]]
PLANAR = ExactMixture(["1/3", "2/3"], [[-2, 0], [2, "1/2"]], [SQUARE, SQUARE])
UNEQUAL = ExactMixture(["1/4", "3/4"], [[-2, 0], [2, 0]], [SQUARE, [[2, 0], [0, 1]]])
THREE = ExactMixture(["1/3", "1/3", "1/3"], [[-3, 0], [3, 0], [0, 3]], [SQUARE] * 3)

# Computed in floating point, by another program, for an rms error of 0.03: one cell, half-lines.
DEGREES = {1: (9, 3), 2: (35, 6), 3: (55, 7), 4: (39, 1), 5: (17, 1), 6: (11, 1), 8: (9, 1)}
# The rms errors of those degrees where they are known to four digits.
ERRORS = {1: ("0.0235", "0.0110"), 2: (None, "0.0125"), 4: (None, "0.0213")}


@pytest.fixture(scope="module")
def separations():
    return separation_plan(reversed(DEGREES), "0.03")


def test_separations_need_the_known_degrees(separations):
    found = {
        int(row.mu): (row.needs.one.degree, row.needs.pieces.degree) for row in separations.rows
    }
    assert found == DEGREES
    assert [row.mu for row in separations.rows] == sorted(DEGREES)


def test_separations_reach_the_known_errors(separations):
    for row in separations.rows:
        needs = (row.needs.one, row.needs.pieces)
        for need, known in zip(needs, ERRORS.get(int(row.mu), ()), strict=False):
            if known is not None:
                # Half a unit of the last digit that was written down.
                assert abs(need.rms.midpoint - Fraction(known)) <= Fraction(1, 20000)


def test_both_sides_of_every_degree_are_enclosed(separations):
    bound = Fraction(9, 10**4)
    for row in separations.rows:
        for need in (row.needs.one, row.needs.pieces):
            assert need.squared_error.upper <= bound < need.squared_error_below.lower
            assert need.squared_error.width < bound / 1000


@pytest.mark.parametrize(
    ("mixture", "rms"),
    [(TWO, "0.03"), (PLANAR, "0.1"), (UNEQUAL, "0.1"), (THREE, "0.6")],
    ids=["line", "plane", "unequal", "three"],
)
def test_certificates_in_all_variables_prove_that_degrees_are_smallest(mixture, rms):
    found = plan(mixture, rms, alphas=[1, "3/5"])
    certificates = iter(found.certificates(digits=9))
    bound = found.rms**2
    for row in found.rows:
        cut = [row.needs.pieces] if row.needs.slabs is not None else []
        for need in (row.needs.one, *cut):
            enough, less = next(certificates), next(certificates)
            assert enough.inputs["degree"] == need.degree == less.inputs["degree"] + 1
            assert enough.upper <= bound < less.lower
            assert enough.enclosure.overlaps(need.squared_error)
            assert less.enclosure.overlaps(need.squared_error_below)
    assert next(certificates, None) is None
    assert found.rows[0].needs.slabs is not None


def test_a_smaller_error_never_needs_a_lower_degree():
    plans = [plan(TWO, rms, alphas=["1", "15/17"]) for rms in ("1", "0.3", "0.1", "0.03", "1e-3")]
    for looser, tighter in pairwise(plans):
        for before, after in zip(looser.rows, tighter.rows, strict=True):
            assert before.needs.one.degree <= after.needs.one.degree
            assert before.needs.pieces.degree <= after.needs.pieces.degree
            assert after.needs.pieces.degree <= after.needs.one.degree
    assert plans[0].rows[0].needs.one.degree == 0  # J < 1


def test_degree_0_has_the_affine_part_against_it():
    # J = 1.749..., of which 1 is the part that does not tell the components apart.
    found = [plan(PLANAR, rms, alphas=[1]).rows[0].needs.one.degree for rms in ("1.2", "1.33")]
    assert found == [1, 0]


def test_errors_enclose_every_difference(monkeypatch):
    wide = (Enclosure(Fraction(0), Fraction(1, 2)), Enclosure(Fraction(1, 4), Fraction(1)))
    monkeypatch.setattr(needed_degree, "energies", lambda *_: wide)
    reduction = reduced(RationalMixture.of(PLANAR))
    information = Enclosure(Fraction(3), Fraction(4))
    errors = needed_degree.squared_errors(lambda _: information, reduction, None, 1, Fraction(1))
    # The affine part is 1.
    for error, least, greatest in zip(errors, ("2.5", "1"), ("4", "2.75"), strict=True):
        assert error.lower <= Fraction(least) < Fraction(greatest) <= error.upper
        assert error.width <= 2 * Fraction(1)


def test_default_levels():
    assert ALPHAS[0] == 1
    for alpha in ALPHAS:
        sigma = root(Enclosure(1 - alpha**2, 1 - alpha**2)).lower.limit_denominator(1000)
        assert sigma**2 == 1 - alpha**2
    assert [row.alpha for row in plan(TWO, "0.5").rows] == list(ALPHAS)


def test_one_gaussian_is_answered_exactly():
    line = ExactMixture([1], [0], [1])
    for rms, degree in (("99/100", 1), (1, 0), (2, 0)):
        (row,) = plan(line, rms, alphas=[1]).rows
        assert row.needs.one == row.needs.pieces
        assert row.needs.one.degree == degree
        assert row.needs.one.squared_error == Enclosure(Fraction(1 - degree), Fraction(1 - degree))
    same = ExactMixture(["1/2", "1/2"], [[0, 0]] * 2, [[[2, 1], [1, 2]]] * 2)
    (row,) = plan(same, "0.1", alphas=[1]).rows
    assert row.needs.information == Enclosure(Fraction(4, 3), Fraction(4, 3))


def test_degrees_that_are_not_enough_are_said_to_be():
    (row,) = plan(TWO, "0.03", alphas=[1], most_degree=7).rows
    assert row.needs.one.degree is None
    assert row.needs.one.searched == 7
    assert row.needs.one.squared_error.lower > Fraction(9, 10**4)
    assert str(row.needs.one) == "> 7"
    assert row.needs.pieces.degree == 3
    assert plan(TWO, "0.03", alphas=[1], most_degree=9).rows[0].needs.one.degree == 9
    assert plan(TWO, "0.9", alphas=[1], most_degree=0).rows[0].needs.one.degree == 0


def test_cells_are_at_most_as_many_as_asked_for():
    line = ExactMixture(["1/4", "1/2", "1/4"], [-7, 0, 9], [1, 1, 1])
    counts = [plan(line, 1, alphas=[1], cells=n).rows[0].needs.n_cells for n in (1, 2, 3, 9)]
    assert counts == [1, 2, 3, 3]
    assert plan(line, 1, alphas=[1]).rows[0].needs.n_cells == 3
    assert plan(line, 1, alphas=["1/10"]).rows[0].needs.n_cells == 1


def test_an_error_too_near_the_bound_is_refused():
    # e_1^2 = J - 1/2 here; its root to eighty digits.
    scale = 10**80
    below = fisher_information(TWO, digits=90).midpoint - Fraction(1, 2)
    rms = Fraction(isqrt(int(below * scale * scale)), scale)
    with pytest.raises(NotCertified, match="agree to 64 digits"):
        plan(TWO, rms, alphas=[1])
    assert plan(TWO, rms * (1 + Fraction(1, 10**30)), alphas=[1]).rows[0].needs.one.degree == 1


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (BadData, "float", {"rms": 0.03}),
        (BadOption, "rms, a positive rational", {"rms": 0}),
        (BadOption, "rms, a positive rational", {"rms": "-1/2"}),
        (BadOption, "least 1e-20; got 1E-4000", {"rms": "1e-4000"}),
        (BadOption, "least 1e-20; got 1E-9000", {"rms": Fraction(1, 10**9000)}),
        (BadOption, "one level", {"alphas": []}),
        (BadOption, r"alpha in \(0, 1\]", {"alphas": [2]}),
        (BadOption, "alpha, a positive", {"alphas": [0]}),
        (BadOption, "cells", {"cells": 0}),
        (BadOption, "cells", {"cells": True}),
        (BadOption, "degree", {"most_degree": -1}),
        (ResourceLimit, "1000 monomials", {"most_degree": 5000}),
    ],
)
def test_misuse_is_refused(error, message, arguments):
    with pytest.raises(error, match=message):
        plan(TWO, **{"rms": "0.03", **arguments})


def test_separations_refuse_misuse():
    for wrong in ([], [0], ["-1"]):
        with pytest.raises(BadOption, match="separation"):
            separation_plan(wrong, "0.1")
    with pytest.raises(BadOption, match="rms"):
        separation_plan([1], 0)


def test_mixtures_without_a_method_are_refused():
    wide = ExactMixture(
        ["1/2", "1/2"], [[0] * 4] * 2, [_diagonal(4, entry) for entry in ("1", "2")]
    )
    with pytest.raises(UnsupportedInstance):
        plan(wide, "0.1")


def test_progress_is_reported():
    seen = []
    plan(TWO, 1, alphas=[1, "3/5"], progress=lambda *report: seen.append(report))
    assert seen == [("noise levels", done, 2) for done in range(3)]


def test_numbers_are_shown_with_the_digits_that_are_certain():
    assert rounded(Enclosure(Fraction("0.12344"), Fraction("0.12346")), 3) == "0.123"
    assert rounded(Enclosure(Fraction("0.1234"), Fraction("0.1236")), 4) == "0.12"
    assert rounded(Enclosure(Fraction("0.1"), Fraction("0.2001")), 4) == "<= 0.21"
    third = Enclosure(Fraction(1, 3), Fraction(1, 3))
    assert root(third).lower ** 2 < Fraction(1, 3) < root(third).upper ** 2
    assert root(third).width <= Fraction(1, 10**12)


def _diagonal(dim, entry):
    return [[entry if i == j else 0 for j in range(dim)] for i in range(dim)]
