"""Yesterday's bimodal posterior as today's prior.

A first study leaves a parameter pair with two explanations. A Gaussian summary of it would put the
most belief between the two, where there is none. Here the draws become a prior as they are, and
one new measurement shifts the odds between the modes.
"""

import warnings

import numpy as np
import pymc as pm

import symscore
from symscore.pymc import LearnedScore
from symscore.recipes import Auto

NOISE = 2.0  # sd of the new measurement of the first parameter


def first_study(rng: np.random.Generator) -> np.ndarray:
    """Stand in for the draws of a posterior: 45 % near (-2, 1), 55 % near (2, -1), correlated."""
    mixture = symscore.GaussianMixture(
        weights=[0.45, 0.55],
        means=[[-2.0, 1.0], [2.0, -1.0]],
        covariances=[[[0.3, 0.2], [0.2, 0.4]], [[0.3, -0.1], [-0.1, 0.2]]],
    )
    return mixture.draw(1000, rng=rng)


def main() -> None:
    """Learn the draws, use them as a prior, and check the answer without a Markov chain."""
    rng = np.random.default_rng(1)
    recipe = Auto(em=(1, 2, 3), kmeans=(8,))
    flow = symscore.ScoreDensity(recipe, random_state=1).fit(first_study(rng)).flow_

    with pm.Model():
        x = LearnedScore("x", flow)
        pm.Normal("y", x[0], NOISE, observed=0.8)
        trace = pm.sample(500, tune=300, chains=2, cores=1, random_seed=1, progressbar=False)
    sampled = float((trace.posterior["x"].to_numpy()[..., 0] < 0).mean())

    draws = flow.draw(100_000, rng=rng)
    weights = np.exp(-0.5 * ((0.8 - draws[:, 0]) / (NOISE)) ** 2)
    reference = float(weights[draws[:, 0] < 0].sum() / weights.sum())

    print(f"mass of the left mode: before {np.mean(draws[:, 0] < 0):.3f}")
    print(f"after, by NUTS         {sampled:.3f}")
    print(f"after, by reweighting  {reference:.3f}")
    if abs(sampled - reference) > 0.1:
        warnings.warn("The chain has not found the balance of the modes.", stacklevel=1)


if __name__ == "__main__":
    main()
