"""A mixture's posterior with both labellings, as the prior of a second batch of data.

Swapping the two components changes neither likelihood nor prior: every posterior of this model has
two modes, and a Gaussian summary of it stands between them, where nothing is. Here both are kept,
and the posterior after two stages is compared with that of all data at once, on a grid.
"""

import numpy as np
import pymc as pm
import xarray

from symscore.pymc import posterior_as_prior
from symscore.recipes import Auto

NAMES = ["left", "right", "share"]
RECIPE = Auto(em=(2, 4), kmeans=(8,))
OPTIONS = {"tune": 1000, "chains": 2, "cores": 1, "random_seed": 1, "progressbar": False}


def observe(y: np.ndarray, left, right, share) -> None:
    """Add the likelihood of values y, each of one of two components."""
    components = pm.Normal.dist(left, 1.0), pm.Normal.dist(right, 1.0)
    pm.Mixture("y", w=pm.math.stack([share, 1 - share]), comp_dists=components, observed=y)


def first_stage(y: np.ndarray, *, rng: np.random.Generator) -> xarray.Dataset:
    """Sample, then swap the labels of half of the draws: exact, as no label is special."""
    with pm.Model():
        left, right = pm.Normal("left", 0, 3), pm.Normal("right", 0, 3)
        observe(y, left, right, pm.Beta("share", 2, 2))
        found = pm.sample(1000, **OPTIONS).posterior
    left, right, share = (found[name] for name in NAMES)
    kept = xarray.DataArray(rng.random(left.shape) < 0.5, dims=left.dims)
    swapped = left.where(kept, right), right.where(kept, left), share.where(kept, 1 - share)
    return xarray.Dataset(dict(zip(NAMES, swapped, strict=True)))


def on_a_grid(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 3) and their posterior probabilities given all data at once."""
    means, shares = np.linspace(-4, 4, 81), np.linspace(0.005, 0.995, 100)
    left, right, share = (axis.ravel() for axis in np.meshgrid(means, means, shares))
    log_p = -(left**2 + right**2) / 18 + np.log(share * (1 - share))
    for value in y:
        densities = np.exp(-0.5 * (value - left) ** 2), np.exp(-0.5 * (value - right) ** 2)
        log_p += np.log(share * densities[0] + (1 - share) * densities[1])
    p = np.exp(log_p - log_p.max())
    return np.stack([left, right, share], axis=1), p / p.sum()


def tell(what: str, points: np.ndarray, p: np.ndarray) -> None:
    """Print the mass of one labelling, then mean and sd of what does not depend on labels."""
    swapped, low = points[:, 0] > points[:, 1], points[:, :2].min(axis=1)
    print(f"{what:12}{p[~swapped].sum():8.3f}", end="")
    share = np.where(swapped, 1 - points[:, 2], points[:, 2])
    for values in (low, points[:, :2].max(axis=1), share):
        print(f"{p @ values:8.3f}{np.sqrt(p @ (values - p @ values) ** 2):8.3f}", end="")
    print()


def main() -> None:
    """Sample both stages, and compare."""
    rng = np.random.default_rng(3)
    y = rng.normal(np.where(rng.random(100) < 0.35, -1.0, 1.5), 1.0)
    stages = {"first stage": first_stage(y[:40], rng=rng)}
    with pm.Model():
        prior = posterior_as_prior(
            stages["first stage"], transforms={"share": (0, 1)}, recipe=RECIPE, random_state=1
        )
        observe(y[40:], **prior)
        stages["two stages"] = pm.sample(1000, **OPTIONS).posterior
    print(f"{'':12}{'labels':>8}{'low':>8}{'sd':>8}{'high':>8}{'sd':>8}{'share':>8}{'sd':>8}")
    for what, found in stages.items():
        points = np.stack([found[name].to_numpy().ravel() for name in NAMES], axis=1)
        tell(what, points, np.full(len(points), 1 / len(points)))
    tell("all at once", *on_a_grid(y))


if __name__ == "__main__":
    main()
