r"""Two formulas for the derivative of a learned denoiser over a box, in ball arithmetic.

Both return a ball around every entry of D' and of its derivatives:

:class:`Differentiated`
    expands D itself to order two, with gates

    .. math:: r_c(y + t) = \frac{r_c \, e^{\Delta_c(t)}}{1 + \sum_j r_j (e^{\Delta_j(t)} - 1)},

    :math:`\Delta_c` being the increment of the exponent, and r_c over a box bounded from the
    pairwise differences of exponents.
:class:`Composed`
    expands to order one the closed form

    .. math:: D' = \sum_c r_c A_c + \kappa \sum_c r_c (f_c - v) (o_c - \bar o)^T, \qquad
        A_c = \kappa^{-1} (I - V_c^{-1}) + e_c (T_c' - \lambda T_c u_c^T) W_c,

    :math:`f_c = o_c + e_c T_c`, any v, with gates as quotients of exponentials. It follows from
    :math:`\nabla r_c = r_c (\bar g - g_c)` and :math:`g_c = V_c^{-1} (y - \kappa m_c) = y -
    \kappa o_c`.

Exponents and the cells' own denoisers enter by their differences from those of one cell. These
are quadratic and affine, and are expanded about the middle of the box, where what cells have in
common has cancelled.
"""

from typing import Any, Protocol, final

from flint import arb, arb_series

from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.arithmetic.taylor import increment, parts, taylor_order, variables
from symscore.exact.bijections.cell_balls import BlockBalls, Matrix, Vector, apply, value_of
from symscore.exact.bijections.learned_field import LearnedField

# D', and its derivatives by y_1, ..., y_d.
Slope = tuple[Matrix, list[Matrix]]


class SlopeForm(Protocol):
    """A formula for D', made for one field at the present precision."""

    kappa: arb
    blocks: tuple[BlockBalls, ...]

    def at(self, mid: Vector) -> Matrix:
        """Return D' at a point."""

    def over(self, mid: Vector, half: Vector) -> Slope:
        """Return D' and its derivatives over the box ``mid + half``, half being around zero."""

    def local(
        self, block: BlockBalls, c: int, near: "Nearby", half: Vector
    ) -> tuple[Matrix, Vector]:
        """Return A_c and the deviation e_c T_c over a box."""


@final
class Differentiated:
    """D' by expanding D to order two; see this module."""

    def __init__(self, field: LearnedField) -> None:
        self._dim = field.dim
        self.kappa = ball_of(field.kappa)
        self.blocks = tuple(BlockBalls.of(field, block) for block in field.blocks)

    def at(self, mid: Vector) -> Matrix:
        """Return D' at a point."""
        with taylor_order(self._dim, 1):
            return self._expanded(mid, [arb(0)] * self._dim, 1)[0]

    def over(self, mid: Vector, half: Vector) -> Slope:
        """Return D' and its derivatives over the box ``mid + half``, half being around zero."""
        with taylor_order(self._dim, 2):
            return self._expanded(mid, half, 2)

    def local(
        self, block: BlockBalls, c: int, near: "Nearby", half: Vector
    ) -> tuple[Matrix, Vector]:
        """Return A_c and the deviation e_c T_c over a box, by expanding the latter to order one."""
        cell, d = block.cells[c], self._dim
        if not cell.monomials:
            return cell.gain, [arb(0)] * d
        with taylor_order(d, 1):
            u = near.coordinate(c, variables(half, 1))
            damping, powers = block.damping(u), cell.powers(u)
            moved = [damping * value_of(terms, powers) for terms in cell.deviation]
            slopes = [parts(entry, d, 1)[0] for entry in moved]
            sums = [
                [a + b for a, b in zip(*rows, strict=True)]
                for rows in zip(cell.gain, slopes, strict=True)
            ]
            return sums, [entry[0] for entry in moved]

    def _expanded(self, mid: Vector, half: Vector, order: int) -> Slope:
        d = self._dim
        steps = variables(half, order)
        total = [arb(0)] * d
        for block in self.blocks:
            near = Nearby(block, mid)
            gates = near.gates(steps, half)
            for c, (cell, gate) in enumerate(zip(block.cells, gates, strict=True)):
                height = near.apart(c, steps)
                if cell.monomials:
                    u = near.coordinate(c, steps)
                    damping, powers = block.damping(u), cell.powers(u)
                    height = [
                        h + damping * value_of(terms, powers)
                        for h, terms in zip(height, cell.deviation, strict=True)
                    ]
                total = [t + block.share * (gate * h) for t, h in zip(total, height, strict=True)]
            common = apply(near.anchor.gain, steps)
            total = [t + block.share * own for t, own in zip(total, common, strict=True)]
        return _derivatives(total, d, order)


@final
class Composed:
    """D' by its closed form; see this module."""

    def __init__(self, field: LearnedField) -> None:
        self._dim = field.dim
        self.kappa = ball_of(field.kappa)
        self.blocks = tuple(BlockBalls.of(field, block) for block in field.blocks)

    def at(self, mid: Vector) -> Matrix:
        """Return D' at a point."""
        return self._slope(mid, [arb(0)] * self._dim)

    def over(self, mid: Vector, half: Vector) -> Slope:
        """Return D' and its derivatives over the box ``mid + half``, half being around zero."""
        d = self._dim
        with taylor_order(d, 1):
            wide = self._slope(mid, variables(half, 1))
            changes = [
                [[parts(entry, d, 1)[0][k] for entry in row] for row in wide] for k in range(d)
            ]
            return [[entry[0] for entry in row] for row in wide], changes

    def _slope(self, mid: Vector, steps: Vector) -> Matrix:
        d = self._dim
        total: Matrix = [[0 * steps[0]] * d for _ in range(d)]
        for block in self.blocks:
            near = Nearby(block, mid)
            levels = [near.level(c, steps) for c in range(len(block.cells))]
            ratios = [
                arb(1) if cell is near.anchor else _exponential(level)
                for cell, level in zip(block.cells, levels, strict=True)
            ]
            norm = _inverse(sum(ratios, 0 * steps[0]))
            owns = [near.apart(c, steps) for c in range(len(block.cells))]
            mean = [
                sum((r * own[j] for r, own in zip(ratios, owns, strict=True)), 0 * steps[0]) * norm
                for j in range(d)
            ]
            for c, (ratio, own) in enumerate(zip(ratios, owns, strict=True)):
                gate = block.share * ratio * norm
                local, deviation = self.local(block, c, near, steps)
                for i in range(d):
                    for j in range(d):
                        joint = (own[i] - mean[i] + deviation[i]) * (own[j] - mean[j])
                        total[i][j] += gate * (local[i][j] + self.kappa * joint)
        return total

    def local(
        self, block: BlockBalls, c: int, near: "Nearby", half: Vector
    ) -> tuple[Matrix, Vector]:
        """Return A_c and the deviation e_c T_c over a box, or in the ring of `half`."""
        cell, d = block.cells[c], self._dim
        if not cell.monomials:
            return cell.gain, [arb(0)] * d
        u = near.coordinate(c, half)
        damping, powers = block.damping(u), cell.powers(u)
        values = [value_of(terms, powers) for terms in cell.deviation]
        bent = [
            [value_of(cell.slopes[i][k], powers) - block.rate * values[i] * u[k] for k in range(d)]
            for i in range(d)
        ]
        local = [
            [
                cell.gain[i][j]
                + damping * sum((bent[i][k] * cell.whiten[k][j] for k in range(d)), arb(0))
                for j in range(d)
            ]
            for i in range(d)
        ]
        return local, [damping * value for value in values]


@final
class Nearby:
    """The cells of a block about a point, as they differ from the one with the largest gate."""

    def __init__(self, block: BlockBalls, mid: Vector) -> None:
        levels = [cell.exponent(mid) for cell in block.cells]
        top = max(range(len(levels)), key=lambda c: float(levels[c]))
        self.anchor = block.cells[top]
        self._cells = block.cells
        self._levels = levels
        self._pulls = [cell.pull(mid) for cell in block.cells]
        self._owns = [cell.own(mid) for cell in block.cells]
        self._places = [cell.coordinate(mid) for cell in block.cells]
        self.top = top

    def coordinate(self, c: int, steps: Vector) -> Vector:
        """Return u of cell c at ``mid + steps``."""
        moved = apply(self._cells[c].whiten, steps)
        return [a + b for a, b in zip(moved, self._places[c], strict=True)]

    def apart(self, c: int, steps: Vector) -> Vector:
        """Return the own denoiser of cell c less that of the anchor."""
        moved = apply(_less(self._cells[c].gain, self.anchor.gain), steps)
        still = zip(self._owns[c], self._owns[self.top], strict=True)
        return [a + (b - e) for a, (b, e) in zip(moved, still, strict=True)]

    def level(self, c: int, steps: Vector) -> Any:
        """Return the exponent of cell c less that of the anchor."""
        return self._between(c, self.top, steps)

    def most(self, c: int, half: Vector) -> arb:
        """Return a bound from above of gate c over a box."""
        over = [self._between(j, c, half) for j in range(len(self._cells))]
        return _share(over).upper()

    def gates(self, steps: Vector, half: Vector) -> Vector:
        """Return the gates as Taylor polynomials."""
        cells = range(len(self._cells))
        if len(self._cells) == 1:
            return [arb(1)]
        values = [_share([self._between(j, c, half) for j in cells]) for c in cells]
        grown = [increment(self.level(c, steps)).exp() for c in cells]
        norm = 1 / (1 + sum((r * (g - 1) for r, g in zip(values, grown, strict=True)), arb(0)))
        return [r * g * norm for r, g in zip(values, grown, strict=True)]

    def _between(self, i: int, j: int, steps: Vector) -> Any:
        """Return exponent i less exponent j: quadratic, about the middle."""
        tilt = [a - b for a, b in zip(self._pulls[i], self._pulls[j], strict=True)]
        bend = apply(_less(self._cells[i].precision, self._cells[j].precision), steps)
        change = sum(
            ((t + b / 2) * s for t, b, s in zip(tilt, bend, steps, strict=True)), 0 * steps[0]
        )
        return (self._levels[i] - self._levels[j]) - change


def _less(one: Matrix, two: Matrix) -> Matrix:
    return [[a - b for a, b in zip(*rows, strict=True)] for rows in zip(one, two, strict=True)]


def _share(over: Vector) -> arb:
    """Return ``1 / sum exp(over)``, where one entry is 0; monotone, so from the ends of balls."""
    ends = []
    for end in ([o.upper() for o in over], [o.lower() for o in over]):
        total = sum((o.exp() for o in end), arb(0))
        if not total.is_finite():
            return arb(0.5, 0.5)
        ends.append(1 / total)
    return ends[0].union(ends[1])


def _exponential(exponent: Any) -> Any:
    """Return exp, its value over a wide ball from the ball's ends."""
    value = exponent[0] if isinstance(exponent, arb_series) else exponent
    ends = value.lower().exp().union(value.upper().exp())
    return ends * increment(exponent).exp() if isinstance(exponent, arb_series) else ends


def _inverse(norm: Any) -> Any:
    """Return ``1 / norm``; not a number where the ball of its value touches zero."""
    value = norm[0] if isinstance(norm, arb_series) else norm
    return 1 / norm if value > 0 else arb.nan()


def _derivatives(field: Vector, dim: int, order: int) -> Slope:
    firsts, seconds = zip(*(parts(entry, dim, order) for entry in field), strict=True)
    if order == 1:
        return list(firsts), []
    changes = [[[seconds[i][j][k] for j in range(dim)] for i in range(dim)] for k in range(dim)]
    return list(firsts), changes
