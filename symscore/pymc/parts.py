"""The variables among the columns of a joint density: shapes, dims and coordinates."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import pymc as pm

from symscore.errors import BadData, BadOption
from symscore.io.draws import from_arviz, posterior_group

ELEMENT = re.compile(r"(.+)\[(\d+(?:, \d+)*)\]", re.DOTALL)
LISTED = 5  # labels shown in a message

VarNames = str | Sequence[str] | Mapping[str, str]


@final
@dataclass(frozen=True)
class Part:
    """A variable among the columns of a joint density.

    Parameters
    ----------
    name : str
    shape : tuple of int
    columns : tuple of str
        Its elements, in C order.
    dims : tuple of str or None
        One for each axis.
    coords : mapping of dim to labels
        As far as they are known.
    """

    name: str
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    dims: tuple[str | None, ...]
    coords: Mapping[str, Sequence[Any]] = field(default_factory=dict)


def parts_of_posterior(posterior: Any, var_names: Sequence[str] | None) -> tuple[Part, ...]:
    """Return the variables of an ArviZ or xarray object, all by default.

    Raises
    ------
    BadData
        As :func:`symscore.io.draws.from_arviz`; on discrete variables.
    """
    group = posterior_group(posterior)
    names = tuple(group.data_vars) if var_names is None else tuple(var_names)
    return tuple(_part(group, name, from_arviz(group, [name]).names) for name in names)


def _part(group: Any, name: str, columns: tuple[str, ...]) -> Part:
    array = group[name].transpose("chain", "draw", ...)
    if array.dtype.kind != "f":
        raise BadData(
            f"Expected continuous variables; {name!r} is discrete, {array.dtype}, and has no "
            "density. Leave it out, var_names=[...], or sum it out of the model that was sampled."
        )
    automatic = {f"{name}_dim_{axis}" for axis in range(array.ndim - 2)}
    dims = tuple(None if dim in automatic else str(dim) for dim in array.dims[2:])
    coords = {
        dim: tuple(array.indexes[dim]) for dim in dims if dim is not None and dim in array.indexes
    }
    return Part(name, tuple(array.shape[2:]), columns, dims, coords)


def parts_of_columns(columns: Sequence[str]) -> tuple[Part, ...]:
    """Return the variables that column names such as ``mu`` and ``theta[0, 1]`` tell of.

    Examples
    --------
    >>> [(part.name, part.shape) for part in parts_of_columns(["mu", "w[0]", "w[1]", "v[3]"])]
    [('mu', ()), ('w', (2,)), ('v[3]', ())]
    """
    groups: dict[str, list[tuple[int, ...]]] = {}
    for column in columns:
        base, place = _split(column)
        groups.setdefault(base, []).append(place)
    parts: list[Part] = []
    at = 0
    while at < len(columns):
        base, _ = _split(columns[at])
        shape = _whole_shape(groups[base])
        together = tuple(columns[at : at + len(groups[base])])
        if shape and [_split(column) for column in together] == [(base, p) for p in groups[base]]:
            parts.append(Part(base, shape, together, (None,) * len(shape)))
        else:
            together = (columns[at],)
            parts.append(Part(columns[at], (), together, ()))
        at += len(together)
    return tuple(parts)


def _split(column: str) -> tuple[str, tuple[int, ...]]:
    """Return name and position of an element; no position for any other name."""
    match = ELEMENT.fullmatch(column)
    return (match[1], tuple(int(n) for n in match[2].split(", "))) if match else (column, ())


def _whole_shape(places: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Return the shape of an array whose elements, in C order, have these positions."""
    if len({len(place) for place in places}) > 1:
        return None
    shape = tuple(int(n) for n in np.max(places, axis=0) + 1)
    return shape if places == list(np.ndindex(*shape)) else None


def names_of(var_names: VarNames) -> dict[str, str]:
    """Return old names with new names."""
    if isinstance(var_names, Mapping):
        return dict(var_names)
    return {old: old for old in ([var_names] if isinstance(var_names, str) else var_names)}


def renamed(parts: tuple[Part, ...], var_names: VarNames | None) -> list[tuple[Part, str]]:
    """Return the variables taken with their new names.

    Raises
    ------
    BadData
        On a name that none of `parts` has.
    """
    if var_names is None:
        return [(part, part.name) for part in parts]
    pairs = names_of(var_names)
    by_name = {part.name: part for part in parts}
    unknown = [old for old in pairs if old not in by_name]
    if unknown:
        raise BadData(
            f"Expected variables among {', '.join(by_name)}; got {', '.join(map(repr, unknown))}."
        )
    return [(by_name[old], new) for old, new in pairs.items()]


def dims_in(model: pm.Model, part: Part, dims: Any) -> tuple[str | None, ...] | None:
    """Return the dims of a variable in a model, to which missing coordinates are added.

    Of `dims`, an ellipsis stands for those that the variable had, and None for no dims.

    Raises
    ------
    BadData
        If the model has coordinates of another length, or the same labels do not mean the same
        elements.
    BadOption
        If `dims` does not name every axis.
    """
    if dims is None:
        return None
    given = (dims,) if isinstance(dims, str) else dims
    wanted = part.dims if given is ... else tuple(given)
    if len(wanted) != len(part.shape):
        raise BadOption(
            f"Expected dims for the {len(part.shape)} axes of {part.name!r}; got {wanted}."
        )
    for dim, own, length in zip(wanted, part.dims, part.shape, strict=True):
        if dim is not None:
            _add_coord(model, part, dim, part.coords.get(own or dim), length)
    return wanted if any(dim is not None for dim in wanted) else None


def _add_coord(
    model: pm.Model, part: Part, dim: str, labels: Sequence[Any] | None, length: int
) -> None:
    if dim not in model.coords:
        model.add_coord(dim, labels, length=None if labels is not None else length)
        return
    there = model.coords[dim]
    # PyTensor's eval: where the model has no labels, its length may hang on shared data.
    n_there = len(there) if there is not None else int(model.dim_lengths[dim].eval())
    if n_there != length:
        raise BadData(
            f"Expected dim {dim!r} of {part.name!r} to have length {length}; the model's has "
            f"{n_there}."
        )
    if labels is not None and there is not None and list(there) != list(labels):
        raise BadData(
            f"Expected the labels of dim {dim!r} that the draws of {part.name!r} have, "
            f"{_shown(labels)}; the model's are {_shown(there)}: reorder them, or name another dim."
        )


def _shown(labels: Sequence[Any]) -> str:
    more = ", ..." if len(labels) > LISTED else ""
    return ", ".join(map(repr, labels[:LISTED])) + more
