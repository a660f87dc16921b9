"""Projections of scores: known instances, least squares by quadrature, exact laws."""

from fractions import Fraction
from itertools import pairwise
from time import process_time

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Matrix, Rational, Symbol, symbols

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact import ExactMixture
from symscore.exact.arithmetic.balls import as_fraction
from symscore.exact.arithmetic.moments import exponents, moments
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.expansions.parameters import ParameterRing
from symscore.exact.expansions.projection import captured_energy, project_score, projected_field
from symscore.exact.expansions.projection_minors import captured_energies, captured_energy_again

x, y, m, n, v, w, a = symbols("x y m n v w a")

BASIC = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
LINE = ExactMixture(["3/10", "2/5", "3/10"], [-4, 0, "3/2"], [1, "1/2", 1])
PLANE = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0], [-1, 1], [0, -2]],
    [[[1, 0], [0, 1]], [["3/2", "1/2"], ["1/2", 1]], [["1/2", 0], [0, 2]]],
)

rationals = st.builds(Rational, st.integers(-6, 6), st.integers(1, 3))
positive = st.builds(Rational, st.integers(1, 6), st.integers(1, 3))


@st.composite
def mixtures(draw: st.DrawFn, dim: int) -> ExactMixture:
    parts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    entries = st.lists(rationals, min_size=dim, max_size=dim)
    covariances = []
    for _ in parts:
        factor = Matrix(dim, dim, draw(st.lists(rationals, min_size=dim**2, max_size=dim**2)))
        diagonal = sympy.diag(*(draw(positive) for _ in range(dim)))
        covariances.append(factor * factor.T + diagonal)
    return ExactMixture(
        [Rational(part, sum(parts)) for part in parts],
        [draw(entries) for _ in parts],
        covariances,
    )


either = st.integers(1, 2).flatmap(mixtures)
few = settings(max_examples=20, deadline=None)


def test_instances_known_by_heart():
    three, five = project_score(BASIC, 3), project_score(BASIC, 5)
    assert three.expressions(x) == (-Rational(4, 13) * x - x**3 / 26,)
    assert three.captured_energy == Rational(7, 13)
    assert five.coefficients[0] == {
        (0,): 0,
        (1,): -Rational(307, 1522),
        (2,): 0,
        (3,): -Rational(125, 1522),
        (4,): 0,
        (5,): Rational(9, 3044),
    }
    assert five.captured_energy == Rational(416, 761)
    assert project_score(PLANE, 1).captured_energy == Rational(438, 439)


def test_two_components_in_symbols():
    pair = ExactMixture(["1/2", "1/2"], [-m, m], [1, 1])
    second, fourth = 1 + m**2, m**4 + 6 * m**2 + 3
    sixth = m**6 + 15 * m**4 + 45 * m**2 + 15
    found = project_score(pair, 3)
    [coefficients] = found.coefficients
    determinant = second * sixth - fourth**2
    assert sympy.cancel(coefficients[(1,)] - (3 * second * fourth - sixth) / determinant) == 0
    assert sympy.cancel(coefficients[(3,)] + 2 * m**4 / determinant) == 0
    assert found.subs({m: 1}) == project_score(BASIC, 3)


@given(either)
@few
def test_degree_one_is_the_gaussian_score(mixture):
    table = moments(RationalMixture.of(mixture), 2)
    dim = mixture.dim

    def moment(*axes: int) -> Rational:
        value = table[tuple(axes.count(j) for j in range(dim))]
        return Rational(int(value.p), int(value.q))

    centre = Matrix([moment(j) for j in range(dim)])
    second = Matrix(dim, dim, lambda i, j: moment(i, j))
    precision = (second - centre * centre.T).inv()
    point = Matrix([x, y][:dim])
    found = project_score(mixture, 1)
    expected = (-precision * (point - centre)).expand()
    assert found.expressions(tuple(point)) == tuple(expected)
    assert found.captured_energy == precision.trace()
    assert project_score(mixture, 0).captured_energy == 0


def test_only_moments_count():
    # The three-point rule of Gauss and Hermite: moments up to 5 are those of N(0, 1/3).
    mimic = ExactMixture(["1/6", "2/3", "1/6"], [-1, 0, 1], [1, 1, 1])
    gaussian = ExactMixture([1], [0], ["4/3"])
    assert project_score(mimic, 2) == project_score(gaussian, 2)
    assert project_score(mimic, 5) != project_score(gaussian, 5)


@given(either, st.integers(0, 3))
@few
def test_a_second_formula_captures_the_same_energy(mixture, degree):
    law = RationalMixture.of(mixture)
    energies = captured_energies(law, degree)
    assert [as_fraction(captured_energy(law, k)) for k in range(degree + 1)] == list(energies)
    assert all(one <= two for one, two in pairwise(energies))
    assert as_fraction(captured_energy(law, degree)) == Fraction(
        str(project_score(mixture, degree).captured_energy)
    )


@given(mixtures(2), st.lists(rationals, min_size=2, max_size=2))
@few
def test_projection_moves_with_the_law(mixture, shift):
    moved = ExactMixture(
        mixture.weights,
        [[entry + by for entry, by in zip(mean, shift, strict=True)] for mean in mixture.means],
        mixture.covariances,
    )
    here = project_score(mixture, 2).expressions((x - shift[0], y - shift[1]))
    there = project_score(moved, 2).expressions((x, y))
    assert [sympy.expand(entry) for entry in here] == [sympy.expand(entry) for entry in there]


@given(mixtures(2))
@few
def test_projection_turns_with_the_law(mixture):
    turn = Matrix([[Rational(3, 5), Rational(4, 5)], [-Rational(4, 5), Rational(3, 5)]])
    moved = ExactMixture(
        mixture.weights,
        [list(turn * Matrix(mean)) for mean in mixture.means],
        [turn * Matrix(c) * turn.T for c in mixture.covariances],
    )
    here = turn * Matrix(project_score(mixture, 2).expressions(tuple(turn.T * Matrix([x, y]))))
    there = project_score(moved, 2).expressions((x, y))
    assert [sympy.expand(entry) for entry in here] == [sympy.expand(entry) for entry in there]


def _grid_fit(degree: int) -> tuple[np.ndarray, float]:
    """Weighted least squares against the score on a grid fine enough to be a quadrature."""
    grid, step = np.linspace(-16, 14, 3001, retstep=True)
    parts = [
        float(weight)
        * np.exp(-((grid - float(mean)) ** 2) / (2 * float(variance)))
        / np.sqrt(2 * np.pi * float(variance))
        for weight, (mean,), ((variance,),) in zip(
            LINE.weights, LINE.means, LINE.covariances, strict=True
        )
    ]
    slopes = [
        part * (float(mean) - grid) / float(variance)
        for part, (mean,), ((variance,),) in zip(parts, LINE.means, LINE.covariances, strict=True)
    ]
    density = sum(parts)
    root = np.sqrt(density * step)
    scaled = (grid / 4)[:, None] ** np.arange(degree + 1)
    fit, *_ = np.linalg.lstsq(root[:, None] * scaled, root * sum(slopes) / density, rcond=None)
    energy = float(np.sum((scaled @ fit) ** 2 * density * step))
    return fit / 4.0 ** np.arange(degree + 1), energy


@pytest.mark.parametrize("degree", [2, 5, 8])
def test_least_squares_on_a_grid_agrees(degree):
    found = project_score(LINE, degree)
    exact = np.array([float(found.coefficients[0][(k,)]) for k in range(degree + 1)])
    fit, energy = _grid_fit(degree)
    # The scaled design has a condition number below 10^5, and rounding is 2^-53.
    np.testing.assert_allclose(fit, exact, rtol=0, atol=1e-10 * np.abs(exact).max())
    assert energy == pytest.approx(float(found.captured_energy), rel=1e-10)


def test_gradients_capture_a_little_less():
    # J of this mixture, by quadrature; squared errors of both kinds of field.
    information = 1.360240702
    for degree, free, tied in [(3, 0.1214, 0.1239), (5, 0.0538, 0.0550), (7, 0.0277, 0.0284)]:
        field = project_score(PLANE, degree)
        gradient = project_score(PLANE, degree, gradient=True)
        assert information - float(field.captured_energy) == pytest.approx(free, abs=6e-5)
        assert information - float(gradient.captured_energy) == pytest.approx(tied, abs=6e-5)
        first, second = gradient.expressions((x, y))
        assert sympy.expand(sympy.diff(first, y) - sympy.diff(second, x)) == 0
        assert len(gradient.potential) == len(exponents(2, degree + 1)) - 1


def test_in_one_dimension_every_field_is_a_gradient():
    for degree in range(5):
        field, gradient = (project_score(LINE, degree, gradient=on) for on in (False, True))
        assert field.coefficients == gradient.coefficients
        assert field.captured_energy == gradient.captured_energy


@pytest.mark.parametrize("gradient", [False, True])
def test_symbols_specialise_to_rationals(gradient):
    symbolic = ExactMixture([w, 1 - w], [[m, 0], [n, 1]], [[[v, 0], [0, 1]], [[1, a], [a, 2]]])
    values = {w: "1/3", m: "-2/3", n: 2, v: "5/2", a: "1/2"}
    exact = {symbol: Rational(value) for symbol, value in values.items()}
    rational = ExactMixture(
        [entry.subs(exact) for entry in symbolic.weights],
        [[entry.subs(exact) for entry in mean] for mean in symbolic.means],
        [[[e.subs(exact) for e in row] for row in c] for c in symbolic.covariances],
    )
    found = project_score(symbolic, 1, gradient=gradient).subs(values)
    assert found == project_score(rational, 1, gradient=gradient)


def test_irrational_parameters_are_generators():
    root = sympy.sqrt(2)
    found = project_score(ExactMixture(["1/2", "1/2"], [-root, root], [1, 1]), 3)
    pair = ExactMixture(["1/2", "1/2"], [-m, m], [1, 1])
    assert sympy.radsimp(found.captured_energy) == project_score(pair, 3).captured_energy.subs(
        {m: root}
    )
    inverse = project_score(ExactMixture([1], [m], [1 / v]), 1)
    assert sympy.cancel(inverse.expressions(x)[0] - v * (m - x)) == 0


def test_the_value_in_its_forms():
    found = project_score(PLANE, 2)
    assert found.field == projected_field(RationalMixture.of(PLANE), 2)
    assert len(found.expressions((0, 0))) == 2
    with pytest.raises(BadData, match="2 coordinates"):
        found.expressions(x)
    with pytest.raises(BadData, match="rational coefficients"):
        _ = project_score(ExactMixture([1], [m], [1]), 1).field


def test_misuse_is_refused():
    with pytest.raises(BadOption, match="at least 0"):
        project_score(BASIC, -1)
    with pytest.raises(BadOption, match="at least 0"):
        captured_energy(RationalMixture.of(BASIC), True)
    with pytest.raises(ResourceLimit, match="monomials"):
        project_score(PLANE, 44)
    with pytest.raises(ResourceLimit, match="monomials"):
        captured_energies(RationalMixture.of(BASIC), 10**9)
    with pytest.raises(ResourceLimit, match="bits"):
        project_score(LINE, 300)
    with pytest.raises(ResourceLimit, match="bits"):
        captured_energy_again(RationalMixture.of(LINE), 120)
    with pytest.raises(BadData, match="positive definite"):
        project_score(ExactMixture([1], [[0, 0]], [[[v, v], [v, v]]]), 1)
    with pytest.raises(BadData, match="polynomial"):
        ParameterRing.of([m]).element(1 / m)


def test_symbols_in_excess_are_refused_in_time():
    means = [[Symbol(f"m{i}{j}") for j in range(2)] for i in range(3)]
    shared = [[v, w], [w, a]]
    for degree in (2, 4):
        start = process_time()
        with pytest.raises(ResourceLimit, match="symbols"):
            project_score(ExactMixture(["1/3"] * 3, means, [shared] * 3), degree)
        assert process_time() - start < 5


@pytest.mark.parametrize("degree", [2, 6])
def test_four_components_in_three_variables_are_quick(degree):
    corners = [[1, 0, 0], [0, 1, "1/2"], ["-1/3", 0, "7/5"], [0, "3/2", -1]]
    eye = [[1, 0, 0], [0, 1, 0], [0, 0, "1/3"]]
    mixture = ExactMixture(["1/4"] * 4, corners, [eye] * 4)
    start = process_time()
    project_score(mixture, degree)
    assert process_time() - start < 2
