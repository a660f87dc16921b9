"""What the transforms of a PyMC model say about the support of its variables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pymc as pm
from pymc.distributions import transforms as tr
from pymc.exceptions import NotConstantValueError
from pymc.logprob.transforms import CircularTransform
from pymc.pytensorf import constant_fold
from pytensor.tensor import as_tensor

from symscore.errors import BadOption
from symscore.flow.declared import TRANSFORMS

Bound = tuple[float, float]
LINKED = ("simplex", "ordered")  # along the last axis of a variable
NAMED = {
    tr.LogTransform: "positive",
    tr.LogExpM1: "positive",
    tr.SimplexTransform: "simplex",
    tr.Ordered: "ordered",
    CircularTransform: "circular",
}


@final
@dataclass(frozen=True)
class Support:
    """Bounds and transforms of scalar columns, as :class:`symscore.ScoreDensity` takes them."""

    bounds: dict[str, Bound]
    transforms: dict[str | tuple[str, ...], str]


def support_of(name: str, columns: Sequence[str], shape: tuple[int, ...], declared: Any) -> Support:
    """Return the support of one variable from what is declared of it.

    Parameters
    ----------
    name : str
        Of the variable, for messages.
    columns : sequence of str
        Its elements, in C order.
    shape : tuple of int
    declared : str, (lower, upper), PyMC transform or None
        A transform's name as in :class:`symscore.ScoreDensity`, bounds, or the object that a PyMC
        model has for the variable; None for no bounds.

    Raises
    ------
    BadOption
        On a transform that has no counterpart here, with what to do.
    """
    if declared is None:
        return Support({}, {})
    if isinstance(declared, str):
        return _by_name(name, columns, shape, declared)
    if isinstance(declared, tuple | list) and len(declared) == 2:
        return _between(name, columns, shape, declared)
    if type(declared) is tr.Interval:
        return _between(name, columns, shape, _ends(name, declared))
    for kind, named in NAMED.items():
        if isinstance(declared, kind):
            return _by_name(name, columns, shape, named)
    if isinstance(declared, tr.LogOddsTransform):
        return Support(dict.fromkeys(columns, (0.0, 1.0)), {})
    if isinstance(declared, tr.CholeskyCovPacked):
        diagonal = np.cumsum(np.arange(1, shape[-1] + 1)) - 1
        positive = [c for j, c in enumerate(columns) if j % shape[-1] in diagonal]
        return Support({}, dict.fromkeys(positive, "positive"))
    raise BadOption(
        f"Expected a transform of {name!r} that is known here; got {type(declared).__name__}. "
        f"Declare its support, transforms={{{name!r}: ...}}, as one of {', '.join(TRANSFORMS)} or "
        "(lower, upper); or leave it out of var_names and keep the variables it is made of."
    )


def _by_name(name: str, columns: Sequence[str], shape: tuple[int, ...], transform: str) -> Support:
    if transform not in TRANSFORMS:
        raise BadOption(
            f"Expected a transform of {name!r} among {', '.join(TRANSFORMS)}, or (lower, upper); "
            f"got {transform!r}."
        )
    if transform not in LINKED:
        return Support({}, dict.fromkeys(columns, transform))
    if not shape:
        raise BadOption(f"Expected an array for {transform!r}; {name!r} is a scalar.")
    rows = np.array(list(columns), dtype=object).reshape(-1, shape[-1])
    return Support({}, {tuple(row): transform for row in rows})


def _between(name: str, columns: Sequence[str], shape: tuple[int, ...], bounds: Any) -> Support:
    """Return the support of an array between bounds that may differ from element to element."""
    ends = []
    for bound, open_end in zip(bounds, (-np.inf, np.inf), strict=True):
        try:
            end = np.asarray(open_end if bound is None else bound, dtype=np.float64)
            ends.append(np.broadcast_to(end, shape).ravel())
        except (TypeError, ValueError) as error:
            raise BadOption(
                f"Expected bounds of {name!r} that are numbers, or arrays of its shape {shape}; "
                f"got {bound!r}."
            ) from error
    return Support({c: (a, b) for c, a, b in zip(columns, *ends, strict=True)}, {})


def declared_by(model: pm.Model, name: str) -> Any:
    """Return what a model says of the support of a variable, as :func:`support_of` takes it.

    Raises
    ------
    BadOption
        If its bounds are not constants.
    """
    variable = model.named_vars.get(name)
    transform = model.rvs_to_transforms.get(variable)
    # By its type alone: a child of it bounds matrices, whose elements bound each other.
    if type(transform) is tr.Interval:
        return _ends(name, transform, *variable.owner.inputs)
    return transform


def _ends(name: str, transform: Any, *inputs: Any) -> tuple[Any, Any]:
    """Return lower and upper, None for an open end, of an interval."""
    try:
        lower, upper = transform.args_fn(*inputs)
        return _constant(lower), _constant(upper)
    except (NotConstantValueError, TypeError) as error:
        raise BadOption(
            f"Expected constant bounds of {name!r}; those of its interval depend on other "
            f"variables. Declare the widest they can be, transforms={{{name!r}: (lower, upper)}}."
        ) from error


def _constant(bound: Any) -> Any:
    return None if bound is None else constant_fold([as_tensor(bound)])[0]
