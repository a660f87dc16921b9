"""Certified Fisher information."""

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

from symscore.errors import BadOption, UnsupportedInstance
from symscore.exact.arithmetic.balls import Enclosure, as_fraction
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import fields, read_mixture, write_mixture
from symscore.exact.certificate import Certificate, Claim, Route
from symscore.exact.information.boxes import spread_by_boxes
from symscore.exact.information.fisher_far import (
    far_apart,
    far_apart_again,
    far_apart_in_integers,
)
from symscore.exact.information.fisher_line import (
    departure_on_the_line,
    direct_on_the_line,
    spread_on_the_line,
)
from symscore.exact.information.lattice import lattice_sum
from symscore.exact.information.lattice_integers import fisher_interval
from symscore.exact.information.unequal import spread_by_strips
from symscore.exact.mixture import ExactMixture

# Beyond them the choices that are made in floats would underflow.
MOST_DIGITS = 300


def fisher_information(mixture: ExactMixture | RationalMixture, digits: int = 30) -> Certificate:
    r"""Certify the Fisher information of a mixture with respect to its location.

    .. math:: J = E_M |\nabla \log p|^2

    One linear statistic that tells the components apart (d = 1, or two components with one
    covariance in any dimension): milliseconds for 30 digits. A shared covariance and means that
    span two dimensions: a tenth of a second for 13 digits; three dimensions: seconds for 10.
    Unequal covariances that two linear statistics tell apart (every mixture in the plane): a second
    for 6 digits, up to ten for 10 or for very different scales. Unequal ones that need three are
    refused.

    Parameters
    ----------
    mixture : ExactMixture
        Every parameter rational.
    digits : int
        The enclosure is at most ``10**-digits`` wide.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData
        If a parameter is not rational.
    UnsupportedInstance
        Where no method applies.
    ResourceLimit, NotCertified
        Where the digits asked for are out of reach.

    Examples
    --------
    >>> found = fisher_information(ExactMixture(["1/2", "1/2"], [-1, 1], [1, 1]))
    >>> print(found)
    fisher-information = 0.550400490793327170288319498822 (within 2e-31, lattice sum in balls)
    """
    return FISHER.certify(RationalMixture.of(mixture), width_of(digits))


def fisher_enclosure(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose J by the first method that applies; see :func:`fisher_information`."""
    return FISHER.derive(mixture, width)[1]


def fisher_enclosure_again(mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Enclose J by the second method that applies."""
    first, _ = FISHER.derive(mixture, width)
    return FISHER.derive(mixture, width, but=first)[1]


def width_of(digits: int) -> Fraction:
    """Return ``10**-digits``.

    Raises
    ------
    BadOption
        If digits is not an integer from 1 to 300.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= MOST_DIGITS:
        raise BadOption(f"Expected digits, an integer from 1 to {MOST_DIGITS}; got {digits!r}.")
    return Fraction(1, 10**digits)


def _in_integers(mixture: RationalMixture, width: Fraction) -> Enclosure:
    if not mixture.shares_covariance:
        raise UnsupportedInstance("expected one covariance for all components.")
    weights = tuple(map(as_fraction, mixture.weights))
    means = tuple(tuple(map(as_fraction, mean)) for mean in mixture.means)
    covariance = tuple(tuple(map(as_fraction, row)) for row in mixture.covariances[0])
    return Enclosure(*fisher_interval(weights, means, covariance, width))


def _of_centred(route: Route, mixture: RationalMixture, width: Fraction) -> Enclosure:
    """Apply a route where balls are narrow: J does not change when all means move together."""
    return route(mixture.centred(), width)


def _read(record: Mapping[str, Any]) -> RationalMixture:
    return read_mixture(fields(record, "inputs", ("mixture",))["mixture"])


def _write(mixture: RationalMixture) -> dict[str, Any]:
    return {"mixture": write_mixture(mixture)}


FISHER = Claim(
    name="fisher-information",
    statement="J = E_M |grad log p|^2 for the mixture M with density p",
    excludes=(
        "It says nothing of any data: the mixture is exactly the one that is written here.",
        "It is the information of a shift of the whole mixture, not of its parameters.",
    ),
    read=_read,
    write=_write,
    routes={
        name: partial(_of_centred, route)
        for name, route in {
            "bound of the overlap": far_apart,
            "bound of the overlap in integers": far_apart_in_integers,
            "bound of the overlap by natural parameters": far_apart_again,
            "lattice sum in balls": lattice_sum,
            "lattice sum in integers": _in_integers,
            "ball quadrature of the posterior spread": spread_on_the_line,
            "ball quadrature of the definition": direct_on_the_line,
            "ball quadrature of the departure from one component": departure_on_the_line,
            "Gauss-Legendre rules in boxes": spread_by_boxes,
            "lattice sum with strips of varying width": spread_by_strips,
        }.items()
    },
)
