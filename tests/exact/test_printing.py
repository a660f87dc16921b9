"""LaTeX: the same value, arranged as in a paper, and no commands from symbols' names."""

from time import thread_time

import numpy as np
import pytest
import sympy
from sympy import Symbol, exp, sqrt, symbols, tanh

from symscore.bridge import to_numpy
from symscore.errors import BadData
from symscore.exact import ExactMixture, to_latex
from symscore.exact.formulas.printing import arranged
from tests.far_mixtures import jacobian, random_mixture

x, y, w, m, v = symbols("x y w mu v")
TWO = ExactMixture(["1/3", "2/3"], [-1, 2], [1, 1])
THREE = ExactMixture(["1/2", "1/3", "1/6"], [-1, 0, 2], [1, "1/2", 3])


def test_the_score_of_two_components():
    assert to_latex(TWO.score(x)[0]) == (
        r"- \frac{2 \left(x - 2\right) e^{- \left(x - 2\right)^{2} / 2}"
        r" + \left(x + 1\right) e^{- \left(x + 1\right)^{2} / 2}}"
        r"{e^{- \left(x + 1\right)^{2} / 2} + 2 e^{- \left(x - 2\right)^{2} / 2}}"
    )


def test_the_score_of_three_components():
    assert to_latex(THREE.score(x)[0]) == (
        r"- \frac{36 \sqrt{2} x e^{- x^{2}} + \sqrt{3} \left(x - 2\right)"
        r" e^{- \left(x - 2\right)^{2} / 6} + 27 \left(x + 1\right)"
        r" e^{- \left(x + 1\right)^{2} / 2}}{3 \left(9 e^{- \left(x + 1\right)^{2} / 2}"
        r" + \sqrt{3} e^{- \left(x - 2\right)^{2} / 6} + 6 \sqrt{2} e^{- x^{2}}\right)}"
    )


def test_the_score_with_symbols():
    mixture = ExactMixture([w, 1 - w], [-m, m], [v, v])
    assert to_latex(mixture.responsibilities(x)[0]) == (
        r"\frac{w e^{- \frac{\left(\mu + x\right)^{2}}{2 v}}}"
        r"{w e^{- \frac{\left(\mu + x\right)^{2}}{2 v}}"
        r" + \left(1 - w\right) e^{- \frac{\left(\mu - x\right)^{2}}{2 v}}}"
    )


def test_a_density_has_its_constant_in_front():
    assert to_latex(TWO.density(x)) == (
        r"\frac{\sqrt{2} \left(e^{- \left(x + 1\right)^{2} / 2}"
        r" + 2 e^{- \left(x - 2\right)^{2} / 2}\right)}{6 \sqrt{\pi}}"
    )


@pytest.mark.parametrize(("k", "dim"), [(1, 1), (2, 1), (3, 1), (2, 2), (3, 3)])
def test_arranging_changes_no_value(k, dim):
    rng = np.random.default_rng([k, dim])
    mixture = random_mixture(k, dim, rng=rng)
    coordinates = list(symbols(f"x:{dim}"))
    expressions = [
        mixture.density(coordinates),
        mixture.log_density(coordinates),
        *mixture.responsibilities(coordinates),
        *mixture.score(coordinates),
        *mixture.denoiser(coordinates, "3/5"),
        *jacobian(mixture, coordinates)[0],
    ]
    points = rng.normal(size=(20, dim))
    before = to_numpy(expressions, coordinates)(points)
    after = to_numpy([arranged(e) for e in expressions], coordinates)(points)
    # A thousand roundings of numbers up to the largest entry's square.
    scale = 1 + np.abs(before).max() ** 2
    np.testing.assert_allclose(after, before, rtol=0, atol=1000 * 2.3e-16 * scale)


def test_arranging_is_exact_on_rational_functions():
    u = symbols("u")
    for expression in [
        (2 - u) / (3 * u + 6) - (4 * u - 2) / (3 * u + 6) ** 2,
        (1 - u) ** 3 * (2 - 4 * u) / (6 * u - 3) + 5,
        sqrt(2) * (2 - 2 * u) / (4 - 4 * u) + (u / 2 - u**2 / 3) ** -2,
        tanh(u / 2 - u**2) / (1 - u) + exp(2 - 2 * u) / (1 - u),
    ]:
        assert sympy.expand(sympy.together(arranged(expression) - expression)) == 0


def test_several_are_a_column_or_a_matrix():
    assert to_latex([x, y]) == r"\left[\begin{matrix}x\\y\end{matrix}\right]"
    assert to_latex([[x, y]]) == r"\left[\begin{matrix}x & y\end{matrix}\right]"
    assert to_latex(sympy.Matrix([x])) == r"\left[\begin{matrix}x\end{matrix}\right]"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("x1", "x_{1}"),
        ("mu_1", r"\mu_{1}"),
        (r"\sigma", r"\sigma"),
        (r"\sigma_1", r"\sigma_{1}"),
        ("sigma^2", r"\sigma^{2}"),
        (r"\input{/etc/passwd}", r"\mathrm{\backslash{}input\{/etc/passwd\}}"),
        (r"\input", r"\mathrm{\backslash{}input}"),
        ("a b", r"\mathrm{a\ b}"),
        ("50%", r"\mathrm{50\%}"),
        ("x}$", r"\mathrm{x\}\$}"),
        ("a\nb", r"\mathrm{ab}"),
        ("x_", r"\mathrm{x\_}"),
    ],
)
def test_names_are_printed_and_never_commands(name, want):
    assert to_latex(Symbol(name)) == want


@pytest.mark.parametrize("value", ["x", 0.5, None])
def test_only_expressions_are_printed(value):
    with pytest.raises(BadData, match="Expected a SymPy expression"):
        to_latex(value)


def test_the_largest_mixtures_take_no_time():
    coordinates = list(symbols("x:4"))
    score = random_mixture(4, 4, rng=np.random.default_rng(0)).score(coordinates)
    start = thread_time()
    to_latex(score)
    assert thread_time() - start < 2
