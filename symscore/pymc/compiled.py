"""PyTensor's numba backend: the flow's kernels without a detour through Python.

A function that PyTensor compiles for a model calls the kernels through the addresses of functions
compiled once: linking them in instead took ten seconds or more for every new flow, whose numbers
are constants of the compiled function.

PyTensor keeps compiled functions on disk under a key that it computes from the Op and a number
given here, a digest of the kernels' sources: none can be served that was made for other kernels.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite.binding import add_symbol
from numba import carray, cfunc, types
from pytensor.graph.basic import Apply
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key
from pytensor.link.numba.dispatch.random import numba_core_rv_funcify

from symscore.flow.kernels import pull_rows, push_log_det_rows, push_rows
from symscore.learn.packed import DIM
from symscore.pymc.distribution import LearnedScoreRV
from symscore.pymc.ops import (
    FlowOp,
    FromLatent,
    LatentLogDet,
    LatentPullback,
    LogDensity,
    ToLatent,
    guarded_density_rows,
    guarded_invert_rows,
)

PACKAGE = Path(__file__).parents[1]


def source_key(*folders: Path) -> int:
    """Return a 60-bit digest of every Python source below `folders`."""
    digest = sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.name} {len(source)} ".encode() + source)
    return int(digest.hexdigest()[:15], 16)


# Constants of neighbouring modules are compiled into the kernels: take the packages whole.
KERNEL_KEY = source_key(PACKAGE / "learn", PACKAGE / "flow", PACKAGE / "pymc")

_BLOCK = types.CPointer(types.float64)
# Two vectors and their lengths, the number of rows, and three blocks of rows.
SIGNATURE = types.void(
    _BLOCK, types.int64, types.CPointer(types.int64), types.int64, types.int64, *[_BLOCK] * 3
)


def _push(numbers, k, layout, m, n, z, _, x):
    shape = n, layout[DIM]
    push_rows(carray(numbers, k), carray(layout, m), carray(z, shape), carray(x, shape))


def _pull(numbers, k, layout, m, n, z, cotangent, out):
    flow, shape = (carray(numbers, k), carray(layout, m)), (n, layout[DIM])
    pull_rows(*flow, carray(z, shape), carray(cotangent, shape), carray(out, shape))


def _log_det(numbers, k, layout, m, n, z, _, log_det):
    flow, shape = (carray(numbers, k), carray(layout, m)), (n, layout[DIM])
    push_log_det_rows(*flow, carray(z, shape), carray(log_det, n))


def _density(numbers, k, layout, m, n, x, log_density, score):
    flow, shape = (carray(numbers, k), carray(layout, m)), (n, layout[DIM])
    guarded_density_rows(*flow, carray(x, shape), carray(log_density, n), carray(score, shape))


def _invert(numbers, k, layout, m, n, x, _, z):
    shape = n, layout[DIM]
    guarded_invert_rows(carray(numbers, k), carray(layout, m), carray(x, shape), carray(z, shape))


KERNELS = {
    FromLatent: _push,
    LatentPullback: _pull,
    LatentLogDet: _log_det,
    LogDensity: _density,
    ToLatent: _invert,
}


@cache
def kernel_caller(op_type: type[FlowOp]) -> Callable:
    """Return a compiled function (numbers, layout, n, *three blocks) that calls an Op's kernel.

    All arrays must be C-contiguous. The kernel is compiled, or loaded from disk, on first use.
    """
    symbol = f"symscore_{op_type.__name__}_{KERNEL_KEY:x}"
    compiled = cfunc(SIGNATURE, cache=True)(KERNELS[op_type])
    add_symbol(symbol, compiled.address)
    # Whatever calls the address may live as long as the process.
    _LOADED.append(compiled)
    kernel = types.ExternalFunction(symbol, SIGNATURE)

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


_LOADED: list[Any] = []


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


@register_funcify_default_op_cache_key(FlowOp)
def _compile_op(op: FlowOp, node: Apply | None = None, **kwargs: Any) -> tuple[Callable, int]:
    return FORMS[op.n_points, op.gives_points](kernel_caller(type(op))), KERNEL_KEY


@numba_core_rv_funcify.register(LearnedScoreRV)
def _compile_draw(op: LearnedScoreRV, node: Apply) -> tuple[Callable, int]:
    call = kernel_caller(FromLatent)

    @numba_njit
    def draw(rng, numbers, layout, anchor):
        z = rng.standard_normal(anchor.shape[0])
        x = np.empty_like(z)
        call(np.ascontiguousarray(numbers), np.ascontiguousarray(layout), 1, z, z, x)
        return x

    return draw, KERNEL_KEY
