r"""Certificates that all steps of a learned flow are bijections.

The number that is bounded is the number of steps that are none; it is bounded by 0. What proves it
is in :mod:`symscore.exact.bijections.step_bounds`. Two methods bound the slopes of the learned
denoisers over boxes by formulas that share no derivative
(:mod:`symscore.exact.bijections.slope_forms`).
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from symscore.errors import NotCertified, ResourceLimit
from symscore.exact.arithmetic.balls import Enclosure, as_fmpq
from symscore.exact.arithmetic.spec import fields, items, read_rational, write_rational
from symscore.exact.bijections.learned_field import read_learned_field, write_learned_field
from symscore.exact.bijections.slope_forms import Composed, Differentiated
from symscore.exact.bijections.step_bounds import FlowStep, Form, StepBounds, step_bounds
from symscore.exact.certificate import Certificate, Claim

MOST_STEPS = 200
MOST_COEFFICIENTS = 40_000  # about three megabytes of JSON

Steps = tuple[FlowStep, ...]
# Called with the steps done and their number.
Progress = Callable[[int, int], None]

FORMS: Mapping[str, Form] = MappingProxyType(
    {"closed-form slopes in balls": Composed, "expanded slopes in balls": Differentiated}
)


def unwatched(done: int, total: int) -> None:
    """Show nothing."""


def bounds_of(
    steps: Steps, method: str = "closed-form slopes in balls", progress: Progress = unwatched
) -> tuple[StepBounds, ...]:
    """Return what proves that each step is a bijection.

    Parameters
    ----------
    steps : tuple of FlowStep
    method : str
        One of :data:`FORMS`.
    progress : callable

    Raises
    ------
    UnsupportedInstance
        In more than two dimensions.
    NotCertified
        If it cannot be proved for one of them; the message names the first such step.
    """
    found = []
    for i, step in enumerate(steps):
        progress(i, len(steps))
        try:
            found.append(step_bounds(step, FORMS[method]))
        except NotCertified as error:
            raise type(error)(f"Step {i} of {len(steps)}: {error}") from None
    progress(len(steps), len(steps))
    return tuple(found)


def certificate_of(steps: Steps, method: str) -> Certificate:
    """Return the record of a proof that :func:`bounds_of` has found by this method."""
    return Certificate(
        BIJECTION.name,
        BIJECTION.statement,
        BIJECTION.write(steps),
        method,
        Fraction(0),
        Fraction(0),
        BIJECTION.excludes,
    )


def read_steps(record: object) -> Steps:
    """Return the steps that a JSON object names.

    Raises
    ------
    BadData
        On anything but such an object.
    ResourceLimit
        Beyond 200 steps or 40000 coefficients.
    """
    entries = items(fields(record, "inputs", ("steps",))["steps"], "inputs.steps")
    if len(entries) > MOST_STEPS:
        raise ResourceLimit(f"Expected at most {MOST_STEPS} steps; got {len(entries)}.")
    steps = tuple(_read_step(entry, f"inputs.steps[{i}]") for i, entry in enumerate(entries))
    _require_size(steps)
    return steps


def write_steps(steps: Steps) -> dict[str, Any]:
    """Return the JSON object that :func:`read_steps` reads.

    Raises
    ------
    ResourceLimit
        Beyond 200 steps or 40000 coefficients.
    """
    _require_size(steps)
    return {
        "steps": [
            {name: write_rational(getattr(step, name)) for name in _COEFFICIENTS}
            | {name: write_learned_field(getattr(step, name)) for name in _FIELDS}
            for step in steps
        ]
    }


_COEFFICIENTS = ("a", "w", "h")
_FIELDS = ("first", "second")


def _read_step(record: object, where: str) -> FlowStep:
    found = fields(record, where, (*_COEFFICIENTS, *_FIELDS))
    numbers = {
        name: as_fmpq(read_rational(found[name], f"{where}.{name}")) for name in _COEFFICIENTS
    }
    learned = {name: read_learned_field(found[name], f"{where}.{name}") for name in _FIELDS}
    return FlowStep(**learned, **numbers)


def _require_size(steps: Steps) -> None:
    size = sum(
        len(cell.mean) * (2 + len(cell.mean)) + sum(map(len, cell.deviation))
        for step in steps
        for field in (step.first, step.second)
        for cell in field.cells
    )
    if len(steps) > MOST_STEPS or size > MOST_COEFFICIENTS:
        raise ResourceLimit(
            f"Expected at most {MOST_STEPS} steps with {MOST_COEFFICIENTS} coefficients in all; "
            f"got {len(steps)} with {size}."
        )


def _route(method: str) -> Callable[[Steps, Fraction], Enclosure]:
    def none_folds(steps: Steps, width: Fraction) -> Enclosure:
        bounds_of(steps, method)
        return Enclosure(Fraction(0), Fraction(0))

    return none_folds


BIJECTION = Claim(
    name="bijection",
    statement=(
        "the number of steps y -> y + h((1 - w) D_0(y) + w D_1(y + a h D_0(y))) that are no "
        "diffeomorphism of R^d onto itself with positive determinant"
    ),
    excludes=(
        "It speaks of the formulas of the learned denoisers in real arithmetic with the numbers "
        "given, not of floating point.",
        "It does not say that the flow's density is close to that of the data.",
        "It speaks of unconstrained, whitened coordinates; frame and chart are bijections of "
        "their own.",
    ),
    read=read_steps,
    write=write_steps,
    routes=MappingProxyType({method: _route(method) for method in FORMS}),
    one_sided=True,
)
