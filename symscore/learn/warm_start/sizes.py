"""The sizes that the theorems of arXiv 2404.18869 ask for, their constants as arguments."""

import math
from dataclasses import dataclass
from typing import final

from symscore.errors import BadOption, ResourceLimit
from symscore.learn.hermite import n_features
from symscore.learn.warm_start.heat import heat_times, n_heat_times

MOST_LEVELS = 2000
MOST_FEATURES = 1000


@final
@dataclass(frozen=True, kw_only=True)
class TheorySizes:
    """Everything that the algorithm takes from an instance, in the units of the data.

    Attributes
    ----------
    dim : int
        Dimension n of the data.
    rank : int
        Dimension min(n, k) that polynomials act on.
    noise : float
        Standard deviation of the Gaussian noise.
    first, last : float
        Heat times T and t_1.
    step : float
        Size kappa of the time recursion.
    degree : int
        Of the polynomials.
    ball : float
        Radius D of the coefficients.
    base, factor : float
        The cover's radius at noise sigma is ``base + factor * sigma``.
    rounds : int
        Of the greedy cover.
    log10_samples : float
        Rows that Lemma 5.7 asks for, as a power of ten.
    """

    dim: int
    rank: int
    noise: float
    first: float
    last: float
    step: float
    degree: int
    ball: float
    base: float
    factor: float
    rounds: int
    log10_samples: float

    @property
    def n_features(self) -> int:
        """Polynomials of a cell."""
        return n_features(self.rank, self.degree)

    def times(self) -> tuple[float, ...]:
        """Return the heat times, falling.

        Raises
        ------
        ResourceLimit
            Where levels or polynomials are too many to compute with; it says how many they are.
        """
        levels = n_heat_times(self.first, self.last, self.step)
        if levels > MOST_LEVELS or self.n_features > MOST_FEATURES:
            raise ResourceLimit(
                f"Expected an instance of at most {MOST_LEVELS} levels and {MOST_FEATURES} "
                f"polynomials a cell; this one needs up to {levels:.3g} levels and "
                f"{self.n_features:.3g} polynomials of degree {self.degree}, and 10^"
                f"{self.log10_samples:.0f} rows: ask for a larger epsilon, or use the practical "
                "defaults of WarmStartVoronoi()."
            )
        return heat_times(self.first, self.last, self.step)


def theory_sizes(
    *,
    epsilon: float,
    noise: float,
    dim: int,
    k: int,
    alpha_min: float,
    local_radius: float,
    support_radius: float,
    delta: float = 0.1,
    second_moment: float | None = None,
    discrete: bool = True,
    degree_constant: float = 1.0,
    horizon_constant: float = 1.0,
    step_constant: float = 1.0,
    cover_constant: float = 1.0,
    rounds_constant: float = 1.0,
    samples_constant: float = 1.0,
) -> TheorySizes:
    r"""Return the sizes for :math:`P_0 = Q_0 * N(0, \sigma_0^2 I)` on :math:`R^n` (steps B1, B2).

    With r = min(n, k) for discrete mixing measures (else n), :math:`L = \ln(1 / \varepsilon)` and
    :math:`\ell = \ln(1 / \alpha_{min})`,

    .. math::

        t_1 = \varepsilon^2 \sigma_0^2 / (2 \sqrt n), \quad
        T = C_h (M_2 + n) / \varepsilon^2, \quad
        \kappa = C_s \, \varepsilon^2 / (M_2 + n \ln(T + 1)), \quad
        \deg = C_d (L^3 + (R_0 / \sigma_0)^6) L^4, \quad
        \tilde R = C (R_0 + \sigma \sqrt \ell)

    and :math:`k' = C' k \ell` rounds of the cover. Lemma 5.7 asks for
    :math:`C_N \, r \, (k' (1 + 2 D)^2)^2 \, (\ln(k / \delta) \sqrt{r / \deg + 1})^{4 (\deg + 1)} /
    \varepsilon^4` rows, with M = D. Every C is a universal constant that the paper does not give.

    Parameters
    ----------
    epsilon : float
        Total variation wanted; Theorem 1.2 has :math:`\varepsilon \le 1/2`.
    noise : float
        :math:`\sigma_0`.
    dim : int
        n.
    k : int
        Balls of radius :math:`R_0` that cover the support of :math:`Q_0`.
    alpha_min : float
        Mass of :math:`Q_0` in the ball of radius :math:`R_0` about any of its points.
    local_radius : float
        :math:`R_0` of Assumption 1.1.
    support_radius : float
        D of Assumption 1.1, and of the coefficient ball.
    delta : float
        Probability of failure.
    second_moment : float, optional
        :math:`M_2 = E|x|^2`; :math:`D^2 + n \sigma_0^2`, which bounds it, by default.
    discrete : bool
        Whether :math:`Q_0` has k atoms, so that they span at most k dimensions.
    degree_constant : float
        :math:`C_d` of Theorem 1.2.
    horizon_constant, step_constant : float
        :math:`C_h` and :math:`C_s` of Theorem 3.1.
    cover_constant, rounds_constant : float
        C and C' of Algorithm 2.
    samples_constant : float
        :math:`C_N` of Lemma 5.7.

    Examples
    --------
    >>> sizes = theory_sizes(epsilon=0.3, noise=1.0, dim=1, k=1, alpha_min=0.5, local_radius=1.0,
    ...     support_radius=2.0, second_moment=5.0)
    >>> len(sizes.times()) - 1, sizes.degree
    (507, 6)
    """
    sizes = (noise, local_radius, support_radius)
    fractions = 0 < epsilon <= 0.5 and 0 < alpha_min < 1 and 0 < delta < 1
    if not (fractions and dim >= 1 and k >= 1 and all(size > 0 for size in sizes)):
        raise BadOption(
            "Expected 0 < epsilon <= 1/2, alpha_min and delta in (0, 1), dim and k >= 1, and "
            "positive noise, local_radius and support_radius; got "
            f"{epsilon}, {alpha_min}, {delta}, {dim}, {k} and {sizes}."
        )
    rank = min(dim, k) if discrete else dim
    moment = support_radius**2 + dim * noise**2 if second_moment is None else second_moment
    log_eps, log_alpha = math.log(1 / epsilon), math.log(1 / alpha_min)
    horizon = horizon_constant * (moment + dim) / epsilon**2
    degree = degree_constant * (log_eps**3 + (local_radius / noise) ** 6) * log_eps**4
    rounds = max(math.ceil(rounds_constant * k * log_alpha), 1)
    top = max(math.ceil(degree), 1)
    log_samples = (
        math.log10(samples_constant * rank / epsilon**4)
        + 2 * math.log10(rounds * (1 + 2 * support_radius) ** 2)
        + 4 * (top + 1) * math.log10(max(math.log(k / delta), 1.0) * math.sqrt(rank / top + 1))
    )
    return TheorySizes(
        dim=dim,
        rank=rank,
        noise=noise,
        first=horizon,
        last=epsilon**2 * noise**2 / (2 * math.sqrt(dim)),
        step=step_constant * epsilon**2 / (moment + dim * math.log(horizon + 1)),
        degree=top,
        ball=support_radius,
        base=cover_constant * local_radius,
        factor=cover_constant * math.sqrt(log_alpha),
        rounds=rounds,
        log10_samples=log_samples,
    )
