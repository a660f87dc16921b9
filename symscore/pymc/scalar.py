"""A learned density of one column as a univariate PyMC distribution."""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.distribution import Continuous
from pymc.distributions.shape_utils import rv_size_is_none
from pymc.distributions.transforms import _default_transform
from pytensor import config
from pytensor.graph.basic import Variable
from pytensor.tensor.variable import TensorVariable

from symscore.errors import BadOption
from symscore.flow.flow import ScoreFlow
from symscore.learn.packed import BLOCKS
from symscore.pymc.affine import Affine, as_number
from symscore.pymc.checks import require_batch, require_possible, shape_of
from symscore.pymc.distribution import log_probability
from symscore.pymc.ops import from_latent, to_latent
from symscore.pymc.parameters import Flows, flow_of, members, vectors
from symscore.pymc.printing import described
from symscore.pymc.separation import warn_if_separated
from symscore.pymc.transforms import FlowTransform, FrameTransform
from symscore.pymc.variables import LearnedScalarRV, learned_scalar

# Standard deviations at which a flow of bounded support has come to the next float to its bound.
FAR = 1e4


class LearnedScalar(Continuous):
    r"""The density of a flow of one column, as a distribution of single numbers.

    .. math::

        x = \mathrm{loc} + \mathrm{scale}\; \mathrm{flow}(z), \qquad
        F(x) = \Phi(z), \qquad F^{-1}(p) = \mathrm{loc} + \mathrm{scale}\;
        \mathrm{flow}(\Phi^{-1}(p))

    since a flow of one column is increasing. Distribution function and quantiles are exact, so
    that ``pm.Truncated``, ``pm.Censored`` and ``pm.Mixture`` take it; otherwise it is to
    :class:`LearnedScore` what ``pm.Normal`` is to ``pm.MvNormal``.

    Parameters
    ----------
    name : str
        Name of the variable.
    flow : ScoreFlow, or list of ScoreFlow
        A flow of one column, not circular. A list of B flows is a batch of shape (B,).
    loc, scale : float or tensor
        Of any shapes that fit the variable's; `scale` is positive. Both may depend on other
        variables.
    latent : bool
        As for :class:`LearnedScore`.
    observed : array, optional
        Data; each entry is one independent number.
    **kwargs
        As for any PyMC distribution.

    Raises
    ------
    BadOption
        If `flow` is not a ScoreFlow of one column, or that is circular.
    BadData
        If ``shape``, ``dims`` or ``observed`` does not fit the batch, or if ``observed`` has NaN
        or a value outside the support.
    NoDensity
        If it is a ladder with hard cells.

    Warns
    -----
    SeparatedModes
        As :class:`LearnedScore`.

    Examples
    --------
    ::

        with pm.Model():
            x = pm.Truncated("x", LearnedScalar.dist(flow), lower=0.0)
            LearnedScalar("y", flow, loc=x, observed=[0.7, 1.9])
    """

    rv_op = learned_scalar

    def __new__(
        cls, name: str, flow: Flows, *, latent: bool = True, observed: Any = None, **kwargs: Any
    ) -> TensorVariable:
        """Add the variable to the model on the stack."""
        flows, batched = members(flow), isinstance(flow, list | tuple)
        if observed is not None:
            if batched:
                require_batch("observed data", shape_of(observed), len(flows))
            if kwargs.get("loc") is None and kwargs.get("scale") is None:
                require_possible(as_column(observed), flows, batched=batched)
        elif not latent:
            warn_if_separated(flows)
            frame = FrameTransform(flows, batched=batched, ndim_supp=0)
            kwargs.setdefault("default_transform", frame)
        variable = super().__new__(cls, name, flow, observed=observed, **kwargs)
        return described(variable, cls.rv_op._print_name, flows, batched=batched)

    @classmethod
    def dist(
        cls, flow: Flows, *, loc: Any = None, scale: Any = None, **kwargs: Any
    ) -> TensorVariable:
        """Return the random variable of `flow`, outside any model."""
        flows = members(flow)
        for one in flows:
            _require_one_column(one)
        if isinstance(flow, list | tuple) and kwargs.get("shape") is not None:
            require_batch("shape or dims", kwargs["shape"], len(flows))
        numbers, layout, anchor = vectors(flow)
        affine = as_number(loc, 0.0), as_number(scale, 1.0)
        return super().dist([numbers, layout, anchor[..., 0], *affine], **kwargs)

    def support_point(
        rv: TensorVariable,  # noqa: N805 (PyMC calls these as plain functions)
        size: Variable,
        numbers: TensorVariable,
        layout: TensorVariable,
        anchor: TensorVariable,
        loc: TensorVariable,
        scale: TensorVariable,
    ) -> TensorVariable:
        """Return the image of the anchor, repeated to the variable's shape."""
        point = loc + scale * anchor
        return point if rv_size_is_none(size) else pt.broadcast_to(point, size)

    def logp(
        value: TensorVariable,  # noqa: N805
        *parameters: TensorVariable,
    ) -> TensorVariable:
        """Return the log density of the value."""
        return log_probability(value, parameters, ndim_supp=0)

    def logcdf(
        value: TensorVariable,  # noqa: N805
        *parameters: TensorVariable,
    ) -> TensorVariable:
        """Return log Phi(z)."""
        z, above = _standard_score(value, parameters)
        beyond = pt.switch(above, 0.0, -np.inf)
        return pt.switch(pt.isnan(z), beyond, _log_normal_cdf(z)).astype(config.floatX)

    def logccdf(
        value: TensorVariable,  # noqa: N805
        *parameters: TensorVariable,
    ) -> TensorVariable:
        """Return log Phi(-z)."""
        z, above = _standard_score(value, parameters)
        beyond = pt.switch(above, -np.inf, 0.0)
        return pt.switch(pt.isnan(z), beyond, _log_normal_cdf(-z)).astype(config.floatX)

    def icdf(
        value: TensorVariable,  # noqa: N805
        numbers: TensorVariable,
        layout: TensorVariable,
        anchor: TensorVariable,
        loc: TensorVariable,
        scale: TensorVariable,
    ) -> TensorVariable:
        """Return the quantile; NaN outside [0, 1]."""
        numbers, layout = flow_of(numbers, layout)
        inside = pt.and_(value > 0.0, value < 1.0)
        z = -np.sqrt(2.0) * pt.erfcinv(2.0 * pt.switch(inside, value, 0.5))
        end = pt.switch(value > 0.5, 1.0, -1.0)
        z = pt.switch(inside, z, FAR * end)
        y = from_latent(z[..., None], numbers, layout)
        unbounded = pt.and_(pt.invert(inside), pt.eq(layout[..., BLOCKS], 0))
        y = pt.switch(unbounded[..., None], np.inf * end[..., None], y)
        x = Affine.of(loc, scale, ndim_supp=0).apply(y)[..., 0]
        possible = pt.and_(value >= 0.0, value <= 1.0)
        return pt.switch(possible, x, np.nan).astype(config.floatX)


def _standard_score(
    value: TensorVariable, parameters: tuple[TensorVariable, ...]
) -> tuple[TensorVariable, TensorVariable]:
    """Return z, NaN where there is none, and whether the value lies above the anchor."""
    numbers, layout, anchor, *affine = parameters
    y = Affine.of(*affine, ndim_supp=0).solve(value[..., None])
    return to_latent(y, *flow_of(numbers, layout))[..., 0], y[..., 0] > anchor


def _log_normal_cdf(z: TensorVariable) -> TensorVariable:
    # Each form only sees arguments at which it is finite: a gradient passes through both.
    left, right = pt.minimum(z, -1.0), pt.maximum(z, -1.0)
    far = pt.log(0.5 * pt.erfcx(-left / np.sqrt(2.0))) - 0.5 * pt.sqr(left)
    return pt.switch(z < -1.0, far, pt.log1p(-0.5 * pt.erfc(right / np.sqrt(2.0))))


def as_column(observed: Any) -> Any:
    """Return data (...) as points (..., 1)."""
    return observed if isinstance(observed, Variable) else np.ma.asarray(observed)[..., None]


def _require_one_column(flow: ScoreFlow) -> None:
    if flow.dim != 1:
        raise BadOption(
            f"Expected a flow of one column; got one of {', '.join(flow.names)}: use LearnedScore."
        )
    if flow.chart.blocks[0].kind == "circle":
        raise BadOption(
            f"Expected a column on a line; {flow.names[0]!r} lies on a circle: use LearnedScore."
        )


@_default_transform.register(LearnedScalarRV)
def _through_the_flow(op: LearnedScalarRV, rv: TensorVariable) -> FlowTransform:
    return FlowTransform(ndim_supp=0)
