"""Columns of a joint density are variables again: names, shapes, dims and labels."""

import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray

from symscore.errors import BadData, BadOption
from symscore.pymc.parts import Part, dims_in, parts_of_columns, parts_of_posterior, renamed


def posterior() -> xarray.Dataset:
    days = pd.date_range("2026-01-01", periods=2)
    variables = {
        "mu": (("chain", "draw"), np.zeros((2, 3))),
        "theta": (("day", "chain", "draw", "theta_dim_1"), np.zeros((2, 2, 3, 4))),
        "count": (("chain", "draw"), np.zeros((2, 3), dtype=np.int64)),
    }
    return xarray.Dataset(variables, {"day": days, "theta_dim_1": range(4)})


def test_a_posterior_tells_shapes_dims_and_labels() -> None:
    mu, theta = parts_of_posterior(posterior(), ["mu", "theta"])
    assert mu == Part("mu", (), ("mu",), (), {})
    assert theta.shape == (2, 4)
    assert theta.columns[:5] == (*(f"theta[0, {j}]" for j in range(4)), "theta[1, 0]")
    assert theta.dims == ("day", None)
    assert theta.coords == {"day": (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-02"))}


def test_discrete_variables_are_refused() -> None:
    with pytest.raises(BadData, match=r"'count' is discrete, int64.*var_names"):
        parts_of_posterior(posterior(), None)
    flags = xarray.Dataset({"on": (("chain", "draw"), [[True, False]])})
    with pytest.raises(BadData, match="Expected numbers for variable 'on'; got bool"):
        parts_of_posterior(flags, None)


COLUMNS = {
    "scalars": (["a", "b"], [("a", ()), ("b", ())]),
    "arrays": (
        ["m", "v[0]", "v[1]", "c[0, 0]", "c[0, 1]", "c[1, 0]", "c[1, 1]"],
        [("m", ()), ("v", (2,)), ("c", (2, 2))],
    ),
    "an array of one": (["v[0]"], [("v", (1,))]),
    "an array in parts": (["v[1]", "v[2]"], [("v[1]", ()), ("v[2]", ())]),
    "an array out of order": (["v[1]", "v[0]"], [("v[1]", ()), ("v[0]", ())]),
    "an array interrupted": (["v[0]", "a", "v[1]"], [("v[0]", ()), ("a", ()), ("v[1]", ())]),
    "a ragged array": (["v[0]", "v[0, 1]"], [("v[0]", ()), ("v[0, 1]", ())]),
    "a name beside its array": (["v", "v[0]"], [("v", ()), ("v[0]", ())]),
    "labels": (["v[x]", "v[y]"], [("v[x]", ()), ("v[y]", ())]),
    "brackets of brackets": (["v[0][0]", "v[0][1]"], [("v[0]", (2,))]),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_are_grouped(case: str) -> None:
    columns, expected = COLUMNS[case]
    parts = parts_of_columns(columns)
    assert [(part.name, part.shape) for part in parts] == expected
    assert [column for part in parts for column in part.columns] == columns


def test_variables_get_new_names() -> None:
    parts = parts_of_columns(["a", "b"])
    assert [new for _, new in renamed(parts, None)] == ["a", "b"]
    assert [(part.name, new) for part, new in renamed(parts, {"b": "x"})] == [("b", "x")]
    assert [new for _, new in renamed(parts, "b")] == ["b"]
    with pytest.raises(BadData, match="Expected variables among a, b; got 'c'"):
        renamed(parts, ["c"])


THETA = Part("theta", (3,), ("theta[0]", "theta[1]", "theta[2]"), ("g",), {"g": ("u", "v", "w")})


@pytest.mark.parametrize(
    ("coords", "dims", "expected", "labels"),
    [
        ({}, ..., ("g",), ("u", "v", "w")),
        ({"g": ["u", "v", "w"]}, ..., ("g",), ("u", "v", "w")),
        ({}, "h", ("h",), ("u", "v", "w")),
        ({}, ["h"], ("h",), ("u", "v", "w")),
        ({}, None, None, None),
        ({}, (None,), None, None),
    ],
)
def test_dims_come_with_their_labels(coords, dims, expected, labels) -> None:
    with pm.Model(coords=coords) as model:
        assert dims_in(model, THETA, dims) == expected
    assert model.coords.get((expected or ("g",))[0]) == labels


def test_dims_without_labels_have_a_length() -> None:
    bare = Part("x", (2,), ("x[0]", "x[1]"), (None,))
    with pm.Model() as model:
        assert dims_in(model, bare, ...) is None
        assert dims_in(model, bare, "h") == ("h",)
    assert int(model.dim_lengths["h"].eval()) == 2
    with pm.Model() as model:
        model.add_coord("g", length=3)
        assert dims_in(model, THETA, ...) == ("g",)


@pytest.mark.parametrize(
    ("coords", "message"),
    [
        ({"g": ["u", "v"]}, "Expected dim 'g' of 'theta' to have length 3; the model's has 2"),
        ({"g": ["u", "w", "v"]}, "the labels of dim 'g'.*'u', 'v', 'w'; the model's are 'u', 'w'"),
        ({"g": [0, 1, 2]}, "the model's are 0, 1, 2: reorder them, or name another dim"),
    ],
)
def test_labels_that_mean_something_else_are_refused(coords, message: str) -> None:
    with pm.Model(coords=coords) as model, pytest.raises(BadData, match=message):
        dims_in(model, THETA, ...)


@pytest.mark.parametrize("dims", [(), ("g", "h")])
def test_every_axis_needs_a_dim(dims) -> None:
    with pm.Model() as model, pytest.raises(BadOption, match="for the 1 axes of 'theta'; got"):
        dims_in(model, THETA, dims)
