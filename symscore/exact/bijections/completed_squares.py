r"""A bound on the slope of a learned denoiser in which gates only take averages.

With :math:`f_c = o_c + \delta_c`, :math:`\delta_c = e_c T_c`, the derivative of a block is (see
:mod:`symscore.exact.bijections.slope_forms`)

.. math:: \sum_c r_c A_c + \kappa \operatorname{Cov}_r(o + \delta, o),
    \qquad A_c = \kappa^{-1}(I - V_c^{-1}) + \delta_c' ,

Cov_r being the covariance over cells with weights r.

**Proposition** (own derivation). *For any vector v, at every point,*

.. math:: -\lambda_{\min}(\operatorname{sym} D') \le \sum_c r_c x_c, \qquad
    x_c = -\lambda_{\min}(\operatorname{sym} A_c) + \tfrac{\kappa}{4} |\delta_c - v|^2 .

*Proof.* For a unit vector n let a and b be :math:`\langle n, o_c\rangle` and :math:`\langle n,
\delta_c\rangle` less their means under r. The covariance contributes :math:`\kappa E_r[(a + b) a]
= \kappa E_r[(a + b/2)^2] - \tfrac{\kappa}{4} E_r[b^2]`, and a variance is at most the mean square
about any number, so :math:`E_r[b^2] \le \sum_c r_c |\delta_c - v|^2`. The rest is
:math:`\langle n, A_c n\rangle \ge \lambda_{\min}`. With one cell there is no covariance.
:math:`\square`

Over a box, :math:`\sum_c r_c x_c \le x_0 + \sum_{c \ne 0} \bar r_c \max(0, x_c - x_0)`, with bounds
:math:`\bar r_c` of the gates, and it is at most the largest x_c.

**Far away**, let :math:`|u_c| = t` and :math:`\tau(t) = \sum |\theta_a| t^{|a|} \ge |T_c|`, over
all coefficients of all entries of T_c. With v = 0,

.. math:: \lVert\delta_c'\rVert \le e^{-\lambda t^2/2} (\tau' + \lambda t \tau) \lVert W_c\rVert_F,
    \qquad |\delta_c| \le e^{-\lambda t^2/2} \tau,

and :math:`t^n e^{-\lambda t^2/2}` falls once :math:`\lambda t^2 \ge n`: the bound at such a t holds
at all larger distances. It holds outside the rectangle that reaches :math:`t \sqrt{(V_c)_{kk}}`
beyond every centre along every axis k, since :math:`|u_c|^2 \ge (y - \kappa m_c)_k^2 / (V_c)_{kk}`
by the Cauchy-Schwarz inequality.
"""

from collections.abc import Callable, Iterable, Sequence

from flint import arb, fmpq

from symscore.errors import NotCertified
from symscore.exact.arithmetic.balls import Enclosure, as_fmpq, ball_of
from symscore.exact.arithmetic.polynomial import field_degree
from symscore.exact.bijections.cell_balls import Matrix, Vector, squared
from symscore.exact.bijections.eigenvalues import negativity
from symscore.exact.bijections.learned_field import LearnedBlock, LearnedCell, LearnedField
from symscore.exact.bijections.slope_forms import Nearby, SlopeForm

FARTHEST = 400  # standard deviations of a cell


def squares_bound(form: SlopeForm, mid: Vector, half: Vector) -> arb:
    """Return a bound of ``-lambda_min(sym D')`` over the box ``mid + half``."""
    total = arb(0)
    for block in form.blocks:
        near = Nearby(block, mid)
        cells = range(len(block.cells))
        slopes, moved = zip(*(form.local(block, c, near, half) for c in cells), strict=True)
        excess = [negativity(slope) for slope in slopes]
        if len(cells) == 1:
            total += block.share * excess[0]
            continue
        most = [near.most(c, half) for c in cells]
        about = _mean(most, moved)
        for c in cells:
            away = squared([(a - b).abs_upper() for a, b in zip(moved[c], about, strict=True)])
            excess[c] = (excess[c] + form.kappa / 4 * away).upper()
        total += block.share * _average(excess, most, near.top)
    return total.upper()


def crude_bound(field: LearnedField) -> arb:
    """Return a bound of ``-lambda_min(sym D')`` everywhere, were there no deviations."""
    return _shared(field, lambda block, cell: negativity(_gain(field, cell)))


def rectangle_beyond(
    field: LearnedField, allowed: arb
) -> tuple[tuple[tuple[fmpq, fmpq], ...], arb]:
    r"""Return a rectangle outside which ``-lambda_min(sym D') <= allowed``, and a bound there.

    Raises
    ------
    NotCertified
        If it would have to reach 400 standard deviations beyond a cell.
    """
    for t in range(1, FARTHEST + 1):
        bound = far_bound(field, t)
        if bound <= allowed:
            return tuple(_interval(field, k, t) for k in range(field.dim)), bound
    raise NotCertified(
        f"Expected deviations that fade within {FARTHEST} standard deviations of their cells; got "
        "larger ones."
    )


def far_bound(field: LearnedField, t: int) -> arb:
    """Return a bound of ``-lambda_min(sym D')`` where all ``|u_c| >= t``; infinite for small t."""
    return _shared(field, lambda block, cell: _far(field, block, cell, t))


def largest(values: Iterable[arb]) -> arb:
    """Return a ball whose upper end is at least that of every value."""
    first, *rest = values
    for value in rest:
        first = first.max(value)
    return first


def _mean(weights: Vector, vectors: Sequence[Vector]) -> Vector:
    """Return a point amid the vectors, nearest to those of great weight: any point would do."""
    total = sum(weights, arb(0))
    return [
        (sum((w * entry for w, entry in zip(weights, entries, strict=True)), arb(0)) / total).mid()
        for entries in zip(*vectors, strict=True)
    ]


def _average(excess: Vector, most: Vector, top: int) -> arb:
    """Return a bound of the average of `excess` under gates that are at most `most`."""
    own = total = excess[top]
    for c, value in enumerate(excess):
        if c != top and not value <= own:
            total += most[c] * (value - own).max(arb(0))
    highest = largest(excess)
    return total.min(highest).upper() if total.is_finite() else highest


def _shared(field: LearnedField, bound: Callable[[LearnedBlock, LearnedCell], arb]) -> arb:
    return sum(
        (
            ball_of(block.share) * largest(bound(block, cell) for cell in block.cells)
            for block in field.blocks
        ),
        arb(0),
    ).upper()


def _far(field: LearnedField, block: LearnedBlock, cell: LearnedCell, t: int) -> arb:
    crude = negativity(_gain(field, cell))
    if not cell.deviates:
        return crude
    if not block.rate * t * t >= field_degree(cell.deviation) + 1:
        return arb.pos_inf()
    bound = slope = fmpq(0)  # tau and its derivative at t
    for polynomial in cell.deviation:
        for a, value in polynomial.items():
            n = sum(a)
            bound += abs(value) * fmpq(t) ** n
            slope += n * abs(value) * fmpq(t) ** max(n - 1, 0)
    size = sum((value * value for row in cell.whiten for value in row), fmpq(0))
    damping = ball_of(-block.rate * t * t / 2).exp()
    steep = damping * ball_of(slope + block.rate * t * bound) * ball_of(size).sqrt()
    moved = damping * ball_of(bound)
    return (crude + steep + ball_of(field.kappa / 4) * moved * moved).upper()


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


def _gain(field: LearnedField, cell: LearnedCell) -> Matrix:
    return [[ball_of(value) for value in row] for row in field.gain(cell).tolist()]
