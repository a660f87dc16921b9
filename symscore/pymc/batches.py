"""Kernels of one flow, run on the rows of one flow or of a batch of flows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symscore.arrays import FloatArray, IntArray, for_each_block
from symscore.errors import BadData
from symscore.flow.flow import ROWS


def run_rows(
    rows: Callable[..., None],
    numbers: FloatArray,
    layout: IntArray,
    points: Sequence[FloatArray],
    widths: Sequence[int | None],
) -> list[FloatArray]:
    """Run a kernel on every point and return its outputs.

    Parameters
    ----------
    rows : callable
        ``rows(numbers, layout, *points, *outputs)`` on C-contiguous rows of one flow.
    numbers : (*flows, k) array
        The leading axes are those of a batch and count from the last of the points' leading axes.
    layout : (*flows, m) array
    points : sequence of (*leading, width) arrays
    widths : sequence
        Of the outputs' last axes; None for one number a point.

    Returns
    -------
    list of (*leading, width) or (*leading,) arrays

    Raises
    ------
    BadData
        If there are not points for every flow.
    """
    leading = points[0].shape[:-1]
    outputs = [np.empty(leading if w is None else (*leading, w)) for w in widths]
    if numbers.ndim == layout.ndim == 1:
        blocks = [_rows(p) for p in points]
        n = len(blocks[0])
        for out, width in zip(outputs, widths, strict=True):
            blocks.append(out.reshape(n if width is None else (n, width)))
        _run(rows, numbers, layout, blocks, n)
        return outputs
    flows = np.broadcast_shapes(numbers.shape[:-1], layout.shape[:-1])
    own = leading[len(leading) - len(flows) :]
    if len(own) < len(flows) or any(n not in (1, m) for n, m in zip(flows, own, strict=True)):
        raise BadData(f"Expected points for a batch of flows of shape {flows}; got {leading}.")
    for index in np.ndindex(flows):
        spans = zip(index, flows, strict=True)
        part: tuple[Any, ...] = (
            ...,
            *(slice(None) if n == 1 else slice(i, i + 1) for i, n in spans),
        )
        inside = [p[(*part, slice(None))] for p in points]
        found = run_rows(rows, _at(numbers, index), _at(layout, index), inside, widths)
        for out, value, width in zip(outputs, found, widths, strict=True):
            out[part if width is None else (*part, slice(None))] = value
    return outputs


def _rows(points: FloatArray) -> FloatArray:
    # Broadcast points are read-only even where they are contiguous: numba would compile anew.
    ready = points.flags.c_contiguous and points.flags.writeable
    return (points if ready else points.copy()).reshape(-1, points.shape[-1])


def _at(vectors: np.ndarray, index: tuple[int, ...]) -> np.ndarray:
    axes = vectors.shape[:-1]
    own = index[len(index) - len(axes) :]
    return vectors[tuple(0 if n == 1 else i for i, n in zip(own, axes, strict=True))]


def _run(
    rows: Callable[..., None],
    numbers: FloatArray,
    layout: IntArray,
    blocks: Sequence[FloatArray],
    n: int,
) -> None:
    if n <= ROWS:  # one point, in a sampler: even asking for the number of cores would show
        rows(numbers, layout, *blocks)
    else:
        for_each_block(lambda part: rows(numbers, layout, *(b[part] for b in blocks)), n, ROWS)
