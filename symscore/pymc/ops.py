"""PyTensor Ops around the compiled kernels of a flow.

Every Op takes points (..., d) and the two vectors of :mod:`symscore.learn.packed`, so that one
compiled kernel serves every fitted flow, and works on all leading axes at once.

The value that a sampler sees is z; x = flow(z). With J = dx/dz and q the density of the flow,

    log q(x) = log N(z; 0, I) - log |det J|,    grad_z log |det J| = -z - J^T grad log q(x).
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, grad_not_implemented
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import _vectorize_node
from pytensor.tensor.variable import TensorVariable

from symscore.arrays import for_each_block
from symscore.errors import BadData
from symscore.flow.flow import ROWS
from symscore.flow.kernels import pull_rows, push_log_det_rows, push_rows
from symscore.learn.packed import DIM
from symscore.pymc.kernels import guarded_density_rows, guarded_invert_rows
from symscore.pymc.stack import PortableOp, Shape


class FlowOp(PortableOp):
    """Base of the Ops: points (..., d), then `numbers` and `layout`, to points or scalars.

    A subclass names its kernel, ``rows(numbers, layout, *points, *outputs)`` on C-contiguous rows,
    how many inputs are points, and which outputs are points (..., d) rather than scalars (...).
    """

    __props__ = ()
    rows: ClassVar[Callable[..., None]]
    n_points: ClassVar[int] = 1
    gives_points: ClassVar[tuple[bool, ...]] = (True,)

    def make_node(self, *inputs: Any) -> Apply:
        """Check dimensions as far as they are known before running."""
        *points, numbers, layout = (pt.as_tensor(value) for value in inputs)
        points = [p if p.type.dtype == "float64" else pt.cast(p, "float64") for p in points]
        if numbers.type.ndim != 1 or layout.type.ndim != 1:
            raise NotImplementedError(
                "Expected the numbers of one flow; got a stack of flows. Make one variable each."
            )
        for point in points:
            if point.type.ndim == 0:
                raise BadData("Expected points with a last axis of length d; got a scalar.")
            known = point.type.shape[-1]
            if known is not None and isinstance(layout, Constant):
                _check_dim(known, int(layout.data[DIM]))
        shape = points[0].type.shape
        outputs = [
            pt.tensor(dtype="float64", shape=shape if is_point else shape[:-1])
            for is_point in self.gives_points
        ]
        return Apply(self, [*points, numbers, layout], outputs)

    def output_shapes(self, input_shapes: Sequence[Shape]) -> list[Shape]:
        """Return the points' shape, with or without its last axis."""
        shape = tuple(input_shapes[0])
        return [shape if is_point else shape[:-1] for is_point in self.gives_points]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Declare the outputs differentiable in the points alone."""
        flags = [True] * self.n_points + [False, False]
        return [[flag] * len(self.gives_points) for flag in flags]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        """Run the kernel on all points as rows."""
        *points, numbers, layout = inputs
        shape = points[0].shape
        _check_dim(shape[-1], int(layout[DIM]))
        if any(point.shape != shape for point in points):
            raise BadData(f"Expected points of equal shapes; got {[p.shape for p in points]}.")
        blocks = [np.ascontiguousarray(point).reshape(-1, shape[-1]) for point in points]
        n = len(blocks[0])
        for storage, is_point in zip(output_storage, self.gives_points, strict=True):
            storage[0] = np.empty(shape if is_point else shape[:-1])
            blocks.append(storage[0].reshape((n, shape[-1]) if is_point else n))
        if n <= ROWS:  # one point, in a sampler: even asking for the number of cores would show
            self.rows(numbers, layout, *blocks)
        else:
            for_each_block(
                lambda part: self.rows(numbers, layout, *(b[part] for b in blocks)), n, ROWS
            )

    def _no_second_derivative(self, point: Variable, what: str) -> list[Variable]:
        gradient = grad_not_implemented(
            self, 0, point, f"{what} is not available: use a sampler that needs first derivatives."
        )
        return [gradient] * self.n_points + [DisconnectedType()(), DisconnectedType()()]


class LatentPullback(FlowOp):
    r"""(z, cotangent) to :math:`J^T` cotangent, J = dx/dz at z: one reverse sweep."""

    rows = staticmethod(pull_rows)
    n_points = 2

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Refuse, with a reason."""
        return self._no_second_derivative(inputs[0], "the second derivative of a flow")


class FromLatent(FlowOp):
    r"""z to x = flow(z); its derivative is :class:`LatentPullback`."""

    rows = staticmethod(push_rows)

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
    """x to z, by inverting the flow; NaN where that fails. It has no derivative."""

    rows = staticmethod(guarded_invert_rows)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Refuse, with a reason."""
        return self._no_second_derivative(inputs[0], "the derivative of a flow's inverse")


class LogDensity(FlowOp):
    r"""x to (:math:`\log q(x)`, its gradient), from one inversion of the flow.

    Where the flow cannot be inverted, or x is not finite, the value is -inf and the gradient 0:
    a sampler rejects such a point, and no NaN spreads from one row to the sum of all.
    """

    rows = staticmethod(guarded_density_rows)
    gives_points = (False, True)

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        """Return cotangent times the second output, so that value and gradient are one node."""
        of_value, of_score = cotangents
        if not isinstance(of_score.type, DisconnectedType):
            return self._no_second_derivative(inputs[0], "the Hessian of a learned density")
        return _in_points(of_value[..., None] * outputs[1])


class LatentLogDet(FlowOp):
    """z to log |det J|, J = dx/dz at z."""

    rows = staticmethod(push_log_det_rows)
    gives_points = (False,)

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


def _check_dim(got: int, dim: int) -> None:
    if got != dim:
        raise BadData(f"Expected points of dimension {dim}, that of the flow; got {got}.")


def _in_points(gradient: Variable) -> list[Variable]:
    return [gradient, DisconnectedType()(), DisconnectedType()()]


@_vectorize_node.register(FlowOp)
def _vectorize_flow_op(op: FlowOp, node: Apply, *inputs: TensorVariable) -> Apply:
    *points, numbers, layout = inputs
    return op.make_node(*pt.broadcast_arrays(*points), numbers, layout)
