"""A certified bound on the total variation distance of a sampler's draws and a mixture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from math import comb
from typing import Any, final

from symscore.errors import BadData, NotCertified, ResourceLimit
from symscore.exact.arithmetic.balls import Enclosure, as_fraction, ball_of, precision
from symscore.exact.arithmetic.coercion import RationalLike, as_row
from symscore.exact.arithmetic.polynomial import (
    MOST_DEGREE,
    FieldLike,
    PolynomialField,
    as_field,
    field_degree,
    read_field,
    write_field,
)
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import (
    fields,
    items,
    read_mixture,
    read_rationals,
    write_mixture,
    write_rational,
)
from symscore.exact.bounds.heat_flow import Information, fisher_integral_above
from symscore.exact.bounds.label_information import by_quadrature, by_taylor, mean_component_entropy
from symscore.exact.bounds.overlaps import by_moments, by_natural_parameters
from symscore.exact.bounds.reverse_chain import (
    distance_above,
    initial_divergence,
    logarithms,
    mean_square,
    stepped_part,
    stopping_distance,
)
from symscore.exact.certificate import Certificate, Claim
from symscore.exact.information.fisher import fisher_enclosure, fisher_enclosure_again
from symscore.exact.information.statistic import statistic
from symscore.exact.mixture import ExactMixture

MOST_LEVELS = 2000
# Of all levels together: about a minute on the line.
MOST_MONOMIALS = 70_000
# A distance is at most the root of half a divergence, so an entropy needs twice the digits.
ENTROPY_WIDTH = Fraction(1, 10**20)
INFORMATION_WIDTH = Fraction(1, 10**7)
BITS = 192
MOST_RANK = 2

# From the mixture at the last level and all inputs to an upper bound on E log q_L.
NegativeEntropy = Callable[[RationalMixture, "SamplerInputs"], Fraction]


@final
@dataclass(frozen=True, slots=True)
class SamplerInputs:
    """A target and a sampler of it.

    Parameters
    ----------
    mixture : RationalMixture
        The target.
    alphas : (L + 1,) tuple of Fraction
        Factors on the data, from noise to data, increasing in (0, 1].
    fields : (L,) tuple of PolynomialField
        The score that the sampler uses at every level but the last.
    rescaled : bool
        Whether the sampler divides its draws by the last alpha.
    """

    mixture: RationalMixture
    alphas: tuple[Fraction, ...]
    fields: tuple[PolynomialField, ...]
    rescaled: bool

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in pairwise(self.alphas))
        if not (2 <= len(self.alphas) <= MOST_LEVELS and rising):
            raise BadData(f"Expected 2 to {MOST_LEVELS} levels whose alphas increase.")
        if not (self.alphas[0] > 0 and self.alphas[-1] <= 1):
            raise BadData(
                f"Expected alphas in (0, 1]; got {self.alphas[0]} up to {self.alphas[-1]}."
            )
        if len(self.fields) != len(self.alphas) - 1:
            raise BadData(
                f"Expected a field for every level but the last, {len(self.alphas) - 1}; got "
                f"{len(self.fields)}."
            )
        for i, field in enumerate(self.fields):
            _check_field(field, self.mixture.dim, f"field {i}")
        monomials = sum(
            comb(self.mixture.dim + 2 * field_degree(field), self.mixture.dim)
            for field in self.fields
        )
        if monomials > MOST_MONOMIALS:
            raise ResourceLimit(
                f"Expected at most {MOST_MONOMIALS} moments over all levels; these fields need "
                f"{monomials}: take fewer levels or lower degrees."
            )


def _check_field(field: PolynomialField, dim: int, name: str) -> None:
    if len(field) != dim:
        raise BadData(f"Expected {dim} polynomials in {name}; got {len(field)}.")
    for polynomial in field:
        for a in polynomial:
            powers = len(a) == dim and all(isinstance(n, int) and n >= 0 for n in a)
            if not powers or sum(a) > MOST_DEGREE:
                raise BadData(
                    f"Expected exponents of {name} to be {dim} integers of total at most "
                    f"{MOST_DEGREE}; got {a}."
                )


def total_variation_bound(
    mixture: ExactMixture | RationalMixture,
    alphas: Sequence[RationalLike],
    fields: Sequence[FieldLike],
    *,
    rescaled: bool = True,
) -> Certificate:
    r"""Certify how far the draws of the discretised reverse diffusion are from a mixture.

    .. math:: TV(M, \text{law of the draws}) \le TV_{\text{stop}} +
        \min\big( (K / 2)^{1/2}, (1 - e^{-K})^{1/2} \big)

    for the exponential integrator of :func:`symscore.learn.diffusion.reverse_diffusion` in exact
    arithmetic: K is the divergence of the forward chain from the sampler's over all levels,
    rational but for logarithms and the entropy of the last level (theorem and proof in
    :mod:`symscore.exact.bounds.reverse_chain`). No constant is unknown, and the fields may be any
    polynomials. Where one linear statistic tells the components apart (d = 1; two components with
    one covariance) the entropy is enclosed, in a second. Elsewhere it is bounded and the result
    larger than the theorem's: by the components' overlaps and, where they share one covariance and
    two linear statistics tell them apart, by Stam's inequality along the levels, in seconds. The
    rational part takes a second for 80 levels of degree 9, a minute for 1000 of degree 20.

    Parameters
    ----------
    mixture : ExactMixture
        The target, every parameter rational.
    alphas : (L + 1,) sequence of exact numbers
        Factors on the data, ``alpha = exp(-t)``, from noise to data: increasing, at most 1.
    fields : (L,) sequence
        For every level but the last, the d polynomials (exponent -> coefficient) of its score.
    rescaled : bool
        Whether draws are divided by the last alpha.

    Returns
    -------
    Certificate
        One-sided: of the distance only the upper end is claimed, the bound rounded up to seven
        digits.

    Raises
    ------
    BadData
        If a parameter is not rational, or levels and fields do not fit each other.
    NotCertified
        If the entropy cannot be enclosed.

    Examples
    --------
    >>> normal = ExactMixture([1], [0], [1])
    >>> exact_score = [{(1,): -1}]
    >>> bound = total_variation_bound(normal, [Fraction(1, 9), Fraction(1)], [exact_score])
    >>> float(bound.upper) < 1
    True
    """
    target = RationalMixture.of(mixture)
    inputs = SamplerInputs(
        target,
        tuple(as_fraction(alpha) for alpha in as_row(alphas, "alphas")),
        tuple(as_field(field, target.dim, f"fields[{i}]") for i, field in enumerate(fields)),
        bool(rescaled),
    )
    return TOTAL_VARIATION.certify(inputs, Fraction(1))


def _bound(entropy: NegativeEntropy, inputs: SamplerInputs, _: Fraction) -> Enclosure:
    last = inputs.mixture.at(inputs.alphas[-1])
    stepped = stepped_part(inputs.mixture, inputs.alphas, inputs.fields)
    negative_entropy = entropy(last, inputs)
    with precision(BITS):
        divergence = ball_of(stepped) + ball_of(negative_entropy)
        divergence += logarithms(last.dim, inputs.alphas)
        if divergence < 0:
            raise NotCertified("Expected a divergence; its bound came out negative.")
        distance = stopping_distance(inputs.mixture, inputs.alphas[-1], inputs.rescaled)
        above = Enclosure.of_ball(distance + distance_above(divergence)).upper
    return Enclosure(Fraction(0), min(above, Fraction(1)))


def _by_information(
    information: Information, last: RationalMixture, inputs: SamplerInputs
) -> Fraction:
    lower = information(last, ENTROPY_WIDTH).lower
    with precision(BITS):
        return Enclosure.of_ball(-mean_component_entropy(last) - ball_of(lower)).upper


def _by_inequalities(
    pairs: Information,
    information: Information,
    width: Fraction,
    last: RationalMixture,
    inputs: SamplerInputs,
) -> Fraction:
    """Return the smaller of the bounds by overlaps and by Stam's inequality."""
    overlaps = _by_information(pairs, last, inputs)
    # Beyond, every one of the many informations may take minutes.
    if not last.shares_covariance or statistic(last).rank > MOST_RANK:
        return overlaps
    try:
        integral = fisher_integral_above(inputs.mixture, inputs.alphas, information, width)
    except (NotCertified, ResourceLimit):
        return overlaps
    noisy = inputs.mixture.at(inputs.alphas[0])
    with precision(BITS):
        start = initial_divergence(noisy) - ball_of(mean_square(noisy) / 2)
        above = start - logarithms(last.dim, inputs.alphas) + ball_of(integral)
        return min(overlaps, Enclosure.of_ball(above).upper)


def _read(record: object) -> SamplerInputs:
    found = fields(record, "inputs", ("mixture", "alphas", "fields", "rescaled"))
    mixture = read_mixture(found["mixture"], "inputs.mixture")
    if not isinstance(found["rescaled"], bool):
        raise BadData(f"inputs.rescaled: expected true or false; got {found['rescaled']!r:.60}.")
    return SamplerInputs(
        mixture,
        read_rationals(found["alphas"], "inputs.alphas"),
        tuple(
            read_field(field, mixture.dim, f"inputs.fields[{i}]")
            for i, field in enumerate(items(found["fields"], "inputs.fields"))
        ),
        found["rescaled"],
    )


def _write(inputs: SamplerInputs) -> dict[str, Any]:
    return {
        "mixture": write_mixture(inputs.mixture),
        "alphas": [write_rational(alpha) for alpha in inputs.alphas],
        "fields": [write_field(field) for field in inputs.fields],
        "rescaled": inputs.rescaled,
    }


TOTAL_VARIATION = Claim(
    "total-variation",
    "TV(M, law of y / alpha_L, or of y if not rescaled) for the mixture M, where y starts at "
    "N(0, I) and steps y <- rho y + 2 (rho - 1) field_l(y) + sqrt(rho^2 - 1) N(0, I), "
    "rho = alpha_(l+1) / alpha_l, through all levels",
    (
        "other samplers: Heun's method, the probability flow, ancestral steps, clipped scores",
        "rounding: the sampler's arithmetic is exact here, and so are its normal numbers",
        "that the distance is as large as the bound: only the upper end is claimed",
        "any data: the mixture is exactly the one that is written here",
        "the rational part and the stopping distance twice: methods differ in the entropy alone",
    ),
    _read,
    _write,
    {
        "entropy by ball quadrature": partial(_bound, partial(_by_information, by_quadrature)),
        "entropy by Taylor polynomials": partial(_bound, partial(_by_information, by_taylor)),
        "entropy by inequalities": partial(
            _bound, partial(_by_inequalities, by_moments, fisher_enclosure, INFORMATION_WIDTH)
        ),
        "entropy by inequalities again": partial(
            _bound,
            partial(
                _by_inequalities,
                by_natural_parameters,
                fisher_enclosure_again,
                INFORMATION_WIDTH / 8,
            ),
        ),
    },
    one_sided=True,
)
