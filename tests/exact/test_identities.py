"""Identities proved for symbolic parameters, each as an equality of rational functions.

Every exponential, every square root and pi becomes a free generator, so that an expression turns
into a quotient of polynomials. If the numerator is the zero polynomial, the expression is zero;
SymPy's `simplify` has no part in it.
"""

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import QQ, Expr, Matrix, Rational, Symbol, diag, stats, symbols

from symscore.exact import ExactMixture

x, y, z, m, n, c, w, p, alpha = symbols("x y z m n c w p alpha")
r, s, t = symbols("r s t", positive=True)

TWO_IN_1D = ExactMixture([w, 1 - w], [m, n], [s**2, t**2])
THREE_IN_1D = ExactMixture([w, p, 1 - w - p], [m, 0, n], [s, 1, t])
TWO_IN_2D = ExactMixture([w, 1 - w], [[m, 0], [n, 1]], [[[r, c], [c, t]], [[2, "1/2"], ["1/2", 3]]])
TWO_IN_3D = ExactMixture(
    ["1/3", "2/3"], [[m, 0, 1], [0, n, 0]], [diag(s, 1, 2), [[3, 1, 0], [1, 3, 1], [0, 1, 3]]]
)
MIXTURES = {
    "k=2, d=1": TWO_IN_1D,
    "k=3, d=1": THREE_IN_1D,
    "k=2, d=2": TWO_IN_2D,
    "k=2, d=3": TWO_IN_3D,
}
each_mixture = pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES.keys())


def as_generators(expr: Expr) -> Expr:
    """Replace exponentials, square roots and pi by free symbols.

    Arguments are brought to normal form first, so that equal ones get the same symbol.
    """
    names: dict[tuple[object, Expr], Symbol] = {}

    def generator(kind: object, argument: Expr) -> Symbol:
        return names.setdefault((kind, sympy.cancel(argument)), Symbol(f"GENERATOR_{len(names)}"))

    def replaced(node: Expr) -> Expr:
        if isinstance(node, sympy.exp):
            return generator(sympy.exp, node.args[0])
        if node.is_Pow and node.exp.is_Rational and node.exp.q == 2:
            root = generator(sympy.sqrt, node.base)
            return root * replaced(node.base) ** (node.exp - Rational(1, 2))
        if node == sympy.pi:
            return Symbol("PI")
        return node.func(*map(replaced, node.args)) if node.args else node

    return replaced(expr)


def proved_equal(left: Expr, right: Expr) -> bool:
    difference = as_generators(left - right)
    generators = sorted(difference.free_symbols, key=str)
    if not generators:
        return difference == 0
    numerator, _ = sympy.fraction(sympy.together(difference))
    return QQ[generators].ring.from_expr(numerator) == 0


def point_of(mixture: ExactMixture) -> tuple[Symbol, ...]:
    return (x, y, z)[: mixture.dim]


@pytest.mark.parametrize("wrong", [sympy.exp(x), sympy.sqrt(2) * x, x - 1, sympy.Integer(1)])
def test_the_prover_refuses_a_wrong_identity(wrong):
    assert not proved_equal(TWO_IN_1D.score(x)[0], TWO_IN_1D.score(x)[0] + wrong)


@each_mixture
def test_score_is_the_gradient_of_the_log_density(mixture):
    point = point_of(mixture)
    log_density = mixture.log_density(point)
    for coordinate, score in zip(point, mixture.score(point), strict=True):
        assert proved_equal(score, sympy.diff(log_density, coordinate))


@each_mixture
def test_responsibilities_are_the_shares_of_the_density(mixture):
    point = point_of(mixture)
    whole = mixture.density(point)
    gates = mixture.responsibilities(point)
    for gate, weight, mean, covariance in zip(
        gates, mixture.weights, mixture.means, mixture.covariances, strict=True
    ):
        alone = ExactMixture([1], [mean], [covariance]).density(point)
        assert proved_equal(gate * whole, weight * alone)


def test_density_in_one_dimension_is_the_textbook_one():
    normals = [stats.Normal("X", m, s), stats.Normal("Y", n, t)]
    textbook = [stats.density(normal)(x) for normal in normals]
    assert proved_equal(TWO_IN_1D.density(x), w * textbook[0] + (1 - w) * textbook[1])


def test_density_of_independent_coordinates_is_a_product():
    joint = ExactMixture([1], [[m, n, 0]], [diag(r, s, t)]).density((x, y, z))
    alone = [
        ExactMixture([1], [mean], [variance]).density(coordinate)
        for mean, variance, coordinate in [(m, r, x), (n, s, y), (0, t, z)]
    ]
    assert proved_equal(joint, sympy.powsimp(sympy.Mul(*alone), combine="exp"))


small = st.builds(Rational, st.integers(-5, 5), st.integers(1, 3))


@given(st.lists(small, min_size=4, max_size=4), st.lists(small, min_size=2, max_size=2))
@settings(max_examples=25)
def test_affine_maps_transport_density_and_score(entries, shift):
    # q(A x + b) |det A| = p(x) and A^T grad log q(A x + b) = grad log p(x).
    matrix, move = Matrix(2, 2, entries), Matrix(shift)
    determinant = matrix.det()
    if determinant == 0:
        return
    source = ExactMixture(
        ["1/3", "2/3"], [[0, 1], [2, -1]], [[[2, 1], [1, 3]], diag(1, Rational(1, 2))]
    )
    image = ExactMixture(
        source.weights,
        [matrix * Matrix(mean) + move for mean in source.means],
        [matrix * Matrix(covariance) * matrix.T for covariance in source.covariances],
    )
    point = Matrix([Rational(1, 2), Rational(-1, 3)])
    mapped = matrix * point + move
    assert proved_equal(image.density(mapped) * abs(determinant), source.density(point))
    pulled_back = matrix.T * Matrix(image.score(mapped))
    for got, want in zip(pulled_back, source.score(point), strict=True):
        assert proved_equal(got, want)


@each_mixture
def test_noised_density_solves_the_fokker_planck_equation(mixture):
    # dx = -x dt + sqrt(2) dW and alpha = exp(-t): -alpha dp/dalpha = div(x p) + Laplacian p.
    point = point_of(mixture)
    density = mixture.at(alpha).density(point)
    drift = sum(sympy.diff(coordinate * density, coordinate) for coordinate in point)
    diffusion = sum(sympy.diff(density, coordinate, 2) for coordinate in point)
    assert proved_equal(-alpha * sympy.diff(density, alpha), drift + diffusion)


@each_mixture
def test_denoiser_is_the_conditional_mean(mixture):
    # Given the component, (x_0, x_t) is Gaussian: E[x_0 | x_t] = m + alpha C K^-1 (x_t - alpha m)
    # with K the covariance of x_t; Tweedie's formula must average these.
    point = point_of(mixture)
    noised = mixture.at(alpha)
    gates = noised.responsibilities(point)
    mean_of_component = [
        Matrix(mean)
        + alpha
        * Matrix(covariance)
        * Matrix(ExactMixture([1], [noised_mean], [noised_covariance]).score(point))
        * -1
        for mean, covariance, noised_mean, noised_covariance in zip(
            mixture.means, mixture.covariances, noised.means, noised.covariances, strict=True
        )
    ]
    for j, got in enumerate(mixture.denoiser(point, alpha)):
        want = sum(gate * mean[j] for gate, mean in zip(gates, mean_of_component, strict=True))
        assert proved_equal(got, want)


def test_symmetric_pair_has_the_tanh_score():
    # s(x) = -x / v + (m / v) tanh(m x / v + log(w / (1 - w)) / 2); with
    # u = exp(2 m x / v) w / (1 - w), tanh = (u - 1) / (u + 1), u the ratio of the two terms.
    (score,) = ExactMixture([w, 1 - w], [m, -m], [s, s]).score(x)
    upper, lower = sympy.exp(-((x - m) ** 2) / (2 * s)), sympy.exp(-((x + m) ** 2) / (2 * s))
    assert sympy.expand(upper.args[0] - lower.args[0] - 2 * m * x / s) == 0
    ratio = upper / lower * w / (1 - w)
    split = w * upper, (1 - w) * lower
    tanh = (split[0] - split[1]) / (split[0] + split[1])
    assert proved_equal(ratio * split[1], split[0])
    assert proved_equal(score, -x / s + m / s * tanh)
