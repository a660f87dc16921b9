"""What PyMC says of supports, against the distributions' own draws and bounds written down."""

import numpy as np
import pymc as pm
import pytest
from pymc.distributions import transforms as tr

from symscore.errors import BadOption
from symscore.flow.declared import declared_chart
from symscore.pymc.generating import declared_by, support_of
from symscore.pymc.parts import parts_of_posterior

# How a variable is made -> the kinds of its blocks with lower and upper, as charts name them.
FREE = ("free", -np.inf, np.inf)
VARIABLES = {
    "Normal": (lambda: pm.Normal("x"), [FREE]),
    "HalfNormal": (lambda: pm.HalfNormal("x", 2.0, shape=2), [("lower", 0, np.inf)] * 2),
    "Exponential": (lambda: pm.Exponential("x", 2.0), [("lower", 0, np.inf)]),
    "Uniform": (lambda: pm.Uniform("x", -1.0, 2.0), [("interval", -1, 2)]),
    "Uniform, bounds by element": (
        lambda: pm.Uniform("x", [0.0, 1.0], 2.0),
        [("interval", 0, 2), ("interval", 1, 2)],
    ),
    "Beta": (lambda: pm.Beta("x", 2, 3), [("interval", 0, 1)]),
    "Pareto": (lambda: pm.Pareto("x", 3.0, 1.5), [("lower", 1.5, np.inf)]),
    "Truncated below": (
        lambda: pm.Truncated("x", pm.Normal.dist(), lower=0.5),
        [("lower", 0.5, np.inf)],
    ),
    "TruncatedNormal above": (
        lambda: pm.TruncatedNormal("x", 0, 1, upper=0.5),
        [("upper", -np.inf, 0.5)],
    ),
    "VonMises": (lambda: pm.VonMises("x", 0.5, 3.0), [("circle", -np.pi, np.pi)]),
    "Dirichlet": (
        lambda: pm.Dirichlet("x", np.ones((2, 3))),
        [("simplex", -np.inf, np.inf)] * 2,
    ),
    "ordered": (
        lambda: pm.Normal("x", [0, 9], shape=(3, 2), transform=tr.ordered),
        [("ordered", -np.inf, np.inf)] * 3,
    ),
    "Interval": (
        lambda: pm.Uniform("x", 0, 3, default_transform=tr.Interval(-1, 3)),
        [("interval", -1, 3)],
    ),
    "log_exp_m1": (
        lambda: pm.HalfNormal("x", default_transform=tr.log_exp_m1),
        [("lower", 0, np.inf)],
    ),
}


@pytest.mark.parametrize("case", VARIABLES)
def test_draws_lie_in_the_support_that_is_told(case: str) -> None:
    make, expected = VARIABLES[case]
    with pm.Model() as model:
        make()
        prior = pm.sample_prior_predictive(50, random_seed=1).prior
    (part,) = parts_of_posterior(prior, ["x"])
    support = support_of("x", part.columns, part.shape, declared_by(model, "x"))
    values = prior["x"].to_numpy().reshape(50, -1)
    chart = declared_chart(
        part.columns, support.bounds, support.transforms, values, np.ones(len(values))
    )
    chart.require_support(values)
    assert [(block.kind, block.lower, block.upper) for block in chart.blocks] == expected


SAME = {
    "log": (tr.log, "positive"),
    "log_exp_m1": (tr.log_exp_m1, "positive"),
    "logodds": (tr.logodds, (0.0, 1.0)),
    "Interval": (tr.Interval(0, 3), (0, 3)),
    "Interval above": (tr.Interval(None, 3), (None, 3)),
    "simplex": (tr.simplex, "simplex"),
    "ordered": (tr.ordered, "ordered"),
    "circular": (tr.circular, "circular"),
}


@pytest.mark.parametrize("case", SAME)
def test_objects_and_their_names_say_the_same(case: str) -> None:
    columns = ("x[0]", "x[1]")
    by_object, by_name = (support_of("x", columns, (2,), given) for given in SAME[case])
    assert by_object == by_name
    assert by_object.bounds or by_object.transforms


def test_bounds_differ_by_element() -> None:
    columns = ("x[0]", "x[1]")
    support = support_of("x", columns, (2,), ([0.0, 1.0], None))
    assert support.bounds == {"x[0]": (0.0, np.inf), "x[1]": (1.0, np.inf)}
    assert support_of("x", columns, (2,), None).bounds == {}


def test_linked_elements_run_along_the_last_axis() -> None:
    columns = ("x[0, 0]", "x[0, 1]", "x[1, 0]", "x[1, 1]")
    support = support_of("x", columns, (2, 2), "ordered")
    assert support.transforms == {columns[:2]: "ordered", columns[2:]: "ordered"}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("log", r"Expected a transform of 'x' among positive, .*or \(lower, upper\); got 'log'"),
        ("simplex", "Expected an array for 'simplex'; 'x' is a scalar"),
        ((0.0, "one"), "Expected bounds of 'x' that are numbers.*got 'one'"),
        (([0.0, 1.0], None), r"arrays of its shape \(\)"),
        (tr.ZeroSumTransform([-1]), "got ZeroSumTransform. Declare its support, transforms="),
        (tr.Chain([tr.log, tr.ordered]), "got ChainedTransform.*as one of positive, simplex, ord"),
        (tr.Interval(bounds_fn=lambda rng, size, mu: (mu, None)), "Expected constant bounds"),
        (3.0, "got float"),
    ],
)
def test_what_has_no_counterpart_is_refused(declared: object, message: str) -> None:
    with pytest.raises(BadOption, match=message):
        support_of("x", ("x",), (), declared)


def test_bounds_that_move_are_refused() -> None:
    with pm.Model() as model:
        top = pm.HalfNormal("top")
        pm.Uniform("x", 0, top)
        pm.Uniform("y", 0, pm.Data("limit", 3.0))
    for name in ("x", "y"):
        with pytest.raises(BadOption, match=f"Expected constant bounds of '{name}'.*widest"):
            declared_by(model, name)


def test_a_packed_triangle_has_a_positive_diagonal() -> None:
    with pm.Model() as model:
        pm.LKJCholeskyCov("x", n=3, eta=2, sd_dist=pm.HalfNormal.dist(), compute_corr=False)
    columns = tuple(f"x[{j}]" for j in range(6))
    support = support_of("x", columns, (6,), declared_by(model, "x"))
    assert support.bounds == {}
    assert support.transforms == dict.fromkeys(("x[0]", "x[2]", "x[5]"), "positive")
    batch = tuple(f"x[{i}, {j}]" for i in range(2) for j in range(3))
    support = support_of("x", batch, (2, 3), tr.CholeskyCovPacked(2))
    assert set(support.transforms) == {"x[0, 0]", "x[0, 2]", "x[1, 0]", "x[1, 2]"}


def test_a_matrix_of_correlations_is_refused() -> None:
    with pm.Model() as model:
        pm.LKJCorr("x", n=3, eta=2)
    with pytest.raises(BadOption, match="Expected a transform of 'x' that is known here"):
        support_of("x", ("x[0]", "x[1]", "x[2]"), (3,), declared_by(model, "x"))


def test_a_variable_that_the_model_lacks_is_free() -> None:
    with pm.Model() as model:
        pm.Deterministic("twice", 2 * pm.HalfNormal("sd"))
    assert declared_by(model, "elsewhere") is None
    assert declared_by(model, "twice") is None
