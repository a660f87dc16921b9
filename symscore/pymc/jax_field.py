"""The learned denoiser of one level in JAX, at n points: :mod:`symscore.learn.kernels` again."""

from contextlib import suppress
from typing import Any

import numpy as np

from symscore.arrays import IntArray
from symscore.learn.kernels import NEGLIGIBLE_GATE
from symscore.pymc.jax_dense import times
from symscore.pymc.jax_layout import Fields

with suppress(ImportError):  # so that this module can be read where there is no JAX
    import jax
    import jax.numpy as jnp


def denoise(field: Fields, powers: IntArray, y: Any) -> Any:
    """Return D(y), shape (d, n) as y has, of one level."""
    away = y - field.centre[..., None]
    u = times(field.whiten[..., None], away)
    square = (u * u).sum(axis=1)
    local = field.mean[..., None] + times(field.gain[..., None], away)
    if len(powers):
        damp = jnp.exp(-0.5 * field.shrink[:, None] * square)[:, None]
        # Where damping is complete, polynomials must not overflow: 0 times infinity is NaN.
        local = local + damp * _deviation(field.coef, powers, jnp.where(damp > 0.0, u, 0.0))
    gate = _gates(field, field.log_weight[:, None] - 0.5 * square)
    return (gate[:, None] * local).sum(axis=0)


def _deviation(coef: Any, powers: IntArray, u: Any) -> Any:
    """Return the sum (T, d, n) of coefficients (T, F, d) times Hermite polynomials at u."""
    axes = [jnp.ones_like(u), u]
    for p in range(2, int(powers.max()) + 1):
        axes.append((u * axes[-1] - np.sqrt(p - 1.0) * axes[-2]) / np.sqrt(p))
    total = jnp.zeros_like(u)
    for j, power in enumerate(powers):
        value = jnp.ones_like(u[:, 0])
        for k in np.flatnonzero(power):
            value = value * axes[power[k]][:, k]
        total = total + coef[:, j, :, None] * value[:, None]
    return total


def _gates(field: Fields, logits: Any) -> Any:
    """Return the gates (T, n) of all cells, each times the share of its member."""
    if len(field.share) == 1:
        return field.share * _cut(jax.nn.softmax(logits, axis=0))
    member = field.member[..., None]
    top = jnp.where(member > 0.0, logits, -jnp.inf).max(axis=1)
    top = jax.lax.stop_gradient(jnp.where(top > -jnp.inf, top, 0.0))
    gate = jnp.exp(logits - (top[:, None] * member).sum(axis=0))
    total = jnp.where(field.share[:, None] > 0.0, (member * gate).sum(axis=1), 1.0)
    gate = _cut(gate / (total[:, None] * member).sum(axis=0))
    return gate * (field.share[:, None] * field.member).sum(axis=0)[:, None]


def _cut(gate: Any) -> Any:
    return jnp.where(gate < NEGLIGIBLE_GATE, 0.0, gate)
