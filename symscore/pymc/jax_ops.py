"""How PyTensor's JAX backend runs the Ops and draws the random variables."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from pymc.pytensorf import constant_fold
from pytensor.graph.basic import Apply, Constant, Variable

from symscore.arrays import IntArray
from symscore.learn.packed import DIM
from symscore.pymc.jax_flow import JaxFlow
from symscore.pymc.jax_layout import Structure
from symscore.pymc.ops import (
    FlowOp,
    FromLatent,
    LatentLogDet,
    LatentPullback,
    LogDensity,
    ToLatent,
)
from symscore.pymc.variables import LearnedScalarRV, LearnedScoreRV

with suppress(ImportError):  # so that this module can be read where there is no JAX
    import jax
    import jax.numpy as jnp
    from jax.custom_derivatives import SymbolicZero
    from pytensor.link.jax.dispatch.basic import jax_funcify
    from pytensor.link.jax.dispatch.random import jax_sample_fn


def register() -> None:
    """Tell PyTensor's JAX backend of the Ops and the random variables."""
    jax_funcify.register(FlowOp)(compile_op)
    jax_sample_fn.register(LearnedScoreRV)(compile_draw)
    jax_sample_fn.register(LearnedScalarRV)(compile_scalar_draw)


def compile_op(op: FlowOp, node: Apply, **kwargs: Any) -> Callable:
    """Return the function of an Op's inputs.

    Raises
    ------
    NotImplementedError
        If the layout is not a constant.
    """
    function, numbers, layout = MAPS[type(op)], _known(node.inputs[-2]), _layout(node.inputs[-1])

    def apply(*inputs: Any) -> Any:
        *points, given, _ = inputs
        return _run(function, given if numbers is None else numbers, layout, points)

    return apply


def compile_draw(op: LearnedScoreRV, node: Apply) -> Callable:
    """Return the function that draws points."""
    draw = _compile_flow_draw(op, node)

    def sample(key: Any, size: Any, dtype: str, *parameters: Any) -> Any:
        loc, scale_tril = parameters[-2:]
        y = draw(key, size, parameters, (1, 1, 1, 1, 2))
        return (loc + (scale_tril * y[..., None, :]).sum(axis=-1)).astype(dtype)

    return sample


def compile_scalar_draw(op: LearnedScalarRV, node: Apply) -> Callable:
    """Return the function that draws numbers."""
    draw = _compile_flow_draw(op, node)

    def sample(key: Any, size: Any, dtype: str, *parameters: Any) -> Any:
        loc, scale = parameters[-2:]
        y = draw(key, size, parameters, (1, 1, 0, 0, 0))
        return (loc + scale * y[..., 0]).astype(dtype)

    return sample


def _compile_flow_draw(op: LearnedScoreRV | LearnedScalarRV, node: Apply) -> Callable:
    """Return a function of key, size, parameters and the number of axes that each has itself."""
    variables = op.dist_params(node)
    numbers, layout = _known(variables[0]), _layout(variables[1])
    dim = int(layout.reshape(-1, layout.shape[-1])[0, DIM])

    def draw(key: Any, size: Any, parameters: Sequence[Any], own: Sequence[int]) -> Any:
        if size is None:
            axes = [p.shape[: p.ndim - n] for p, n in zip(parameters, own, strict=True)]
            size = np.broadcast_shapes(*axes)
        z = jax.random.normal(key, (*size, dim))
        return _run(JaxFlow.push, parameters[0] if numbers is None else numbers, layout, [z])

    return draw


def _run(function: Callable, numbers: Any, layout: IntArray, points: Sequence[Any]) -> Any:
    """Run a map of columns on points (*leading, w), as `symscore.pymc.batches.run_rows` does."""
    batch_ndim = max(numbers.ndim, layout.ndim) - 1
    if batch_ndim == 0:
        structure = Structure(layout)
        return _run_rows(partial(function, JaxFlow(structure, structure.read(numbers))), points)
    axis = points[0].ndim - 1 - batch_ndim
    n = max(len(vector) for vector in (numbers, layout) if vector.ndim > batch_ndim)
    parts = []
    for i in range(n):
        own = [v if v.ndim <= batch_ndim else v[min(i, len(v) - 1)] for v in (numbers, layout)]
        inside = points
        if n > 1:
            inside = [jax.lax.slice_in_dim(p, i, i + 1, axis=axis) for p in points]
        parts.append(_run(function, own[0], own[1], inside))
    return jax.tree.map(lambda *found: jnp.concatenate(found, axis=axis), *parts)


def _run_rows(function: Callable, points: Sequence[Any]) -> Any:
    leading = points[0].shape[:-1]
    found = function(*(point.reshape(-1, point.shape[-1]).T for point in points))
    return jax.tree.map(lambda part: part.T.reshape(*leading, *part.shape[:-1]), found)


def _known(vector: Variable) -> np.ndarray | None:
    """Return the value of a constant, None for any other variable."""
    if isinstance(vector, Constant):
        return np.asarray(vector.data)
    (folded,) = constant_fold([vector], raise_not_constant=False)
    return None if isinstance(folded, Variable) else np.asarray(folded)


def _layout(vector: Variable) -> IntArray:
    layout = _known(vector)
    if layout is None:
        raise NotImplementedError(
            "Expected a flow whose layout is a constant, since JAX compiles for known shapes; got "
            f"{vector}. Of the two vectors of a flow only `numbers` may be shared or an input."
        )
    return layout


def _density(flow: JaxFlow, x: Any) -> tuple[Any, Any]:
    """Return value and gradient; the derivative of the first is the second."""

    @jax.custom_jvp
    def final(score: Any) -> Any:
        return score

    @final.defjvp
    def refuse(primals: Any, tangents: Any) -> Any:
        raise NotImplementedError(NO_HESSIAN)

    @jax.custom_vjp
    def both(x: Any) -> tuple[Any, Any]:
        return flow.density(x)

    def forward(x: Any) -> tuple[tuple[Any, Any], Any]:
        value, score = flow.density(x.value)
        score = final(score)
        return (value, score), score

    def backward(score: Any, cotangents: tuple[Any, Any]) -> tuple[Any]:
        of_value, of_score = cotangents
        if not isinstance(of_score, SymbolicZero):
            raise NotImplementedError(NO_HESSIAN)
        return (jnp.zeros_like(score) if isinstance(of_value, SymbolicZero) else of_value * score,)

    both.defvjp(forward, backward, symbolic_zeros=True)
    return both(x)


def _invert(flow: JaxFlow, x: Any) -> Any:
    """Return z; its derivative is that of the flow, inverted, not that of the search."""
    invert = jax.custom_vjp(flow.invert)

    def forward(x: Any) -> tuple[Any, Any]:
        z = flow.invert(x)
        return z, (x, z)

    def backward(kept: tuple[Any, Any], cotangent: Any) -> tuple[Any]:
        return (flow.pull_inverse(*kept, cotangent),)

    invert.defvjp(forward, backward)
    return invert(x)


NO_HESSIAN = (
    "the Hessian of a learned density is not available: use a sampler that needs first derivatives."
)
MAPS: dict[type[FlowOp], Callable] = {
    FromLatent: JaxFlow.push,
    LatentPullback: JaxFlow.pull,
    LatentLogDet: JaxFlow.log_det,
    ToLatent: _invert,
    LogDensity: _density,
}
