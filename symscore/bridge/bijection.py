"""Proofs that the steps of a fitted flow are bijections."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import final

import numpy as np

from symscore.bridge.learned import rational, to_exact_field
from symscore.errors import BadOption
from symscore.exact.bijections.bijection import bounds_of, certificate_of
from symscore.exact.bijections.step_bounds import FlowStep, StepBounds
from symscore.exact.certificate import Certificate
from symscore.flow.flow import ScoreFlow

METHOD = "closed-form slopes in balls"

# Called with (stage, done, total).
Progress = Callable[[str, int, int], None]


@final
@dataclass(frozen=True, slots=True)
class BijectionReport:
    """That every step of a flow is a bijection, and by what margin.

    Attributes
    ----------
    steps : tuple of StepBounds
        One a step, from noise to data.
    certificate : Certificate
        The record that another method can check.
    rounding : float
        The largest difference seen between a kernel's denoiser and the exact one that the proof is
        about, in whitened units: measured at points in and around every cell.
    """

    steps: tuple[StepBounds, ...]
    certificate: Certificate
    rounding: float

    @property
    def stretch(self) -> Fraction:
        """A factor by which every step stretches every distance at least; positive."""
        return min(bounds.first * bounds.second for bounds in self.steps)

    def __str__(self) -> str:
        helped = sum(bounds.helped for bounds in self.steps)
        return (
            f"All {len(self.steps)} steps are bijections of all of space "
            f"(sym G' >= {float(min(b.first for b in self.steps)):.3g}, "
            f"sym K' >= {float(min(b.second for b in self.steps)):.3g}; "
            f"{helped} needed both stages at once)."
        )


def certify_bijection(
    flow: ScoreFlow, progress: Progress = lambda stage, done, total: None
) -> BijectionReport:
    r"""Prove that every step of a fitted flow is a bijection of all of space.

    .. math:: \Phi(y) = y + h \bigl( (1 - w) D_0(y) + w D_1(y + a h D_0(y)) \bigr)

    is a diffeomorphism of R^d if :math:`a h c_0 < 1` and :math:`w h c_1 < (1 - w)/a` with
    :math:`\operatorname{sym} D_i' \ge -c_i I` everywhere (the method page has the proof). The
    bounds c come from ball arithmetic over boxes and a formula beyond them, so unlike the check
    at the end of a fit they leave no gap between points.

    It is about the unconstrained core of the flow, in real arithmetic, with all its float64
    numbers as rationals (:mod:`symscore.bridge.learned` says which). On the line it takes
    seconds; in the plane with up to four cells a level, about a minute; blends of many cells take
    longer.

    Parameters
    ----------
    flow : ScoreFlow
        In one or two dimensions.
    progress : callable
        Called with (stage, done, total).

    Returns
    -------
    BijectionReport

    Raises
    ------
    BadOption
        If `flow` is no ScoreFlow.
    UnsupportedInstance
        In more than two dimensions.
    NotCertified
        If a step cannot be proved a bijection. The conditions are sufficient: such a step need
        not fold.
    ResourceLimit
        If the flow has too many coefficients for a certificate.

    Examples
    --------
    >>> from symscore import ScoreDensity
    >>> from symscore.recipes import Auto
    >>> draws = np.random.default_rng(0).normal(size=(200, 1))
    >>> density = ScoreDensity(Auto(em=(1,), kmeans=()), random_state=0).fit(draws)
    >>> report = certify_bijection(density.flow_)
    >>> report.certificate.upper  # steps that are none
    Fraction(0, 1)
    """
    if not isinstance(flow, ScoreFlow):
        raise BadOption(
            f"Expected a ScoreFlow; got {type(flow).__name__}. A fitted estimator holds its flow "
            "as `flow_`."
        )
    schedule = flow.ladder.schedule
    exact = [to_exact_field(field) for field in flow.ladder.fields]
    steps = tuple(
        FlowStep(
            exact[2 * i].field,
            exact[2 * i + 1].field,
            rational(schedule.rule.a),
            rational(schedule.rule.w),
            rational(length),
        )
        for i, length in enumerate(np.diff(schedule.kappas).tolist())
    )
    bounds = bounds_of(steps, METHOD, lambda done, total: progress("steps", done, total))
    rounding = max(field.rounding for field in exact)
    return BijectionReport(bounds, certificate_of(steps, METHOD), rounding)
