"""Energies of all degrees, on all of space and on cells, against rational and other arithmetic."""

from fractions import Fraction
from math import log, sqrt

import pytest
from flint import fmpq, fmpq_mat

from symscore.errors import NotCertified
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import as_fraction
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.distances.cell_scores import by_gradient
from symscore.exact.distances.cells import Slabs
from symscore.exact.expansions.projection_minors import captured_energies
from symscore.exact.planning.cell_energies import energies
from symscore.exact.planning.plan_cells import separating_slabs
from symscore.exact.planning.reduction import reduced

WIDTH = Fraction(1, 10**12)
SQUARE = [[1, 0], [0, 1]]
SKEW = [[2, "1/2"], ["1/2", 1]]
CUBE = [[1, 0, 0], [0, 2, 0], [0, 0, 3]]
MIXTURES = {
    "line": ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"]),
    "three on the line": ExactMixture(["1/4", "1/4", "1/2"], [-2, 1, 3], [1, "1/2", 1]),
    "two in the plane": ExactMixture(["1/3", "2/3"], [[-1, 0], [1, "1/2"]], [SKEW, SKEW]),
    "unequal in the plane": ExactMixture(
        ["1/3", "2/3"], [[-1, 0], [1, 0]], [SQUARE, [[3, 0], [0, 1]]]
    ),
    "unequal in general": ExactMixture(["1/3", "2/3"], [[-1, 0], [1, 0]], [SQUARE, SKEW]),
    "three in space": ExactMixture(
        ["1/4", "1/4", "1/2"], [[0, 0, 0], [1, 0, 1], [0, 2, 1]], [CUBE, CUBE, CUBE]
    ),
}
RANKS = dict(zip(MIXTURES, (1, 1, 1, 1, 2, 2), strict=True))


def _whole(dim: int) -> Slabs:
    return Slabs((fmpq(1), *(fmpq(0) for _ in range(dim - 1))), ())


@pytest.mark.parametrize("name", MIXTURES)
def test_reduced_energies_are_those_of_all_variables(name):
    mixture = RationalMixture.of(MIXTURES[name])
    degree = 7 if mixture.dim == 1 else 4
    exact = captured_energies(mixture, degree)
    found = reduced(mixture)
    assert found.law.dim == RANKS[name]
    enclosed = energies(found.law, found.metric, _whole(found.law.dim), degree, WIDTH)
    for n, (value, energy) in enumerate(zip(exact, enclosed, strict=True)):
        rest = value - (as_fraction(found.affine) if n else 0)
        assert energy.lower <= rest <= energy.upper
        assert energy.width <= WIDTH


@pytest.mark.parametrize("name", MIXTURES)
def test_image_of_the_rows_is_the_law(name):
    mixture = RationalMixture.of(MIXTURES[name])
    found = reduced(mixture)
    assert mixture.image(found.rows) == found.law


def test_equal_components_have_no_statistic():
    assert reduced(RationalMixture.of(ExactMixture(["1/2", "1/2"], [3, 3], [2, 2]))) is None


@pytest.mark.parametrize("name", ["line", "two in the plane", "unequal in general"])
def test_energies_on_cells_agree_with_formulas_that_know_no_boundary(name):
    law = reduced(RationalMixture.of(MIXTURES[name])).law
    metric = fmpq_mat([[2, 1], [1, 3]]) if law.dim == 2 else fmpq_mat([[2]])
    normal = (fmpq(1), fmpq(-1, 2))[: law.dim]
    cells = Slabs(normal, (fmpq(-1, 3), fmpq(1)))
    first = energies(law, metric, cells, 5, WIDTH)
    second = energies(law, metric, cells, 5, WIDTH, by_gradient)
    assert all(a.overlaps(b) for a, b in zip(first, second, strict=True))
    whole = energies(law, metric, _whole(law.dim), 5, WIDTH)
    assert all(a.lower > b.upper for a, b in zip(first, whole, strict=True))


def test_high_degrees_on_the_line_agree_with_rational_numbers():
    mixture = RationalMixture.of(MIXTURES["line"])
    exact = captured_energies(mixture, 24)
    for value, energy in zip(
        exact, energies(mixture, fmpq_mat([[1]]), _whole(1), 24, WIDTH), strict=True
    ):
        assert energy.lower <= value <= energy.upper


def test_widths_out_of_reach_are_refused():
    mixture = RationalMixture.of(MIXTURES["line"])
    with pytest.raises(NotCertified, match="bits are too few"):
        energies(mixture, fmpq_mat([[1]]), _whole(1), 3, Fraction(1, 10**6000))


def _line(weights, means, variances, most=9):
    return separating_slabs(RationalMixture.of(ExactMixture(weights, means, variances)), most)


def test_cells_meet_where_weighted_densities_are_equal():
    # exp(-(x+3)^2/2) = 7 exp(-(x-3)^2/2) at x = -log(7)/6; bisection of a distance of 6.
    (offset,) = _line(["1/8", "7/8"], [-3, 3], [1, 1]).offsets
    assert abs(float(offset) + log(7) / 6) <= 6 / 2**10
    # 4 (x+3)^2 = (x-3)^2 + 8 log(2), that is, x^2 + 10 x + 9 = (8/3) log(2).
    (offset,) = _line(["1/2", "1/2"], [-3, 3], [1, 4]).offsets
    assert abs(float(offset) - (sqrt(16 + 8 / 3 * log(2)) - 5)) <= 6 / 2**10


def test_cells_meet_in_the_middle_where_one_component_is_above_all_along():
    # At 0, exp(2) = 7.4 does not make up for a weight a thousand times smaller.
    assert _line(["1/1001", "1000/1001"], [0, 4], [4, 4]).offsets == (fmpq(2),)


def test_components_that_overlap_share_a_cell():
    assert _line(["1/2", "1/2"], [0, "199/100"], [1, 1]) is None
    assert _line(["1/2", "1/2"], [0, 2], [1, 1]).offsets == (fmpq(1),)
    assert _line(["1/2", "1/2"], [0, 2], [1, "101/100"]) is None
    slabs = _line(["1/4"] * 4, [0, 1, 8, 9], [1] * 4)
    assert slabs.offsets == (fmpq(9, 2),)


def test_the_widest_gaps_are_cut_first():
    parts = (["1/4"] * 4, [12, 0, 30, 5], [1] * 4)
    assert _line(*parts, most=2).offsets == (fmpq(21),)
    assert _line(*parts, most=3).offsets == (fmpq(17, 2), fmpq(21))
    assert _line(*parts, most=4).offsets == (fmpq(5, 2), fmpq(17, 2), fmpq(21))
    assert _line(*parts, most=1) is None


def test_slabs_lie_across_the_discriminant():
    covariance = [[4, 0], [0, 1]]
    mixture = ExactMixture(["1/2", "1/2"], [[0, 0], [4, 4]], [covariance, covariance])
    slabs = separating_slabs(RationalMixture.of(mixture), 2)
    assert slabs.normal == (fmpq(1), fmpq(4))
    assert slabs.offsets == (fmpq(10),)
