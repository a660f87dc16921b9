"""Two components from a random start: descent far in the noise, then near the data."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.errors import BadOption
from symscore.learn.ddpm import symmetric
from symscore.learn.ddpm.descent import Descended, Stage, descend
from symscore.learn.ddpm.noised import Noise, Noised, noised
from symscore.learn.select import Progress, Sample
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

STAGES = ("far in the noise", "near the data")
START = 6  # the stream of random numbers that the start is drawn from


def high_noise_time(dim: int, *, constant: float = 0.5) -> float:
    """Return the time ``log(dim) / 2 + constant`` of the first stage, Theta(log d) in the paper.

    There the means have length ``exp(-constant) |mu| / sqrt(dim)``, and descent is a power
    iteration (:func:`~symscore.learn.ddpm.symmetric.power_step`).
    """
    return 0.5 * math.log(dim) + constant


def high_noise_steps(time: float, *, rate: float, separation: float = 1.0) -> int:
    r"""Return how many steps of the first stage find the direction: 16 e-folds of its growth.

    A step multiplies the part of theta along mu by :math:`1 + 4 \eta e^{-2 t} |\mu|^2`.
    """
    return math.ceil(4 * math.exp(2 * time) / (rate * separation**2))


def random_start(dim: int, *, seed: int) -> FloatArray:
    """Return theta ~ N(0, I), shape (d,)."""
    return np.random.default_rng([seed, START]).standard_normal(dim)


@final
@dataclass(frozen=True, kw_only=True)
class TwoStages:
    r"""Gradient descent of arXiv 2307.01178 for two components, from a random start.

    The student is :math:`N(\theta, I) / 2 + N(-\theta, I) / 2` of centred rows. The first stage is
    far in the noise and finds the direction, the second near the data and finds the length.

    Attributes
    ----------
    first_time : float, optional
        Noise of the first stage; None for :func:`high_noise_time`.
    second_time : float
        Noise of the second.
    rate : float
        Step size of both.
    first_steps : int, optional
        None for :func:`high_noise_steps`.
    second_steps : int
    separation : float
        Smallest length of mu that the first stage must find, in sd of a component.
    radius : float
        Known bound on the length of mu, in sd of a component: iterates are projected on the ball.
        Projected descent is the paper's for separations of 1 / poly(d).
    noise : Noise
        The paper's sampled noise; ``Noise.INTEGRATED`` goes beyond it and needs far fewer rows in
        many dimensions.
    pairs : int
        Antithetic pairs of noise a row.
    """

    first_time: float | None = None
    second_time: float = 0.1
    rate: float = 0.1
    first_steps: int | None = None
    second_steps: int = 200
    separation: float = 1.0
    radius: float = np.inf
    noise: Noise = Noise.SAMPLED
    pairs: int = 2

    def __post_init__(self) -> None:
        times = (self.second_time, self.second_time if self.first_time is None else self.first_time)
        if not (min(times) > 0 and self.rate > 0 and self.separation > 0 and self.radius > 0):
            raise BadOption("Expected positive times, rate, separation and radius.")
        if min(self.second_steps, self.pairs, self.first_steps or 1) < 1:
            raise BadOption("Expected steps and pairs of at least 1.")

    def fit(self, sample: Sample, *, progress: Progress) -> Descended:
        """Learn from rows (n, d) whose mean is 0 and whose components have covariance I."""
        dim = sample.x.shape[1]
        first = high_noise_time(dim) if self.first_time is None else self.first_time
        steps = self.first_steps or high_noise_steps(
            first, rate=self.rate, separation=self.separation
        )
        start = random_start(dim, seed=sample.seed)
        theta, far, _ = self._stage(start, sample, 0, first, steps, progress)
        # The student of the second stage is that of the first, carried to its level.
        carried = theta * math.exp(first - self.second_time)
        theta, near, here = self._stage(
            carried, sample, 1, self.second_time, self.second_steps, progress
        )
        step = symmetric.em_step(theta, here.x, here.weights) - theta
        clean = theta * math.exp(self.second_time)
        mixture = GaussianMixture(
            np.full(2, 0.5), np.stack([clean, -clean]), np.tile(np.eye(dim), (2, 1, 1))
        )
        return Descended(mixture, (far, near), float(np.linalg.norm(step)))

    def _stage(
        self,
        start: FloatArray,
        sample: Sample,
        index: int,
        time: float,
        steps: int,
        progress: Progress,
    ) -> tuple[FloatArray, Stage, Noised]:
        """Descend at one level; return theta there, what was done, and the rows."""
        name, level = STAGES[index], NoiseLevel.from_time(time)
        here = noised(sample, level, sample.noises(index, self.pairs))
        theta, norm = descend(
            start,
            lambda at: self.gradient(at, sample, here),
            rate=self.rate,
            steps=steps,
            radius=level.alpha * self.radius,
            progress=lambda done, total: progress(name, done, total),
        )
        loss = symmetric.loss(theta, here.x, here.weights)
        return theta, Stage(name, time, steps, norm, loss), here

    def gradient(self, theta: FloatArray, sample: Sample, here: Noised) -> FloatArray:
        """Return the gradient at theta (d,) that the option `noise` asks for."""
        if self.noise is Noise.STEIN:
            return symmetric.gradient(theta, here.x, here.weights)
        sigma = here.level.sigma
        if self.noise is Noise.SAMPLED:
            return symmetric.ddpm_gradient(theta, here.x, here.z, here.weights, sigma=sigma)
        share = sample.weights / sample.weights.sum()
        return symmetric.integrated_gradient(
            theta, sample.x, share, alpha=here.level.alpha, sigma=sigma
        )
