r"""Bounds on the derivative of a learned denoiser far from its cells, and eigenvalues of balls.

With :math:`f_c = o_c + \delta_c`, :math:`\delta_c = e_c T_c`, the derivative of a block is (see
:mod:`symscore.exact.slope_forms`)

.. math:: D' = \sum_c r_c A_c + \kappa \operatorname{Cov}_r(o + \delta, o),
    \qquad A_c = \kappa^{-1}(I - V_c^{-1}) + \delta_c',

Cov_r being the covariance over cells with weights r. For a unit vector v, the last term gives
:math:`\kappa E_r[a (a + b)]` with a and b the centred :math:`\langle v, o_c\rangle` and
:math:`\langle v, \delta_c\rangle`, and :math:`a^2 + ab \ge -b^2/4`. So (own derivation), everywhere,

.. math:: \lambda_{\min}(\operatorname{sym} D') \ge \min_c \bigl(
    \lambda_{\min}(\kappa^{-1}(I - V_c^{-1})) - \lVert\delta_c'\rVert
    - \tfrac{\kappa}{4} |\delta_c|^2 \bigr) .

Let :math:`|u_c| = t` and :math:`\tau(t) = \sum |\theta_a| t^{|a|} \ge |T_c|`, over all
coefficients of all entries of T_c. Then

.. math:: \lVert\delta_c'\rVert \le e^{-\lambda t^2/2} (\tau' + \lambda t \tau) \lVert W_c\rVert_F,
    \qquad |\delta_c| \le e^{-\lambda t^2/2} \tau,

and :math:`t^n e^{-\lambda t^2/2}` falls once :math:`\lambda t^2 \ge n`: the bound at such a t holds
at all larger distances. It holds outside the rectangle that reaches :math:`t \sqrt{(V_c)_{kk}}`
beyond every centre along every axis k, since :math:`|u_c|^2 \ge (y - \kappa m_c)_k^2 / (V_c)_{kk}`
by the Cauchy-Schwarz inequality.
"""

from typing import Any

from flint import arb, fmpq

from symscore.errors import NotCertified
from symscore.exact.balls import Enclosure, as_fmpq, ball_of
from symscore.exact.learned_field import LearnedBlock, LearnedCell, LearnedField
from symscore.exact.polynomial import field_degree

FARTHEST = 400  # standard deviations of a cell

# Centre and half-width along every axis.
Rectangle = tuple[tuple[fmpq, fmpq], ...]


def rectangle_beyond(field: LearnedField, allowed: arb) -> tuple[Rectangle, arb]:
    r"""Return a rectangle outside which ``-lambda_min(sym D') <= allowed``, and a bound there.

    Raises
    ------
    NotCertified
        If it would have to reach 400 standard deviations beyond a cell.
    """
    t = 1
    while not far_defect(field, t) <= allowed:
        t += 1
        if t > FARTHEST:
            raise NotCertified(
                f"Expected deviations that vanish within {FARTHEST} standard deviations of their "
                "cells; got larger ones."
            )
    return tuple(_interval(field, k, t) for k in range(field.dim)), far_defect(field, t)


def far_defect(field: LearnedField, t: int) -> arb:
    """Return a bound of ``-lambda_min(sym D')`` where all ``|u_c| >= t``; infinite if t is small."""
    return sum(
        (
            ball_of(block.share) * largest(_far(field, block, cell, t) for cell in block.cells)
            for block in field.blocks
        ),
        arb(0),
    ).upper()


def crude_defect(field: LearnedField) -> arb:
    """Return a bound of ``-lambda_min(sym D')`` everywhere, were there no deviations."""
    return sum(
        (
            ball_of(block.share) * largest(negativity(_gain(field, cell)) for cell in block.cells)
            for block in field.blocks
        ),
        arb(0),
    ).upper()


def negativity(matrix: list[list[Any]]) -> arb:
    """Return a bound from above of ``-lambda_min`` of the symmetric part, for all matrices inside.

    Examples
    --------
    >>> negativity([[arb(1), arb(0)], [arb(0), arb(-2)]])
    2.00000000000000
    """
    if len(matrix) == 1:
        return (-matrix[0][0]).upper()
    (a, b), (c, d) = matrix
    half, skew = ((a - d) / 2).abs_upper(), ((b + c) / 2).abs_upper()
    return ((half * half + skew * skew).sqrt() - (a + d) / 2).upper()


def defect_at_least(matrix: list[list[Any]]) -> arb:
    """Return a bound from below of ``-lambda_min`` of the symmetric part, by Rayleigh quotients.

    Examples
    --------
    >>> defect_at_least([[arb(1), arb(0)], [arb(0), arb(-2)]])
    2.00000000000000
    """
    if len(matrix) == 1:
        return (-matrix[0][0]).lower()
    (a, b), (c, d) = matrix
    half, skew = ((a - d) / 2).abs_lower(), ((b + c) / 2).abs_lower()
    return ((half * half + skew * skew).sqrt() - (a + d) / 2).lower()


def largest(values: Any) -> arb:
    """Return a ball whose upper end is at least that of every value."""
    first, *rest = values
    for value in rest:
        first = first.max(value)
    return first


def _far(field: LearnedField, block: LearnedBlock, cell: LearnedCell, t: int) -> arb:
    crude = negativity(_gain(field, cell))
    if not cell.deviates:
        return crude
    degree = field_degree(cell.deviation)
    if not block.rate * t * t >= degree + 1:
        return arb.pos_inf()
    # tau and its derivative at t.
    bound = slope = fmpq(0)
    for polynomial in cell.deviation:
        for a, value in polynomial.items():
            n = sum(a)
            bound += abs(value) * fmpq(t) ** n
            slope += n * abs(value) * fmpq(t) ** (n - 1) if n else 0
    size = sum((value * value for row in cell.whiten for value in row), fmpq(0))
    damping = ball_of(-block.rate * t * t / 2).exp()
    steep = damping * ball_of(slope + block.rate * t * bound) * ball_of(size).sqrt()
    moved = damping * ball_of(bound)
    return crude + steep + ball_of(field.kappa / 4) * moved * moved


def _interval(field: LearnedField, k: int, t: int) -> tuple[fmpq, fmpq]:
    """Return centre and half-width of the rectangle along an axis."""
    lows, highs = [], []
    for cell in field.cells:
        centre = field.centre(cell)[k]
        spread = ball_of(cell.precision.inv()[k, k]).sqrt()
        reach = t * as_fmpq(Enclosure.of_ball(spread).upper)
        lows.append(centre - reach)
        highs.append(centre + reach)
    low, high = min(lows), max(highs)
    return (low + high) / 2, (high - low) / 2


def _gain(field: LearnedField, cell: LearnedCell) -> list[list[arb]]:
    return [[ball_of(value) for value in row] for row in field.gain(cell).tolist()]
