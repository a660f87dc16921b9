"""Identities of mixtures proved for symbolic parameters, and wrong ones refuted."""

from time import process_time

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import I, Matrix, Rational, Symbol, diag, exp, stats, symbols, tanh

from symscore.exact import (
    ExactMixture,
    is_identity,
    mean_cumulants,
    mean_moments,
    posterior_cumulants,
    posterior_moments,
    prove,
    tanh_form,
)

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


def proved_equal(left, right) -> bool:
    start = process_time()
    answer = is_identity(left, right)
    assert process_time() - start < 5
    return answer


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
    assert proved_equal(joint, sympy.Mul(*alone))


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


@each_mixture
def test_jacobian_is_the_derivative_of_the_score(mixture):
    point, jacobian = point_of(mixture), mixture.score_jacobian(point_of(mixture))
    for i, score in enumerate(mixture.score(point)):
        for j, coordinate in enumerate(point):
            assert proved_equal(jacobian[i][j], sympy.diff(score, coordinate))
            assert jacobian[i][j] == jacobian[j][i]


# Theory's Gaussian clusters: every component has the covariance r I.
CLUSTERS_1D = ExactMixture([w, p, 1 - w - p], [m, n, 0], [r, r, r])
CLUSTERS_2D = ExactMixture([w, p, 1 - w - p], [[m, 0], [n, 1], [c, m]], [r * sympy.eye(2)] * 3)


@pytest.mark.parametrize("mixture", [CLUSTERS_1D, CLUSTERS_2D], ids=["d=1", "d=2"])
def test_centres_behind_the_noise_have_the_cumulants_that_derivatives_give(mixture):
    # f = E[m | y] = y + r s(y), the Jacobian of s is -I / r + Cov(m | y) / r^2, and
    # derivatives of f of order |b| are the cumulants of order |b| + 1 over r^|b|.
    point, degree = point_of(mixture), 4 if mixture.dim == 1 else 3
    moments = mean_moments(mixture, point, degree=1)
    cumulants = mean_cumulants(mixture, point, degree=degree)
    unit = [tuple(map(int, row)) for row in sympy.eye(mixture.dim).tolist()]
    centre = [moments[e] for e in unit]
    jacobian = mixture.score_jacobian(point)
    for i, score in enumerate(mixture.score(point)):
        assert proved_equal(centre[i], point[i] + r * score)
        for j in range(mixture.dim):
            both = tuple(map(sum, zip(unit[i], unit[j], strict=True)))
            assert proved_equal(jacobian[i][j], cumulants[both] / r**2 - int(i == j) / r)
    for a, cumulant in cumulants.items():
        j = next(i for i, power in enumerate(a) if power)
        derivative = centre[j]
        for i, power in enumerate(a):
            derivative = sympy.diff(derivative, point[i], power - (i == j))
        assert proved_equal(derivative * r ** (sum(a) - 1), cumulant)
        assert not proved_equal(derivative * r ** sum(a), cumulant)


@pytest.mark.parametrize("mixture", [TWO_IN_1D, THREE_IN_1D, TWO_IN_2D], ids=["2,1", "3,1", "2,2"])
def test_posterior_of_the_clean_point_has_the_denoiser_s_derivatives(mixture):
    # Derivatives of the denoiser of order |b| are (alpha / sigma^2)^|b| times cumulants.
    point = point_of(mixture)
    cumulants = posterior_cumulants(mixture, point, alpha, degree=2)
    denoiser = mixture.denoiser(point, alpha)
    for a, cumulant in cumulants.items():
        j = next(i for i, power in enumerate(a) if power)
        derivative = denoiser[j]
        for i, power in enumerate(a):
            derivative = sympy.diff(derivative, point[i], power - (i == j))
        factor = (alpha / (1 - alpha**2)) ** (sum(a) - 1)
        assert proved_equal(derivative, factor * cumulant)


def test_the_noise_is_minus_sigma_times_the_score_on_average():
    # x = alpha x_0 + sigma z, so E[z | x] = (x - alpha E[x_0 | x]) / sigma = -sigma s(x).
    sigma = sympy.sqrt(1 - alpha**2)
    mean = posterior_moments(THREE_IN_1D, x, alpha, degree=1)[1,]
    (score,) = THREE_IN_1D.at(alpha).score(x)
    assert proved_equal((x - alpha * mean) / sigma, -sigma * score)
    assert not proved_equal((x - alpha * mean) / sigma, sigma * score)


def characteristic(mixture: ExactMixture, frequency: Matrix):
    """Return E exp(i f^T x), which determines a law."""
    return sum(
        weight * exp(I * frequency.dot(Matrix(mean)) - frequency.dot(Matrix(c) * frequency) / 2)
        for weight, mean, c in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    )


FREQUENCIES = symbols("f g h")


@each_mixture
def test_noise_multiplies_characteristic_functions(mixture):
    frequency = Matrix(FREQUENCIES[: mixture.dim])
    square = frequency.dot(frequency)
    sent = characteristic(mixture, alpha * frequency) * exp(-(1 - alpha**2) * square / 2)
    assert proved_equal(characteristic(mixture.at(alpha), frequency), sent)
    wrong = characteristic(mixture, alpha * frequency) * exp(-(1 - alpha) * square / 2)
    assert not proved_equal(characteristic(mixture.at(alpha), frequency), wrong)
    warm = characteristic(mixture, frequency) * exp(-r * square / 2)
    assert proved_equal(characteristic(mixture.heat(r), frequency), warm)


def test_images_and_marginals_have_the_characteristic_functions_of_the_map():
    matrix, shift = Matrix([[p, 1, 0], [2, 0, alpha]]), Matrix([c, x])
    image = TWO_IN_3D.linear_image(matrix, [c, x])
    frequency = Matrix(FREQUENCIES[:2])
    sent = exp(I * frequency.dot(shift)) * characteristic(TWO_IN_3D, matrix.T * frequency)
    assert proved_equal(characteristic(image, frequency), sent)
    some = TWO_IN_3D.marginal([2, 0])
    kept = Matrix([FREQUENCIES[1], 0, FREQUENCIES[0]])
    assert proved_equal(characteristic(some, frequency), characteristic(TWO_IN_3D, kept))


@each_mixture
def test_log_density_solves_its_own_equations(mixture):
    # x_t: d/dt log q = d + x.s + div s + |s|^2 with d/dt = -alpha d/dalpha;
    # heat: d/dt log p = (div s + |s|^2) / 2.
    point = point_of(mixture)
    if mixture.dim > 2:
        point = (*point[:2], Rational(1, 3))
    time = Symbol("time", positive=True)
    warm = mixture.heat(time)
    for law, left, inner in (
        (mixture.at(alpha), lambda f: -alpha * sympy.diff(f, alpha), True),
        (warm, lambda f: 2 * sympy.diff(f, time), False),
    ):
        score, jacobian = law.score(point), law.score_jacobian(point)
        right = sum(s**2 + jacobian[i][i] for i, s in enumerate(score))
        if inner:
            right += sum(1 + q * s for q, s in zip(point, score, strict=True))
        assert proved_equal(left(law.log_density(point)), right)


@pytest.mark.parametrize("cell", [(0,), (1,), (0, 2), (1, 2)])
def test_score_differs_from_that_of_a_cell_by_the_share_of_the_others(cell):
    # s - s_U = P(not U | x) (s_(not U) - s_U).
    mixture = THREE_IN_1D
    others = tuple(i for i in range(3) if i not in cell)

    def part(chosen):
        total = sum(mixture.weights[i] for i in chosen)
        return ExactMixture(
            [mixture.weights[i] / total for i in chosen],
            [mixture.means[i] for i in chosen],
            [mixture.covariances[i] for i in chosen],
        ).score(x)[0]

    share = sum(mixture.responsibilities(x)[i] for i in others)
    (score,) = mixture.score(x)
    assert proved_equal(score - part(cell), share * (part(others) - part(cell)))
    assert not proved_equal(score - part(cell), share * (part(others) + part(cell)))


PAIRS = {
    "d=1": ExactMixture([w, 1 - w], [m, n], [r, r]),
    "d=2": ExactMixture([w, 1 - w], [[m, c], [n, 1]], [[[2, p], [p, 3]]] * 2),
    "d=3": ExactMixture(
        ["1/3", "2/3"], [[m, 0, 1], [0, n, 0]], [[[r, 1, 0], [1, 3, 1], [0, 1, 3]]] * 2
    ),
}


@pytest.mark.parametrize("mixture", PAIRS.values(), ids=PAIRS.keys())
def test_pairs_with_one_covariance_have_the_tanh_score(mixture):
    point = point_of(mixture)
    for form, score in zip(tanh_form(mixture, point), mixture.score(point), strict=True):
        assert form.has(tanh)
        assert proved_equal(form, score)
        assert not proved_equal(-form, score)
        assert not proved_equal(form.replace(tanh, lambda u: tanh(2 * u)), score)


def test_the_form_that_equality_of_expressions_misses():
    form = -x + tanh(x)
    (score,) = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]).score(x)
    assert form != score
    assert prove(form, score).holds


PLANTED = {
    "sign": lambda s, x: -s,
    "factor two": lambda s, x: 2 * s,
    "exponent": lambda s, x: s.replace(exp, lambda u: exp(2 * u)),
    "shift": lambda s, x: s + Rational(1, 10**30),
    "square": lambda s, x: s.subs(x, x**2),
}


@each_mixture
@pytest.mark.parametrize("fault", PLANTED)
def test_planted_faults_are_refuted_at_a_point(mixture, fault):
    score = mixture.score(point_of(mixture))[0]
    proof = prove(PLANTED[fault](score, x), score)
    assert not proof.holds
    point = dict(proof.witness)
    gap = (PLANTED[fault](score, x) - score).subs(point).evalf(40)
    # mpmath's forty digits lie in the ball, but for their own rounding.
    difference, rounding = proof.difference[0], abs(Rational(str(gap))) / 10**35
    assert difference.lower - rounding <= Rational(str(gap)) <= difference.upper + rounding
