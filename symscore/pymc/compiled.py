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

# The layout, the numbers, how many rows there are, and three blocks of rows.
_BLOCK = types.CPointer(types.float64)
SIGNATURE = types.void(
    types.CPointer(types.int64), types.int64, _BLOCK, types.int64, types.int64, *[_BLOCK] * 3
)


def _push(layout, m, numbers, k, n, z, _, x):
    shape = n, layout[DIM]
    push_rows(carray(numbers, k), carray(layout, m), carray(z, shape), carray(x, shape))


def _pull(layout, m, numbers, k, n, z, cotangent, out):
    shape = n, layout[DIM]
    vectors = carray(numbers, k), carray(layout, m)
    pull_rows(*vectors, carray(z, shape), carray(cotangent, shape), carray(out, shape))


def _log_det(layout, m, numbers, k, n, z, log_det, _):
    vectors = carray(numbers, k), carray(layout, m)
    push_log_det_rows(*vectors, carray(z, (n, layout[DIM])), carray(log_det, n))


def _density(layout, m, numbers, k, n, x, log_density, score):
    shape = n, layout[DIM]
    vectors = carray(numbers, k), carray(layout, m)
    guarded_density_rows(*vectors, carray(x, shape), carray(log_density, n), carray(score, shape))


def _invert(layout, m, numbers, k, n, x, _, z):
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
def external(op_type: type[FlowOp]) -> types.ExternalFunction:
    """Compile the kernel of an Op, or load it, and return the name under which to call it."""
    symbol = f"symscore_{op_type.__name__}_{KERNEL_KEY:x}"
    compiled = cfunc(SIGNATURE, cache=True)(KERNELS[op_type])
    add_symbol(symbol, compiled.address)
    # The code lives as long as the process, like whatever PyTensor compiles to call it.
    _KEPT.append(compiled)
    return types.ExternalFunction(symbol, SIGNATURE)


_KEPT: list[Any] = []


@numba_njit
def _vector(values):
    return np.ascontiguousarray(values)


@numba_njit
def _check(points, layout):
    if points.shape[-1] != layout[DIM]:
        raise ValueError("Expected points of the flow's dimension; got another last axis.")
    return points.size // points.shape[-1]


def _points_to_points(kernel: Callable) -> Callable:
    @numba_njit
    def apply(points, numbers, layout):
        n, z = _check(points, layout), np.ascontiguousarray(points)
        out = np.empty(points.shape)
        kernel(layout.ctypes, layout.size, numbers.ctypes, numbers.size, n, z.ctypes, z.ctypes, out.ctypes)
        return out

    return apply
