"""The flow's compiled kernels as PyTensor needs them: without NaN, and callable by address."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite.binding import add_symbol
from numba import carray, cfunc, njit, types

from symscore.flow.kernels import (
    density_rows,
    invert_rows,
    pull_rows,
    push_log_det_rows,
    push_rows,
)
from symscore.learn.packed import DIM, EVENT

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


@njit(cache=True, nogil=True)
def guarded_density_rows(numbers, layout, x, log_density, score):
    """Log density (n,) and its gradient (n, D); -inf and 0 where no finite density is found."""
    density_rows(numbers, layout, x, log_density, score)
    for row in range(x.shape[0]):
        if not np.isfinite(log_density[row]):
            log_density[row] = -np.inf
            score[row] = 0.0


@njit(cache=True, nogil=True)
def guarded_invert_rows(numbers, layout, x, z):
    """Latent points of x (n, D), written to `z` (n, d); NaN where none is found."""
    log_det = np.empty(x.shape[0])
    invert_rows(numbers, layout, x, z, log_det)
    for row in range(x.shape[0]):
        if not np.isfinite(log_det[row]):
            z[row] = np.nan


_BLOCK = types.CPointer(types.float64)
# Two vectors and their lengths, the number of rows, and three blocks of rows.
SIGNATURE = types.void(
    _BLOCK, types.int64, types.CPointer(types.int64), types.int64, types.int64, *[_BLOCK] * 3
)


def _push(numbers, k, layout, m, n, z, _, x):
    flow = (carray(numbers, k), carray(layout, m))
    push_rows(*flow, carray(z, (n, layout[DIM])), carray(x, (n, layout[EVENT])))


def _pull(numbers, k, layout, m, n, z, cotangent, out):
    flow, shape = (carray(numbers, k), carray(layout, m)), (n, layout[DIM])
    bars = carray(cotangent, (n, layout[EVENT]))
    pull_rows(*flow, carray(z, shape), bars, carray(out, shape))


def _log_det(numbers, k, layout, m, n, z, _, log_det):
    flow = (carray(numbers, k), carray(layout, m))
    push_log_det_rows(*flow, carray(z, (n, layout[DIM])), carray(log_det, n))


def _density(numbers, k, layout, m, n, x, log_density, score):
    flow, shape = (carray(numbers, k), carray(layout, m)), (n, layout[EVENT])
    guarded_density_rows(*flow, carray(x, shape), carray(log_density, n), carray(score, shape))


def _invert(numbers, k, layout, m, n, x, _, z):
    flow = (carray(numbers, k), carray(layout, m))
    guarded_invert_rows(*flow, carray(x, (n, layout[EVENT])), carray(z, (n, layout[DIM])))


# By the name of the Op.
KERNELS: dict[str, Callable[..., None]] = {
    "FromLatent": _push,
    "LatentPullback": _pull,
    "LatentLogDet": _log_det,
    "LogDensity": _density,
    "ToLatent": _invert,
}


def external_kernel(op_name: str) -> types.ExternalFunction:
    """Return the kernel of an Op as compiled code calls it, by a name that says its sources."""
    _load(op_name)
    return types.ExternalFunction(_symbol(op_name), SIGNATURE)


@cache  # keeps the code alive: whatever calls it may live as long as the process
def _load(op_name: str) -> Any:
    compiled = cfunc(SIGNATURE, cache=True)(KERNELS[op_name])
    add_symbol(_symbol(op_name), compiled.address)
    return compiled


def _symbol(op_name: str) -> str:
    return f"symscore_{op_name}_{KERNEL_KEY:x}"
