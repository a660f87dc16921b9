"""Certified errors of the best polynomial approximation of a score."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

from flint import fmpq

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import Enclosure, as_fraction
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import fields, read_count, read_mixture, write_mixture
from symscore.exact.certificate import Certificate, Claim
from symscore.exact.expansions.projection import captured_energy
from symscore.exact.expansions.projection_minors import captured_energy_again
from symscore.exact.information.fisher import fisher_enclosure, fisher_enclosure_again, width_of
from symscore.exact.mixture import ExactMixture

MOST_DEGREE = 200


def projection_error(
    mixture: ExactMixture | RationalMixture, degree: int, digits: int = 12
) -> Certificate:
    r"""Certify the error of the best polynomial approximation of the score in L2(M).

    .. math:: e_D^2 = \min_{\deg q \le D} E_M |\nabla \log p - q|^2 = J - C_D

    with the Fisher information J and the energy C_D, a rational number, that polynomials capture
    (:func:`symscore.exact.expansions.projection.captured_energy`).

    Parameters
    ----------
    mixture : ExactMixture
        Every parameter rational.
    degree : int
        D, the total degree.
    digits : int
        The enclosure of :math:`e_D^2` is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate
        Of the squared error.

    Raises
    ------
    BadData, BadOption, ResourceLimit, UnsupportedInstance, NotCertified
        As :func:`symscore.exact.fisher_information` and
        :func:`symscore.exact.expansions.projection.captured_energy` do.

    Examples
    --------
    >>> two = ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1])
    >>> print(projection_error(two, 5))
    projection-error = 0.003751344933 (within 2e-13, Fisher information less captured energy)
    """
    inputs = _Inputs(RationalMixture.of(mixture), degree)
    return PROJECTION.certify(inputs, width_of(digits))


@final
@dataclass(frozen=True, slots=True)
class _Inputs:
    mixture: RationalMixture
    degree: int


def _error(
    energy: Callable[[RationalMixture, int], fmpq],
    information: Callable[[RationalMixture, Fraction], Enclosure],
    inputs: _Inputs,
    width: Fraction,
) -> Enclosure:
    captured = as_fraction(energy(inputs.mixture, inputs.degree))
    enclosed = information(inputs.mixture, width)
    if enclosed.upper < captured:
        raise NotCertified("Expected polynomials to capture no more than the whole energy.")
    return Enclosure(max(enclosed.lower - captured, Fraction(0)), enclosed.upper - captured)


def _first(inputs: _Inputs, width: Fraction) -> Enclosure:
    return _error(captured_energy, fisher_enclosure, inputs, width)


def _second(inputs: _Inputs, width: Fraction) -> Enclosure:
    return _error(captured_energy_again, fisher_enclosure_again, inputs, width)


def _read(record: Mapping[str, Any]) -> _Inputs:
    found = fields(record, "inputs", ("mixture", "degree"))
    degree = read_count(found["degree"], "inputs.degree", 0, MOST_DEGREE)
    return _Inputs(read_mixture(found["mixture"]), degree)


def _write(inputs: _Inputs) -> dict[str, Any]:
    return {"mixture": write_mixture(inputs.mixture), "degree": inputs.degree}


PROJECTION = Claim(
    name="projection-error",
    statement="e^2 = min over polynomial fields q of at most this degree of E_M |grad log p - q|^2",
    excludes=(
        "It says nothing of what least squares finds from finitely many draws.",
        "It is an error under M itself: where M has little mass the polynomial may be far off.",
    ),
    read=_read,
    write=_write,
    routes={
        "Fisher information less captured energy": _first,
        "both by their second method": _second,
    },
)
