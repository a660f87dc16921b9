"""Noise levels, and the two-stage step that joins one level to the next.

A level is ``x_t = alpha * x_0 + sigma * z`` with ``alpha**2 + sigma**2 = 1``. The flow uses
``y = x_t / sigma`` and ``kappa = alpha / sigma``, so that ``y = kappa * x_0 + z``: kappa is small
in the noise and large in the data (docs/method.md).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
from scipy.optimize import brentq

from symscore.arrays import FloatArray, frozen
from symscore.errors import BadOption, NoStepRule

KAPPA_NOISE = 0.03  # whitened data of unit variance add 0.0009 to the unit variance of the noise
STAGE_SHARE = 0.2  # b: how far the second stage stays from the folding bound (docs/method.md)


@final
@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """x_t = alpha * x_0 + sigma * z, z standard normal; sigma is a standard deviation.

    Parameters
    ----------
    alpha : float
        Factor on the data, in (0, 1].
    sigma : float
        Standard deviation of the noise, in [0, 1), with ``alpha**2 + sigma**2 = 1``.

    Examples
    --------
    >>> NoiseLevel.from_kappa(0.75)
    NoiseLevel(alpha=0.6, sigma=0.8)
    """

    alpha: float
    sigma: float

    def __post_init__(self) -> None:
        on_circle = abs(self.alpha**2 + self.sigma**2 - 1) < 1e-12
        if not (0 < self.alpha <= 1 and 0 <= self.sigma < 1 and on_circle):
            raise BadOption(
                "Expected 0 < alpha <= 1, 0 <= sigma < 1 and alpha**2 + sigma**2 = 1; "
                f"got alpha={self.alpha}, sigma={self.sigma}."
            )

    @classmethod
    def from_kappa(cls, kappa: float) -> "NoiseLevel":
        """Return the level of signal-to-noise ratio ``alpha / sigma = kappa > 0``."""
        if not 0 < kappa < math.inf:
            raise BadOption(f"Expected a positive finite kappa; got {kappa}.")
        return cls(kappa / math.hypot(1, kappa), 1 / math.hypot(1, kappa))

    @classmethod
    def from_time(cls, t: float) -> "NoiseLevel":
        """Return the level of the Ornstein-Uhlenbeck process at time t, ``alpha = exp(-t)``."""
        if not 0 <= t < math.inf:
            raise BadOption(f"Expected a finite time t >= 0; got {t}.")
        return cls(math.exp(-t), math.sqrt(-math.expm1(-2 * t)))

    @property
    def kappa(self) -> float:
        """Signal-to-noise ratio ``alpha / sigma``; infinite for clean data."""
        return self.alpha / self.sigma if self.sigma else math.inf

    @property
    def t(self) -> float:
        """Time ``-log(alpha)`` of the Ornstein-Uhlenbeck process."""
        return 0.5 * math.log1p((self.sigma / self.alpha) ** 2)

    def then(self, other: "NoiseLevel") -> "NoiseLevel":
        """Return the level reached by adding the noise of `other` to data at this level."""
        return NoiseLevel(
            self.alpha * other.alpha, math.hypot(other.alpha * self.sigma, other.sigma)
        )


CLEAN = NoiseLevel(1.0, 0.0)


@final
@dataclass(frozen=True, slots=True)
class StepRule:
    r"""Coefficients of the two-stage step from kappa to ``kappa + h``.

    .. math::

        y_1 = y + a h D_0(y), \qquad y_2 = y + h ((1 - w) D_0(y) + w D_1(y_1))

    with D_1 the denoiser at ``kappa + a * h`` and ``b = (1 - w) / a``.
    """

    a: float
    w: float

    @property
    def b(self) -> float:
        """Share ``(1 - w) / a`` of the identity kept by the second stage (theorem, method page)."""
        return (1 - self.w) / self.a


@lru_cache(maxsize=256)
def balanced_step(ratio: float) -> StepRule:
    """Find the step whose error on a Gaussian averages to zero over a long ladder.

    For ``N(0, S)`` the exact flow multiplies y by ``sqrt((ratio**2 s + 1) / (s + 1))`` with
    ``s = kappa**2 S``, and the step by ``R(s; a)``, so the accumulated error over a ladder of
    ratio q is a q-periodic function of log S. `a` makes its mean zero (docs/method.md).

    Parameters
    ----------
    ratio : float
        Ratio of consecutive levels, ``kappa_next / kappa > 1``.

    Raises
    ------
    NoStepRule
        Where no such `a` exists, for ratios above about 2.5.

    Examples
    --------
    >>> rule = balanced_step(1.492)
    >>> round(rule.a, 8), round(rule.w, 8), round(rule.b, 8)
    (0.59813382, 0.88037324, 0.2)
    """
    if not 1 < ratio < math.inf:
        raise BadOption(f"Expected a level ratio above 1; got {ratio}.")
    h = ratio - 1
    reach = math.ceil(12 / math.log(ratio))
    phase = np.linspace(0, 1, 16, endpoint=False)[:, None]
    s = np.exp(2 * math.log(ratio) * (phase + np.arange(-reach, reach)))
    exact = 0.5 * (np.log1p(ratio**2 * s) - np.log1p(s))

    def mean_error(a: float) -> float:
        w, stage = 1 - STAGE_SHARE * a, 1 + a * h
        first = s / (s + 1)
        second = stage * s / (stage**2 * s + 1)
        moved = h * ((1 - w) * first + w * second * (1 + a * h * first))
        return float((np.log1p(moved) - exact).sum(axis=1).mean())

    low, high = 0.4, 1.2
    if not mean_error(low) * mean_error(high) < 0:
        raise NoStepRule(
            f"Expected a level ratio of at most about 2.5, got {ratio:.4g}: use more levels."
        )
    a = float(brentq(mean_error, low, high, xtol=1e-15))
    return StepRule(a, 1 - STAGE_SHARE * a)


@final
@dataclass(frozen=True, eq=False)
class Schedule:
    """Nodes ``kappa_0 < ... < kappa_N``, uniform in log kappa, and the step between them.

    Parameters
    ----------
    kappas : (n_steps + 1,) array
        The nodes, from noise to data. A field is learned at every node but the last, and at
        every stage ``kappa + a * h``; the last node is where the flow ends.
    rule : StepRule
        Coefficients of the step.
    """

    kappas: FloatArray
    rule: StepRule

    def __post_init__(self) -> None:
        object.__setattr__(self, "kappas", frozen(self.kappas))
        rising = self.kappas.ndim == 1 and self.kappas.size >= 2 and self.kappas[0] > 0
        if not (rising and np.all(np.diff(self.kappas) > 0) and np.isfinite(self.kappas[-1])):
            raise BadOption("Expected at least two positive, increasing, finite kappas.")

    @classmethod
    def up_to(cls, kappa_data: float, *, max_ratio: float = 1.5) -> "Schedule":
        """Return the shortest ladder from noise to `kappa_data` whose ratio is <= `max_ratio`."""
        if not KAPPA_NOISE < kappa_data < math.inf:
            raise BadOption(f"Expected a finite kappa_data above {KAPPA_NOISE}; got {kappa_data}.")
        if not max_ratio > 1:
            raise BadOption(f"Expected max_ratio above 1; got {max_ratio}.")
        span = math.log(kappa_data / KAPPA_NOISE)
        n_steps = max(1, math.ceil(span / math.log(max_ratio)))
        ratio = math.exp(span / n_steps)
        # The rule belongs to the ratio actually used: a rounded one loses the cancellation.
        return cls(frozen(KAPPA_NOISE * ratio ** np.arange(n_steps + 1)), balanced_step(ratio))

    @property
    def n_steps(self) -> int:
        """Number of steps; the flow evaluates two fields per step."""
        return self.kappas.size - 1

    @property
    def field_kappas(self) -> FloatArray:
        """(2 * n_steps,) kappa of every field: node, stage, node, stage, ... from noise to data."""
        h = np.diff(self.kappas)
        return np.stack([self.kappas[:-1], self.kappas[:-1] + self.rule.a * h], axis=1).ravel()

    @property
    def end(self) -> NoiseLevel:
        """Level at the data end: the smoothing that is left has sd ``1 / kappa_N``."""
        return NoiseLevel.from_kappa(float(self.kappas[-1]))
