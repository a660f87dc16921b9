"""All noise levels from one table: equal to projecting each level's mixture."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, Symbol

from symscore.errors import BadData, BadOption, ResourceLimit
from symscore.exact import ExactMixture
from symscore.exact.expansions.levels import project_score_all_levels
from symscore.exact.expansions.projection import project_score

PAIR = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
LINE = ExactMixture(["3/10", "2/5", "3/10"], [-4, 0, "3/2"], [1, "1/2", 1])
PLANE = ExactMixture(
    ["1/2", "1/3", "1/6"],
    [[1, 0], [-1, 1], [0, -2]],
    [[[1, 0], [0, 1]], [["3/2", "1/2"], ["1/2", 1]], [["1/2", 0], [0, 2]]],
)
SPACE = ExactMixture(
    ["1/4", "3/4"],
    [[1, 0, 0], [0, "-1/2", 2]],
    [[[1, 0, 0], [0, 2, "1/2"], [0, "1/2", 1]], [["1/3", 0, 0], [0, 1, 0], [0, 0, 1]]],
)
cases = st.sampled_from([(PAIR, 7), (LINE, 6), (PLANE, 4), (SPACE, 2), (PLANE, 0)])
levels_of_noise = st.integers(1, 12).flatmap(
    lambda q: st.integers(1, q).map(lambda p: Rational(p, q))
)


@given(cases, levels_of_noise)
@settings(max_examples=25, deadline=None)
def test_each_level_is_the_projection_of_its_mixture(case, alpha):
    mixture, degree = case
    assert project_score_all_levels(mixture, degree).at(alpha) == project_score(
        mixture.at(alpha), degree
    )


@pytest.mark.parametrize(("mixture", "degree"), [(PAIR, 5), (LINE, 3), (PLANE, 2), (SPACE, 1)])
def test_the_symbolic_form_holds_them_all(mixture, degree):
    alpha = Symbol("alpha")
    levels = project_score_all_levels(mixture, degree)
    symbolic = levels.symbolic(alpha)
    assert symbolic == project_score(mixture.at(alpha), degree)
    for level in ("1", "1/2", "7/9"):
        assert symbolic.subs({alpha: level}) == levels.at(level)


def test_much_noise_leaves_the_standard_normal():
    symbolic = project_score_all_levels(PLANE, 3).symbolic(Symbol("alpha"))
    limit = symbolic.subs({Symbol("alpha"): 0})
    assert limit == project_score(ExactMixture([1], [[0, 0]], [[[1, 0], [0, 1]]]), 3)


def test_misuse_is_refused():
    levels = project_score_all_levels(PAIR, 2)
    for alpha in (0, 2, Symbol("a")):
        with pytest.raises(BadOption, match="rational alpha"):
            levels.at(alpha)
    with pytest.raises(BadData, match="rational"):
        project_score_all_levels(ExactMixture([1], [Symbol("m")], [1]), 2)
    with pytest.raises(ResourceLimit, match="monomials"):
        project_score_all_levels(PLANE, 44)
