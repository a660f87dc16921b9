"""What is refused when a variable is made: wrong shapes, gaps in the data, impossible values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pytensor.compile import SharedVariable
from pytensor.graph.basic import Constant, Variable

from symscore.errors import BadData
from symscore.flow.flow import ScoreFlow


def require_event(what: str, shape: Any, flow: ScoreFlow, batch: int | None = None) -> None:
    """Raise BadData where `shape` is known not to end in D, after the length of a batch."""
    entries = _entries(shape)
    if entries is None:
        return
    last = _known(entries[-1]) if entries else 0
    if last is not None and last != flow.dim:
        raise BadData(
            f"Expected {what} with a last axis of length {flow.dim}, one entry for each of "
            f"{', '.join(flow.names)}; got {f'length {last}' if entries else 'a scalar'}."
        )
    if batch is not None:
        require_batch(what, entries[:-1], batch)


def require_batch(what: str, shape: Any, batch: int) -> None:
    """Raise BadData where `shape` is known not to end in the number of a batch's flows."""
    entries = _entries(shape)
    if entries is None:
        return
    last = _known(entries[-1]) if entries else 0
    if last is not None and last != batch:
        raise BadData(
            f"Expected {what} with an axis of length {batch} for the {batch} flows; got "
            f"{f'length {last}' if entries else 'none'}."
        )


def require_possible(observed: Any, flows: Sequence[ScoreFlow], *, batched: bool) -> None:
    """Raise BadData for NaN in plain data (..., D), and for rows outside the flows' support.

    Masked entries are PyMC's to impute: rows with some are left alone.
    """
    if isinstance(observed, Variable):
        return
    values = np.ma.masked_array(observed, dtype=np.float64)
    rows = values.reshape(-1, values.shape[-1])
    gaps = np.flatnonzero(np.isnan(rows.filled(0.0)).any(axis=1))
    if gaps.size:
        raise BadData(
            f"Expected observed values; got NaN in row {gaps[0]}, and {gaps.size} such row(s) in "
            "all. To have them imputed, pass numpy.ma.masked_invalid(data)."
        )
    for i, flow in enumerate(flows):
        own = rows[i :: len(flows)] if batched else rows
        whole = np.ma.count_masked(own, axis=1) == 0
        # In place of rows with gaps a possible one, so that rows keep their numbers.
        possible = flow.chart.from_free(np.zeros((1, flow.latent_dim)))
        flow.chart.require_support(np.where(whole.reshape(-1, 1), own.filled(0.0), possible))


def shape_of(values: Any) -> tuple[int | None, ...]:
    """Return the shape of data, with None where it is not known."""
    if isinstance(values, SharedVariable):
        return values.get_value(borrow=True).shape
    return values.type.shape if isinstance(values, Variable) else np.shape(values)


def _entries(shape: Any) -> tuple[Any, ...] | None:
    if isinstance(shape, Variable):
        return None
    return tuple(np.atleast_1d(np.asarray(shape, dtype=object)))


def _known(length: Any) -> int | None:
    """Return a length that is a number, a constant or a shared number; None for any other."""
    if isinstance(length, SharedVariable):
        return int(length.get_value(borrow=True))
    if isinstance(length, Constant):
        return int(length.data)
    return None if length is None or isinstance(length, Variable) else int(length)
