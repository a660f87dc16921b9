"""Any number of components from a warm start: descent at one low noise level."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.learn.ddpm import means as formulas
from symscore.learn.ddpm.descent import Descended, Stage, descend
from symscore.learn.ddpm.noised import Noise, noised
from symscore.learn.select import Progress, Sample
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel


@final
@dataclass(frozen=True, kw_only=True)
class WarmDescent:
    r"""GMMDenoiser of arXiv 2307.01178 (Algorithm 1): means from a warm start.

    The student has weights 1 / K and covariances I; its means start at
    :math:`e^{-t} \mu_i^{(0)}`, take `steps` steps of size eta, and are multiplied by e^t.

    Attributes
    ----------
    time : float
        Noise t, Theta(epsilon) in the paper.
    steps : int
        H.
    rate : float, optional
        eta; None for K / 2, with which a step is nearly one of expectation-maximisation.
    radius : float
        Known bound on the length of the means, in sd of a component; infinite for none.
    noise : Noise
        ``SAMPLED`` or ``STEIN``.
    pairs : int
        Antithetic pairs of noise a row.
    min_rows : int
        Rows below which a fit is refused: the paper's n', where it was asked for.
    """

    time: float = 0.1
    steps: int = 30
    rate: float | None = None
    radius: float = np.inf
    noise: Noise = Noise.SAMPLED
    pairs: int = 2
    min_rows: int = 0

    def __post_init__(self) -> None:
        if not (self.time > 0 and self.radius > 0 and (self.rate is None or self.rate > 0)):
            raise BadOption("Expected a positive time, rate and radius.")
        if min(self.steps, self.pairs) < 1:
            raise BadOption("Expected steps and pairs of at least 1.")
        if self.noise is Noise.INTEGRATED:
            raise BadOption(
                "Expected noise SAMPLED or STEIN; got INTEGRATED, which only TwoStages can: "
                "the student of more components sees more than one direction."
            )

    def fit(self, sample: Sample, start: FloatArray, *, progress: Progress) -> Descended:
        """Learn from rows (n, d) whose components have covariance I, from means `start` (k, d)."""
        level = NoiseLevel.from_time(self.time)
        here = noised(sample, level, sample.noises(0, self.pairs))

        def gradient(rows: FloatArray) -> FloatArray:
            if self.noise is Noise.STEIN:
                return formulas.stein_gradient(rows, here.x, here.weights)
            return formulas.ddpm_gradient(rows, here.x, here.z, here.weights, sigma=level.sigma)

        rows, norm = descend(
            level.alpha * start,
            gradient,
            rate=len(start) / 2 if self.rate is None else self.rate,
            steps=self.steps,
            radius=level.alpha * self.radius,
            progress=lambda done, total: progress("descending", done, total),
        )
        loss = formulas.stein_loss(rows, here.x, here.weights)
        step = formulas.em_step(rows, here.x, here.weights) - rows
        k, dim = start.shape
        mixture = GaussianMixture(
            np.full(k, 1 / k), math.exp(self.time) * rows, np.tile(np.eye(dim), (k, 1, 1))
        )
        stage = Stage("warm descent", self.time, self.steps, norm, loss)
        return Descended(mixture, (stage,), float(np.linalg.norm(step, axis=1).max()))
