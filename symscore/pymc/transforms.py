"""Changes of variables between a learned density and the space in which a sampler moves."""

from typing import final

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Variable
from pytensor.tensor.elemwise import DimShuffle
from pytensor.tensor.variable import TensorVariable
from scipy.linalg import solve_triangular

from symscore.arrays import FloatArray
from symscore.learn.frame import Whitening
from symscore.pymc.ops import from_latent, latent_log_det, to_latent


def flow_of(numbers: TensorVariable, layout: TensorVariable) -> tuple[Variable, Variable]:
    """Return the two vectors of a flow from parameters that may carry leading axes of length 1."""
    return _vector(numbers), _vector(layout)


def _vector(parameter: TensorVariable) -> Variable:
    while parameter.owner is not None and isinstance(parameter.owner.op, DimShuffle):
        parameter = parameter.owner.inputs[0]
    leading = parameter.type.broadcastable[:-1]
    if not all(leading):
        return parameter  # a stack of flows, which the Ops refuse
    return parameter.squeeze(tuple(range(len(leading)))) if leading else parameter


@final
class FlowTransform(Transform):
    """x = flow(z): in the sampler's space the learned density is exactly N(0, I).

    The inputs of the random variable follow the value: ``(..., numbers, layout, anchor)``.
    """

    name = "flow"
    ndim_supp = 1

    def forward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return z."""
        return to_latent(value, *flow_of(*inputs[-3:-1])).astype(value.dtype)

    def backward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return x."""
        return from_latent(value, *flow_of(*inputs[-3:-1])).astype(value.dtype)

    def log_jac_det(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return log |det dx/dz|."""
        return latent_log_det(value, *flow_of(*inputs[-3:-1])).astype(value.dtype)


@final
class FrameTransform(Transform):
    """x = loc + scale_tril u: the whitened frame of the fit, for sampling x itself at unit scale.

    Parameters
    ----------
    frame : Whitening
    """

    name = "frame"
    ndim_supp = 1

    def __init__(self, frame: Whitening) -> None:
        self.loc = frame.loc
        self.scale = frame.scale_tril
        self.inverse = solve_triangular(frame.scale_tril, np.eye(frame.dim), lower=True)
        self.log_det = frame.log_det

    def forward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return u."""
        return _times(self.inverse, value - self.loc).astype(value.dtype)

    def backward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return x."""
        return (self.loc + _times(self.scale, value)).astype(value.dtype)

    def log_jac_det(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return log det scale_tril, once for every point."""
        return pt.full_like(value[..., 0], self.log_det)


def _times(matrix: FloatArray, points: TensorVariable) -> TensorVariable:
    # A product and a sum, since PyTensor 3 spends half a minute on compiling its first dot.
    return (matrix * points[..., None, :]).sum(axis=-1)
