"""A learned density as a PyMC distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.distribution import Continuous
from pymc.distributions.shape_utils import maybe_resize, rv_size_is_none
from pymc.distributions.transforms import _default_transform
from pymc.logprob.abstract import _logprob
from pymc.logprob.transform_value import TransformedValue
from pytensor.compile import SharedVariable
from pytensor.graph.basic import Apply, Constant, Variable, equal_computations
from pytensor.scalar import Cast
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.variable import TensorVariable

from symscore.arrays import FloatArray, IntArray, for_each_block
from symscore.errors import BadData
from symscore.flow.flow import ROWS, ScoreFlow, require_flow
from symscore.flow.kernels import push_log_det_rows, push_rows
from symscore.mixture import LOG_2PI
from symscore.pymc.ops import FromLatent, latent_log_det, log_density
from symscore.pymc.transforms import FlowTransform, FrameTransform, flow_of

CANDIDATES = 64


class LearnedScoreRV(RandomVariable):
    """The random variable: x = flow(z), z ~ N(0, I).

    Its parameters are the flow's two vectors, ``numbers`` (k,) and ``layout`` (m,), and ``anchor``
    (d,), a point of high density, which also says what d is. Fitted numbers are no part of the Op,
    so that one compiled function serves every flow.
    """

    name = "learned_score"
    signature = "(k),(m),(d)->(d)"
    dtype = "floatX"
    _print_name = ("LearnedScore", r"\operatorname{LearnedScore}")

    def rng_fn(
        self,
        rng: np.random.Generator,
        numbers: FloatArray,
        layout: IntArray,
        anchor: FloatArray,
        size: tuple[int, ...] | None,
    ) -> FloatArray:
        """Draw an array of shape (*size, d)."""
        # With a size, PyTensor gives the parameters leading axes of length one.
        if numbers.size != numbers.shape[-1] or layout.size != layout.shape[-1]:
            raise NotImplementedError("Expected the numbers of one flow; got a stack of flows.")
        numbers, layout = numbers.reshape(-1), layout.reshape(-1)
        shape = (*(anchor.shape[:-1] if size is None else size), anchor.shape[-1])
        z = rng.standard_normal(shape)
        rows, x = z.reshape(-1, shape[-1]), np.empty(shape)
        images = x.reshape(rows.shape)
        for_each_block(
            lambda block: push_rows(numbers, layout, rows[block], images[block]), len(rows), ROWS
        )
        return x


learned_score = LearnedScoreRV()


class LearnedScore(Continuous):
    r"""The density of a fitted flow, as prior or likelihood of a PyMC model.

    .. math::

        \log q(x) = \log N(z; 0, I) - \log \left| \det \frac{dx}{dz} \right|,
        \qquad x = \mathrm{flow}(z)

    A free variable is sampled through z, in whose space this density is exactly N(0, I) and its
    modes are joined; the value variable is named ``<name>_flow__``. With ``latent=False`` it is x
    itself, in the whitened frame of the fit, which suits a likelihood far sharper than this
    prior. Chains then stay in the mode in which they start, and no diagnostic tells.

    Observed variables use the density as it stands. Where it cannot be evaluated, very far from
    all data, it counts as zero.

    Parameters
    ----------
    name : str
        Name of the variable.
    flow : ScoreFlow
        The fitted flow, of dimension d: ``ScoreDensity().fit(draws).flow_``.
    latent : bool
        Whether a free variable is sampled through z (default) or, in the whitened frame of the
        fit, as x.
    observed : (..., d) array, optional
        Data; each row is one independent point.
    **kwargs
        As for any PyMC distribution: ``dims``, ``shape``, ``size``, ``initval``, ... The last
        axis of ``dims`` or ``shape`` is the point's own, of length d.

    Raises
    ------
    BadData
        If ``dims``, ``shape`` or ``observed`` has a last axis of another length than d.
    BadOption
        If `flow` is not a ScoreFlow.
    NoDensity
        If it is a ladder with hard cells.

    Examples
    --------
    ::

        with pm.Model(coords={"param": flow.names}):
            x = LearnedScore("x", flow, dims="param")
            pm.Normal("y", x.sum(), 1.0, observed=0.7)
            idata = pm.sample()
    """

    rv_op = learned_score

    def __new__(
        cls, name: str, flow: ScoreFlow, *, latent: bool = True, observed: Any = None, **kwargs: Any
    ) -> TensorVariable:
        """Add the variable to the model on the stack."""
        require_flow(flow)
        if observed is not None:
            _require_event("observed data", _shape(observed), flow)
        elif not latent:
            kwargs.setdefault("default_transform", FrameTransform(flow.ladder.frame))
        return super().__new__(cls, name, flow, observed=observed, **kwargs)

    @classmethod
    def dist(cls, flow: ScoreFlow, **kwargs: Any) -> TensorVariable:
        """Return the random variable of `flow`, outside any model."""
        require_flow(flow)
        if kwargs.get("shape") is not None:
            _require_event("shape or dims", kwargs["shape"], flow)
        numbers, layout = flow.packed
        return super().dist([numbers, layout, anchor(flow)], **kwargs)

    def support_point(
        rv: TensorVariable,  # noqa: N805 (PyMC calls it as a plain function)
        size: Variable,
        numbers: TensorVariable,
        layout: TensorVariable,
        anchor: TensorVariable,
    ) -> TensorVariable:
        """Return the anchor, repeated to the variable's shape."""
        if rv_size_is_none(size):
            return anchor
        return pt.broadcast_to(anchor, (*size, anchor.shape[-1]))


def anchor(flow: ScoreFlow) -> FloatArray:
    """Return the point of highest density (d,) among the images of a few fixed latent points.

    The image of z = 0 may lie in the trough between two modes, and is only one of them.
    """
    z = np.random.default_rng(0).standard_normal((CANDIDATES, flow.dim))
    z[0] = 0.0
    log_det = np.empty(CANDIDATES)
    push_log_det_rows(*flow.packed, z, log_det)
    log_q = np.where(np.isnan(log_det), -np.inf, -0.5 * (z**2).sum(axis=1) - log_det)
    return flow.from_latent(z[[np.argmax(log_q)]])[0]


@_logprob.register(LearnedScoreRV)
def _log_probability(
    op: LearnedScoreRV,
    values: Sequence[TensorVariable],
    rng: Variable,
    size: Variable,
    *parameters: TensorVariable,
    **kwargs: Any,
) -> TensorVariable:
    """Log density of the value; if that is flow(z) of this flow, from z without inverting.

    The transform adds log |det dx/dz| to what is returned here: rewriting then cancels the two,
    and neither is ever computed.
    """
    (x,) = values
    flow = flow_of(*parameters[:2])
    z = _latent_point(x, flow)
    if z is None:
        return maybe_resize(log_density(x, *flow)[0].astype(op.dtype), size)
    log_normal = -0.5 * (pt.sqr(z).sum(axis=-1) + z.shape[-1] * LOG_2PI)
    return log_normal.astype(op.dtype) - latent_log_det(z, *flow).astype(op.dtype)


def _latent_point(x: TensorVariable, flow: tuple[Variable, Variable]) -> TensorVariable | None:
    """Return z where x is the image of z under `flow`."""
    node = x.owner
    if node is not None and isinstance(node.op, TransformedValue):
        node = node.inputs[0].owner
    if node is not None and _is_cast(node):
        node = node.inputs[0].owner
    if node is None or not isinstance(node.op, FromLatent):
        return None
    return node.inputs[0] if equal_computations(node.inputs[1:], list(flow)) else None


def _is_cast(node: Apply) -> bool:
    return isinstance(node.op, Elemwise) and isinstance(node.op.scalar_op, Cast)


@_default_transform.register(LearnedScoreRV)
def _through_the_flow(op: LearnedScoreRV, rv: TensorVariable) -> FlowTransform:
    return FlowTransform()


def _require_event(what: str, shape: Any, flow: ScoreFlow) -> None:
    """Raise BadData where the last entry of `shape` is known and is not the flow's dimension."""
    if isinstance(shape, Variable):
        return
    entries = tuple(np.atleast_1d(np.asarray(shape, dtype=object)))
    last = _known(entries[-1]) if entries else 0
    if last is not None and last != flow.dim:
        raise BadData(
            f"Expected {what} with a last axis of length {flow.dim}, one entry for each of "
            f"{', '.join(flow.names)}; got {f'length {last}' if entries else 'a scalar'}."
        )


def _shape(values: Any) -> tuple[int | None, ...]:
    if isinstance(values, SharedVariable):
        return values.get_value(borrow=True).shape
    return values.type.shape if isinstance(values, Variable) else np.shape(values)


def _known(length: Any) -> int | None:
    """Return a length that is a number, a constant or a shared number; None for any other."""
    if isinstance(length, SharedVariable):
        return int(length.get_value(borrow=True))
    if isinstance(length, Constant):
        return int(length.data)
    return None if length is None or isinstance(length, Variable) else int(length)
