"""Yesterday's posterior as today's prior."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pymc as pm
from pytensor.tensor.variable import TensorVariable

from symscore.errors import BadData, BadOption, NoModel
from symscore.estimator import ScoreDensity
from symscore.flow.flow import ScoreFlow, require_flow
from symscore.io.draws import Draws, from_arviz
from symscore.io.mixing import mixing_of
from symscore.learn.select import Progress
from symscore.progress import progress_bar
from symscore.pymc.determined import require_undetermined
from symscore.pymc.distribution import LearnedScore
from symscore.pymc.generating import Support, declared_by, support_of
from symscore.pymc.parts import (
    Part,
    VarNames,
    dims_in,
    names_of,
    parts_of_columns,
    parts_of_posterior,
    renamed,
)

Dims = Mapping[str, str | Sequence[str | None] | None]
FEWEST = 5  # effective draws a column, below which not even one Gaussian can be told
OPTIONS = sorted({*ScoreDensity().get_params()} - {"bounds", "transforms"})


def posterior_as_prior(
    idata: Any,
    name: str = "posterior",
    *,
    var_names: VarNames | None = None,
    transforms: Mapping[str, Any] | None = None,
    dims: Dims | None = None,
    generating_model: pm.Model | None = None,
    chain_weights: Sequence[float] | None = None,
    latent: bool = True,
    progressbar: bool = True,
    **options: Any,
) -> dict[str, TensorVariable]:
    r"""Learn the joint posterior of some variables, and add it to the model as their prior.

    One random vector `name` with the learned density

    .. math:: \log q(x) = \log N(z; 0, I) - \log \left| \det \frac{dx}{dz} \right|

    is added, and each variable as a deterministic of it: modes, correlations and bounds are kept.

    Parameters
    ----------
    idata : InferenceData, DataTree, Dataset or ScoreFlow
        Draws with a group ``posterior``; or a density learned from such draws before, by
        ``ScoreDensity.from_idata(idata, ...).flow_``, which takes no time here.
    name : str
        Of the random vector.
    var_names : str, sequence of str, or mapping of old name to new name, optional
        The variables to take; by default all of the posterior, or the free variables of
        `generating_model`. Leave out variables that others determine. Of a ScoreFlow the whole
        vector is added whatever is taken.
    transforms : mapping of variable to support, optional
        ``"positive"``, ``"simplex"``, ``"ordered"`` (both along the last axis), ``"circular"``,
        bounds ``(lower, upper)`` with None for an open end, or a transform of
        ``pymc.distributions.transforms``; by the variable's old name. The density has exactly
        this support.
    dims : mapping of variable to dims, optional
        By the variable's old name; by default those of the posterior. Coordinates that the model
        lacks are taken from there.
    generating_model : pymc.Model, optional
        The model that was sampled: its transforms say what `transforms` leaves open.
    chain_weights : sequence of float, optional
        One for each chain, as from stacking chains that stay in different modes.
    latent : bool
        As of :class:`LearnedScore`.
    progressbar : bool
        Whether to show the progress of the fit on a terminal.
    **options
        Of :class:`symscore.ScoreDensity`: ``recipe``, ``random_state``, ``verbose``.

    Returns
    -------
    dict of str to TensorVariable
        Each variable by its new name, in the shape it had.

    Raises
    ------
    BadData
        Without draws or variables of these names, with discrete variables or such that others
        determine, too few effective draws, draws outside the support, or coordinates of other
        lengths or labels than the model's.
    BadOption
        On unknown options or transforms, on some for variables not taken, on names that the model
        has already; for a ScoreFlow, on options that only draws can use.
    NoDensity
        After a recipe with hard cells.
    NoModel
        Outside a model.

    Warns
    -----
    FewEffectiveDraws, ChainsDisagree
        Before anything is learned, if the draws are worth little or the chains differ.

    Notes
    -----
    ``pymc_extras.prior_from_idata(idata, name, *, var_names, ...)`` does the same with one Gaussian
    in place of the learned density. What it takes as keywords named after variables is here::

        e="new_e"                    var_names={"e": "new_e", ...}
        b=("test",)                  dims={"b": "test"}
        c=transforms.log             transforms={"c": transforms.log}, or "positive"

    Examples
    --------
    ::

        with pm.Model() as today:
            prior = posterior_as_prior(yesterday, var_names=["slope", "sd"],
                                       transforms={"sd": "positive"})
            pm.Normal("y", prior["slope"] * x, prior["sd"], observed=y)
            idata = pm.sample()
    """
    model = _open_model()
    only_draws = dict(
        options,
        transforms=transforms,
        generating_model=generating_model,
        chain_weights=chain_weights,
    )
    flow = _given(idata, only_draws)
    parts = (
        parts_of_posterior(idata, _wanted(var_names, generating_model))
        if flow is None
        else parts_of_columns(flow.names)
    )
    taken = renamed(parts, var_names)
    _require_new(model, name, [new for _, new in taken])
    of_taken = _checked("dims", dims, [part for part, _ in taken])
    found = {new: dims_in(model, part, of_taken.get(part.name, ...)) for part, new in taken}
    if flow is None:
        support = _support(parts, _checked("transforms", transforms, parts), generating_model)
        _require_fit_for_learning(idata, parts, support, chain_weights)
        names = [part.name for part in parts]
        options |= {"bounds": support.bounds, "transforms": support.transforms}
        with progress_bar(quiet=not progressbar) as progress:
            flow = _learned(idata, names, chain_weights, progress, options)
    column = f"{model.name_for(name)}_column"
    model.add_coord(column, flow.names)
    joint = LearnedScore(name, flow, dims=column, latent=latent)
    return {
        new: pm.Deterministic(new, _elements(joint, part, flow), dims=found[new])
        for part, new in taken
    }


def _learned(
    idata: Any,
    names: Sequence[str],
    chain_weights: Sequence[float] | None,
    progress: Progress,
    options: Mapping[str, Any],
) -> ScoreFlow:
    density = ScoreDensity.from_idata(
        idata, names, chain_weights=chain_weights, progress=progress, **options
    )
    require_flow(getattr(density, "flow_", density.ladder_))
    return density.flow_


def _open_model() -> pm.Model:
    model = pm.Model.get_context(error_if_none=False)
    if model is None:
        raise NoModel(
            "Expected an open PyMC model to add the prior to; got none. Call posterior_as_prior "
            "in a block `with pm.Model():`."
        )
    return model


def _given(idata: Any, only_draws: Mapping[str, Any]) -> ScoreFlow | None:
    """Return the flow if that was given in place of draws; refuse options that do nothing."""
    if isinstance(idata, ScoreFlow):
        unused = [key for key, value in only_draws.items() if value is not None]
        if unused:
            raise BadOption(
                f"Expected draws to use {', '.join(unused)} on; got a density that is learned "
                "already. Give these options to ScoreDensity.from_idata."
            )
        return idata
    own = {"transforms", "generating_model", "chain_weights"}
    unknown = [key for key in only_draws if key not in (*own, *OPTIONS)]
    if unknown:
        raise BadOption(
            f"Expected options among {', '.join(OPTIONS)}; got {', '.join(map(repr, unknown))}. "
            "Variables are configured by var_names={old: new}, transforms={old: ...} and "
            "dims={old: ...}."
        )
    return None


def _wanted(var_names: VarNames | None, generating_model: pm.Model | None) -> list[str] | None:
    """Return the names to take from the posterior; None for all."""
    if var_names is not None:
        return list(names_of(var_names))
    if generating_model is not None:
        return [variable.name for variable in generating_model.free_RVs]
    return None


def _require_new(model: pm.Model, name: str, others: Sequence[str]) -> None:
    names = [name, *others]
    twice = [one for one in dict.fromkeys(names) if names.count(one) > 1]
    there = [one for one in names if model.name_for(one) in model.named_vars]
    if twice or there:
        raise BadOption(
            f"Expected new names, each once; {(twice or there)[0]!r} is taken. Give name= for the "
            "random vector, var_names={old: new} for a variable."
        )


def _checked(what: str, given: Mapping[str, Any] | None, parts: Sequence[Part]) -> dict[str, Any]:
    """Return what is given of variables by name, if these are variables that are taken."""
    names = [part.name for part in parts]
    unknown = [key for key in given or {} if key not in names]
    if unknown:
        raise BadOption(
            f"Expected {what} of {', '.join(names)}; got one of {', '.join(map(repr, unknown))}."
        )
    return dict(given or {})


def _support(
    parts: Sequence[Part], transforms: Mapping[str, Any], generating_model: pm.Model | None
) -> Support:
    """Return the support of all columns."""
    bounds: dict[str, tuple[float, float]] = {}
    by_columns: dict[str | tuple[str, ...], str] = {}
    for part in parts:
        if part.name in transforms:
            declared = transforms[part.name]
        elif generating_model is not None:
            declared = declared_by(generating_model, part.name)
        else:
            declared = None
        support = support_of(part.name, part.columns, part.shape, declared)
        bounds |= support.bounds
        by_columns |= support.transforms
    return Support(bounds, by_columns)


def _require_fit_for_learning(
    idata: Any, parts: Sequence[Part], support: Support, chain_weights: Sequence[float] | None
) -> None:
    """Raise BadData if no density of these draws is to be learned, in words of variables."""
    draws = from_arviz(idata, [part.name for part in parts])
    if chain_weights is not None:
        draws = draws.weighted(chain_weights)
    _require_enough(draws, weighted=chain_weights is not None)
    require_undetermined(draws, support.transforms)


def _require_enough(draws: Draws, *, weighted: bool) -> None:
    found = mixing_of(draws)
    needed = FEWEST * (len(found.names) + 1)
    if found.smallest < needed:
        worst = found.names[int(np.nanargmin(found.effective))]
        remedy = "" if weighted else "; or, if they stay in different modes, give chain_weights"
        raise BadData(
            f"Expected draws worth at least {needed} independent ones for {len(found.names)} "
            f"columns; those of {worst!r} are worth {found.smallest:.0f}. Run longer chains"
            f"{remedy}."
        )


def _elements(joint: TensorVariable, part: Part, flow: ScoreFlow) -> TensorVariable:
    """Return the elements of a variable, in its shape, from the joint vector."""
    first = flow.names.index(part.columns[0])
    if part.shape == ():
        return joint[first]
    return joint[first : first + len(part.columns)].reshape(part.shape)
