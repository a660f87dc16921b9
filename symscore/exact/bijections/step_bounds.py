r"""When a step of a learned flow is a bijection of all of space: rigorous sufficient conditions.

A step of length h with coefficients a and w is :math:`\Phi = K \circ G` with

.. math:: G(y) = y + a h D_0(y), \qquad K(\eta) = (1 - b) G^{-1}(\eta) + b \eta + w h D_1(\eta),
    \qquad b = \frac{1 - w}{a} .

**Theorem** (the method page proves it). *Let* :math:`0 \le b \le 1` *and* :math:`\operatorname{sym}
D_i' \ge -c_i I` *everywhere. If* :math:`a h c_0 \le 1 - m` *and* :math:`w h c_1 \le b - m` *for one
m > 0, the step is a diffeomorphism of R^d onto itself with positive determinant.*

**Where the second condition fails on a bounded set S** of stage points only, it may be replaced
there. By the first, :math:`|G(y) - G(y')| \ge m_0 |y - y'|` with :math:`m_0 = 1 - a h c_0`, so
every y with G(y) in S lies within :math:`\max_{\eta \in S} |\eta - G(y_0)| / m_0` of any y_0. If
:math:`\operatorname{sym}\,(G'(y)^{-1}) \ge \gamma I` for all these, then on S

.. math:: \operatorname{sym} K' \ge \bigl((1 - b) \gamma + b - w h c_1\bigr) I ,

and off S the first bound of c_1 holds: again one m > 0 serves everywhere, which is the pointwise
form of the theorem.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import final

from flint import arb, fmpq

from symscore.errors import NotCertified, UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, as_fmpq, as_fraction, ball_of, precision
from symscore.exact.bijections.completed_squares import crude_bound, rectangle_beyond
from symscore.exact.bijections.field_values import denoised
from symscore.exact.bijections.learned_field import LearnedField
from symscore.exact.bijections.slope_forms import SlopeForm
from symscore.exact.bijections.slope_search import (
    Found,
    Rectangle,
    Watch,
    defect_of,
    resistance_of,
    search,
)

BITS = 64
MARGIN = fmpq(1, 20)  # of 1 and of b, that both conditions must leave
INVERSIONS = 20  # halving the distance each time where the first stage is gentle
SHARES = (fmpq(1, 20), fmpq(1, 5), fmpq(1, 2))  # of 1, for a sharper first stage
# Multiples of the plain bound on c_1 that are tried with the help of the first stage.
FACTORS = (fmpq(3, 2), fmpq(9, 4), fmpq(7, 2))

Form = Callable[[LearnedField], SlopeForm]


@final
@dataclass(frozen=True, slots=True)
class FlowStep:
    """Two learned denoisers and the step that they make.

    Parameters
    ----------
    first, second : LearnedField
        D_0 and D_1.
    a, w, h : fmpq
        Coefficients and length.

    Raises
    ------
    UnsupportedInstance
        Where the theorem does not speak of such coefficients.
    """

    first: LearnedField
    second: LearnedField
    a: fmpq
    w: fmpq
    h: fmpq

    def __post_init__(self) -> None:
        if not (self.a > 0 and self.h > 0 and self.w >= 0 and 0 <= self.b <= 1):
            raise UnsupportedInstance(
                "Expected a, h > 0, w >= 0 and (1 - w)/a between 0 and 1; got "
                f"a = {self.a}, w = {self.w}, h = {self.h}."
            )
        if self.first.dim != self.second.dim:
            raise UnsupportedInstance("Expected two fields of one dimension.")

    @property
    def b(self) -> fmpq:
        """Share of the identity that the second stage keeps."""
        return (1 - self.w) / self.a


@final
@dataclass(frozen=True, slots=True)
class StepBounds:
    r"""What makes a step a bijection, all rational and proved.

    Attributes
    ----------
    c0, c1 : Fraction
        ``sym D_0' >= -c0 I`` and ``sym D_1' >= -c1 I`` in all of space; never below 0.
    first, second : Fraction
        Positive m_G and m_K with ``sym G' >= m_G I`` and ``sym K' >= m_K I`` in all of space, so
        that the step stretches every distance by at least ``m_G m_K``.
    helped : bool
        Whether the second needed a bound on the first stage where c1 alone is too large.
    """

    c0: Fraction
    c1: Fraction
    first: Fraction
    second: Fraction
    helped: bool


def unwatched(boxes: int) -> None:
    """Show nothing."""


def step_bounds(step: FlowStep, form: Form, watch: Watch = unwatched) -> StepBounds:
    """Prove that a step is a diffeomorphism of R^d onto itself.

    Parameters
    ----------
    step : FlowStep
        In one or two dimensions.
    form : callable
        Makes the formula by which slopes are bounded over boxes.
    watch : callable

    Raises
    ------
    UnsupportedInstance
        In more than two dimensions.
    NotCertified
        Where the conditions do not hold, or cannot be decided with the boxes allowed. That does
        not mean that the step folds: they are sufficient.
    """
    if step.first.dim > 2:
        raise UnsupportedInstance(
            f"Expected a flow in one or two dimensions; got {step.first.dim}: its slopes would "
            "need too many boxes."
        )
    with precision(BITS):
        allowed = (1 - MARGIN) / (step.a * step.h)
        c0, found = _bounded(step.first, form, allowed, allowed, watch)
        if found is not None and found.worst is not None:
            raise _too_steep("first", found, allowed)
        first = 1 - step.a * step.h * c0
        _require_positive(first)
        c1, second, helped = _second(step, form, first, watch)
        _require_positive(second)
    return StepBounds(
        as_fraction(c0), as_fraction(c1), as_fraction(first), as_fraction(second), helped
    )


def _require_positive(margin: fmpq) -> None:
    """Refuse what fields without deviations may still do: gates narrower than noise allows."""
    if not margin > 0:
        raise NotCertified(
            "Expected a crude part that is a mixture's denoiser; its slope is as low as "
            f"{float(ball_of(margin)):.3g} after a stage."
        )


def _second(step: FlowStep, form: Form, first: fmpq, watch: Watch) -> tuple[fmpq, fmpq, bool]:
    """Return c1, m_K and whether the first stage had to help."""
    b, reach = step.b, step.w * step.h
    if reach == 0 or b == 0:
        raise UnsupportedInstance("Expected w > 0 and b > 0, as the package's own steps have.")
    plain = b * (1 - MARGIN) / reach
    c1, found = _bounded(step.second, form, plain, plain, watch)
    if found is None or found.worst is None:
        return c1, b - reach * c1, False
    if b < 1:
        first = _sharper(step, form, first, watch)
        for factor in FACTORS:
            c1, wider = _bounded(step.second, form, factor * plain, plain, watch)
            needed = (reach * c1 - b * (1 - MARGIN)) / (1 - b)
            if wider is None or wider.worst is not None or needed >= 1:
                continue
            look = resistance_of(form(step.first), ball_of(step.a * step.h))
            area = _preimage(step, _suspects(wider, plain), first)
            if search(look, area, ball_of(-needed), watch).worst is None:
                return c1, b * MARGIN, True
    raise _too_steep("second", found, plain)


def _sharper(step: FlowStep, form: Form, first: fmpq, watch: Watch) -> fmpq:
    """Return a larger m_G where one can be had: it says how far apart images must lie."""
    length = step.a * step.h
    for share in SHARES:
        c0, found = _bounded(step.first, form, share / length, share / length, watch)
        if found is None or found.worst is None:
            return max(first, 1 - length * c0)
    return first


def _bounded(
    field: LearnedField, form: Form, target: fmpq, far: fmpq, watch: Watch
) -> tuple[fmpq, Found | None]:
    """Return a bound c >= 0 and how it was found; None where the field is a mixture's denoiser.

    Outside the rectangle that is searched, half of `far` is not exceeded.
    """
    if not field.deviates:
        return _rational(crude_bound(field)), None
    area, beyond = rectangle_beyond(field, ball_of(far) / 2)
    found = search(defect_of(form(field), ball_of(target)), area, ball_of(target), watch)
    bound = fmpq(0) if found.worst is not None else _rational(found.upper)
    return max(bound, _rational(beyond)), found


def _suspects(found: Found, plain: fmpq) -> Rectangle:
    """Return a rectangle around all boxes whose bound exceeds the plain one."""
    areas = [area for area, bound in found.boxes if not bound <= ball_of(plain)]
    ends = [
        (
            min(mid - half for mid, half in sides),
            max(mid + half for mid, half in sides),
        )
        for sides in zip(*areas, strict=True)
    ]
    return tuple(((low + high) / 2, (high - low) / 2) for low, high in ends)


def _preimage(step: FlowStep, stage: Rectangle, first: fmpq) -> Rectangle:
    """Return a rectangle that holds every y whose first stage G(y) lies in `stage`."""
    start = _roughly_inverted(step, [mid for mid, _ in stage])
    farthest = sum(
        (
            (abs(ball_of(mid) - image) + ball_of(half)) ** 2
            for (mid, half), image in zip(stage, _first_stage(step, start), strict=True)
        ),
        arb(0),
    ).sqrt()
    reach = _rational((farthest / ball_of(first)).upper())
    return tuple((entry, reach) for entry in start)


def _roughly_inverted(step: FlowStep, goal: list[fmpq]) -> list[fmpq]:
    """Return a point that the first stage sends near to `goal`, or any other: none is wrong."""
    y = goal
    for _ in range(INVERSIONS):
        image = _first_stage(step, y)
        y = [
            entry + (wanted - as_fmpq(Enclosure.of_ball(got.mid()).upper)) / 2
            for entry, wanted, got in zip(y, goal, image, strict=True)
        ]
        y = [as_fmpq(Enclosure.of_ball(ball_of(entry).mid()).upper) for entry in y]
    return y


def _first_stage(step: FlowStep, y: list[fmpq]) -> list[arb]:
    (value,) = denoised(step.first, [y])
    return [
        ball_of(entry) + ball_of(step.a * step.h) * moved
        for entry, moved in zip(y, value, strict=True)
    ]


def _rational(bound: arb) -> fmpq:
    """Return a rational that is at least the bound and at least 0."""
    return max(fmpq(0), as_fmpq(Enclosure.of_ball(bound).upper))


def _too_steep(stage: str, found: Found, allowed: fmpq) -> NotCertified:
    point = ", ".join(f"{float(ball_of(value)):.5g}" for value in found.worst or ())
    return NotCertified(
        f"Expected sym D' of the {stage} stage to stay above {-float(ball_of(allowed)):.3g}; it is "
        f"lower at y = {point}. The condition is sufficient: the step may still be a bijection."
    )
