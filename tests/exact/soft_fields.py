"""Soft fields as a fit would have them, and their formula in mpmath."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import mpmath

from symscore.exact import ExactMixture
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.distances.soft_field import SoftCell, SoftField
from tests.exact.direct_integrals import number

CRUDE = ExactMixture(["1/4", "3/4"], ["-9/10", "21/10"], ["11/10", "3/10"])
TRUTH = ExactMixture(["1/3", "2/3"], [-1, 2], [1, "1/4"])


def deviating(crude: ExactMixture, random: Random) -> SoftField:
    """The crude mixture's score and damped deviations of degree 2, as a fit has them."""
    (block,) = SoftField.score(RationalMixture.of(crude)).blocks

    def deviation() -> tuple[Fraction, ...]:
        return tuple(Fraction(random.randint(-9, 9), 20) for _ in range(3))

    return SoftField(
        (tuple(replace(c, damped=deviation(), rate=1 / (9 * c.variance)) for c in block),)
    )


LEARNED = deviating(CRUDE, Random(1))
# Two blocks, undamped and damped parts, one cell alone.
BLEND = SoftField(
    (
        *LEARNED.scaled("2/3").blocks,
        (SoftCell(1, "1/2", 2, ["1/5", "-1/3"], [0, 0, "1/7"], "1/2"),),
    )
)
FIELDS = {"learned": LEARNED, "blend": BLEND}


def in_mpmath(field: SoftField, x: mpmath.mpf) -> mpmath.mpf:
    """The formula of the module, written down once more."""
    total = mpmath.mpf(0)
    for block in field.blocks:
        logs, heights = [], []
        for cell in block:
            v, variance = x - number(cell.centre), number(cell.variance)
            logs.append(mpmath.log(number(cell.weight) ** 2 / variance) / 2 - v**2 / (2 * variance))
            plain, damped = (
                mpmath.fsum(number(c) * v**j for j, c in enumerate(part))
                for part in (cell.plain, cell.damped)
            )
            heights.append(plain + mpmath.exp(-number(cell.rate) * v**2 / 2) * damped)
        shares = [mpmath.exp(value - max(logs)) for value in logs]
        total += mpmath.fdot(shares, heights) / mpmath.fsum(shares)
    return total
