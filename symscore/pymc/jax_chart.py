"""The chart of a flow in JAX, of one point: :mod:`symscore.flow.chart_kernels` again."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from symscore.flow.chart_kernels import STEEPEST
from symscore.learn.packed import CIRCLE, FREE, INTERVAL, LOWER, ORDERED, SIMPLEX, UPPER
from symscore.pymc.jax_layout import Block

with suppress(ImportError):  # so that this module can be read where there is no JAX
    import jax
    import jax.numpy as jnp


def push(blocks: Sequence[Block], v: Any) -> Any:
    """Return the point x (D,) of coordinates v (d,)."""
    parts = [_push_block(block, v[block.coordinates]) for block in blocks]
    return jnp.concatenate(parts) if parts else v


def log_det(blocks: Sequence[Block], v: Any) -> Any:
    """Return log |det dx/dv|."""
    parts = [_log_det_block(block, v[block.coordinates]) for block in blocks]
    return sum(parts, jnp.zeros(()))


def invert(blocks: Sequence[Block], x: Any) -> tuple[Any, Any]:
    """Return the coordinates of x, of some other point outside the support, and whether inside."""
    parts = [_invert_block(block, x[block.columns]) for block in blocks]
    if not parts:
        return x, jnp.ones((), dtype=bool)
    return jnp.concatenate([v for v, _ in parts]), jnp.stack([fits for _, fits in parts]).all()


def _push_block(block: Block, v: Any) -> Any:
    if block.kind == FREE:
        return v
    if block.kind == LOWER:
        x = block.lower + _exp(v)
        return _clip(x, jnp.nextafter(block.lower, np.inf), np.inf)
    if block.kind == UPPER:
        x = block.upper - _exp(-v)
        return _clip(x, -np.inf, jnp.nextafter(block.upper, -np.inf))
    if block.kind == INTERVAL:
        return _between(v, block.lower, block.upper)
    if block.kind == CIRCLE:
        period = block.upper - block.lower
        x = _between(v, block.cut, block.cut + period)
        return jnp.where(x >= block.upper, _clip(x - period, block.lower, np.inf), x)
    if block.kind == ORDERED:
        _, above = jax.lax.scan(_climb, v[0], v[1:])
        return jnp.append(v[:1], above)
    return _clip(jax.nn.softmax(_logits(v)), jnp.finfo(v.dtype).tiny, np.inf)


def _climb(below: Any, step: Any) -> tuple[Any, Any]:
    # As a loop: unrolled, XLA copies all that went before into every use of it.
    least = jnp.nextafter(jax.lax.stop_gradient(below), np.inf)
    x = _clip(below + _exp(step), least, np.inf)
    return x, x


def _log_det_block(block: Block, v: Any) -> Any:
    if block.kind == FREE:
        return jnp.zeros(())
    if block.kind == LOWER:
        return v[0]
    if block.kind == UPPER:
        return -v[0]
    if block.kind == ORDERED:
        return v[1:].sum()
    if block.kind == SIMPLEX:
        width = v.size + 1
        return np.log(width) - width * jax.nn.logsumexp(_logits(v))
    outward = _outward(v[0])
    return jnp.log(block.upper - block.lower) + outward - 2.0 * jnp.log1p(jnp.exp(outward))


def _invert_block(block: Block, x: Any) -> tuple[Any, Any]:
    if block.kind == FREE:
        return x, jnp.ones((), dtype=bool)
    if block.kind == CIRCLE:
        inside = jnp.isfinite(x)
        period = block.upper - block.lower
        share = jnp.mod(jnp.where(inside, x, block.cut) - block.cut, period) / period
        eps = jnp.finfo(x.dtype).eps
        share = _clip(share, eps, 1.0 - eps)
        return jnp.log(share) - jnp.log1p(-share), inside[0]
    if block.kind == ORDERED:
        gaps = x[1:] - x[:-1]
        logs = jnp.log(jnp.where(gaps > 0.0, gaps, 1.0))
        return jnp.concatenate([x[:1], logs]), (gaps > 0.0).all()
    if block.kind == SIMPLEX:
        logs = jnp.log(jnp.where(x > 0.0, x, 1.0))
        return logs[:-1] - logs.mean(), (x > 0.0).all()
    inside, v = jnp.ones(x.shape, dtype=bool), jnp.zeros_like(x)
    if block.kind != UPPER:
        inside &= x > block.lower
        v += jnp.log(jnp.where(x > block.lower, x - block.lower, 1.0))
    if block.kind != LOWER:
        inside &= x < block.upper
        v -= jnp.log(jnp.where(x < block.upper, block.upper - x, 1.0))
    return v, inside[0]


def _between(v: Any, lower: Any, upper: Any) -> Any:
    """Return lower + (upper - lower) / (1 + e^-v), strictly inside, exact near either end."""
    small = jnp.exp(_outward(v))
    part = (upper - lower) * small / (1.0 + small)
    x = jnp.where(v < 0.0, lower + part, upper - part)
    return _clip(x, jnp.nextafter(lower, upper), jnp.nextafter(upper, lower))


def _outward(v: Any) -> Any:
    """Return -|v|, whose derivative at 0 is that of one side rather than 0."""
    return jnp.where(v < 0.0, v, -v)


def _exp(v: Any) -> Any:
    return jnp.exp(jnp.minimum(v, STEEPEST))


def _logits(v: Any) -> Any:
    return jnp.append(v, -v.sum())


def _clip(x: Any, low: Any, high: Any) -> Any:
    """Move x into bounds a rounding away, but leave its derivative."""
    return x + jax.lax.stop_gradient(jnp.clip(x, low, high) - x)
