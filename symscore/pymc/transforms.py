"""Changes of variables between a learned density and the space in which a sampler moves.

The inputs of a random variable follow the value: (..., numbers, layout, anchor, loc, scale).
Values are points (..., D) where `ndim_supp` is 1, and numbers (...) where it is 0.
"""

from collections.abc import Sequence
from typing import final

from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Variable
from pytensor.tensor.variable import TensorVariable

from symscore.flow.flow import ScoreFlow
from symscore.pymc.affine import Affine
from symscore.pymc.frames import frame_of
from symscore.pymc.ops import from_latent, latent_log_det, to_latent
from symscore.pymc.parameters import flow_of


@final
class FlowTransform(Transform):
    """x = loc + scale flow(z): in the sampler's space the learned density is exactly N(0, I)."""

    name = "flow"

    def __init__(self, ndim_supp: int = 1) -> None:
        self.ndim_supp = ndim_supp

    def forward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return z."""
        numbers, layout, _, *affine = inputs[-5:]
        y = Affine.of(*affine, ndim_supp=self.ndim_supp).solve(as_points(value, self.ndim_supp))
        z = to_latent(y, *flow_of(numbers, layout))
        return as_value(z, self.ndim_supp).astype(value.dtype)

    def backward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return x."""
        numbers, layout, _, *affine = inputs[-5:]
        y = from_latent(as_points(value, self.ndim_supp), *flow_of(numbers, layout))
        x = Affine.of(*affine, ndim_supp=self.ndim_supp).apply(y)
        return as_value(x, self.ndim_supp).astype(value.dtype)

    def log_jac_det(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return log |det dx/dz|."""
        numbers, layout, _, *affine = inputs[-5:]
        points = as_points(value, self.ndim_supp)
        log_det = latent_log_det(points, *flow_of(numbers, layout))
        log_det = log_det + Affine.of(*affine, ndim_supp=self.ndim_supp).log_det()
        return log_det.astype(value.dtype)


@final
class FrameTransform(Transform):
    """x = loc + scale frame(u): u is x in the whitened frame of the fit, at unit scale.

    Parameters
    ----------
    flows : sequence of ScoreFlow
        One, or those of a batch.
    batched : bool
        Whether they are those of a batch.
    """

    name = "frame"

    def __init__(self, flows: Sequence[ScoreFlow], *, batched: bool, ndim_supp: int = 1) -> None:
        self.ndim_supp = ndim_supp
        self.frame = frame_of(flows, batched=batched)

    def forward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return u."""
        affine = Affine.of(*inputs[-2:], ndim_supp=self.ndim_supp)
        u = self.frame.solve(affine.solve(as_points(value, self.ndim_supp)))
        return as_value(u, self.ndim_supp).astype(value.dtype)

    def backward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return x."""
        affine = Affine.of(*inputs[-2:], ndim_supp=self.ndim_supp)
        x = affine.apply(self.frame.apply(as_points(value, self.ndim_supp)))
        return as_value(x, self.ndim_supp).astype(value.dtype)

    def log_jac_det(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Return log |det dx/du|."""
        affine = Affine.of(*inputs[-2:], ndim_supp=self.ndim_supp)
        log_det = self.frame.log_det_at(as_points(value, self.ndim_supp)) + affine.log_det()
        return log_det.astype(value.dtype)


def as_points(value: TensorVariable, ndim_supp: int) -> TensorVariable:
    """Return values as points (..., D)."""
    return value if ndim_supp else value[..., None]


def as_value(points: TensorVariable, ndim_supp: int) -> TensorVariable:
    """Return points as values."""
    return points if ndim_supp else points[..., 0]
