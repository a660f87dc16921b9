"""The sizes that arXiv 2404.18893 gives its algorithm, with every constant left open by name."""

import math
from dataclasses import dataclass
from typing import final

from symscore.errors import BadOption, ResourceLimit


@final
@dataclass(frozen=True, kw_only=True)
class Constants:
    """What the paper's statements leave unspecified, each named after its statement.

    Attributes
    ----------
    thm11_steps : float
        Factor of the number of steps in Theorem 11.
    lem12_step : float
        Factor of the step of the time grid in Lemma 12.
    alg2_net, alg3_net : float
        Factors of the spacings of the two nets.
    prop48_mean, prop48_covariance : float
        Factors c_1 and c_2 of the separations of means and of covariances.
    prop48_inside : float
        Factor of Delta_in, which is this times k Delta_out.
    prop48_degree, prop48_power : float
        Factor and exponent of the degree.
    eq31_range : float
        Factor of the range of the thresholds.
    eq31_margin : float
        The paper's 100, by which a separation is divided for the margin of Algorithm 5.
    eq50_first, eq50_second : float
        Factors of the thresholds of the gates.
    lem50_radius : float
        Factor of the radii of the loss.
    lem50_norm : float
        M, the sum of a polynomial's coefficients.
    """

    thm11_steps: float = 1.0
    lem12_step: float = 1.0
    alg2_net: float = 1.0
    alg3_net: float = 1.0
    prop48_mean: float = 1.0
    prop48_covariance: float = 1.0
    prop48_inside: float = 1.0
    prop48_degree: float = 1.0
    prop48_power: float = 1.0
    eq31_range: float = 1.0
    eq31_margin: float = 100.0
    eq50_first: float = 1.0
    eq50_second: float = 1.0
    lem50_radius: float = 1.0
    lem50_norm: float = 1.0


ALL_ONE = Constants()


@final
@dataclass(frozen=True, kw_only=True)
class TheorySizes:
    r"""Everything that Algorithm 1 of arXiv 2404.18893 is given, from a few numbers.

    Attributes
    ----------
    epsilon : float
        Total variation distance to reach.
    alpha, beta : float
        Bounds on the eigenvalues of the covariances, ``0 < alpha <= 1 <= beta``.
    radius : float
        R, which bounds each mean's length plus its covariance's Frobenius distance to I; above 1.
    k : int
        Number of components.
    dim : int
        Number of columns d.
    smallest_weight : float
        Of a component.
    failure : float
        Probability of failure that is allowed.
    constants : Constants
        Of the statements, all 1 if not given (and the 100 that the paper prints).

    Raises
    ------
    BadOption
        Where a number is outside its domain.

    Examples
    --------
    >>> sizes = TheorySizes(epsilon=0.3, alpha=0.5, beta=1.0, radius=3.0, k=2, dim=1)
    >>> round(sizes.horizon, 3), round(sizes.stop, 3), sizes.steps
    (2.303, 0.05, 100)
    """

    epsilon: float
    alpha: float
    beta: float
    radius: float
    k: int
    dim: int
    smallest_weight: float | None = None
    failure: float = 0.1
    constants: Constants = ALL_ONE

    def __post_init__(self) -> None:
        if not (0 < self.epsilon < 1 and 0 < self.alpha <= 1 <= self.beta and self.radius > 1):
            raise BadOption(
                "Expected 0 < epsilon < 1, 0 < alpha <= 1 <= beta and radius > 1; got "
                f"{self.epsilon}, {self.alpha}, {self.beta} and {self.radius}."
            )
        if not (self.k >= 1 and self.dim >= 1 and 0 < self.failure < 1):
            raise BadOption("Expected k >= 1, dim >= 1 and 0 < failure < 1.")
        if self.smallest_weight is not None and not 0 < self.smallest_weight <= 1 / self.k:
            raise BadOption(f"Expected 0 < smallest_weight <= 1/k; got {self.smallest_weight}.")

    @property
    def least_weight(self) -> float:
        """The smallest weight; 1 / k where it was not given."""
        return 1 / self.k if self.smallest_weight is None else self.smallest_weight

    @property
    def horizon(self) -> float:
        """T = log(R / epsilon) of Theorem 11, and at least 1."""
        return max(1.0, math.log(self.radius / self.epsilon))

    @property
    def stop(self) -> float:
        """delta_stop = alpha epsilon / R of Theorem 11."""
        return self.alpha * self.epsilon / self.radius

    @property
    def score_error(self) -> float:
        """epsilon_score = epsilon / log(R / (alpha epsilon)) of Theorem 11."""
        return self.epsilon / math.log(1 / self.stop)

    @property
    def steps(self) -> int:
        """N, of order d log^2(R / (alpha epsilon)) / epsilon^2.

        Theorem 11 prints epsilon to the power one, which bounds the Kullback-Leibler divergence by
        epsilon and the total variation distance by its root.
        """
        size = self.dim * (math.log(1 / self.stop) / self.epsilon) ** 2
        return max(2, math.ceil(self.constants.thm11_steps * size))

    @property
    def step(self) -> float:
        """Kappa of the time grid: (T + log(1 / delta_stop)) / N, Lemma 12."""
        return self.constants.lem12_step * (self.horizon - math.log(self.stop)) / self.steps

    @property
    def mean_spacing(self) -> float:
        """Covering radius sqrt(beta) of the net of means, Algorithm 2."""
        return self.constants.alg2_net * math.sqrt(self.beta)

    @property
    def covariance_spacing(self) -> float:
        """Covering radius beta of the nets of covariances, Algorithm 3."""
        return self.constants.alg3_net * self.beta

    @property
    def mean_error(self) -> float:
        """Upsilon of crude means, beta / lambda_min, and at least 1 as (50) needs."""
        return max(1.0, self.beta / self.least_weight)

    @property
    def mean_apart(self) -> float:
        """Delta_out of the means, Proposition 48."""
        size = self.beta * math.sqrt(self.k) / self.least_weight
        return self.constants.prop48_mean * size * self._log

    @property
    def covariance_apart(self) -> float:
        """Delta_out of the covariances, Proposition 48."""
        size = self.beta**4 * self.k**2 * math.log(self.radius)
        factor = self.constants.prop48_covariance / (self.alpha**3 * self.least_weight)
        return factor * size * self._log

    def inside(self, apart: float) -> float:
        """Return Delta_in, which is k Delta_out."""
        return self.constants.prop48_inside * self.k * apart

    @property
    def degree(self) -> int:
        """Degree of the polynomials, poly(beta k log R / (alpha lambda_min epsilon)), Prop. 48."""
        size = self.beta * self.k * math.log(self.radius)
        size /= self.alpha * self.least_weight * self.epsilon
        return math.ceil(self.constants.prop48_degree * size**self.constants.prop48_power)

    @property
    def margin(self) -> float:
        """Eta = Delta_out / (100 beta^2) of Algorithm 5."""
        return self.covariance_apart / (self.constants.eq31_margin * self.beta**2)

    @property
    def threshold_range(self) -> float:
        """Thresholds are sought up to this size, c beta d / alpha."""
        return self.constants.eq31_range * self.beta * self.dim / self.alpha

    @property
    def loss_radius(self) -> float:
        """R_x = R_z = (beta R d / alpha) log(1 / delta') of the loss, Lemma 50."""
        size = self.beta * self.radius * self.dim / self.alpha
        return self.constants.lem50_radius * size * math.log(1 / self.failure)

    @property
    def log10_rows(self) -> float:
        """Decimal logarithm of the number of rows that Lemma 50 asks for.

        ``(d M R_z)^4 (d R_x)^(4 l) t_min^-2 epsilon^-2 log(1 / delta)`` with the degree l.
        """
        wide = math.log10(self.dim * self.loss_radius)
        terms = 4 * (wide + math.log10(self.constants.lem50_norm)) + 4 * self.degree * wide
        terms -= 2 * math.log10(self.stop * self.epsilon)
        return terms + math.log10(math.log(1 / self.failure))

    def check_fits(self, candidates: int, features: int, rows: int, limit: float) -> None:
        """Refuse a search that needs more than `limit` multiplications.

        Raises
        ------
        ResourceLimit
            With the numbers.
        """
        work = float(candidates) * self.steps * rows * features**2
        if work > limit:
            raise ResourceLimit(
                f"Expected a search of at most {limit:.1e} multiplications; {candidates} "
                f"candidates at {self.steps} levels, {features} features and {rows} rows need "
                f"{work:.1e} (and Lemma 50 asks for 10^{self.log10_rows:.0f} rows): take a smaller "
                "instance, coarser nets by `constants`, or the recipe's practical default."
            )

    @property
    def _log(self) -> float:
        size = self.k * self.beta * self.radius
        return max(1.0, math.log(size / (self.alpha * self.epsilon * self.least_weight)))
