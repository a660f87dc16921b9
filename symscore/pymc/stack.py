"""What differs between PyTensor 2 (PyMC 5) and PyTensor 3 (PyMC 6)."""

from collections.abc import Sequence
from typing import Any

from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op

Shape = tuple[Variable | int, ...]


class PortableOp(Op):
    """An Op that names its derivative and its shapes as PyTensor 3 does, and works on PyTensor 2.

    PyTensor 2 asks for ``L_op`` where PyTensor 3 asks for ``pullback``, and passes the graph and
    the node to ``infer_shape`` where PyTensor 3 passes the node only.
    """

    def output_shapes(self, node: Apply, input_shapes: Sequence[Shape]) -> list[Shape]:
        """Return the shape of every output."""
        raise NotImplementedError

    def infer_shape(self, *node_and_shapes: Any) -> list[Shape]:
        """Answer PyTensor's question for shapes: node and shapes come last on both stacks."""
        return self.output_shapes(*node_and_shapes[-2:])

    def L_op(  # noqa: N802 (PyTensor's name)
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        output_grads: Sequence[Variable],
    ) -> list[Variable]:
        """Answer PyTensor 2's question for the derivative."""
        return self.pullback(inputs, outputs, output_grads)
