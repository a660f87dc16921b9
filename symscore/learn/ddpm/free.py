r"""Beyond the paper: free weights and covariances, many levels, and a line search.

The objective is the usual noise-prediction loss :math:`|\sigma s(x_t) + z|^2`, averaged over
levels in geometric progression of kappa = alpha / sigma. By the relation of mutual information and
minimum mean-square error (Guo, Shamai and Verdu 2005) the negative log-likelihood is, up to a
constant, :math:`\int |x_0 - D|^2 d\kappa^2 / 2 = \int |\sigma s + z|^2 d\log\kappa` on average:
weights, means and covariances are all determined. At one low level alone, the weights of separated
components are not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.optimize import minimize

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.learn.ddpm.descent import Descended, Stage
from symscore.learn.ddpm.layout import Layout
from symscore.learn.ddpm.noised import Noise, Noised, noised
from symscore.learn.ddpm.objective import Slope, ddpm_slope, stein_slope
from symscore.learn.ddpm.starts import given_covariance
from symscore.learn.partition import smallest_cell
from symscore.learn.select import Progress, Sample
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

FIRST = 0.2  # kappa of the noisiest level: whitened data add 4 % to the variance of the noise
MEMORY = 20  # pairs that the quasi-Newton method keeps


@final
@dataclass(frozen=True, kw_only=True)
class FreeDescent:
    """Descent on the objective of many levels, by limited-memory quasi-Newton steps.

    Attributes
    ----------
    shared : bool
        One covariance for all components.
    equal_weights : bool
        Weights 1 / K.
    ratio : float
        Ratio of consecutive levels.
    reach : float
        Signal-to-noise ratio of the smallest component of the start at the last level. Its inverse
        squared, relative to that component's variance, is the floor of covariances.
    noise : Noise
        ``SAMPLED`` or ``STEIN``.
    pairs : int
        Antithetic pairs of noise a row and level.
    max_steps : int
    tolerance : float
        Stops where no entry of the gradient is larger.
    """

    shared: bool = False
    equal_weights: bool = False
    ratio: float = 2.0
    reach: float = 10.0
    noise: Noise = Noise.SAMPLED
    pairs: int = 2
    max_steps: int = 200
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        if not (self.ratio > 1 and self.reach > 1 and self.tolerance > 0):
            raise BadOption("Expected ratio and reach above 1 and a positive tolerance.")
        if min(self.pairs, self.max_steps) < 1:
            raise BadOption("Expected pairs and max_steps of at least 1.")
        if self.noise is Noise.INTEGRATED:
            raise BadOption("Expected noise SAMPLED or STEIN; got INTEGRATED.")

    def levels(self, smallest: float) -> tuple[NoiseLevel, ...]:
        """Return the levels for components whose smallest sd is `smallest`, from noise to data."""
        span = math.log(max(self.reach / smallest / FIRST, self.ratio))
        count = math.ceil(span / math.log(self.ratio)) + 1
        kappas = np.geomspace(FIRST, FIRST * math.exp(span), count)
        return tuple(NoiseLevel.from_kappa(kappa) for kappa in kappas.tolist())

    def slope(
        self,
        mixture: GaussianMixture,
        sample: Sample,
        levels: tuple[NoiseLevel, ...],
        noises: Sequence[list[FloatArray]],
    ) -> Slope:
        r"""Return the objective and its gradient at a mixture of the clean rows.

        .. math:: \log r \sum_l ( E |\sigma_l s_l(x_t) + z|^2 - d )

        with r the ratio of levels. Up to what no student changes it is the negative
        log-likelihood, but for the noise beyond either end of the levels. `noises` are the
        pairs of every level (:meth:`noises`).
        """
        share = math.log(levels[1].kappa / levels[0].kappa)
        parts = [
            self._at(mixture, noised(sample, level, own), share)
            for level, own in zip(levels, noises, strict=True)
        ]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def noises(self, sample: Sample, levels: tuple[NoiseLevel, ...]) -> list[list[FloatArray]]:
        """Return the antithetic pairs of noise of every level."""
        return [sample.noises(j, self.pairs) for j in range(len(levels))]

    def _at(self, mixture: GaussianMixture, here: Noised, share: float) -> Slope:
        """Return a level's part, differentiated by the clean parameters."""
        level, student = here.level, mixture.at(here.level)
        if self.noise is Noise.SAMPLED:
            slope = ddpm_slope(student, here.x, here.z, here.weights)
            loss = slope.loss - mixture.dim / level.sigma**2
        else:
            slope = stein_slope(student, here.x, here.weights)
            loss = slope.loss
        factor = share * level.sigma**2
        return Slope(
            factor * loss,
            factor * slope.logits,
            factor * level.alpha * slope.means,
            factor * level.alpha**2 * slope.covariances,
        )

    def fit(
        self,
        sample: Sample,
        start: GaussianMixture,
        levels: tuple[NoiseLevel, ...],
        *,
        known: bool,
        progress: Progress,
    ) -> Descended:
        """Learn from whitened rows (n, d), from a mixture `start`.

        Components left with too few rows to have a covariance are dropped, and the others go on.

        Parameters
        ----------
        sample : Sample
        start : GaussianMixture
            Of the clean rows.
        levels : tuple of NoiseLevel
        known : bool
            Whether covariances stay as they are in `start`.
        progress : callable
        """
        if self.equal_weights:
            k = start.n_components
            start = GaussianMixture(np.full(k, 1 / k), start.means, start.covariances)
        if self.shared:
            start = given_covariance(
                start, np.einsum("k,kij->ij", start.weights, start.covariances)
            )
        mixture, stages = start, []
        least = smallest_cell(start.dim) / (2 * len(sample.x))
        while True:
            mixture, stage = self._descended(sample, mixture, levels, known, progress)
            stages.append(stage)
            kept = mixture.weights >= least
            if kept.all() or not kept.any():
                break
            share = mixture.weights[kept] / mixture.weights[kept].sum()
            mixture = GaussianMixture(share, mixture.means[kept], mixture.covariances[kept])
        return Descended(mixture, tuple(stages), em_gap(mixture, sample))

    def _descended(
        self,
        sample: Sample,
        start: GaussianMixture,
        levels: tuple[NoiseLevel, ...],
        known: bool,
        progress: Progress,
    ) -> tuple[GaussianMixture, Stage]:
        floor = levels[-1].kappa ** -2
        eigenvalues = np.linalg.eigvalsh(start.covariances)
        floor = min(floor, float(eigenvalues.min()) / 2)
        layout = Layout(start, floor, self.shared, known, self.equal_weights)

        noises = self.noises(sample, levels)

        def value(vector: FloatArray) -> tuple[float, FloatArray]:
            slope = self.slope(layout.mixture(vector), sample, levels, noises)
            return slope.loss, layout.gradient(vector, slope)

        done = [0]

        def count(_: FloatArray) -> None:
            done[0] += 1
            progress("descending", min(done[0], self.max_steps), self.max_steps)

        end = minimize(
            value,
            np.zeros(layout.size),
            jac=True,
            method="L-BFGS-B",
            bounds=layout.bounds(),
            callback=count,
            options={
                "maxiter": self.max_steps,
                "maxcor": MEMORY,
                "gtol": self.tolerance,
                "ftol": np.finfo(float).eps,
            },
        )
        gradient = float(np.linalg.norm(end.jac))
        name = f"{len(levels)} levels, quasi-Newton"
        stage = Stage(name, math.nan, int(end.nit), gradient, float(end.fun))
        return layout.mixture(end.x), stage


def em_gap(mixture: GaussianMixture, sample: Sample) -> float:
    """Return the length of the EM step of the means on clean rows, in sd of the components."""
    gates = sample.weights[:, None] * mixture.responsibilities(sample.x)
    mass = np.maximum(gates.sum(axis=0), np.finfo(float).tiny)
    moved = (gates.T @ sample.x) / mass[:, None] - mixture.means
    steps = np.einsum("kij,kj->ki", mixture.chol_precisions, moved)
    return float(np.linalg.norm(steps, axis=1).max())
