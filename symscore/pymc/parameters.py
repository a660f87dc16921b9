"""What a flow, or a batch of flows, is to a random variable: two vectors and a start."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor.graph.basic import Variable
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.variable import TensorVariable

from symscore.arrays import FloatArray, IntArray
from symscore.errors import BadOption
from symscore.flow.flow import ScoreFlow, require_flow

CANDIDATES = 64

Flows = ScoreFlow | Sequence[ScoreFlow]


def members(flow: Any) -> tuple[ScoreFlow, ...]:
    """Return the flows of a batch, or the one flow.

    Raises
    ------
    BadOption
        If there is none, one is no ScoreFlow, or they differ in dimension.
    NoDensity
        If one is a ladder with hard cells.
    """
    flows = tuple(flow) if isinstance(flow, list | tuple) else (flow,)
    if not flows:
        raise BadOption("Expected a ScoreFlow or a list of some; got an empty list.")
    for one in flows:
        require_flow(one)
    sizes = [(one.dim, one.latent_dim) for one in flows]
    if len(set(sizes)) > 1:
        raise BadOption(
            "Expected flows of one number of columns, and of coordinates; got (columns, "
            f"coordinates) of {', '.join(map(str, sizes))}."
        )
    return flows


def vectors(flow: Flows) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return `numbers` (k,), `layout` (m,) and the anchor (D,), each (B, ...) for a list of B."""
    flows = members(flow)
    numbers = stacked([one.packed.numbers for one in flows])
    layout = stacked([one.packed.layout for one in flows])
    anchors = np.stack([anchor(one) for one in flows])
    if isinstance(flow, ScoreFlow):
        return numbers[0], layout[0], anchors[0]
    return numbers, layout, anchors


def anchor(flow: ScoreFlow) -> FloatArray:
    """Return the point of highest density (D,) among the images of a few fixed latent points.

    The image of z = 0 may lie in the trough between two modes, and is only one of them.
    """
    z = np.random.default_rng(0).standard_normal((CANDIDATES, flow.latent_dim))
    z[0] = 0.0
    log_q = np.nan_to_num(flow.latent_log_density(z), nan=-np.inf)
    return flow.from_latent(z[[np.argmax(log_q)]])[0]


def flow_of(numbers: TensorVariable, layout: TensorVariable) -> tuple[Variable, Variable]:
    """Return the two vectors of a flow from parameters that may carry leading axes of length 1."""
    return without_axes(numbers, 1), without_axes(layout, 1)


def without_axes(parameter: TensorVariable, ndim: int) -> Variable:
    """Return a parameter of `ndim` axes without leading axes of length 1; batches keep theirs."""
    while parameter.type.ndim > ndim and _only_expands(parameter):
        parameter = parameter.owner.inputs[0]
    extra = parameter.type.ndim - ndim
    leading = parameter.type.broadcastable[:extra]
    return parameter.squeeze(tuple(range(extra))) if extra and all(leading) else parameter


def _only_expands(parameter: TensorVariable) -> bool:
    return parameter.owner is not None and (
        isinstance(parameter.owner.op, DimShuffle) and parameter.owner.op.is_left_expand_dims
    )


def stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return vectors as rows, filled up with zeros, which no kernel reads."""
    longest = max(map(len, rows))
    return np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
