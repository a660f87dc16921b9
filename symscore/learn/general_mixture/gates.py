"""Step A8: where a cell's polynomial is trusted; elsewhere the score is a Gaussian's."""

import math
from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.mixture import GaussianMixture


class GateRule(Protocol):
    """A way to choose the two thresholds of a cell's gate."""

    def thresholds(self, carried: GaussianMixture, block: tuple[int, ...]) -> tuple[float, float]:
        """Return theta_1 and theta_2 for the cell of components `block`, its reference first."""


def precisions(carried: GaussianMixture) -> FloatArray:
    """Return the inverses (k, d, d) of the covariances."""
    chol = carried.chol_precisions
    return np.einsum("kji,kjl->kil", chol, chol)


def gate_values(
    carried: GaussianMixture, block: tuple[int, ...], x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    r"""Return V1 and V2 of every component j of a cell against the reference, both (n, m).

    With 1 the reference, the first of `block`, and K the inverse covariances (arXiv 2404.18893,
    (50)),

    .. math::

        V_1 = |x - \mu_j|^2_{K_j} - |x - \mu_1|^2_{K_1} - \langle Q_1, K_j - K_1 \rangle, \qquad
        V_2 = |(K_j - K_1)(x - \mu_j)|^2 .

    Parameters
    ----------
    carried : GaussianMixture
        Crude components at the level of the points.
    block : tuple of int
        Components of the cell, the reference first.
    x : (n, d) array
    """
    inverse, own = precisions(carried), list(block)
    apart = x[:, None] - carried.means[own]
    square = np.einsum("nmi,mij,nmj->nm", apart, inverse[own], apart)
    change = inverse[own] - inverse[own[0]]
    shift = np.einsum("ij,mij->m", carried.covariances[own[0]], change)
    first = square - square[:, :1] - shift
    second = (np.einsum("mij,nmj->nmi", change, apart) ** 2).sum(axis=2)
    return first, second


def inside_gate(
    carried: GaussianMixture, block: tuple[int, ...], thresholds: FloatArray, x: FloatArray
) -> np.ndarray:
    """Return whether |V1| <= theta_1 and V2 <= theta_2 for all components, shape (n,)."""
    if len(block) == 1:
        return np.ones(len(x), dtype=bool)
    first, second = gate_values(carried, block, x)
    kept = (np.abs(first) <= thresholds[0]) & (second <= thresholds[1])
    return np.asarray(kept.all(axis=1))


@final
@dataclass(frozen=True)
class PaperGates:
    r"""The thresholds of (50), the same for every cell.

    .. math::

        \theta_1 = c_1 \beta \Delta^2 \upsilon^2 \alpha^{-2} L, \qquad
        \theta_2 = c_2 \beta \upsilon^3 \Delta^4 \alpha^{-4} L, \qquad L = \log (m / \delta)

    with m the number of components of the cell. :math:`V_2` is a squared norm, so that its
    threshold needs the fourth power of :math:`\Delta` (the paper prints the second).

    Attributes
    ----------
    alpha, beta : float
        Bounds on the eigenvalues of the covariances.
    delta_in : float
        Largest distance of components of a cell, at least 1.
    error : float
        Error :math:`\upsilon` of the crude parameters, at least 1.
    outside : float
        Probability :math:`\delta` of leaving the gate.
    factor_1, factor_2 : float
        The constants :math:`c_1, c_2`, which the paper does not give.
    """

    alpha: float
    beta: float
    delta_in: float
    error: float
    outside: float
    factor_1: float = 1.0
    factor_2: float = 1.0

    def __post_init__(self) -> None:
        if not (self.delta_in >= 1 and self.error >= 1 and 0 < self.outside < 1):
            raise BadOption(
                "Expected delta_in >= 1, error >= 1 and 0 < outside < 1; got "
                f"{self.delta_in}, {self.error} and {self.outside}."
            )

    def thresholds(self, carried: GaussianMixture, block: tuple[int, ...]) -> tuple[float, float]:
        """See :class:`GateRule`."""
        log = math.log(len(block) / self.outside)
        wide = self.beta * log
        first = wide * (self.delta_in * self.error / self.alpha) ** 2
        second = wide * self.error**3 * (self.delta_in / self.alpha) ** 4
        return self.factor_1 * first, self.factor_2 * second


@final
@dataclass(frozen=True)
class TailGates:
    r"""Thresholds that each crude component of a cell exceeds with small probability. Proved.

    Own derivation, without a constant left open: for :math:`x = \mu_i + Q_i^{1/2} y` with standard
    normal y, :math:`V_1 = y^T B y + 2 w^T y + c` and :math:`V_2 = |G y + g|^2`, and each with
    probability at least :math:`1 - 4 e^{-s}` or :math:`1 - e^{-s}`

    .. math::

        |V_1 - c - \operatorname{tr} B| \le 2 |B|_F \sqrt s + 2 |B|_{op} s + 2 |w| \sqrt{2 s},
        \qquad \sqrt{V_2} \le |g| + \sqrt{\operatorname{tr} A + 2 |A|_F \sqrt s + 2 |A|_{op} s},
        \quad A = G^T G .

    With :math:`s = \log (5 m / \delta)` a point of any of the m components leaves the gate with
    probability at most :math:`\delta`.

    Attributes
    ----------
    outside : float
        The probability :math:`\delta`.
    """

    outside: float = 1e-4

    def __post_init__(self) -> None:
        if not 0 < self.outside < 1:
            raise BadOption(f"Expected 0 < outside < 1; got {self.outside}.")

    def thresholds(self, carried: GaussianMixture, block: tuple[int, ...]) -> tuple[float, float]:
        """See :class:`GateRule`."""
        s = math.log(5 * len(block) / self.outside)
        inverse = precisions(carried)
        reference = block[0]
        first, second = 0.0, 0.0
        for i in block:
            for j in block:
                own, base = carried.means[i] - carried.means[[j, reference]]
                change = inverse[j] - inverse[reference]
                v1, v2 = _tails(carried.chol_covariances[i], inverse[j], change, own, base, s)
                shift = float((carried.covariances[reference] * change).sum())
                centre = own @ inverse[j] @ own - base @ inverse[reference] @ base - shift
                trace = float((carried.covariances[i] * change).sum())
                first = max(first, abs(centre + trace) + v1)
                second = max(second, v2)
        return first, second


def _tails(
    root: FloatArray,
    inverse: FloatArray,
    change: FloatArray,
    own: FloatArray,
    base: FloatArray,
    s: float,
) -> tuple[float, float]:
    """Return the spread of V1 and the bound on V2 for a component with covariance root root^T.

    `own` and `base` are its mean less those of j and of the reference; w = root^T (K_j own -
    K_1 base), and K_1 = K_j - `change`.
    """
    linear = np.sqrt(((root.T @ (inverse @ own - (inverse - change) @ base)) ** 2).sum())
    spread = _deviation(root.T @ change @ root, s) + 2 * linear * math.sqrt(2 * s)
    turned = change @ root
    square = turned.T @ turned
    length = np.sqrt(((change @ own) ** 2).sum())
    second = (length + math.sqrt(max(0.0, np.trace(square) + _deviation(square, s)))) ** 2
    return float(spread), float(second)


def _deviation(symmetric: FloatArray, s: float) -> float:
    """Bound y^T B y - tr B, either sign, with failure probability exp(-s) each."""
    values = np.abs(np.linalg.eigvalsh(symmetric))
    return float(2 * np.sqrt((values**2).sum() * s) + 2 * values.max() * s)
