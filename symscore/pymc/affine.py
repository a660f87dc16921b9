"""A change of place and scale, x = loc + scale_tril y, of a learned density."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.variable import TensorVariable

from symscore.errors import BadData, BadOption
from symscore.pymc.parameters import without_axes


@final
@dataclass(frozen=True)
class Affine:
    """x = loc + scale_tril y on points (..., D); None in place of zero and the identity."""

    loc: Variable | None
    scale_tril: Variable | None

    @classmethod
    def of(cls, loc: TensorVariable, scale: TensorVariable, *, ndim_supp: int = 1) -> "Affine":
        """Return the map of a random variable's last two parameters."""
        loc, scale = without_axes(loc, ndim_supp), without_axes(scale, 2 * ndim_supp)
        is_moved = not (isinstance(loc, Constant) and not loc.data.any())
        is_scaled = not (isinstance(scale, Constant) and _is_one(scale.data, ndim_supp))
        if ndim_supp == 0:
            loc, scale = loc[..., None], scale[..., None, None]
        return cls(loc if is_moved else None, scale if is_scaled else None)

    def apply(self, y: TensorVariable) -> TensorVariable:
        """Return x."""
        if self.scale_tril is not None:
            # A product and a sum, since PyTensor 3 spends half a minute on compiling its first dot.
            y = (self.scale_tril * y[..., None, :]).sum(axis=-1)
        return y if self.loc is None else self.loc + y

    def solve(self, x: TensorVariable) -> TensorVariable:
        """Return y, by forward substitution."""
        y = x if self.loc is None else x - self.loc
        if self.scale_tril is None:
            return y
        found: list[TensorVariable] = []
        for j in range(self.scale_tril.type.shape[-1]):
            rest = y[..., j]
            for k in range(j):
                rest = rest - self.scale_tril[..., j, k] * found[k]
            found.append(rest / self.scale_tril[..., j, j])
        return pt.stack(found, axis=-1)

    def log_det(self) -> TensorVariable | float:
        """Return log |det scale_tril|."""
        if self.scale_tril is None:
            return 0.0
        diagonal = pt.diagonal(self.scale_tril, axis1=-2, axis2=-1)
        return pt.log(pt.abs(diagonal)).sum(axis=-1)

    def log_det_at(self, y: TensorVariable) -> TensorVariable:
        """Return log |det scale_tril| at every point."""
        return pt.zeros_like(y[..., 0]) + self.log_det()


def as_loc(loc: Any, dim: int) -> TensorVariable:
    """Return a location as (..., D), zero for None.

    Raises
    ------
    BadData
        If its last axis is known to have another length.
    """
    if loc is None:
        return pt.constant(np.zeros(dim))
    loc = _as_tensor(loc)
    if loc.type.ndim == 0:
        return pt.broadcast_to(loc, (dim,))
    if loc.type.shape[-1] not in (None, dim):
        raise BadData(f"Expected loc of length {dim}, or one number; got {loc.type.shape[-1]}.")
    return pt.specify_shape(loc, (*loc.type.shape[:-1], dim))


def as_number(value: Any, default: float) -> TensorVariable:
    """Return a place or scale of numbers, (...)."""
    return _as_tensor(default if value is None else value)


def as_scale_tril(scale_tril: Any, dim: int) -> TensorVariable:
    """Return a scale as (..., D, D) with zeros above the diagonal, the identity for None.

    Raises
    ------
    BadData
        If it is known not to be lower triangular of that shape, with a positive diagonal.
    """
    if scale_tril is None:
        return pt.constant(np.eye(dim))
    scale = _as_tensor(scale_tril)
    if scale.type.ndim < 2 or any(n not in (None, dim) for n in scale.type.shape[-2:]):
        raise BadData(f"Expected scale_tril of shape ({dim}, {dim}); got {scale.type.shape}.")
    if isinstance(scale, Constant):
        diagonal = np.diagonal(scale.data, axis1=-2, axis2=-1)
        if not (np.array_equal(scale.data, np.tril(scale.data)) and (diagonal > 0).all()):
            raise BadData("Expected a lower-triangular scale_tril with positive diagonal.")
    else:
        scale = pt.where(np.tri(dim, dtype=bool), scale, 0.0)
    return pt.specify_shape(scale, (*scale.type.shape[:-2], dim, dim))


def require_affine(flow: Any, *parts: Any) -> None:
    """Raise BadOption if a flow on a simplex is to be moved or scaled."""
    if any(part is not None for part in parts) and flow.dim != flow.latent_dim:
        raise BadOption(
            "Expected neither loc nor scale_tril for a flow whose columns sum to one: moved off "
            "their simplex, they have no density."
        )


def _as_tensor(values: Any) -> TensorVariable:
    # PyTensor stores a plain 2.0 in single precision, and then takes its logarithm in that.
    return values if isinstance(values, Variable) else pt.as_tensor(np.asarray(values, float))


def _is_one(data: np.ndarray, ndim_supp: int) -> bool:
    return bool((data == (np.eye(data.shape[-1]) if ndim_supp else 1.0)).all())
