"""The claims behind the tail bounds of denoisers: their inputs, their routes, their records."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any

from flint import arb

from symscore.errors import BadData
from symscore.exact.arithmetic.balls import Enclosure, ball_of, precision
from symscore.exact.arithmetic.spec import fields, read_count, read_rational, write_rational
from symscore.exact.bounds.tail_inputs import (
    MOST_ANGLE,
    MOST_ORDER,
    Method,
    TailInputs,
    sharpest,
)
from symscore.exact.bounds.tail_theorems import (
    law_factor,
    noise_by_orderings,
    noise_by_stirling,
    strip_by_functions,
    strip_by_sums,
)
from symscore.exact.certificate import Claim

# Bits of successive attempts at a bound whose first fifty digits in base two are right.
ACCURATE = (128, 512, 2048, 8192)
MOST_DEGREE = 3000
MOST_DIMENSIONS = 10**6


def _strip(relative: Callable[..., arb], inputs: TailInputs, _: Fraction) -> Enclosure:
    if not 0 < inputs.witness <= Fraction(MOST_ANGLE, 128):
        raise BadData(f"Expected an angle in (0, {MOST_ANGLE}/128]; got {inputs.witness}.")
    compute = partial(relative, inputs.dim, inputs.order, inputs.ratio, inputs.witness)
    return _up_to(compute, inputs)


def _noise(relative: Callable[..., arb], inputs: TailInputs, _: Fraction) -> Enclosure:
    m = inputs.witness
    if m.denominator != 1 or not 0 <= m <= min(inputs.order, MOST_ORDER):
        raise BadData(f"Expected an order from 0 to {min(inputs.order, MOST_ORDER)}; got {m}.")
    return _up_to(partial(relative, inputs.order, inputs.ratio, int(m)), inputs)


def _up_to(relative: Callable[[], arb], inputs: TailInputs) -> Enclosure:
    """Enclose what is bounded by R times `relative` with the factor of the norm, or by R."""
    for bits in ACCURATE:
        with precision(bits):
            factor = law_factor(inputs.dim, inputs.squared, inputs.dilation)
            ball = factor * relative()
            if ball.is_finite() and ball.rel_accuracy_bits() >= 50:
                # The zero polynomial's error is at most R, in both norms.
                top = Enclosure.of_ball(ball_of(inputs.radius) * ball).upper
                return Enclosure(Fraction(0), min(top, inputs.radius))
    return Enclosure(Fraction(0), inputs.radius)


def _read(method: Method, record: object) -> TailInputs:
    """Read the inputs; without a witness, the best one for the norm that is named is chosen."""
    required, optional = ("radius", "variance", "degree"), ("dim", "norm", "dilation", "witness")
    found = fields(record, "inputs", required, optional)
    degree = read_count(found["degree"], "inputs.degree", 0, MOST_DEGREE)
    dim = read_count(found.get("dim", 1), "inputs.dim", 1, MOST_DIMENSIONS)
    radius, variance = (read_rational(found[name], f"inputs.{name}") for name in required[:2])
    if radius <= 0 or variance <= 0:
        raise BadData(
            f"inputs: expected a positive radius and variance; got {radius} and {variance}."
        )
    inputs = TailInputs(radius, variance, degree, dim, Fraction(0), Fraction(1))
    free = [name for name in optional[1:] if name in found]
    if free == ["dilation", "witness"]:
        dilation, witness = (read_rational(found[name], f"inputs.{name}") for name in free)
        if dilation < 0:
            raise BadData(f"inputs.dilation: expected no negative number; got {dilation}.")
        return replace(inputs, dilation=dilation, witness=witness)
    norm = found.get("norm", "reference")
    if free not in ([], ["norm"]) or norm not in ("reference", "law"):
        raise BadData(
            "inputs: expected a norm, 'reference' or 'law', or both a dilation and a witness."
        )
    return sharpest(inputs, method, norm)


def _write(inputs: TailInputs) -> dict[str, Any]:
    return {
        "radius": write_rational(inputs.radius),
        "variance": write_rational(inputs.variance),
        "degree": inputs.degree,
        "dim": inputs.dim,
        "dilation": write_rational(inputs.dilation),
        "witness": write_rational(inputs.witness),
    }


_STATEMENT = (
    "the largest, over all laws Q of mu on a ball of the radius about c in R^dim, of the least "
    "distance from E[mu | y] - c to a polynomial of at most the degree, y = mu + N(0, variance I), "
    "in L2 of N(c, variance I) where the dilation is 0 and else in L2 of the law of y"
)
_EXCLUDES = (
    "that a polynomial of this degree is any worse than the bound: only the upper end is claimed",
    "the error of a polynomial fitted to data, or of any but the best one",
    "piecewise polynomials",
    "components whose covariances differ",
)

HERMITE_STRIP = Claim(
    "hermite-tail-strip",
    _STATEMENT,
    _EXCLUDES,
    partial(_read, "strip"),
    _write,
    {
        "strip, summed": partial(_strip, strip_by_sums),
        "strip, by special functions": partial(_strip, strip_by_functions),
    },
    one_sided=True,
)
HERMITE_NOISE = Claim(
    "hermite-tail-noise",
    _STATEMENT,
    _EXCLUDES,
    partial(_read, "noise"),
    _write,
    {
        "noise sensitivity, by Stirling numbers": partial(_noise, noise_by_stirling),
        "noise sensitivity, by weak orderings": partial(_noise, noise_by_orderings),
    },
    one_sided=True,
)
