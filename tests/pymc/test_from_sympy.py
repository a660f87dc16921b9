"""Exact expressions as PyTensor graphs: right in the tails, differentiable, and sampled by PyMC."""

import mpmath
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import sympy
from sympy import Symbol, exp, log, symbols

from symscore.bridge import to_numpy
from symscore.bridge.programs import FUNCTIONS
from symscore.errors import BadData
from symscore.exact import ExactMixture
from symscore.pymc import from_sympy
from tests.far_mixtures import DIGITS, Truth, as_floats, far_points, jacobian, random_mixture

x, y = symbols("x y")
EPS = float(np.finfo(np.float64).eps)
MODES = ExactMixture(["1/3", "2/3"], [-2, 2], [1, "1/2"])


@pytest.mark.parametrize(
    ("k", "dim", "mode"),
    [(3, 1, "FAST_COMPILE"), (2, 1, None), (2, 2, None)],
    ids=["plain", "optimised", "optimised, d=2"],
)
def test_mixtures_are_right_a_million_deviations_out(k, dim, mode, optimised):
    rng = np.random.default_rng([k, dim])
    mixture = random_mixture(k, dim, rng=rng)
    coordinates = list(symbols(f"x:{dim}"))
    points = far_points(mixture, rng=rng)
    v = pt.dmatrix("v")
    values = {symbol: v[:, j] for j, symbol in enumerate(coordinates)}
    log_density = from_sympy(mixture.log_density(coordinates), values)
    score = from_sympy(mixture.score(coordinates), values)
    slope = from_sympy(jacobian(mixture, coordinates), values)
    gradient = pt.grad(log_density.sum(), v)
    compiled = pytensor.function([v], [log_density, score, slope, gradient], mode=mode or optimised)
    logs, scores, slopes, gradients = compiled(points)
    with mpmath.workdps(DIGITS):
        for i, point in enumerate(points):
            truth = Truth(mixture, point)
            assert abs(float(logs[i] - truth.log_density())) <= truth.tolerance_of_log_density()
            want = as_floats(truth.score())[:, 0]
            assert np.all(np.abs(scores[i] - want) <= truth.tolerance_of_score())
            # Reverse mode sums the same terms in another order, once more.
            assert np.all(np.abs(gradients[i] - want) <= 2 * truth.tolerance_of_score())
            lost = np.abs(slopes[i] - as_floats(truth.jacobian()))
            assert np.all(lost <= truth.tolerance_of_jacobian())


def test_second_derivatives_are_those_of_the_exact_layer():
    points = np.linspace(-4, 4, 9)
    v = pt.dvector("v")
    score = pt.grad(from_sympy(MODES.log_density(x), {x: v}).sum(), v)
    slope = pt.grad(score.sum(), v)
    want = to_numpy(jacobian(MODES, [x])[0][0], x)(points)
    # A few hundred roundings of numbers up to the square of the score.
    scale = 1 + np.abs(to_numpy(MODES.score(x)[0], x)(points)) ** 2
    assert np.all(np.abs(slope.eval({v: points}) - want) <= 500 * EPS * scale)


def test_every_function_agrees_with_numpy():
    at = {"arccosh": 1.7}
    for function, name in FUNCTIONS.items():
        point = at.get(name, 0.6)
        got = from_sympy(function(x) ** 2 + x, {x: pt.as_tensor(point)}).eval()
        want = to_numpy(function(x) ** 2 + x, x)(point)
        np.testing.assert_allclose(got, want, rtol=8 * EPS, err_msg=name)


def test_shapes_broadcast_and_constants_take_them():
    a, b = pt.dmatrix("a"), pt.dvector("b")
    graph = from_sympy([x + y, sympy.Integer(3), x], {x: a, y: b})
    got = graph.eval({a: np.ones((2, 4)), b: np.arange(4.0)})
    assert got.shape == (2, 4, 3)
    np.testing.assert_array_equal(got[0, 2], [3.0, 3.0, 1.0])
    matrix = from_sympy([[x, y], [1, 0]], {x: 1, y: 2})
    np.testing.assert_array_equal(matrix.eval(), [[1.0, 2.0], [1.0, 0.0]])
    assert from_sympy(x / y, {x: 1, y: 2}).eval() == 0.5


def test_names_mean_nothing():
    hostile, twin = Symbol("__import__('os').abort()"), Symbol("x", positive=True)
    assert from_sympy(hostile + x - twin, {hostile: 1.0, x: 2.0, twin: 5.0}).eval() == -2.0


def test_what_has_no_value_is_refused():
    with pytest.raises(BadData, match="got none for 'y'"):
        from_sympy(x + y, {x: 1.0})
    with pytest.raises(BadData, match="got 'gamma'"):
        from_sympy(sympy.gamma(x), {x: 1.0})
    with pytest.raises(BadData, match="from SymPy symbols"):
        from_sympy(x, {"x": 1.0})


def with_custom_dist() -> None:
    pm.CustomDist("modes", logp=lambda value: from_sympy(MODES.log_density(x), {x: value}))


def with_potential() -> None:
    modes = pm.Flat("modes")
    pm.Potential("density", from_sympy(MODES.log_density(x), {x: modes}))


def with_log_sum_exp() -> None:
    modes = pm.Flat("modes")
    total = log(exp(-((x + 2) ** 2) / 2) + 2 * sympy.sqrt(2) * exp(-((x - 2) ** 2)))
    pm.Potential("density", from_sympy(total, {x: modes}))


@pytest.mark.parametrize("declare", [with_custom_dist, with_potential, with_log_sum_exp])
def test_a_pymc_model_has_the_density_and_its_gradient(declare):
    with pm.Model() as model:
        declare()
    points = [-1e4, -3.0, 0.1, 1e4]
    logp = model.compile_fn(model.logp(), inputs=model.value_vars, point_fn=False)
    slope = model.compile_fn(model.dlogp(), inputs=model.value_vars, point_fn=False)
    got = np.array([logp(point) for point in points])
    want = to_numpy(MODES.log_density(x), x)(points)
    # Unnormalised densities differ by a constant; that of 1e8 in size has 1e-8 of it in ulps.
    constant = got[2] - want[2]
    np.testing.assert_allclose(got - constant, want, rtol=16 * EPS, atol=1e-13)
    score = to_numpy(MODES.score(x)[0], x)(points)
    np.testing.assert_allclose([slope(p).item() for p in points], score, rtol=64 * EPS)


@pytest.mark.slow
def test_nuts_draws_from_it():
    overlapping = ExactMixture(["1/3", "2/3"], [-1, 1], [1, "1/2"])
    with pm.Model():
        pm.CustomDist("x", logp=lambda value: from_sympy(overlapping.log_density(x), {x: value}))
        trace = pm.sample(
            2000, tune=500, chains=2, cores=1, random_seed=1, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    draws = trace.posterior["x"].to_numpy()
    # Mean 1/3 and variance 2/3 + 8/9; five standard errors at an effective size of a tenth.
    error = 5 * np.sqrt((2 / 3 + 8 / 9) / (draws.size / 10))
    assert abs(draws.mean() - 1 / 3) < error
