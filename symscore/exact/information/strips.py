r"""How far a lattice sum of the posterior spread is from its integral.

The sum of the integrand f of :class:`symscore.exact.information.plane.Plane` over the lattice
:math:`h Z^2`, times :math:`h^2`, converges to its integral exponentially. The bound (own
derivation) needs no common covariance.

*Phases.* With A_i the precision and m_i the mean of p_i, for real x and y

.. math:: p_i(x + i y) = p_i(x) \, e^{y^T A_i y / 2} \, e^{-i y^T A_i (x - m_i)},

so the phases of p_i and p_j differ by :math:`y \cdot \delta_{ij}(x)`,
:math:`\delta_{ij} = \nabla \log (p_i / p_j)`. Where all :math:`|y \cdot \delta_{ij}(x)|` are at
most :math:`2 \theta < \pi`, the numbers :math:`p_i(x + i y)` lie in a sector of that angle, hence
:math:`|p| \ge \cos\theta \sum_i |p_i|`, and as :math:`ab / (a + b + \dots) \le \min(a, b)`

.. math:: |f(x + i y)| \le \frac{1}{\cos\theta} \sum_{i<j} \min(|p_i|, |p_j|)
    \left( |\Delta_{ij}(x)|^2 + |\Delta'_{ij} y|^2 \right).

*Contours.* By Poisson's summation formula the error is the sum of the Fourier transform of f over
the frequencies :math:`m / h \ne 0`. In the integral for m, move x to :math:`x + i \eta(x) e`, e the
unit vector against m, with

.. math:: \eta(x) = 2 \theta / \max(M_0, \max_{ij} |\delta_{ij}(x)|).

f is analytic on the way and decays, and :math:`f dz_1 \wedge dz_2` is closed, so the integral stays
what it is (eta is Lipschitz; smooth functions with the same constant approach it). The volume
element is :math:`|1 + i e \cdot \nabla \eta| \le (1 + L^2)^{1/2}` with
:math:`L = 2 \theta \max \|\delta'_{ij}\| / M_0^2`, and so

.. math:: \Big| h^2 \sum_{k \in Z^2} f(hk) - \int f \Big| \le \frac{(1 + L^2)^{1/2}}{\cos\theta}
    \int \sum_{i<j} \min(p_i e^{\eta^2 |A_i| / 2}, p_j e^{\eta^2 |A_j| / 2})
    \left( |\Delta_{ij}|^2 + |\Delta'_{ij}|^2 \eta^2 \right)
    S\!\left(\frac{2 \pi \eta}{h}\right) dx, \qquad
    S(q) = \sum_{m \ne 0} e^{-q |m|}.

Where the components' scores are far apart the strip is narrow, but there :math:`\min(p_i, p_j)` is
small: that is why a width that varies with x pays. The integral on the right is bounded box by box.
"""

from typing import final

from flint import arb, fmpq

from symscore.errors import UnsupportedInstance
from symscore.exact.arithmetic.balls import ball_of
from symscore.exact.information.peaks import Affine, Peak, greatest
from symscore.exact.information.plane import Plane

# Half the angle of the sector that the densities stay in, below pi / 2.
THETA = fmpq(7, 5)
# M_0: the greatest width of a strip is 2 THETA / LEAST.
LEAST = fmpq(3, 4)
# A box is divided while this and more may be lost, as a logarithm, by taking bounds on it.
LOOSE = 2.5
MOST_BOXES = 20_000


@final
class Box:
    """A rectangle and its part of the integral, ``weight S(2 pi eta / h)``.

    Parameters
    ----------
    strips : Strips
    place : (4,) tuple of arb
        Its centre x, y and half its sides dx, dy.
    """

    __slots__ = ("_quarters", "eta", "place", "slack", "spare", "weight")

    def __init__(self, strips: "Strips", place: tuple[arb, arb, arb, arb]) -> None:
        self.place = place
        self.weight, self.slack = strips.weight(*place)
        self.eta, self.spare = strips.strip(*place)
        self._quarters: tuple[Box, ...] = ()

    def quarters(self, strips: "Strips") -> "tuple[Box, ...]":
        """Return the four of them, kept for the next spacing that is tried."""
        if not self._quarters:
            strips.count()
            x, y, dx, dy = self.place[0], self.place[1], self.place[2] / 2, self.place[3] / 2
            self._quarters = tuple(
                Box(strips, (x + i * dx, y + j * dy, dx, dy)) for i in (-1, 1) for j in (-1, 1)
            )
        return self._quarters


@final
class Strips:
    """The bounds of the module's text, for one plane and every spacing.

    Parameters
    ----------
    plane : Plane
    reach : fmpq
        q, above 4: boxes cover the ellipses ``(x - m_i)^T A_i (x - m_i) <= q``, and a lattice sum
        may leave out the points that lie in fewer than two of them.
    """

    def __init__(self, plane: Plane, reach: fmpq) -> None:
        self.reach = ball_of(reach)
        self.peaks = Peak.all_of(plane)
        self.gaps = [(gap.first, gap.second, Affine.of(gap)) for gap in plane.gaps]
        self.tilts = [Affine.of(tilt) for tilt in plane.tilts()]
        self.angle, self.least = 2 * ball_of(THETA), ball_of(LEAST)
        slope = self.angle * greatest([tilt.stretch for tilt in self.tilts]) / self.least**2
        self.factor = (1 + slope * slope).sqrt() / ball_of(THETA).cos()
        self.boxes = 0
        self.root = Box(self, self._frame(plane))

    def bound(self, spacing: arb, allowed: arb) -> arb | None:
        """Bound the error for a spacing h; None if boxes do not show it to be below `allowed`.

        Raises
        ------
        UnsupportedInstance
            If that takes too many boxes.
        """
        scale = 2 * arb.pi() / spacing
        total, small = self.outside(spacing), allowed / 10_000
        stack = [self.root]
        while stack:
            box = stack.pop()
            part = self.factor * box.weight * _series(scale * box.eta)
            if part < small or box.slack + float(scale) * box.spare < LOOSE:
                total += part
                if not total < allowed:
                    return None
            else:
                stack += box.quarters(self)
        return total

    def outside(self, spacing: arb) -> arb:
        r"""Bound the part of the integral outside of the boxes.

        There every :math:`Q_i = (x - m_i)^T A_i (x - m_i) > q`, and
        :math:`S(s) \le 4 / s + 8 / s^2`, so the integrand is at most
        :math:`\sum_i p_i P_i(\sqrt{Q_i})`, P_i a polynomial of degree 4 without negative
        coefficients. :math:`P_i(\sqrt Q) e^{-2 Q / q}` decreases for Q > q, and under p_i the
        density of Q_i is :math:`w_i e^{-Q / 2} / 2`: the integral over Q_i > q is at most
        :math:`w_i P_i(\sqrt q) e^{-q / 2} / (1 - 4 / q)`.
        """
        total, widest = arb(0), self.angle / self.least
        still = greatest([gap.stretch for _, _, gap in self.gaps]) * widest
        for peak in self.peaks:
            gap, tilt = self._growth(peak)
            part = spacing * tilt / (2 * arb.pi() * self.angle)
            shape = (gap * gap + still * still) * (4 * part + 8 * part * part)
            lift = widest * widest * peak.steepest / 2
            total += peak.mass * shape * (lift - self.reach / 2).exp()
        others = len(self.peaks) - 1
        return self.factor * total * others / 2 / (1 - 4 / self.reach)

    def unsummed(self, spacing: arb) -> arb:
        r"""Bound the part of a lattice sum at points in fewer than two of the ellipses.

        There :math:`f \le \sum_{i<j} \min(p_i, p_j) |\Delta_{ij}|^2 \le \sum_i p_i \sum_{j \ne i}
        |\Delta_{ij}|^2` with i over components of Q_i > q alone. With e = 4 / q,
        :math:`|\Delta_{ij}|^2 e^{-e Q / 2}` decreases there, and
        :math:`e^{-(1 - e) Q / 2} \le e^{-(1 - 2 e) q / 2} e^{-e Q / 2}`; the sum of the last factor
        over the lattice is bounded row by row, as for a function with one peak the sum times h is
        at most the integral and h times the peak.
        """
        total, share = arb(0), 4 / self.reach
        decay = (-(1 - share) * self.reach / 2).exp()
        for peak in self.peaks:
            gap, _ = self._growth(peak)
            a, det = peak.precision[0], peak.root_det**2
            rows = (2 * arb.pi() / (share * a)).sqrt() + spacing
            columns = (2 * arb.pi() * a / (share * det)).sqrt() + spacing
            total += peak.factor * gap * gap * decay * rows * columns
        return total * (len(self.peaks) - 1)

    def weight(self, x: arb, y: arb, dx: arb, dy: arb) -> tuple[arb, float]:
        """Bound the integral over a box but for S; also by about how much, as a logarithm."""
        radius = (dx * dx + dy * dy).sqrt()
        flat = greatest([tilt.norm(x, y) - tilt.stretch * radius for tilt in self.tilts])
        widest = self.angle / flat.max(self.least)
        heights = []
        for peak in self.peaks:
            near, slack = peak.nearest(x, y, dx, dy)
            lift = widest * widest * peak.steepest / 2
            heights.append((peak.factor * (lift - near * near / 2).exp(), slack))
        weight, loosest = arb(0), 0.0
        for i, j, gap in self.gaps:
            far, still = gap.norm(x, y) + gap.stretch * radius, gap.stretch * widest
            lower, slack = heights[i] if heights[i][0] < heights[j][0] else heights[j]
            part = lower * (far * far + still * still)
            weight += part
            # Of pairs that hardly count it does not matter how loose they are.
            if not part < weight / 1000:
                loosest = max(loosest, slack)
        return 4 * dx * dy * weight, loosest

    def strip(self, x: arb, y: arb, dx: arb, dy: arb) -> tuple[arb, float]:
        """Return the least eta on a box, and about how much greater it is at the centre."""
        radius = (dx * dx + dy * dy).sqrt()
        norms = [tilt.norm(x, y) for tilt in self.tilts]
        steepest = greatest(
            [norm + tilt.stretch * radius for norm, tilt in zip(norms, self.tilts, strict=True)]
        )
        eta = self.angle / steepest.max(self.least)
        return eta, float(self.angle / greatest(norms).max(self.least) - eta)

    def count(self) -> None:
        """Refuse to divide more boxes than would be worth their while."""
        self.boxes += 4
        if self.boxes > MOST_BOXES:
            raise UnsupportedInstance(
                "expected components of scales less different from each other: strips would take "
                f"more than {MOST_BOXES} boxes."
            )

    def _growth(self, peak: Peak) -> tuple[arb, arb]:
        """Bound gaps, and tilts or LEAST, on a component's ellipse."""
        a, _, c = peak.precision
        radius = (a + c).sqrt() / peak.root_det * self.reach.sqrt()
        gap = greatest([gap.norm(*peak.mean) + gap.stretch * radius for _, _, gap in self.gaps])
        tilt = greatest([tilt.norm(*peak.mean) + tilt.stretch * radius for tilt in self.tilts])
        return gap, tilt.max(self.least)

    def _frame(self, plane: Plane) -> tuple[arb, arb, arb, arb]:
        """Return a rectangle around all the ellipses."""
        law, root, sides = plane.law, self.reach.sqrt(), []
        for axis in range(2):
            ends = [
                (ball_of(mean[axis]), root * ball_of(covariance[axis][axis]).sqrt())
                for mean, covariance in zip(law.means, law.covariances, strict=True)
            ]
            low = -greatest([radius - mean for mean, radius in ends])
            high = greatest([mean + radius for mean, radius in ends])
            sides.append(((low + high) / 2, (high - low) / 2))
        (x, dx), (y, dy) = sides
        return x, y, dx, dy


def _series(q: arb) -> arb:
    """Bound S(q): the axes exactly, elsewhere by ``|m| >= (|m_1| + |m_2|) / sqrt 2``."""
    return 4 / q.expm1() + 4 / (q / arb(2).sqrt()).expm1() ** 2
