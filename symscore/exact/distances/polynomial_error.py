r"""The mean square error of a given polynomial field, as a certificate.

.. math:: E_M |s - q|^2 = J + 2 \, E_M[\operatorname{div} q] + E_M |q|^2

by Stein's identity ``E[s . q] = -E[div q]``. All but the Fisher information J is rational.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from flint import fmpq

from symscore.errors import BadData, UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, as_fraction
from symscore.exact.arithmetic.moments import moments
from symscore.exact.arithmetic.polynomial import (
    FieldLike,
    Polynomial,
    PolynomialField,
    as_field,
    expectation,
    field_degree,
    partial,
    product,
    read_field,
    write_field,
)
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import fields, read_mixture, write_mixture
from symscore.exact.certificate import Certificate, Claim
from symscore.exact.distances.cell_scores import by_gradient
from symscore.exact.distances.cells import Slabs
from symscore.exact.distances.piecewise import given_error
from symscore.exact.distances.piecewise_inputs import GivenInputs, canonical
from symscore.exact.distances.soft_error import SoftInputs, by_quadrature
from symscore.exact.distances.soft_field import SoftField
from symscore.exact.information.fisher import fisher_enclosure, fisher_enclosure_again, width_of
from symscore.exact.mixture import ExactMixture


@final
@dataclass(frozen=True, slots=True)
class PolynomialInputs:
    """A mixture and a polynomial field of its dimension.

    Raises
    ------
    BadData
        If the dimensions differ.
    """

    mixture: RationalMixture
    field: PolynomialField

    def __post_init__(self) -> None:
        object.__setattr__(self, "field", canonical(self.field))
        dim = self.mixture.dim
        if len(self.field) != dim or any(len(a) != dim for q in self.field for a in q):
            raise BadData(f"Expected {dim} polynomials in {dim} variables; got others.")


def polynomial_error(
    mixture: ExactMixture | RationalMixture,
    field: FieldLike,
    *,
    digits: int = 12,
) -> Certificate:
    r"""Certify how far a polynomial field is from a mixture's score, in the mean square.

    .. math:: E_M |s - q|^2 = J + 2 \, E_M[\operatorname{div} q] + E_M |q|^2

    Parameters
    ----------
    mixture : ExactMixture or RationalMixture
        With rational parameters; its Fisher information must be one that can be certified.
    field : (d,) sequence of mappings from exponent to coefficient
        q, with exact coefficients; those of a learned field enter through ``exact_float``.
    digits : int
        The enclosure is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData
        If the mixture has symbols, or field and mixture differ in dimension.
    UnsupportedInstance
        If there is no method for J.
    NotCertified
        If the width is not reached.

    Examples
    --------
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> print(polynomial_error(two, [{(1,): "-1/2"}]))
    polynomial-error = 0.05040049079... (within ..., Stein's identity)
    """
    rational = RationalMixture.of(mixture)
    inputs = PolynomialInputs(rational, as_field(field, rational.dim))
    return POLYNOMIAL_ERROR.certify(inputs, width_of(digits))


def population_risk(mixture: RationalMixture, field: PolynomialField) -> fmpq:
    r"""Return the score matching risk of a polynomial field, exactly.

    .. math:: E_M[|q|^2 + 2 \operatorname{div} q] = E_M |s - q|^2 - J

    Examples
    --------
    >>> one = RationalMixture.of(ExactMixture([1], [0], [1]))
    >>> population_risk(one, ({(1,): fmpq(-1)},))
    -1
    """
    table = moments(mixture, 2 * field_degree(field))
    return sum(
        (
            expectation(product(q, q), table) + 2 * expectation(partial(q, j), table)
            for j, q in enumerate(field)
        ),
        fmpq(0),
    )


def by_stein(inputs: PolynomialInputs, width: Fraction) -> Enclosure:
    """Enclose the error as the Fisher information and an exact rational."""
    information = fisher_enclosure(inputs.mixture, width)
    risk = as_fraction(population_risk(inputs.mixture, inputs.field))
    return Enclosure(max(information.lower + risk, Fraction(0)), information.upper + risk)


def on_the_line(inputs: PolynomialInputs, width: Fraction) -> Enclosure:
    """Enclose the error by quadrature of its definition, in one dimension."""
    if inputs.mixture.dim > 1:
        raise UnsupportedInstance(f"expected one dimension, got {inputs.mixture.dim}.")
    field = SoftField.polynomial(_coefficients(inputs.field[0]))
    return by_quadrature(SoftInputs(inputs.mixture, field), width)


def by_components(inputs: PolynomialInputs, width: Fraction) -> Enclosure:
    r"""Enclose the error with ``E[s . q]`` from the components' gradients, not Stein's identity.

    .. math:: E_M[s \cdot q] = -\sum_i w_i E_i[q \cdot C_i^{-1} (x - m_i)]
    """
    normal = (fmpq(1), *(fmpq(0) for _ in range(inputs.mixture.dim - 1)))
    whole = GivenInputs(inputs.mixture, Slabs(normal, ()), (inputs.field,))
    return given_error(whole, width, by_gradient, fisher_enclosure_again)


def _coefficients(polynomial: Polynomial) -> list[fmpq]:
    degree = max((a[0] for a in polynomial), default=0)
    return [polynomial.get((j,), fmpq(0)) for j in range(degree + 1)]


def _read(record: object) -> PolynomialInputs:
    found = fields(record, "inputs", ("mixture", "field"))
    mixture = read_mixture(found["mixture"])
    return PolynomialInputs(mixture, read_field(found["field"], mixture.dim, "inputs.field"))


def _write(inputs: PolynomialInputs) -> dict[str, Any]:
    return {"mixture": write_mixture(inputs.mixture), "field": write_field(inputs.field)}


POLYNOMIAL_ERROR = Claim(
    name="polynomial-error",
    statement="E_M |s - q|^2, s the score of the mixture M and q the polynomial field",
    excludes=(
        "It is an average over M: far from M's mass the polynomial may be arbitrarily wrong.",
        "It is about the rational coefficients written here, not about rounded evaluation.",
        "It says nothing of the law that a sampler driven by the polynomial would draw from.",
    ),
    read=_read,
    write=_write,
    routes={
        "Stein's identity": by_stein,
        "direct quadrature": on_the_line,
        "gradients of the components": by_components,
    },
)
