"""ExactMixture: what it accepts, and the laws that its formulas obey, all by exact equality."""

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Matrix, Rational, Symbol, diag, symbols

import symscore.exact
from symscore.errors import BadData, BadOption
from symscore.exact import ExactMixture, exact_float, is_identity

x, y, m, v, w, alpha, beta = symbols("x y m v w alpha beta")

rationals = st.builds(Rational, st.integers(-9, 9), st.integers(1, 4))
positive = st.builds(Rational, st.integers(1, 9), st.integers(1, 4))
fractions_of_one = st.builds(lambda p, extra: Rational(p, p + extra), *[st.integers(1, 9)] * 2)


def vectors(size: int) -> st.SearchStrategy[tuple[Rational, ...]]:
    return st.lists(rationals, min_size=size, max_size=size).map(tuple)


@st.composite
def covariances(draw: st.DrawFn, dim: int) -> Matrix:
    factor = Matrix(dim, dim, draw(vectors(dim * dim)))
    # Not a square of a rational matrix, so that determinants have irrational roots.
    return factor * factor.T + diag(*(draw(positive) for _ in range(dim)))


@st.composite
def mixtures(draw: st.DrawFn, dim: int, max_components: int = 3) -> ExactMixture:
    parts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=max_components))
    return ExactMixture(
        [Rational(part, sum(parts)) for part in parts],
        [draw(vectors(dim)) for _ in parts],
        [draw(covariances(dim)) for _ in parts],
    )


# A hundred examples, the default, would cost half a minute in all.
few = settings(max_examples=30)

mixture_and_point = st.integers(1, 2).flatmap(lambda d: st.tuples(mixtures(d), vectors(d)))


@given(st.data(), mixture_and_point)
@few
def test_order_of_components_does_not_matter(data, pair):
    mixture, point = pair
    order = data.draw(st.permutations(range(mixture.n_components)))
    shuffled = ExactMixture(
        *(
            [part[i] for i in order]
            for part in (mixture.weights, mixture.means, mixture.covariances)
        )
    )
    assert shuffled.score(point) == mixture.score(point)
    assert shuffled.log_density(point) == mixture.log_density(point)
    gates = mixture.responsibilities(point)
    assert shuffled.responsibilities(point) == tuple(gates[i] for i in order)


@given(mixture_and_point, fractions_of_one)
@few
def test_splitting_a_component_changes_nothing(pair, share):
    mixture, point = pair
    first, *rest = mixture.weights
    split = ExactMixture(
        [share * first, (1 - share) * first, *rest],
        mixture.means[:1] + mixture.means,
        mixture.covariances[:1] + mixture.covariances,
    )
    assert split.score(point) == mixture.score(point)
    assert split.density(point) == mixture.density(point)


@given(st.data(), mixture_and_point)
@few
def test_a_shift_moves_the_score_along(data, pair):
    mixture, point = pair
    shift = data.draw(vectors(mixture.dim))

    def moved(vector):
        return [a + b for a, b in zip(vector, shift, strict=True)]

    shifted = ExactMixture(mixture.weights, [*map(moved, mixture.means)], mixture.covariances)
    assert shifted.score(moved(point)) == mixture.score(point)
    assert shifted.density(moved(point)) == mixture.density(point)


@given(st.integers(1, 4).flatmap(lambda d: st.tuples(mixtures(d, 1), vectors(d))))
@few
def test_score_of_one_gaussian_is_affine(pair):
    gaussian, point = pair
    score = Matrix(gaussian.score(point))
    assert Matrix(gaussian.covariances[0]) * score == Matrix(gaussian.means[0]) - Matrix(point)


def test_score_of_one_symbolic_gaussian():
    assert ExactMixture([1], [m], [v]).score(x) == (-(x - m) / v,)


@given(mixture_and_point, fractions_of_one, fractions_of_one)
@few
def test_levels_compose(pair, first, second):
    mixture, point = pair
    assert mixture.at(1) == mixture
    assert mixture.at(first).at(second) == mixture.at(first * second)
    assert mixture.denoiser(point, 1) == point


def test_symbolic_levels_compose():
    mixture = ExactMixture([w, 1 - w], [[m, 0], [1, x]], [[[v, w], [w, 2]], diag(1, v)])
    assert mixture.at(1) == mixture
    twice, once = mixture.at(alpha).at(beta), mixture.at(alpha * beta)
    assert twice.means == once.means
    for got, want in zip(twice.covariances, once.covariances, strict=True):
        assert (Matrix(got) - Matrix(want)).expand() == sympy.zeros(2)


def test_functions_are_the_methods():
    mixture = ExactMixture([w, 1 - w], [m, 0], [v, 1])
    assert symscore.exact.score(mixture, x) == mixture.score(x)
    assert symscore.exact.denoiser(mixture, x, alpha) == mixture.denoiser(x, alpha)


def test_spellings_of_one_mixture_are_equal():
    plain = ExactMixture(["1/2", Fraction(1, 2)], [0, "1/3"], [1, exact_float(0.25)])
    nested = ExactMixture(
        [Rational(1, 2)] * 2, [[0], Matrix(["1/3"])], [[[1]], Matrix([[Rational(1, 4)]])]
    )
    assert plain == nested
    assert ExactMixture("1", "1/3", "12") == ExactMixture([1], [["1/3"]], [[[12]]])
    columns = Matrix([1, 2]), Matrix([3, 4])
    assert ExactMixture(["1/2", "1/2"], *columns) == ExactMixture(["1/2"] * 2, [1, 2], [3, 4])
    assert hash(plain) == hash(nested)
    assert (plain.dim, plain.n_components) == (1, 2)
    assert plain.score("1/2") == plain.score([Rational(1, 2)])


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([1], [0.5], [1], r"Expected an exact value for means\[0\]; got the float 0.5"),
        ([1], ["m"], [1], r"Expected means\[0\] as a fraction"),
        ([1], [0, 1], [1], "Expected as many weights as means and covariances.* 1, 2 and 1"),
        ([], [], [], "Expected as many weights as means and covariances, at least one"),
        ([1], [[]], [[]], r"Expected means\[0\] of length 1; got 0"),
        ([w, 1 - w], [[0, 1], [0]], [diag(1, 1), [1]], r"Expected means\[1\] of length 2; got 1"),
        ([1], [[0, 1]], [1], r"Expected covariances\[0\] of shape \(2, 2\); got rows of length"),
        (["1/2", "1/3"], [0, 1], [1, 1], "Expected weights that sum to one; got 5/6"),
        ([w, 2 - w], [0, 1], [1, 1], "Expected weights that sum to one; got 2"),
        ([2, -1], [0, 1], [1, 1], r"Expected positive weights; got weights\[1\] = -1"),
        ([1, 0], [0, 1], [1, 1], r"Expected positive weights; got weights\[1\] = 0"),
        ([1], [[0, 0]], [[[1, x], [y, 1]]], r"Expected covariances\[0\] symmetric"),
        ([1], [0], [0], r"Expected covariances\[0\] positive definite; got 0 on its diagonal"),
        ([1], [[0, 0]], [diag(v, -1)], "positive definite; got -1 on its diagonal"),
        ([1], [0], [Symbol("n", negative=True)], "positive definite; got n on its diagonal"),
        ([1], [[0, 0]], [[[1, 2], [2, 4]]], "positive definite; got 0 for its leading minor of"),
        (
            [1],
            [[0, 0, 0]],
            [[[1, 2, 0], [2, 3, 0], [0, 0, v]]],
            "got -1 for its leading minor of order 2",
        ),
    ],
)
def test_what_is_no_mixture_is_refused(weights, means, covariances, message):
    with pytest.raises(BadData, match=message):
        ExactMixture(weights, means, covariances)


@pytest.mark.parametrize("level", [0, "-1/2", "3/2", Symbol("a", negative=True)])
def test_a_level_outside_its_range_is_refused(level):
    mixture = ExactMixture([1], [0], [1])
    with pytest.raises(BadOption, match=r"Expected alpha in \(0, 1\]"):
        mixture.at(level)
    with pytest.raises(BadOption, match=r"Expected alpha in \(0, 1\]"):
        mixture.denoiser(0, level)


@pytest.mark.parametrize("point", [0, [0], [0, 0, 0]])
def test_a_point_of_the_wrong_dimension_is_refused(point):
    mixture = ExactMixture([1], [[0, 0]], [diag(1, 1)])
    with pytest.raises(BadData, match="Expected x with 2 coordinates; got"):
        mixture.score(point)


def test_symbols_are_left_undecided():
    mixture = ExactMixture([w, x], [m, 0], [v, y])
    assert mixture.weights == (w, x)


@given(mixture_and_point)
@few
def test_jacobian_is_the_covariance_of_the_scores_less_the_mean_precision(pair):
    mixture, point = pair
    gates = mixture.responsibilities(point)
    alone = [
        ExactMixture([1], [mean], [c])
        for mean, c in zip(mixture.means, mixture.covariances, strict=True)
    ]
    scores = [Matrix(part.score(point)) for part in alone]
    mean = Matrix(mixture.score(point))
    want = sympy.zeros(mixture.dim)
    for gate, score, c in zip(gates, scores, mixture.covariances, strict=True):
        want += gate * ((score - mean) * (score - mean).T - Matrix(c).inv())
    for got, entry in zip(Matrix(mixture.score_jacobian(point)), want, strict=True):
        assert is_identity(got, entry)


@given(mixtures(2), positive, positive)
@few
def test_heat_composes_and_commutes_with_marginals(mixture, first, second):
    assert mixture.heat(0) == mixture
    assert mixture.heat(first).heat(second) == mixture.heat(first + second)
    assert mixture.heat(first).marginal(1) == mixture.marginal(1).heat(first)
    # The heat flow is the noised mixture after a change of scale: C + t I = (a^2 C + (1 - a^2) I)
    # / a^2 with t = (1 - a^2) / a^2; a = 3/5 gives 16/9.
    level = Rational(3, 5)
    assert mixture.at(level).linear_image(diag(1, 1) / level) == mixture.heat(Rational(16, 9))


@given(mixtures(2), vectors(4), vectors(2))
@few
def test_images_compose(mixture, entries, shift):
    matrix = Matrix(2, 2, entries)
    if matrix.det() == 0:
        with pytest.raises(BadData, match="independent rows"):
            mixture.linear_image(matrix, shift)
        return
    image = mixture.linear_image(matrix, shift)
    assert image.linear_image(matrix.inv(), -(matrix.inv() * Matrix(shift))) == mixture
    assert mixture.linear_image(sympy.eye(2)) == mixture
    assert mixture.linear_image([[0, 1]]) == mixture.marginal(1)
    assert mixture.linear_image([[0, 1], [1, 0]]) == mixture.marginal([1, 0])


@pytest.mark.parametrize(
    ("matrix", "shift", "message"),
    [
        ([[1, 0, 0]], 0, r"rows of length 2; got lengths \[3\]"),
        ([], 0, r"rows of length 2; got lengths \[\]"),
        ([[1, 2], [2, 4]], 0, "independent rows"),
        ([[x, y], [2 * x, 2 * y]], 0, "independent rows"),
        ([[0, 0]], 0, "independent rows"),
        ([[1, 0], [0, 1], [1, 1]], 0, "independent rows"),
        ([[1, 0]], [1, 2], "Expected shift with 1 coordinates; got 2"),
        ([[0.5, 0]], 0, "got the float 0.5"),
    ],
)
def test_a_map_without_a_density_is_refused(matrix, shift, message):
    with pytest.raises(BadData, match=message):
        ExactMixture([1], [[0, 0]], [diag(1, 1)]).linear_image(matrix, shift)


@pytest.mark.parametrize("indices", [[], 2, -1, [0, 0], [0, 5]])
def test_coordinates_that_are_not_there_are_refused(indices):
    with pytest.raises(BadOption, match="Expected distinct coordinates between 0 and 1"):
        ExactMixture([1], [[0, 0]], [diag(1, 1)]).marginal(indices)


@pytest.mark.parametrize("t", [-1, "-1/2", Symbol("n", negative=True)])
def test_negative_heat_is_refused(t):
    with pytest.raises(BadOption, match="Expected t >= 0"):
        ExactMixture([1], [0], [1]).heat(t)
