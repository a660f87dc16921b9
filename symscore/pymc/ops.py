"""PyTensor Ops around the compiled kernels of a flow.

Every Op takes points (..., d) or (..., D) and the two vectors of :mod:`symscore.learn.packed`, so
that one compiled kernel serves every fitted flow, and works on all leading axes at once. Vectors
(*flows, k) and (*flows, m) are those of a batch of flows: their leading axes and those of the
points are broadcast against each other, as in NumPy.

The value that a sampler sees is z; x = flow(z). With J = dx/dz and q the density of the flow,

    log q(x) = log N(z; 0, I) - log |det J|,    grad_z log |det J| = -z - J^T grad log q(x).
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, grad_not_implemented
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import _vectorize_node
from pytensor.tensor.variable import TensorVariable

from symscore.arrays import IntArray
from symscore.errors import BadData
from symscore.flow.kernels import pull_rows, push_log_det_rows, push_rows
from symscore.learn.packed import DIM, EVENT
from symscore.pymc.batches import run_rows
from symscore.pymc.kernels import guarded_density_rows, guarded_invert_rows
from symscore.pymc.stack import PortableOp, Shape

SCALAR = None  # an output of one number a point


class FlowOp(PortableOp):
    """Base of the Ops: points, then `numbers` and `layout`, to points or scalars.

    A subclass names its kernel, ``rows(numbers, layout, *points, *outputs)`` on C-contiguous rows,
    and for each input and output the position in `layout` of its last axis's length: DIM for
    latent points, EVENT for points x, SCALAR for outputs (...) without that axis.
    """

    __props__ = ()
    rows: ClassVar[Callable[..., None]]
    takes: ClassVar[tuple[int, ...]]
    gives: ClassVar[tuple[int | None, ...]]

    def make_node(self, *inputs: Any) -> Apply:
        """Check dimensions as far as they are known before running."""
        *points, numbers, layout = (pt.as_tensor(value) for value in inputs)
        points = [p if p.type.dtype == "float64" else pt.cast(p, "float64") for p in points]
        lengths = _lengths(layout)
        for point, axis in zip(points, self.takes, strict=True):
            if point.type.ndim == 0:
                raise BadData("Expected points with a last axis of length d; got a scalar.")
            if None not in (point.type.shape[-1], lengths.get(axis)):
                _check_dim(point.type.shape[-1], lengths[axis])
        points = [_spread(point, numbers, layout) for point in points]
        leading = points[0].type.shape[:-1]
        outputs = [
            pt.tensor(
                dtype="float64", shape=leading if axis is None else (*leading, lengths.get(axis))
            )
            for axis in self.gives
        ]
        return Apply(self, [*points, numbers, layout], outputs)

    def output_shapes(self, node: Apply, input_shapes: Sequence[Shape]) -> list[Shape]:
        """Return the points' leading axes, with the length that `layout` names."""
        leading, layout = tuple(input_shapes[0])[:-1], node.inputs[-1]
        first = layout[(0,) * (layout.type.ndim - 1)]
        return [leading if axis is None else (*leading, first[axis]) for axis in self.gives]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Declare the outputs differentiable in the points alone."""
        flags = [True] * len(self.takes) + [False, False]
        return [[flag] * len(self.gives) for flag in flags]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Run the kernel on all points as rows."""
        *points, numbers, layout = inputs
        lengths = layout if layout.ndim == 1 else _common(layout)
        for point, axis in zip(points, self.takes, strict=True):
            _check_dim(point.shape[-1], lengths[axis])
        leading = {point.shape[:-1] for point in points}
        if len(leading) > 1:
            raise BadData(f"Expected points of equal shapes; got {[p.shape for p in points]}.")
        widths = [axis if axis is None else int(lengths[axis]) for axis in self.gives]
        found = run_rows(self.rows, numbers, layout, points, widths)
        for storage, value in zip(output_storage, found, strict=True):
            storage[0] = value

    def _no_derivative(self, point: Variable, what: str) -> list[Variable]:
        gradient = grad_not_implemented(
            self, 0, point, f"{what} is not available: use a sampler that needs first derivatives."
        )
        return [gradient] * len(self.takes) + [DisconnectedType()(), DisconnectedType()()]


class LatentPullback(FlowOp):
    r"""(z, cotangent) to :math:`J^T` cotangent, J = dx/dz at z: one reverse sweep."""

    rows = staticmethod(pull_rows)
    takes = (DIM, EVENT)
    gives = (DIM,)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Refuse, with a reason."""
        return self._no_derivative(inputs[0], "the second derivative of a flow")


class FromLatent(FlowOp):
    r"""z to x = flow(z); its derivative is :class:`LatentPullback`."""

    rows = staticmethod(push_rows)
    takes = (DIM,)
    gives = (EVENT,)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Return J^T cotangent."""
        z, *flow = inputs
        return _in_points(latent_pullback(z, cotangents[0], *flow))


class ToLatent(FlowOp):
    """x to z, by inverting the flow; NaN where that fails or x is outside the flow's support.

    It has a derivative if x has one coordinate, zero where z is NaN.
    """

    rows = staticmethod(guarded_invert_rows)
    takes = (EVENT,)
    gives = (DIM,)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Return cotangent / J for one coordinate; refuse more, with a reason."""
        x, *flow = inputs
        if 1 not in (x.type.shape[-1], _lengths(flow[-1]).get(EVENT)):
            return self._no_derivative(x, "the derivative of a flow's inverse")
        lost = pt.isnan(outputs[0])
        z = pt.switch(lost, 0.0, outputs[0])
        slope = latent_pullback(z, pt.ones_like(z), *flow)
        return _in_points(pt.switch(lost, 0.0, cotangents[0] / slope))


class LogDensity(FlowOp):
    r"""x to (:math:`\log q(x)`, its gradient), from one inversion of the flow.

    Where the flow cannot be inverted, or x is not finite or outside the support, the value is
    -inf and the gradient 0: a sampler rejects such a point, and no NaN spreads from one row to the
    sum of all.
    """

    rows = staticmethod(guarded_density_rows)
    takes = (EVENT,)
    gives = (SCALAR, EVENT)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Return cotangent times the second output, so that value and gradient are one node."""
        of_value, of_score = cotangents
        if not isinstance(of_score.type, DisconnectedType):
            return self._no_derivative(inputs[0], "the Hessian of a learned density")
        return _in_points(of_value[..., None] * outputs[1])


class LatentLogDet(FlowOp):
    """z to log |det J|, J = dx/dz at z."""

    rows = staticmethod(push_log_det_rows)
    takes = (DIM,)
    gives = (SCALAR,)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Return cotangent times -z - J^T grad log q(x)."""
        z, *flow = inputs
        score = log_density(from_latent(z, *flow), *flow)[1]
        return _in_points(cotangents[0][..., None] * (-z - latent_pullback(z, score, *flow)))


from_latent = FromLatent()
to_latent = ToLatent()
latent_log_det = LatentLogDet()
latent_pullback = LatentPullback()
log_density = LogDensity()


def _lengths(layout: TensorVariable) -> dict[int | None, int]:
    """Return d and D by their positions in `layout`, where it is known."""
    if not isinstance(layout, Constant) or layout.data.size == 0:
        return {}
    return {axis: int(_common(layout.data)[axis]) for axis in (DIM, EVENT)}


def _common(layout: IntArray) -> IntArray:
    return layout.reshape(-1, layout.shape[-1])[0]


def _spread(point: TensorVariable, numbers: Variable, layout: Variable) -> TensorVariable:
    """Return a point for every flow of a batch."""
    if numbers.type.ndim == layout.type.ndim == 1:
        return point
    shape = pt.broadcast_shape(point[..., 0], numbers[..., 0], layout[..., 0])
    return pt.broadcast_to(point, (*shape, point.shape[-1]))


def _check_dim(got: int, dim: int) -> None:
    if got != dim:
        raise BadData(f"Expected points of dimension {dim}, that of the flow; got {got}.")


def _in_points(gradient: Variable) -> list[Variable]:
    return [gradient, DisconnectedType()(), DisconnectedType()()]


@_vectorize_node.register(FlowOp)
def _vectorize_flow_op(op: FlowOp, node: Apply, *inputs: TensorVariable) -> Apply:
    """Let the leading axes that inputs have gained lead those that they had."""
    had = max(old.type.ndim for old in node.inputs)
    aligned = []
    for old, new in zip(node.inputs, inputs, strict=True):
        gained = new.type.ndim - old.type.ndim
        missing = had - old.type.ndim if gained else 0
        aligned.append(pt.expand_dims(new, tuple(range(gained, gained + missing))))
    *points, numbers, layout = aligned
    if len(points) > 1:
        shape = pt.broadcast_shape(*(point[..., 0] for point in points))
        points = [pt.broadcast_to(point, (*shape, point.shape[-1])) for point in points]
    return op.make_node(*points, numbers, layout)
