r"""The largest error of a field on an interval of the line, as a certificate.

.. math:: \sup_{a \le x \le b} |s(x) - g(x)|

found by branch and bound (:mod:`symscore.exact.distances.supremum`). On an interval with middle m,

.. math::

    f(x) &\in \sum_{k < n} \frac{f^{(k)}(m)}{k!} (x - m)^k + \frac{f^{(n)}(X)}{n!} (x - m)^n \\
    f(x) &\in f(m) + f'(X) (x - m),

Taylor's theorem and the mean value theorem with a ball X for the unknown point: the first by
arithmetic of power series, the second by a formula for the derivative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from flint import arb, arb_series, fmpq

from symscore.errors import BadData, NotCertified
from symscore.exact.arithmetic.balls import Enclosure, as_fraction, ball_of
from symscore.exact.arithmetic.coercion import RationalLike, as_rational
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import (
    fields,
    read_mixture,
    read_rational,
    write_mixture,
    write_rational,
)
from symscore.exact.certificate import Certificate, Claim
from symscore.exact.distances.soft_field import SoftField, read_soft_field, write_soft_field
from symscore.exact.distances.supremum import Function, Range, supremum
from symscore.exact.information.fisher import width_of
from symscore.exact.mixture import ExactMixture

# Terms of the Taylor polynomial. Up to about eight, more save more intervals than they cost.
ORDER = 6


@final
@dataclass(frozen=True, slots=True)
class SupInputs:
    """A mixture on the line, a field to compare with its score, and an interval.

    Raises
    ------
    BadData
        If the mixture has more than one dimension or the interval is empty.
    """

    mixture: RationalMixture
    field: SoftField
    lower: Fraction
    upper: Fraction

    def __post_init__(self) -> None:
        if self.mixture.dim != 1:
            raise BadData(f"Expected a mixture on the line; got {self.mixture.dim} dimensions.")
        if not self.lower < self.upper:
            raise BadData(f"Expected lower < upper; got {self.lower} and {self.upper}.")


def sup_error(
    mixture: ExactMixture | RationalMixture,
    field: SoftField,
    lower: RationalLike,
    upper: RationalLike,
    *,
    digits: int = 12,
) -> Certificate:
    r"""Certify the largest error of a field on an interval.

    .. math:: \sup_{\mathrm{lower} \le x \le \mathrm{upper}} |s(x) - g(x)|

    Parameters
    ----------
    mixture : ExactMixture or RationalMixture
        In one dimension, with rational parameters.
    field : SoftField
        g; ``SoftField.polynomial`` makes one of a polynomial's coefficients.
    lower, upper : Fraction, int, str or fmpq
        Ends of the interval.
    digits : int
        The enclosure is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData
        If the mixture has symbols or more than one dimension, or the interval is empty.
    NotCertified
        If the width is not reached: there is no wide answer.

    Examples
    --------
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> line = SoftField.polynomial([0, "-1/2"])
    >>> print(sup_error(two, line, -1, 1))
    sup-error = 0.2664199876... (within ..., Taylor models)
    """
    ends = [as_fraction(as_rational(end, "an end")) for end in (lower, upper)]
    inputs = SupInputs(RationalMixture.of(mixture), field, *ends)
    return SUP_ERROR.certify(inputs, width_of(digits))


def by_taylor(inputs: SupInputs, width: Fraction) -> Enclosure:
    """Enclose the supremum with Taylor polynomials and a ball for their remainder."""

    def prepare() -> tuple[Function, Range]:
        score, learned = SoftField.score(inputs.mixture).in_balls(), inputs.field.in_balls()

        def gap(x: Any) -> Any:
            return score.value(x) - learned.value(x)

        def over(middle: fmpq, radius: fmpq) -> arb:
            at_middle = _series(gap, ball_of(middle), ORDER - 1)
            total = _series(gap, _interval(middle, radius), ORDER)[ORDER]
            # Powers of a ball around zero by multiplication: flint's own are not finite.
            step = _interval(fmpq(0), radius)
            for k in reversed(range(ORDER)):
                total = total * step + at_middle[k]
            return total

        return gap, over

    return supremum(prepare, inputs.lower, inputs.upper, width)


def by_mean_value(inputs: SupInputs, width: Fraction) -> Enclosure:
    """Enclose the supremum with the derivative on every interval."""

    def prepare() -> tuple[Function, Range]:
        score, learned = SoftField.score(inputs.mixture).in_balls(), inputs.field.in_balls()

        def gap(x: arb) -> arb:
            return score.value(x) - learned.value(x)

        def over(middle: fmpq, radius: fmpq) -> arb:
            x = _interval(middle, radius)
            slope = score.value_and_derivative(x)[1] - learned.value_and_derivative(x)[1]
            return gap(ball_of(middle)) + slope * _interval(fmpq(0), radius)

        return gap, over

    return supremum(prepare, inputs.lower, inputs.upper, width)


def _series(gap: Callable[[Any], Any], x: arb, order: int) -> list[arb]:
    """Return the coefficients of orders 0 to `order` at every point of x, or what is not finite."""
    try:
        series = gap(arb_series([x, 1], order + 1))
    except ValueError:
        # flint divides by no series whose constant term may vanish, as that of wide balls may.
        return [arb("nan")] * (order + 1)
    if series.prec <= order:
        raise NotCertified(
            f"Expected power series of {order + 1} terms; flint kept {series.prec}: "
            f"leave flint.ctx.cap at {order + 1} or more."
        )
    return [series[k] for k in range(order + 1)]


def _interval(middle: fmpq, radius: fmpq) -> arb:
    return ball_of(middle - radius).union(ball_of(middle + radius))


def _read(record: object) -> SupInputs:
    found = fields(record, "inputs", ("mixture", "field", "lower", "upper"))
    return SupInputs(
        read_mixture(found["mixture"]),
        read_soft_field(found["field"], "inputs.field"),
        read_rational(found["lower"], "inputs.lower"),
        read_rational(found["upper"], "inputs.upper"),
    )


def _write(inputs: SupInputs) -> dict[str, Any]:
    return {
        "mixture": write_mixture(inputs.mixture),
        "field": write_soft_field(inputs.field),
        "lower": write_rational(inputs.lower),
        "upper": write_rational(inputs.upper),
    }


SUP_ERROR = Claim(
    name="sup-error",
    statement="sup over [lower, upper] of |s - g|, s the score of the mixture and g the field",
    excludes=(
        "It says nothing of points outside the interval.",
        "It is about the real numbers written here; evaluating the field in floating point adds "
        "rounding.",
        "Both methods evaluate gates by one formula, and share the search over intervals.",
    ),
    read=_read,
    write=_write,
    routes={"Taylor models": by_taylor, "mean value theorem": by_mean_value},
)
