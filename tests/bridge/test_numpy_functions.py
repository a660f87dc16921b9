"""Exact expressions in float64, right where every component underflows."""

from time import thread_time

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Rational, Symbol, cosh, exp, log, pi, sinh, sqrt, symbols, tanh

from symscore.bridge import to_float_mixture, to_numpy
from symscore.errors import BadData
from symscore.exact import ExactMixture
from tests.far_mixtures import DIGITS, Truth, as_floats, far_points, jacobian, random_mixture

x, y = symbols("x y")
UNIT = float(np.finfo(np.float64).eps) / 2
SIZES = [(1, 1), (2, 1), (4, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(("k", "dim"), SIZES)
def test_mixtures_are_right_a_million_deviations_out(k, dim):
    rng = np.random.default_rng([k, dim])
    mixture = random_mixture(k, dim, rng=rng)
    coordinates = list(symbols(f"x:{dim}"))
    points = far_points(mixture, rng=rng)
    log_density = to_numpy(mixture.log_density(coordinates), coordinates)(points)
    score = to_numpy(mixture.score(coordinates), coordinates)(points)
    slope = to_numpy(jacobian(mixture, coordinates), coordinates)(points)
    with mpmath.workdps(DIGITS):
        for i, point in enumerate(points):
            truth = Truth(mixture, point)
            lost = abs(float(log_density[i] - truth.log_density()))
            assert lost <= truth.tolerance_of_log_density()
            lost = np.abs(score[i] - as_floats(truth.score())[:, 0])
            assert np.all(lost <= truth.tolerance_of_score())
            lost = np.abs(slope[i] - as_floats(truth.jacobian()))
            assert np.all(lost <= truth.tolerance_of_jacobian())


@pytest.mark.parametrize(("k", "dim"), SIZES)
def test_the_tolerance_is_worth_something_a_thousand_deviations_out(k, dim):
    rng = np.random.default_rng([k, dim])
    mixture = random_mixture(k, dim, rng=rng)
    with mpmath.workdps(DIGITS):
        truth = Truth(mixture, far_points(mixture, rng=rng)[2])
        score = as_floats(truth.score())[:, 0]
        assert np.linalg.norm(truth.tolerance_of_score()) < 1e-9 * np.linalg.norm(score)
        assert truth.tolerance_of_log_density() < 1e-10 * abs(float(truth.log_density()))


def test_agrees_with_the_float_mixture_where_both_are_at_ease():
    rng = np.random.default_rng(1)
    mixture = random_mixture(3, 2, rng=rng)
    floats = to_float_mixture(mixture).mixture
    points = rng.normal(size=(500, 2)) * 5
    score = to_numpy(mixture.score((x, y)), [x, y])(points)
    gates = to_numpy(mixture.responsibilities((x, y)), [x, y])(points)
    # Well within a million units: a few hundred operations at condition up to a thousand.
    np.testing.assert_allclose(score, floats.score(points), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(gates, floats.responsibilities(points), rtol=1e-9, atol=1e-300)


def test_a_sum_of_exponentials_is_a_log_sum_exp():
    total = log(exp(x) / 3 + 2 * exp(y) / 3)
    got = to_numpy(total, [x, y])([[1e5, 1e5], [-1e5, 1e5], [-1e5, -1e5 - 1]])
    want = [1e5, 1e5 + np.log(2 / 3), -1e5 + np.log(1 / 3 + 2 / 3 * np.exp(-1.0))]
    np.testing.assert_allclose(got, want, rtol=4 * UNIT)


def test_ratios_of_huge_numbers_keep_their_digits():
    x, y = symbols("x y", real=True)
    values = {
        sinh(x) / cosh(x): np.tanh([3.0, 700.0, 1e5]),
        log(cosh(x)): [np.log(np.cosh(3.0)), 700 - np.log(2), 1e5 - np.log(2)],
        exp(x) * exp(y) * exp(-2 * x) / (1 + exp(y - x)): [0.5, 0.5, 0.5],
        1 / (1 + exp(-x)) + 1 / (1 + exp(x)): [1.0, 1.0, 1.0],
        (exp(x) + 1) ** 3 / (exp(x) - 1) ** 3: 1 / np.tanh([1.5, 350.0, 5e4]) ** 3,
        sqrt(exp(2 * x) + 1) / exp(x): [np.sqrt(1 + np.exp(-6.0)), 1.0, 1.0],
        sympy.Abs(-exp(x)) / sinh(x): 2 / (1 - np.exp([-6.0, -1400.0, -2e5])),
    }
    for expression, want in values.items():
        points = np.array([[3.0, 3.0], [700.0, 700.0], [1e5, 1e5]])
        got = to_numpy(expression, [x, y])(points)
        np.testing.assert_allclose(got, want, rtol=1e-14, err_msg=str(expression))


@pytest.mark.parametrize("at", [0.0, 1e-300, 1e-9, 19.9, 20.1, -25.0])
def test_hyperbolic_functions_keep_their_small_arguments(at):
    got = to_numpy([sinh(x), cosh(x)], [x])([[at]])[0]
    np.testing.assert_allclose(got, [np.sinh(at), np.cosh(at)], rtol=4 * UNIT)


def test_constants_beyond_float64_take_part():
    tiny = Rational(1, 10**400)
    ratio = (tiny * exp(x) + 2 * tiny) / (3 * tiny)
    got = to_numpy([ratio, log(tiny) + 400 * log(10)], [x])([[0.0]])[0]
    # 400 log 10 is about 921, and the logarithm of a constant costs an ulp of it.
    np.testing.assert_allclose(got, [1.0, 0.0], atol=921 * 8 * UNIT)


def test_points_without_symbols_in_the_expression():
    mixture = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    got = to_numpy([*mixture.score(10**4), sympy.Integer(3), pi], [x])([[0.0], [1.0]])
    np.testing.assert_array_equal(got, [[-9999.0, 3.0, np.pi]] * 2)


FUNCTIONS = {
    "exp": (0.3, -2.0),
    "log": (0.3, 7.0),
    "sinh": (0.3, -2.0),
    "cosh": (0.3, -2.0),
    "tanh": (0.3, -2.0),
    "asinh": (0.3, -2.0),
    "acosh": (1.3, 2.0),
    "atanh": (0.3, -0.9),
    "sin": (0.3, -2.0),
    "cos": (0.3, -2.0),
    "tan": (0.3, -2.0),
    "asin": (0.3, -0.9),
    "acos": (0.3, -0.9),
    "atan": (0.3, -2.0),
    "Abs": (0.3, -2.0),
    "sign": (0.3, -2.0),
    "erf": (0.3, -2.0),
    "erfc": (0.3, -2.0),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_function_is_the_one_of_its_name(name):
    points = np.array(FUNCTIONS[name])
    got = to_numpy(getattr(sympy, name)(x), x)(points)
    known = {"Abs": mpmath.fabs}.get(name) or getattr(mpmath, name)
    np.testing.assert_allclose(got, [float(known(p)) for p in points], rtol=8 * UNIT)


def test_powers():
    expression = [x**3, x**-2, sqrt(x), x ** Rational(-3, 2), x ** Rational(1, 3), x**y, 2**x]
    got = to_numpy(expression, [x, y])([[2.0, 0.7]])[0]
    want = [8, 0.25, 2**0.5, 2**-1.5, 2 ** (1 / 3), 2**0.7, 4.0]
    np.testing.assert_allclose(got, want, rtol=4 * UNIT)


@pytest.mark.parametrize(
    ("expression", "at", "want"),
    [(1 / x, 0.0, np.inf), (log(x), 0.0, -np.inf), (log(x), -1.0, np.nan), (exp(x), 1e3, np.inf)],
)
def test_what_has_no_value_is_infinite_or_nan_without_a_warning(expression, at, want):
    np.testing.assert_array_equal(to_numpy(expression, x)(at), want)


def test_a_density_beyond_all_floats_is_zero():
    log_density = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]).log_density(x)
    assert to_numpy(log_density, x)(1e200) == -np.inf


def test_shapes():
    points = np.zeros((5, 3, 2))
    assert to_numpy(x + y, [x, y])(points).shape == (5, 3)
    assert to_numpy([x, y, x], [x, y])(points).shape == (5, 3, 3)
    assert to_numpy([[x, y]], [x, y])(points).shape == (5, 3, 1, 2)
    assert to_numpy(sympy.Matrix([x, y]), [x, y])(points).shape == (5, 3, 2, 1)
    assert to_numpy(x, x)(np.zeros((5, 3))).shape == (5, 3)
    assert to_numpy([x], x)(2.0).shape == (1,)
    assert to_numpy(x, [x])(np.zeros((0, 1))).shape == (0,)


def test_blocks_of_points_do_not_show():
    points = np.random.default_rng(0).normal(size=(10_000, 1))
    function = to_numpy(tanh(x) * exp(x), [x])
    np.testing.assert_array_equal(function(points)[5_000:5_003], function(points[5_000:5_003]))


def test_names_are_never_run():
    hostile = Symbol("__import__('os').abort()")
    twin = Symbol("x", positive=True)
    got = to_numpy([hostile + 1, x - twin], [hostile, x, twin])([[2.0, 5.0, 7.0]])
    np.testing.assert_array_equal(got, [[3.0, -2.0]])


@pytest.mark.parametrize(
    ("expressions", "over", "message"),
    [
        (x + y, [x], "got none for 'y'"),
        (Symbol("x", real=True), [x], "differ in their assumptions"),
        (sympy.gamma(x), [x], "got 'gamma'"),
        (sympy.Function("f")(x), [x], "got 'f'"),
        (sympy.Integral(x, x), [x], "got 'Integral'"),
        (sympy.I * x, [x], "ImaginaryUnit"),
        ("x", [x], "read_expression"),
        (0.5, [x], "of type float"),
        ([[x], [x, x]], [x], "ragged"),
        ([x, [x]], [x], "ragged"),
        (x, [], "at least one"),
        (x, [x, x], "different symbols"),
        (x, ["x"], "SymPy symbols"),
    ],
)
def test_what_cannot_be_computed_is_refused_at_once(expressions, over, message):
    with pytest.raises(BadData, match=message):
        to_numpy(expressions, over)


def test_points_of_another_length_are_refused():
    with pytest.raises(BadData, match=r"\(\.\.\., 2\); got \(3,\)"):
        to_numpy(x + y, [x, y])([1.0, 2.0, 3.0])


def test_the_largest_mixtures_take_no_time():
    mixture = random_mixture(4, 4, rng=np.random.default_rng(3))
    coordinates = list(symbols("x:4"))
    score = mixture.score(coordinates)
    start = thread_time()
    to_numpy(score, coordinates)(np.zeros((1000, 4)))
    assert thread_time() - start < 2


def test_a_deep_expression_is_no_deep_recursion():
    expression = x
    for _ in range(300):
        expression = sympy.sin(expression, evaluate=False) + 1
    assert np.isfinite(to_numpy(expression, x)(0.5))
