r"""The sampler of 2404.18869 on a normal target: exact laws, and the divergence of whole paths.

The noisy point at time t is :math:`y_t = x + \sqrt t \, \xi`. From the noisy time t' to the cleaner
t the sampler with the estimate :math:`\hat s` of the score at t' moves by

.. math:: \hat y = y + c \, \hat s(y) + \sqrt{\Delta} \, z, \qquad
    c = 2 \big( (t' + 1) - \sqrt{(t + 1)(t' + 1)} \big), \quad \Delta = t' - t .

With x ~ N(m, v) and affine estimates everything stays normal, and rational where the levels are
given by their roots :math:`r = \sqrt{t + 1}`, so that :math:`c = 2 r' (r' - r)`.

**Paths.** Let :math:`s_t` be the true score, :math:`J_t = E |s_t|^2 = 1 / (v + t)` its Fisher
information, :math:`e = \hat s - s_{t'}`. The divergence of the path
:math:`(y_{t_1}, \dots, y_{t_N})` from that of the sampler started at N(0, T + 1) is

.. math:: K = KL(p_T \,\|\, N(0, T + 1))
    + \sum \frac12 \int_t^{t'} (J_\tau - J_{t'}) \, d\tau
    + \sum \frac{E |(\Delta - c) s_{t'} - c \, e|^2}{2 \Delta},

because the forward path, read backwards, has kernels of mean :math:`y + \Delta s_{t'}(y)` and
variance :math:`\Delta (v + t) / (v + t')`. (Own derivation. The first two terms and the mean hold
for every target; the variance is the normal one.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, exp
from typing import final

from flint import arb, fmpq

from symscore.errors import BadOption, NotCertified
from symscore.exact.arithmetic.balls import ball_of

ZERO = fmpq(0)
# Roots of levels are multiples of 2 to the minus this.
FINE = 12


@final
@dataclass(frozen=True, slots=True)
class Normal:
    """The law N(mean, variance) on the line.

    Parameters
    ----------
    mean : fmpq
    variance : fmpq
        At least 0; a law with none has no divergence.
    """

    mean: fmpq
    variance: fmpq

    def __post_init__(self) -> None:
        if self.variance < 0:
            raise BadOption(f"Expected a variance of at least 0; got {self.variance}.")

    def noised(self, t: fmpq) -> "Normal":
        r"""Return the law of :math:`x + \sqrt t \, \xi`."""
        return Normal(self.mean, self.variance + t)

    def mapped(self, slope: fmpq, shift: fmpq, noise: fmpq) -> "Normal":
        r"""Return the law of ``slope * x + shift`` plus independent noise of a variance."""
        return Normal(slope * self.mean + shift, slope * slope * self.variance + noise)

    def square(self, slope: fmpq, shift: fmpq) -> fmpq:
        """Return the mean of ``(slope * x + shift) ** 2``."""
        mean = slope * self.mean + shift
        return mean * mean + slope * slope * self.variance

    def divergence(self, other: "Normal") -> arb:
        r"""Return ``KL(self || other)``.

        .. math:: \tfrac12 \Big( \frac{v + (m - m')^2}{v'} - 1 - \log \frac{v}{v'} \Big)

        Examples
        --------
        >>> Normal(fmpq(1), fmpq(2)).divergence(Normal(fmpq(0), fmpq(2)))
        0.250000000000000
        """
        shift = self.mean - other.mean
        rational = (self.variance + shift * shift) / other.variance - 1
        return (ball_of(rational) - ball_of(self.variance / other.variance).log()) / 2


@final
@dataclass(frozen=True, slots=True)
class NormalChain:
    """A normal target, the levels of a sampler, and the error of its scores.

    Parameters
    ----------
    target : Normal
        The law of x.
    roots : (N,) sequence of fmpq
        The roots of t + 1, decreasing, from noise to data; all above 1.
    slope, shift : fmpq
        The estimate at every level is the true score plus ``slope * y + shift``.

    Examples
    --------
    >>> chain = NormalChain(Normal(fmpq(0), fmpq(1)), [fmpq(3), fmpq(2)])
    >>> chain.start, chain.sampled()
    (Normal(mean=0, variance=9), Normal(mean=0, variance=6))
    """

    target: Normal
    roots: Sequence[fmpq]
    slope: fmpq = ZERO
    shift: fmpq = ZERO

    @property
    def start(self) -> Normal:
        """The law that the sampler starts from, N(0, T + 1)."""
        return Normal(fmpq(0), self.roots[0] ** 2)

    @property
    def steps(self) -> list[tuple[fmpq, fmpq]]:
        """Pairs (r', r) of the roots before and after each step."""
        return list(pairwise(self.roots))

    def level(self, root: fmpq) -> Normal:
        """Return the true law at a level."""
        return self.target.noised(root * root - 1)

    def error(self, root: fmpq) -> fmpq:
        """Return the mean square of the estimate's error under the true law at a level."""
        return self.level(root).square(self.slope, self.shift)

    def sampled(self) -> Normal:
        """Return the law of the sampler's draws."""
        law = self.start
        for before, after in self.steps:
            slope, shift = self._estimate(before)
            length = 2 * before * (before - after)
            law = law.mapped(1 + length * slope, length * shift, before**2 - after**2)
        return law

    def path_divergence(self) -> arb:
        """Return K, from the kernels of both chains."""
        total = self.level(self.roots[0]).divergence(self.start)
        for before, after in self.steps:
            true, noise = self.level(before), before**2 - after**2
            ratio = self.level(after).variance / true.variance
            spread = Normal(fmpq(0), noise * ratio).divergence(Normal(fmpq(0), noise))
            slope, shift = self._estimate(before)
            length = 2 * before * (before - after)
            # The true kernel's mean is y + noise * (true score).
            tilt = -noise / true.variance - length * slope
            move = noise * true.mean / true.variance - length * shift
            total += spread + ball_of(true.square(tilt, move) / (2 * noise))
        return total

    def _estimate(self, root: fmpq) -> tuple[fmpq, fmpq]:
        true = self.level(root)
        return self.slope - 1 / true.variance, self.shift + true.mean / true.variance


def schedule(horizon: int, stop: Fraction, kappa: Fraction) -> list[fmpq]:
    r"""Return roots r of t + 1 from :math:`T` to :math:`t_1`, with steps that kappa allows.

    In the time :math:`\tau = \log r = \frac12 \log(t + 1)` of the variance preserving process every
    step is at most :math:`\kappa \min(1, \tau)`, tau that of the cleaner level:

    .. math:: t + 1 \ge (t' + 1) \max \big( e^{-2 \kappa}, (t' + 1)^{-\kappa / (1 + \kappa)} \big).

    Parameters
    ----------
    horizon : int
        T; the first root is that of T + 1 up to 2^-12.
    stop : Fraction
        t_1; the last root is one of :math:`t_1 + 1` rounded up, to 2^-12.
    kappa : Fraction

    Raises
    ------
    NotCertified
        If steps are lost in rounding, or balls do not decide that the rule is kept.

    Examples
    --------
    >>> len(schedule(100, Fraction(1, 100), Fraction(1, 5)))
    37
    """
    rate, last = float(kappa), _rounded_up(float(1 + stop) ** 0.5)
    roots = [_rounded_up(float(horizon + 1) ** 0.5)]
    while roots[-1] > last:
        root = float(roots[-1])
        longest = _rounded_up(max(root * exp(-rate), root ** (1 / (1 + rate))))
        if longest >= roots[-1]:
            raise NotCertified(f"Expected steps longer than 2^-{FINE}; got none at {root}.")
        roots.append(max(longest, last))
    for before, after in pairwise(roots):
        if not keeps_rule(before, after, kappa):
            raise NotCertified(f"Expected a step that kappa = {kappa} allows after {before}.")
    return roots


def keeps_rule(before: fmpq, after: fmpq, kappa: Fraction) -> bool:
    r"""Whether :math:`\log r' - \log r \le \kappa \min(1, \log r)` is proved."""
    cleaner = ball_of(after).log()
    step = ball_of(before / after).log()
    return bool(step <= ball_of(kappa)) and bool(step <= ball_of(kappa) * cleaner)


def _rounded_up(root: float) -> fmpq:
    return fmpq(ceil(root * (1 << FINE)), 1 << FINE)
