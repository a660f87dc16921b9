"""Everything that can be certified, and how a certificate is checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from symscore.errors import BadData, NotCertified
from symscore.exact.arithmetic.balls import Enclosure
from symscore.exact.arithmetic.spec import read_count
from symscore.exact.bijections.bijection import BIJECTION
from symscore.exact.bounds.sampler_bound import TOTAL_VARIATION
from symscore.exact.bounds.tail_claims import HERMITE_NOISE, HERMITE_STRIP
from symscore.exact.certificate import Certificate, Claim, shown
from symscore.exact.distances.piecewise import BEST_PIECEWISE, PIECEWISE
from symscore.exact.distances.polynomial_error import POLYNOMIAL_ERROR
from symscore.exact.distances.projection_error import PROJECTION
from symscore.exact.distances.soft_error import SOFT_FIELD_ERROR
from symscore.exact.distances.sup_error import SUP_ERROR
from symscore.exact.information.fisher import FISHER, MOST_DIGITS, width_of

CLAIMS: Mapping[str, Claim] = {
    claim.name: claim
    for claim in (
        FISHER,
        PROJECTION,
        POLYNOMIAL_ERROR,
        BEST_PIECEWISE,
        PIECEWISE,
        SOFT_FIELD_ERROR,
        SUP_ERROR,
        HERMITE_STRIP,
        HERMITE_NOISE,
        TOTAL_VARIATION,
        BIJECTION,
    )
}

DEFAULT_DIGITS = 12
# A check encloses eight times more narrowly than the certificate, then 64 times, ...
ROUNDS = 4


@final
@dataclass(frozen=True, slots=True)
class Confirmation:
    """That a second method agrees with a certificate.

    Parameters
    ----------
    certificate : Certificate
    method : str
        The second method.
    enclosure : Enclosure
        What it found, inside the certificate's.
    """

    certificate: Certificate
    method: str
    enclosure: Enclosure


def certify(spec: Mapping[str, Any]) -> Certificate:
    """Certify the claim that a specification names.

    Parameters
    ----------
    spec : mapping
        ``claim``, the name of one of :data:`CLAIMS`; optionally ``digits``, so that the enclosure
        is at most ``10**-digits`` wide (12); and the inputs of the claim, such as ``mixture`` and
        ``degree``, every number an integer or a string such as ``"1/3"``.

    Returns
    -------
    Certificate

    Raises
    ------
    BadData
        If the specification is not one.
    UnsupportedInstance
        If no method covers the instance.
    ResourceLimit, NotCertified
        If the digits asked for are out of reach.

    Examples
    --------
    >>> mixture = {"weights": ["1/2", "1/2"], "means": [-1, 1], "covariances": [1, 1]}
    >>> print(certify({"claim": "fisher-information", "mixture": mixture}))
    fisher-information = 0.550400490793 (within 2e-13, lattice sum in balls)
    """
    if "format" in spec:
        raise BadData("Expected a specification; got a certificate: --check derives it again.")
    if "claim" not in spec:
        raise BadData(f"Expected the key 'claim', one of {', '.join(CLAIMS)}; it is missing.")
    claim = _claim(spec["claim"])
    digits = read_count(spec.get("digits", DEFAULT_DIGITS), "digits", 1, MOST_DIGITS)
    inputs = {name: value for name, value in spec.items() if name not in ("claim", "digits")}
    return claim.certify(claim.read(inputs), width_of(digits))


def check(certificate: Certificate) -> Confirmation:
    """Derive a certificate's claim again, by another method than the one it names.

    The fresh enclosure is narrower, and has to lie inside the certificate's; of a one-sided claim
    the fresh bound has to be no larger.

    Raises
    ------
    BadData
        If the inputs are none of such a claim.
    NotCertified
        If the fresh enclosure lies elsewhere, if it cannot be told on which side of an end the
        number lies, or if the record says anything about the claim that this version does not.
    UnsupportedInstance
        If no second method covers the instance.

    Examples
    --------
    >>> mixture = {"weights": ["1/2", "1/2"], "means": [-1, 1], "covariances": [1, 1]}
    >>> check(certify({"claim": "fisher-information", "mixture": mixture})).method
    'lattice sum in integers'
    """
    claim = _claim(certificate.claim)
    inputs = claim.read(certificate.inputs)
    _check_words(certificate, claim)
    if claim.one_sided:
        return _confirm_bound(certificate, claim, inputs)
    width = certificate.width
    if width == 0:
        raise NotCertified("Expected an enclosure with some width, which a second one fits into.")
    for _ in range(ROUNDS):
        width /= 8
        method, fresh = claim.derive(inputs, width, but=certificate.method)
        if certificate.enclosure.contains(fresh):
            return Confirmation(certificate, method, fresh)
        if not certificate.enclosure.overlaps(fresh):
            raise NotCertified(
                f"Expected {claim.name} between {shown(certificate.lower, 17)} and "
                f"{shown(certificate.upper, 17)}; {method} finds it between "
                f"{shown(fresh.lower, 17)} and {shown(fresh.upper, 17)}."
            )
    raise NotCertified(
        f"Expected {claim.name} on one side of the ends of its enclosure; it is too near to one "
        "of them to tell."
    )


def _confirm_bound(certificate: Certificate, claim: Claim, inputs: Any) -> Confirmation:
    if certificate.lower != 0:
        raise NotCertified(
            f"Expected 0 for the lower end of {claim.name}, of which only the upper "
            f"end is claimed; got {certificate.lower}."
        )
    slack = certificate.upper / 10**8
    method, fresh = claim.derive(inputs, slack, but=certificate.method)
    if fresh.upper > certificate.upper:
        raise NotCertified(
            f"Expected {claim.name} at most {shown(certificate.upper, 17)}; {method} finds only "
            f"{shown(fresh.upper, 17)}."
        )
    return Confirmation(certificate, method, fresh)


def _check_words(certificate: Certificate, claim: Claim) -> None:
    """Refuse a record that claims more, or excludes less, than its kind does."""
    expected = (claim.statement, claim.excludes)
    if (certificate.statement, certificate.excludes) != expected:
        raise NotCertified(
            f"Expected the statement of {claim.name}, {claim.statement!r}, and what it excludes, "
            "word for word; the record has others."
        )
    if certificate.method not in claim.routes:
        raise NotCertified(
            f"Expected one of the methods {', '.join(claim.routes)}; "
            f"got {certificate.method[:60]!r}."
        )


def _claim(name: object) -> Claim:
    if not isinstance(name, str) or name not in CLAIMS:
        raise BadData(f"Expected one of the claims {', '.join(CLAIMS)}; got {name!r:.60}.")
    return CLAIMS[name]
