"""A slope whose sign the first data cannot tell, as the prior of data that can, a little.

The first instrument reads |slope| x: both signs are as probable. Sequential Monte Carlo finds both
modes, which a single chain would not. The second reads slope x, but badly. The posterior after two
stages is compared with that of all data at once, computed on a grid.
"""

import numpy as np
import pymc as pm

from symscore.pymc import posterior_as_prior
from symscore.recipes import Auto

RECIPE = Auto(em=(2, 4), kmeans=(8,))
SUPPORT = {"slope": None, "noise": "positive"}
BAD = 4.0  # of the second instrument, the noise is so many times that of the first
OPTIONS = {"chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}


def on_a_grid(x, y, seen) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 2) and their posterior probabilities given all data at once."""
    axes = np.linspace(-3, 3, 1201), np.linspace(0.01, 3, 300)
    slope, noise = (axis.ravel() for axis in np.meshgrid(*axes))
    log_p = -0.5 * (slope / 2) ** 2 - 0.5 * noise**2
    for one, first, second in zip(x, y, seen, strict=True):
        log_p -= 0.5 * ((first - np.abs(slope) * one) / noise) ** 2 + np.log(noise)
        log_p -= 0.5 * ((second - slope * one) / (BAD * noise)) ** 2 + np.log(noise)
    p = np.exp(log_p - log_p.max())
    return np.stack([slope, noise], axis=1), p / p.sum()


def tell(what: str, points: np.ndarray, p: np.ndarray) -> None:
    """Print the mass of the positive slopes, then mean and sd of size and noise."""
    print(f"{what:12}{p[points[:, 0] > 0].sum():8.3f}", end="")
    for values in np.abs(points).T:
        print(f"{p @ values:8.3f}{np.sqrt(p @ (values - p @ values) ** 2):8.3f}", end="")
    print()


def main() -> None:
    """Sample both stages, and compare."""
    rng = np.random.default_rng(2)
    x = rng.uniform(0.5, 2.0, size=20)
    y, seen = rng.normal(np.abs(1.2) * x, 0.8), rng.normal(-1.2 * x, BAD * 0.8)
    with pm.Model():
        slope, noise = pm.Normal("slope", 0, 2), pm.HalfNormal("noise", 1)
        pm.Normal("y", pm.math.abs(slope) * x, noise, observed=y)
        stages = {"first stage": pm.sample_smc(1000, **OPTIONS).posterior}
    with pm.Model():
        prior = posterior_as_prior(
            stages["first stage"], transforms=SUPPORT, recipe=RECIPE, random_state=1
        )
        pm.Normal("seen", prior["slope"] * x, BAD * prior["noise"], observed=seen)
        stages["two stages"] = pm.sample(1000, tune=1000, **OPTIONS).posterior
    print(f"{'':12}{'above 0':>8}{'size':>8}{'sd':>8}{'noise':>8}{'sd':>8}")
    for what, found in stages.items():
        points = np.stack([found[name].to_numpy().ravel() for name in SUPPORT], axis=1)
        tell(what, points, np.full(len(points), 1 / len(points)))
    tell("all at once", *on_a_grid(x, y, seen))


if __name__ == "__main__":
    main()
