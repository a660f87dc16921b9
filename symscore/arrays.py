"""Checks and conversions that every layer shares."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symscore.errors import BadData

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Rows per block of a threaded kernel: results must not depend on how many threads there are,
# so the split is fixed here and never by the machine.
BLOCK = 512


def frozen(values: ArrayLike) -> FloatArray:
    """Return a private, read-only, C-contiguous float64 copy of `values`."""
    array = np.array(values, dtype=np.float64, order="C")
    array.setflags(write=False)
    return array


def check_shape(name: str, array: np.ndarray, *want: int | None) -> None:
    """Raise :class:`BadData` unless `array` has shape `want` (None: any length)."""
    fits = array.ndim == len(want) and all(
        w is None or w == have for w, have in zip(want, array.shape, strict=True)
    )
    if not fits:
        shown = ", ".join("any" if w is None else str(w) for w in want)
        raise BadData(f"Expected {name} of shape ({shown}); got {array.shape}.")


def as_points(name: str, values: ArrayLike, dim: int) -> FloatArray:
    """Return `values` as a C-contiguous (n, dim) array of finite float64, or raise BadData."""
    points = np.ascontiguousarray(values, dtype=np.float64)
    check_shape(name, points, None, dim)
    bad = np.argwhere(~np.isfinite(points))
    if len(bad):
        row, column = bad[0]
        raise BadData(
            f"Expected finite {name}; got {points[row, column]} at row {row}, column {column}."
        )
    return points


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Cut range(n) into consecutive slices of `size`, the last one shorter."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def for_each_block(work: Callable[[slice], object], n: int, size: int = BLOCK) -> list:
    """Call `work` on each block of range(n) and return the results in order: see for_each."""
    return for_each(work, list(blocks(n, size)))


def for_each(
    work: Callable[[Any], object], pieces: Sequence[Any], *, in_threads: bool = True
) -> list:
    """Call `work` on each piece and return the results in order.

    `work` runs in threads: it must release the interpreter lock (a ``nogil`` kernel), write only
    to its own rows and call no BLAS.
    """
    threads = min(len(pieces), cpu_count() or 1) if in_threads else 1
    if threads <= 1:
        return [work(piece) for piece in pieces]
    # A pool per call rather than a shared one: nothing survives into a forked child.
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, pieces))
