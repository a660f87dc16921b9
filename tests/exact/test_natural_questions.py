"""Sixty questions that somebody who proves things about mixtures asks, each within two seconds.

Seconds are those of the processor, so that a busy machine does not count. What a docstring calls
heavy (three dimensions, whole plans) is asked in its light form.
"""

import time
from fractions import Fraction

import pytest
import sympy
from sympy import Rational, Symbol, symbols

from symscore import exact
from symscore.exact import ExactMixture, Grid, Slabs, SoftField, exact_float

MOST_SECONDS = 2.0

x, y, m, n, w, v, a, t = symbols("x y m n w v a t", real=True)
s = Symbol("s", positive=True)
EYE = [[1, 0], [0, 1]]
TWO = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
FAR = ExactMixture(["1/2", "1/2"], [-4, 4], [1, 1])
UNEQUAL = ExactMixture(["1/3", "2/3"], ["-7/5", "4/3"], ["1/4", "9/4"])
FOUR = ExactMixture(["1/4"] * 4, [-3, -1, 2, 5], [1, "1/2", 2, 1])
PLANE = ExactMixture(["1/2", "1/3", "1/6"], [[1, 0], [-1, 1], [0, -2]], [EYE] * 3)
TILTED = ExactMixture(["1/2", "1/2"], [[1, 0], [-1, 1]], [EYE, [["3/2", "1/2"], ["1/2", 1]]])
HIGH = ExactMixture(
    ["1/2", "1/2"],
    [[1] * 6, [-1] * 6],
    [[[int(i == j) for j in range(6)] for i in range(6)]] * 2,
)
SYMBOLIC = ExactMixture([w, 1 - w], [m, n], [s, s])
GENERAL = ExactMixture([w, 1 - w], [m, n], [s, 1])
TERMS = {"weights": ["1/2", "1/2"], "means": [-1, 1], "covariances": [1, 1]}
LINEAR = [({(1,): Fraction(-1, 2)},)]

QUESTIONS = {
    "density": lambda: GENERAL.density(x),
    "log density": lambda: GENERAL.log_density(x),
    "score": lambda: GENERAL.score(x),
    "score of four": lambda: FOUR.score(x),
    "score in the plane": lambda: PLANE.score((x, y)),
    "score at a point": lambda: TILTED.score((1, "1/3")),
    "score after noise": lambda: GENERAL.at(a).score(x),
    "score after heat": lambda: GENERAL.heat(t).score(x),
    "denoiser": lambda: GENERAL.denoiser(x, a),
    "Jacobian": lambda: GENERAL.score_jacobian(x),
    "Jacobian in the plane": lambda: TILTED.score_jacobian((x, y)),
    "posterior": lambda: exact.posterior(UNEQUAL, x, "3/5"),
    "posterior moments": lambda: exact.posterior_moments(UNEQUAL, x, "3/5", degree=3),
    "posterior cumulants": lambda: exact.posterior_cumulants(UNEQUAL, x, "3/5", degree=3),
    "cumulants of the mean": lambda: exact.mean_cumulants(SYMBOLIC, x, degree=3),
    "marginal": lambda: TILTED.marginal([0]),
    "projection on a line": lambda: TILTED.linear_image([[1, 2]]),
    "tanh form": lambda: exact.tanh_form(SYMBOLIC, x),
    "tanh form in six dimensions": lambda: exact.tanh_form(HIGH, symbols("u:6")),
    "is the tanh form the score": lambda: exact.is_identity(
        exact.tanh_form(TWO, x)[0], TWO.score(x)[0]
    ),
    "Tweedie": lambda: exact.is_identity(
        SYMBOLIC.denoiser(x, a)[0] * a, x + (1 - a**2) * SYMBOLIC.at(a).score(x)[0]
    ),
    "is the score a gradient": lambda: exact.is_identity(
        GENERAL.score(x)[0], sympy.diff(GENERAL.log_density(x), x)
    ),
    "a false identity": lambda: exact.is_identity(TWO.score(x)[0], -x),
    "heat equation": lambda: exact.is_identity(
        sympy.diff(SYMBOLIC.heat(t).density(x), t),
        sympy.diff(SYMBOLIC.heat(t).density(x), x, 2) / 2,
    ),
    "addition of exponentials": lambda: exact.is_identity(sympy.exp(x) * sympy.exp(-x), 1),
    "tanh by exponentials": lambda: exact.is_identity(
        sympy.tanh(x), (sympy.exp(2 * x) - 1) / (sympy.exp(2 * x) + 1)
    ),
    "He_20": lambda: exact.hermite_e(20, x),
    "h_(3,4)": lambda: exact.hermite_normalised((3, 4), (x, y)),
    "He_5 He_7": lambda: exact.hermite_product((5,), (7,)),
    "Hermite moments": lambda: exact.hermite_moments(GENERAL, 6),
    "Hermite coefficients under the mixture": lambda: exact.hermite_coefficients(UNEQUAL, 8),
    "Hermite coefficients under a Gaussian": lambda: exact.hermite_coefficients(
        TWO, 10, reference=1
    ),
    "project, degree 3": lambda: exact.project_score(TWO, 3),
    "project, degree 21": lambda: exact.project_score(UNEQUAL, 21),
    "project in the plane": lambda: exact.project_score(TILTED, 5),
    "project in symbols": lambda: exact.project_score(
        ExactMixture(["1/2", "1/2"], [-m, m], [1, 1]), 3
    ),
    "project onto gradients": lambda: exact.project_score(PLANE, 3, gradient=True),
    "all levels at once": lambda: exact.project_score_all_levels(UNEQUAL, 5).at("3/5"),
    "J of two": lambda: exact.fisher_information(TWO, 30),
    "J of four": lambda: exact.fisher_information(FOUR, 30),
    "J, far apart": lambda: exact.fisher_information(FAR, 50),
    "J in the plane": lambda: exact.fisher_information(PLANE, 10),
    "J, unequal in the plane": lambda: exact.fisher_information(TILTED, 5),
    "J in six dimensions": lambda: exact.fisher_information(HIGH, 20),
    "J of a float mixture": lambda: exact.fisher_information(
        ExactMixture(["1/2", "1/2"], [exact_float(-0.7), exact_float(0.9)], [1, 1]), 20
    ),
    "error of degree 9": lambda: exact.projection_error(TWO, 9),
    "error of degree 41": lambda: exact.projection_error(FAR, 41),
    "error of degree 4 in the plane": lambda: exact.projection_error(PLANE, 4, 8),
    "error of a given line": lambda: exact.polynomial_error(TWO, ({(1,): Fraction(-1, 2)},)),
    "error of two half-lines": lambda: exact.best_piecewise_error(FAR, Slabs([1], [0]), 3),
    "error of two half-planes": lambda: exact.best_piecewise_error(
        PLANE, Slabs([1, 1], [0]), 2, digits=6
    ),
    "error of four quadrants": lambda: exact.best_piecewise_error(
        PLANE, Grid([[0], [0]]), 1, digits=6
    ),
    "error of a wrong score": lambda: exact.soft_field_error(TWO, SoftField.score(FAR)),
    "largest error on an interval": lambda: exact.sup_error(
        TWO, SoftField.polynomial([0, Rational(-4, 13), 0, Rational(-1, 26)]), -2, 2, digits=6
    ),
    "tail of the Hermite series": lambda: exact.hermite_tail_bound(1, 1, 20),
    "degree for a tenth": lambda: exact.certified_degree("1/2", 1, "1/10"),
    "total variation of a sampler": lambda: exact.total_variation_bound(
        TWO, [Fraction(i, 10) for i in range(1, 10)], LINEAR * 8
    ),
    "plan one level": lambda: exact.plan(TWO, "1/10", alphas=["1"]),
    "a certificate from a specification": lambda: exact.check(
        exact.certify({"claim": "fisher-information", "mixture": TERMS})
    ),
    "read a formula": lambda: exact.read_expression("exp(-x**2/2)/sqrt(2*pi) + 0.1", ["x"]),
    "read a polynomial": lambda: exact.read_polynomial("(x + y)**9 - 1/3", ["x", "y"]),
    "print a score": lambda: exact.to_latex(GENERAL.score(x)[0]),
}


def test_there_are_sixty():
    assert len(QUESTIONS) >= 60


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_answer_comes_within_two_seconds(question):
    began = time.process_time()
    assert QUESTIONS[question]() is not None
    assert time.process_time() - began < MOST_SECONDS
