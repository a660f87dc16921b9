"""PyTensor's numba backend: the flow's kernels without a detour through Python.

What PyTensor compiles for a model calls the kernels by address. Linking them in instead took five
times as long, and again for every new flow, whose numbers are constants of the compiled function.

PyTensor keeps compiled functions on disk under a key that it computes from the Op and a number
given here, a digest of the kernels' sources, so that it never takes up those of other kernels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify

from symscore.learn.packed import DIM, EVENT
from symscore.pymc.kernels import KERNEL_KEY, external_kernel
from symscore.pymc.ops import SCALAR, FlowOp
from symscore.pymc.variables import LearnedScalarRV, LearnedScoreRV


def register() -> None:
    """Tell PyTensor how numba runs the Ops and draws the random variables."""
    register_funcify_default_op_cache_key(FlowOp)(compile_op)
    numba_core_rv_funcify.register(LearnedScoreRV)(compile_draw)
    numba_core_rv_funcify.register(LearnedScalarRV)(compile_scalar_draw)


def compile_op(op: FlowOp, node: Apply | None = None, **kwargs: Any) -> tuple[Callable, int]:
    """Return the compiled function of an Op's inputs, and the key of its kernel."""
    lengths = [axis for axis in (*op.takes, *op.gives) if axis is not SCALAR]
    return FORMS[form(op)](_caller(type(op).__name__), *lengths), KERNEL_KEY


def form(op: FlowOp) -> tuple[int, tuple[bool, ...]]:
    """Return how many inputs are points, and which outputs are."""
    return len(op.takes), tuple(axis is not SCALAR for axis in op.gives)


def compile_draw(op: LearnedScoreRV, node: Apply) -> tuple[Callable, int]:
    """Return the compiled function that draws one point, and the key of its kernel."""
    call = _caller("FromLatent")

    @numba_njit
    def draw(rng, numbers, layout, anchor, loc, scale_tril):
        z, y = rng.standard_normal((1, layout[DIM])), np.empty((1, layout[EVENT]))
        call(z, numbers, layout, z, z, y)
        x = np.empty(y.shape[1])
        for j in range(x.size):
            x[j] = loc[j]
            for k in range(j + 1):
                x[j] += scale_tril[j, k] * y[0, k]
        return x

    return draw, KERNEL_KEY


def compile_scalar_draw(op: LearnedScalarRV, node: Apply) -> tuple[Callable, int]:
    """Return the compiled function that draws one number, and the key of its kernel."""
    call = _caller("FromLatent")

    @numba_njit
    def draw(rng, numbers, layout, anchor, loc, scale):
        z, y = rng.standard_normal((1, 1)), np.empty((1, 1))
        call(z, numbers, layout, z, z, y)
        return loc + scale * y[0, 0]

    return draw, KERNEL_KEY


def _caller(op_name: str) -> Callable:
    """Return a compiled call of a kernel on three C-contiguous blocks of rows (n, width).

    Where the vectors are those of a batch, each row has the flow that broadcasting against the
    leading axes of `points`, whose rows these are, gives it.
    """
    kernel = external_kernel(op_name)

    @numba_njit
    def call(points, numbers, layout, first, second, third):
        numbers, layout = np.ascontiguousarray(numbers), np.ascontiguousarray(layout)
        k, m = numbers.shape[-1], layout.shape[-1]
        if numbers.size == k and layout.size == m:
            kernel(
                numbers.ctypes,
                k,
                layout.ctypes,
                m,
                first.shape[0],
                first.ctypes,
                second.ctypes,
                third.ctypes,
            )
            return
        flows, layouts = numbers.reshape(-1, k), layout.reshape(-1, m)
        for row in range(first.shape[0]):
            kernel(
                flows[_flow_at(row, points, numbers)].ctypes,
                k,
                layouts[_flow_at(row, points, layout)].ctypes,
                m,
                1,
                first[row].ctypes,
                second[row].ctypes,
                third[row].ctypes,
            )

    return call


@numba_njit
def _flow_at(row, points, vectors):
    """Position among the flows of a batch of the flow of one row of `points`."""
    position, stride = 0, 1
    for back in range(2, vectors.ndim + 1):
        length, own = points.shape[points.ndim - back], vectors.shape[vectors.ndim - back]
        if own != length and own != 1:
            raise ValueError("Expected points for every flow of the batch.")
        if own > 1:
            position += row % length * stride
        row //= length
        stride *= own
    return position


@numba_njit
def _length(layout, axis):
    return np.ascontiguousarray(layout).reshape(-1, layout.shape[-1])[0, axis]


@numba_njit
def _rows(points, layout, axis):
    width = _length(layout, axis)
    if points.shape[-1] != width:
        raise ValueError("Expected points of the flow's dimension; got another last axis.")
    return np.ascontiguousarray(points).reshape(points.size // width, width)


@numba_njit
def _with_last(points, width):
    return points.shape[:-1] + (width,)  # noqa: RUF005 (numba cannot unpack a tuple)


def _points_to_points(call: Callable, axis: int, out_axis: int) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        rows, width = _rows(points, layout, axis), _length(layout, out_axis)
        out = np.empty((rows.shape[0], width))
        call(points, numbers, layout, rows, rows, out)
        return out.reshape(_with_last(points, width))

    return apply


def _pairs_to_points(call: Callable, axis: int, other_axis: int, out_axis: int) -> Callable:
    @numba_njit
    def apply(points, others, numbers, layout):
        if points.shape[:-1] != others.shape[:-1]:
            raise ValueError("Expected points of equal shapes.")
        rows, width = _rows(points, layout, axis), _length(layout, out_axis)
        out = np.empty((rows.shape[0], width))
        call(points, numbers, layout, rows, _rows(others, layout, other_axis), out)
        return out.reshape(_with_last(points, width))

    return apply


def _points_to_scalars(call: Callable, axis: int) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        rows = _rows(points, layout, axis)
        out = np.empty((rows.shape[0], 1))
        call(points, numbers, layout, rows, rows, out)
        return out.reshape(points.shape[:-1])

    return apply


def _points_to_both(call: Callable, axis: int, out_axis: int) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        rows, width = _rows(points, layout, axis), _length(layout, out_axis)
        scalars, out = np.empty((rows.shape[0], 1)), np.empty((rows.shape[0], width))
        call(points, numbers, layout, rows, scalars, out)
        return scalars.reshape(points.shape[:-1]), out.reshape(_with_last(points, width))

    return apply


FORMS: dict[tuple[int, tuple[bool, ...]], Callable[..., Callable]] = {
    (1, (True,)): _points_to_points,
    (2, (True,)): _pairs_to_points,
    (1, (False,)): _points_to_scalars,
    (1, (False, True)): _points_to_both,
}
