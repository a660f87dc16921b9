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

from symscore.learn.packed import DIM
from symscore.pymc.distribution import LearnedScoreRV
from symscore.pymc.kernels import KERNEL_KEY, external_kernel
from symscore.pymc.ops import FlowOp


def register() -> None:
    """Tell PyTensor how numba runs the Ops and draws the random variable."""
    register_funcify_default_op_cache_key(FlowOp)(compile_op)
    numba_core_rv_funcify.register(LearnedScoreRV)(compile_draw)


def compile_op(op: FlowOp, node: Apply | None = None, **kwargs: Any) -> tuple[Callable, int]:
    """Return the compiled function of an Op's inputs, and the key of its kernel."""
    return FORMS[op.n_points, op.gives_points](_caller(type(op).__name__)), KERNEL_KEY


def compile_draw(op: LearnedScoreRV, node: Apply) -> tuple[Callable, int]:
    """Return the compiled function that draws one point, and the key of its kernel."""
    call = _caller("FromLatent")

    @numba_njit
    def draw(rng, numbers, layout, anchor):
        z = rng.standard_normal(anchor.shape[0])
        x = np.empty_like(z)
        call(np.ascontiguousarray(numbers), np.ascontiguousarray(layout), 1, z, z, x)
        return x

    return draw, KERNEL_KEY


def _caller(op_name: str) -> Callable:
    """Return a compiled function of C-contiguous (numbers, layout), n and three blocks of rows."""
    kernel = external_kernel(op_name)

    @numba_njit
    def call(numbers, layout, n, first, second, third):
        kernel(
            numbers.ctypes,
            numbers.size,
            layout.ctypes,
            layout.size,
            n,
            first.ctypes,
            second.ctypes,
            third.ctypes,
        )

    return call


@numba_njit
def _n_rows(points, layout):
    if points.shape[-1] != layout[DIM]:
        raise ValueError("Expected points of the flow's dimension; got another last axis.")
    return points.size // points.shape[-1]


def _points_to_points(call: Callable) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        n, z = _n_rows(points, layout), np.ascontiguousarray(points)
        out = np.empty(points.shape)
        call(np.ascontiguousarray(numbers), np.ascontiguousarray(layout), n, z, z, out)
        return out

    return apply


def _pairs_to_points(call: Callable) -> Callable:
    @numba_njit
    def apply(points, others, numbers, layout):
        if points.shape != others.shape:
            raise ValueError("Expected points of equal shapes.")
        n, z = _n_rows(points, layout), np.ascontiguousarray(points)
        out = np.empty(points.shape)
        others = np.ascontiguousarray(others)
        call(np.ascontiguousarray(numbers), np.ascontiguousarray(layout), n, z, others, out)
        return out

    return apply


def _points_to_scalars(call: Callable) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        n, z = _n_rows(points, layout), np.ascontiguousarray(points)
        out = np.empty(points.shape[:-1])
        call(np.ascontiguousarray(numbers), np.ascontiguousarray(layout), n, z, z, out)
        return out

    return apply


def _points_to_both(call: Callable) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        n, z = _n_rows(points, layout), np.ascontiguousarray(points)
        scalars, out = np.empty(points.shape[:-1]), np.empty(points.shape)
        call(np.ascontiguousarray(numbers), np.ascontiguousarray(layout), n, z, scalars, out)
        return scalars, out

    return apply


# By the number of inputs that are points and by which outputs are.
FORMS = {
    (1, (True,)): _points_to_points,
    (2, (True,)): _pairs_to_points,
    (1, (False,)): _points_to_scalars,
    (1, (False, True)): _points_to_both,
}
