"""A learned density as a PyMC distribution."""

from typing import Any

import pytensor.tensor as pt
from pymc.distributions.distribution import Continuous
from pymc.distributions.shape_utils import rv_size_is_none
from pymc.distributions.transforms import _default_transform
from pymc.logprob.transform_value import TransformedValue
from pytensor import config
from pytensor.graph.basic import Variable, equal_computations
from pytensor.tensor.variable import TensorVariable

from symscore.mixture import LOG_2PI
from symscore.pymc.affine import Affine, as_loc, as_scale_tril, require_affine
from symscore.pymc.checks import require_event, require_possible, shape_of
from symscore.pymc.ops import latent_log_det, log_density
from symscore.pymc.parameters import Flows, flow_of, members, vectors
from symscore.pymc.printing import described
from symscore.pymc.separation import warn_if_separated
from symscore.pymc.transforms import FlowTransform, FrameTransform, as_points
from symscore.pymc.variables import LearnedScoreRV, learned_score


class LearnedScore(Continuous):
    r"""The density of a fitted flow, as prior or likelihood of a PyMC model.

    .. math::

        x = \mathrm{loc} + \mathrm{scale\_tril}\; \mathrm{flow}(z), \qquad
        \log q(x) = \log N(z; 0, I) - \log \left| \det \frac{dx}{dz} \right|

    A free variable is sampled through z, in whose space this density is exactly N(0, I) and its
    modes are joined; the value variable is named ``<name>_flow__``. With ``latent=False`` it is x
    itself, in the whitened frame of the fit, which suits a likelihood far sharper than this
    prior. Chains then stay in the mode in which they start, and no diagnostic tells.

    Observed variables use the density as it stands. Where it cannot be evaluated, very far from
    all data, and outside the support of bounded columns, it counts as zero.

    Parameters
    ----------
    name : str
        Name of the variable.
    flow : ScoreFlow, or list of ScoreFlow
        The fitted flow of D columns: ``ScoreDensity().fit(draws).flow_``. A list of B flows is a
        batch of shape (B, D); they may differ in all but D and the number of coordinates.
    loc : float or (D,) tensor, optional
        Added to what the flow draws; may depend on other variables of the model.
    scale_tril : (D, D) tensor, optional
        Lower-triangular matrix by which that is multiplied before; zeros stand above its diagonal
        whatever is given there.
    latent : bool
        Whether a free variable is sampled through z (default) or, in the whitened frame of the
        fit, as x.
    observed : (..., D) array, optional
        Data; each row is one independent point. Masked entries are imputed by PyMC.
    **kwargs
        As for any PyMC distribution: ``dims``, ``shape``, ``size``, ``initval``, ... The last
        axis of ``dims`` or ``shape`` is the point's own, of length D.

    Raises
    ------
    BadData
        If ``dims``, ``shape`` or ``observed`` has a last axis of another length than D or does not
        fit the batch, if ``observed`` has NaN or a row outside the support, or if ``loc`` or
        ``scale_tril`` has a wrong shape.
    BadOption
        If `flow` is not a ScoreFlow, if those of a batch differ in dimension, or if a flow on a
        simplex is moved or scaled.
    NoDensity
        If it is a ladder with hard cells.

    Warns
    -----
    SeparatedModes
        If a free variable with ``latent=False`` has modes between which chains will not move.

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
        cls, name: str, flow: Flows, *, latent: bool = True, observed: Any = None, **kwargs: Any
    ) -> TensorVariable:
        """Add the variable to the model on the stack."""
        flows, batched = members(flow), isinstance(flow, list | tuple)
        if observed is not None:
            batch = len(flows) if batched else None
            require_event("observed data", shape_of(observed), flows[0], batch)
            if kwargs.get("loc") is None and kwargs.get("scale_tril") is None:
                require_possible(observed, flows, batched=batched)
        elif not latent:
            warn_if_separated(flows)
            kwargs.setdefault("default_transform", FrameTransform(flows, batched=batched))
        variable = super().__new__(cls, name, flow, observed=observed, **kwargs)
        return described(variable, cls.rv_op._print_name, flows, batched=batched)

    @classmethod
    def dist(
        cls, flow: Flows, *, loc: Any = None, scale_tril: Any = None, **kwargs: Any
    ) -> TensorVariable:
        """Return the random variable of `flow`, outside any model."""
        flows, batched = members(flow), isinstance(flow, list | tuple)
        if kwargs.get("shape") is not None:
            batch = len(flows) if batched else None
            require_event("shape or dims", kwargs["shape"], flows[0], batch)
        require_affine(flows[0], loc, scale_tril)
        dim = flows[0].dim
        affine = as_loc(loc, dim), as_scale_tril(scale_tril, dim)
        return super().dist([*vectors(flow), *affine], **kwargs)

    def support_point(
        rv: TensorVariable,  # noqa: N805 (PyMC calls these as plain functions)
        size: Variable,
        numbers: TensorVariable,
        layout: TensorVariable,
        anchor: TensorVariable,
        loc: TensorVariable,
        scale_tril: TensorVariable,
    ) -> TensorVariable:
        """Return the image of the anchor, repeated to the variable's shape."""
        point = Affine.of(loc, scale_tril).apply(anchor)
        if rv_size_is_none(size):
            return point
        return pt.broadcast_to(point, (*size, anchor.shape[-1]))

    def logp(
        value: TensorVariable,  # noqa: N805
        *parameters: TensorVariable,
    ) -> TensorVariable:
        """Return the log density of the value, (...)."""
        return log_probability(value, parameters, ndim_supp=1)


def log_probability(
    x: TensorVariable, parameters: tuple[TensorVariable, ...], *, ndim_supp: int
) -> TensorVariable:
    """Log density of x; if that is flow(z) of this flow, from z without inverting.

    The transform adds log |det dx/dz| to what is returned here: rewriting then cancels the two,
    and neither is ever computed.
    """
    numbers, layout, _, *affine_parameters = parameters
    flow = flow_of(numbers, layout)
    affine = Affine.of(*affine_parameters, ndim_supp=ndim_supp)
    z = _latent_point(x, parameters, FlowTransform(ndim_supp))
    if z is None:
        y = affine.solve(as_points(x, ndim_supp))
        return (log_density(y, *flow)[0] - affine.log_det()).astype(config.floatX)
    points = as_points(z, ndim_supp)
    log_normal = -0.5 * (pt.sqr(points).sum(axis=-1) + points.shape[-1] * LOG_2PI)
    log_det = latent_log_det(points, *flow) + affine.log_det()
    return log_normal.astype(config.floatX) - log_det.astype(config.floatX)


def _latent_point(
    x: TensorVariable, parameters: tuple[TensorVariable, ...], transform: FlowTransform
) -> TensorVariable | None:
    """Return z where PyMC passes x as the image of z under this very flow."""
    if x.owner is None or not isinstance(x.owner.op, TransformedValue):
        return None
    image, z = x.owner.inputs
    return z if equal_computations([image], [transform.backward(z, *parameters)]) else None


@_default_transform.register(LearnedScoreRV)
def _through_the_flow(op: LearnedScoreRV, rv: TensorVariable) -> FlowTransform:
    return FlowTransform()
