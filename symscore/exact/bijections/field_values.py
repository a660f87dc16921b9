"""The value of a learned denoiser at rational points."""

from collections.abc import Iterable, Iterator, Sequence

from flint import arb, fmpq

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.bijections.cell_balls import BlockBalls, Vector, value_of
from symscore.exact.bijections.learned_field import LearnedField


def denoised(field: LearnedField, points: Iterable[Sequence[fmpq]]) -> Iterator[list[arb]]:
    """Yield balls around D at each point, at the present precision.

    Examples
    --------
    >>> from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell
    >>> one, half = fmpq(1), fmpq(1, 2)
    >>> cell = LearnedCell(one, (fmpq(3),), ((half,),), ({(0,): half},))
    >>> field = LearnedField(one, (LearnedBlock(one, one, (cell,)),))
    >>> (value,) = next(denoised(field, [[fmpq(3)]]))
    >>> float(value)  # at the centre: the mean and the whole deviation
    3.5
    """
    blocks = [BlockBalls.of(field, block) for block in field.blocks]
    for point in points:
        y = [ball_of(value) for value in point]
        yield [sum(entries, arb(0)) for entries in zip(*(_part(b, y) for b in blocks), strict=True)]


def _part(block: BlockBalls, y: Vector) -> Vector:
    """Return a block's share of D at y."""
    levels = [cell.exponent(y) for cell in block.cells]
    top = max(levels, key=float)
    heights = [(level - top).exp() for level in levels]
    norm = sum(heights, arb(0))
    total = [arb(0)] * len(y)
    for cell, height in zip(block.cells, heights, strict=True):
        u, gate = cell.coordinate(y), block.share * height / norm
        local = cell.own(y)
        if cell.monomials:
            powers, damping = cell.powers(u), block.damping(u)
            local = [
                o + damping * value_of(terms, powers)
                for o, terms in zip(local, cell.deviation, strict=True)
            ]
        total = [t + gate * f for t, f in zip(total, local, strict=True)]
    return total
