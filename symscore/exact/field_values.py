"""The value of a learned denoiser at a rational point."""

from collections.abc import Sequence

from flint import arb, fmpq

from symscore.exact.balls import ball_of
from symscore.exact.cell_balls import BlockBalls, value_of
from symscore.exact.learned_field import LearnedField


def denoised(field: LearnedField, point: Sequence[fmpq]) -> list[arb]:
    """Return balls around D at a point, at the present precision.

    Examples
    --------
    >>> from symscore.exact.learned_field import LearnedBlock, LearnedCell
    >>> one, half = fmpq(1), fmpq(1, 2)
    >>> cell = LearnedCell(one, (fmpq(3),), ((half,),), ({(0,): half},))
    >>> field = LearnedField(one, (LearnedBlock(one, one, (cell,)),))
    >>> denoised(field, [fmpq(3)])  # the mean, 3, and the deviation, undamped at the centre
    [3.50000000000000]
    """
    y = [ball_of(value) for value in point]
    totals = [arb(0)] * field.dim
    for block in (BlockBalls.of(field, block) for block in field.blocks):
        levels = [cell.exponent(y) for cell in block.cells]
        top = max(levels, key=float)
        heights = [(level - top).exp() for level in levels]
        norm = sum(heights, arb(0))
        for cell, height in zip(block.cells, heights, strict=True):
            u, own = cell.coordinate(y), cell.own(y)
            powers = cell.powers(u)
            for i, terms in enumerate(cell.deviation):
                local = own[i] + (block.damping(u) * value_of(terms, powers) if powers else 0)
                totals[i] += block.share * height / norm * local
    return totals
