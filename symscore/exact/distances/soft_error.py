r"""The mean square error of a soft field on the line, as certificates.

.. math:: E_M |s - g|^2 = \int \frac{(p' - g p)^2}{p} \, dx
    = J + \int (g^2 + 2 g') \, p \, dx

The second form follows by parts, ``E[s g] = -E[g']``, and needs neither p' nor a quotient by p.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from flint import acb, arb, ctx, fmpq, fmpq_poly

from symscore.errors import BadData
from symscore.exact.arithmetic.balls import Enclosure, ball_of, narrowed
from symscore.exact.arithmetic.quadrature import integral, support, weighted_densities
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import fields, read_mixture, write_mixture
from symscore.exact.certificate import Certificate, Claim
from symscore.exact.distances.incomplete import by_recurrence
from symscore.exact.distances.soft_field import (
    Block,
    SoftCell,
    SoftField,
    read_soft_field,
    write_soft_field,
)
from symscore.exact.distances.soft_values import derivative
from symscore.exact.information.fisher import fisher_enclosure, width_of
from symscore.exact.mixture import ExactMixture


@final
@dataclass(frozen=True, slots=True)
class SoftInputs:
    """A mixture on the line and a field to compare with its score.

    Raises
    ------
    BadData
        If the mixture has more than one dimension.
    """

    mixture: RationalMixture
    field: SoftField

    def __post_init__(self) -> None:
        if self.mixture.dim != 1:
            raise BadData(f"Expected a mixture on the line; got {self.mixture.dim} dimensions.")


def soft_field_error(
    mixture: ExactMixture | RationalMixture, field: SoftField, *, digits: int = 12
) -> Certificate:
    r"""Certify how far a field is from a mixture's score, in the mean square on the line.

    .. math:: E_M |s - g|^2 = \int (s(x) - g(x))^2 \, p(x) \, dx

    Parameters
    ----------
    mixture : ExactMixture or RationalMixture
        In one dimension, with rational parameters.
    field : SoftField
        g.
    digits : int
        The enclosure is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData
        If the mixture has symbols or more than one dimension.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> print(soft_field_error(two, SoftField.polynomial([0, "-1/2"])))
    soft-field-error = 0.05040049079... (within ..., direct quadrature)
    """
    inputs = SoftInputs(RationalMixture.of(mixture), field)
    return SOFT_FIELD_ERROR.certify(inputs, width_of(digits))


def by_quadrature(inputs: SoftInputs, width: Fraction) -> Enclosure:
    r"""Enclose the error by its definition.

    .. math:: \int_a^b \frac{(p' - g p)^2}{p} \, dx + [0, \tau], \qquad
        \tau = \sum_i w_i E_i[2 v_i^{-2} (x - m_i)^2 + 2 G_i(|x - m_i|)^2; \; x \notin (a, b)]

    since ``s^2 <= sum_i r_i (x - m_i)^2 / v_i^2`` (Jensen) and ``|g(x)| <= G_i(|x - m_i|)``. Gates
    are between 0 and 1 and sum to one, and damping is at most 1: so G_i adds up, block by block,
    the largest of the cells' polynomials, all coefficients and centres' distances made positive.
    """
    mixture, field = inputs.mixture, inputs.field
    return narrowed(lambda bits: _direct(mixture, field), width)


def by_parts(inputs: SoftInputs, width: Fraction) -> Enclosure:
    r"""Enclose the error as the Fisher information and an integral without the score.

    .. math:: J + \int_a^b (g^2 + 2 g') p \, dx + [-\tau, \tau], \qquad
        \tau = \sum_i w_i E_i[G_i^2 + 2 G'_i; \; x \notin (a, b)]

    with ``|g'(x)| <= G'_i(|x - m_i|)`` from the same bounds on every factor of g'.
    """
    mixture, field = inputs.mixture, inputs.field
    information = fisher_enclosure(mixture, width / 2)
    rest = narrowed(lambda bits: _risk(mixture, field), width / 2)
    return Enclosure(
        max(information.lower + rest.lower, Fraction(0)), information.upper + rest.upper
    )


def _direct(mixture: RationalMixture, field: SoftField) -> arb:
    pulls = [
        (ball_of(mean), 1 / ball_of(variance))
        for (mean,), ((variance,),) in zip(mixture.means, mixture.covariances, strict=True)
    ]
    densities, learned = weighted_densities(mixture), field.in_balls()

    def integrand(x: acb) -> acb:
        parts = densities(x)
        density, slope = acb(0), acb(0)
        for part, (mean, precision) in zip(parts, pulls, strict=True):
            density += part
            slope += part * (mean - x) * precision
        gap = slope - learned.value(x) * density
        return gap * gap / density

    ends = support(mixture, ctx.prec)
    tail = arb(0)
    for i, weight in enumerate(mixture.weights):
        variance = mixture.covariances[i][0][0]
        own = fmpq_poly([0, 0, 1 / variance**2])
        height = height_bound(field, mixture.means[i][0])
        tail += weight * _outside(mixture, i, 2 * own + 2 * height * height, ends)
    return integral(integrand, ends) + tail.union(arb(0))


def _risk(mixture: RationalMixture, field: SoftField) -> arb:
    densities, learned = weighted_densities(mixture), field.in_balls()

    def integrand(x: acb) -> acb:
        value, slope = learned.value_and_derivative(x)
        return (value * value + 2 * slope) * sum(densities(x), acb(0))

    ends = support(mixture, ctx.prec)
    tail = arb(0)
    for i, weight in enumerate(mixture.weights):
        (mean,) = mixture.means[i]
        height, slope = height_bound(field, mean), slope_bound(field, mean)
        tail += weight * _outside(mixture, i, height * height + 2 * slope, ends)
    return integral(integrand, ends) + tail.union(-tail)


def _outside(mixture: RationalMixture, i: int, bound: fmpq_poly, ends: tuple[fmpq, fmpq]) -> arb:
    """Return ``E_i[bound(|x - m_i|); |x - m_i| > R]``, R the distance of the nearer end."""
    (mean,), ((variance,),) = mixture.means[i], mixture.covariances[i]
    radius = max(min(mean - ends[0], ends[1] - mean), fmpq(0))
    moments = by_recurrence(fmpq(0), variance, radius, None, max(bound.degree(), 0))
    return 2 * sum((c * moment for c, moment in zip(bound.coeffs(), moments, strict=False)), arb(0))


def height_bound(field: SoftField, origin: fmpq) -> fmpq_poly:
    r"""Return a polynomial G with ``|g(x)| <= G(|x - origin|)`` for all x.

    Examples
    --------
    >>> height_bound(SoftField.polynomial([1, -2]), fmpq(3))
    2*x + 7
    """
    return sum(
        (_largest(_heights(cell, origin) for cell in block) for block in field.blocks),
        fmpq_poly([0]),
    )


def slope_bound(field: SoftField, origin: fmpq) -> fmpq_poly:
    r"""Return a polynomial G' with ``|g'(x)| <= G'(|x - origin|)`` for all x."""
    return sum((_block_slope(block, origin) for block in field.blocks), fmpq_poly([0]))


def _block_slope(block: Block, origin: fmpq) -> fmpq_poly:
    inner = _largest(_slopes(cell, origin) for cell in block)
    if len(block) == 1:
        return inner
    # |l_c' - mean of l'| <= 2 max |l'|, where l_c' = -v_c / V_c.
    tilt = _largest(_positive((fmpq(0), 1 / cell.variance), cell, origin) for cell in block)
    return inner + 2 * tilt * _largest(_heights(cell, origin) for cell in block)


def _heights(cell: SoftCell, origin: fmpq) -> fmpq_poly:
    return _positive(cell.plain, cell, origin) + _positive(cell.damped, cell, origin)


def _slopes(cell: SoftCell, origin: fmpq) -> fmpq_poly:
    pull = (fmpq(0), *(cell.rate * c for c in cell.damped))
    parts = derivative(cell.plain), derivative(cell.damped), pull
    return sum((_positive(part, cell, origin) for part in parts), fmpq_poly([0]))


def _positive(coefficients: Iterable[fmpq], cell: SoftCell, origin: fmpq) -> fmpq_poly:
    """Bound a polynomial in ``x - centre`` by one in ``|x - origin|``."""
    absolute = fmpq_poly([abs(c) for c in coefficients])
    return absolute(fmpq_poly([abs(origin - cell.centre), 1]))


def _largest(polynomials: Iterable[fmpq_poly]) -> fmpq_poly:
    """Return the polynomial of the largest coefficients; all are non-negative."""
    rows = [list(polynomial.coeffs()) for polynomial in polynomials]
    length = max(map(len, rows))
    padded = [row + [fmpq(0)] * (length - len(row)) for row in rows]
    return fmpq_poly([max(column) for column in zip(*padded, strict=True)])


def _read(record: object) -> SoftInputs:
    found = fields(record, "inputs", ("mixture", "field"))
    return SoftInputs(
        read_mixture(found["mixture"]), read_soft_field(found["field"], "inputs.field")
    )


def _write(inputs: SoftInputs) -> dict[str, Any]:
    return {
        "mixture": write_mixture(inputs.mixture),
        "field": write_soft_field(inputs.field),
    }


SOFT_FIELD_ERROR = Claim(
    name="soft-field-error",
    statement="E_M |s - g|^2, s the score of the mixture M and g the field",
    excludes=(
        "It is an average over M: at single points the field may be further from the score.",
        "It is about the real numbers written here; evaluating the field in floating point adds "
        "rounding.",
        "It says nothing of the law that a sampler driven by the field would draw from.",
        "Both methods evaluate gates by one formula; integrand, integration and tails differ.",
    ),
    read=_read,
    write=_write,
    routes={"direct quadrature": by_quadrature, "integration by parts": by_parts},
)
