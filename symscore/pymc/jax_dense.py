"""Small dense algebra in JAX on n matrices (d, d, n) or vectors (d, n) at once.

Rows of data are the last axis everywhere, over which XLA makes long loops; leading ones, as `vmap`
makes them, ran five to ten times slower. All else is unrolled or summed: a call of LAPACK for each
small matrix costs more than the work itself.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

with suppress(ImportError):  # so that this module can be read where there is no JAX
    import jax
    import jax.numpy as jnp


def times(matrix: Any, vector: Any) -> Any:
    """Return matrices (..., i, j, n) times vectors (..., j, n)."""
    return (matrix * vector[..., None, :, :]).sum(axis=-2)


def product(left: Any, right: Any) -> Any:
    """Return matrices (i, j, n) times matrices (j, k, n)."""
    return (left[:, :, None] * right[None]).sum(axis=1)


def identity(like: Any) -> Any:
    """Return n identity matrices (d, d, n) for vectors (d, n)."""
    return jnp.broadcast_to(
        jnp.eye(len(like), dtype=like.dtype)[..., None], (len(like), *like.shape)
    )


def norm(vector: Any) -> Any:
    """Return lengths (n,), without overflow in between; infinite where an entry is not finite."""
    top = jnp.abs(vector).max(axis=0)
    size = top * jnp.sqrt(((vector / jnp.where(top > 0.0, top, 1.0)) ** 2).sum(axis=0))
    return jnp.where(jnp.isfinite(top), size, jnp.inf)


def value_and_jacobian(function: Callable, y: Any) -> tuple[Any, Any]:
    """Return f(y) (..., n) and f'(y) (..., d, n), one forward sweep for each of d axes."""

    def along(direction: Any) -> tuple[Any, Any]:
        return jax.jvp(function, (y,), (direction,))

    return jax.vmap(along, out_axes=(None, -2))(identity(y))


def eliminate(matrix: Any, right: Any) -> tuple[Any, Any, Any]:
    """Return sign and log of |det A| (n,) and A^-1 B, for A (d, d, n) and B (d, m, n).

    Gauss-Jordan elimination with row pivots, of fewer operations to compile than one that
    substitutes back; where A is singular the sign is 0 and A^-1 B holds NaN or inf.
    """
    d = len(matrix)
    rows = jnp.concatenate([matrix, right], axis=1)
    order = jnp.arange(d)[:, None, None]
    sign, log_det = jnp.ones_like(rows[0, 0]), jnp.zeros_like(rows[0, 0])
    for k in range(d):
        best = k + jnp.argmax(jnp.abs(rows[k:, k]), axis=0)
        pivot_row = jnp.where(order == best, rows, 0.0).sum(axis=0)
        pivot = pivot_row[k]
        sign = sign * jnp.where(best == k, 1.0, -1.0) * jnp.sign(pivot)
        log_det = log_det + jnp.log(jnp.abs(pivot))
        pivot_row = pivot_row / pivot
        rows = jnp.where(order == best, rows[k], rows)
        rows = jnp.where(order == k, pivot_row, rows - rows[:, k, None] * pivot_row)
    return sign, log_det, rows[:, d:]
