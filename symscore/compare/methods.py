"""The methods the referee knows, from the simplest to the most elaborate."""

from collections.abc import Callable

import numpy as np

from symscore.arrays import FloatArray
from symscore.baselines import DensityEstimate, fit_em, fit_kde
from symscore.errors import BadOption

REFERENCE = "symscore"


def fit_symscore(samples: FloatArray, *, rng: np.random.Generator) -> DensityEstimate:
    """Fit the estimator of this package with its default recipe."""
    from time import perf_counter

    from symscore.estimator import ScoreDensity

    start = perf_counter()
    estimator = ScoreDensity(random_state=int(rng.integers(2**31))).fit(samples)
    return DensityEstimate(REFERENCE, estimator.flow_, perf_counter() - start, {})


def fit_nuts(samples: FloatArray, *, rng: np.random.Generator) -> DensityEstimate:
    """Fit the Bayesian mixture; PyMC is imported only here, as it takes seconds."""
    from symscore.baselines.mcmc import fit_mcmc

    return fit_mcmc(samples, rng=rng)


METHODS: dict[str, Callable[..., DensityEstimate]] = {
    "em": fit_em,
    "kde": fit_kde,
    "symscore": fit_symscore,
    "mcmc": fit_nuts,
}
SHOWN_AS = {"em": "EM", "kde": "KDE", "symscore": "symscore", "mcmc": "NUTS"}


def check_methods(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Return `methods`, or raise BadOption unless they are known, distinct and not none."""
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods or len(set(methods)) < len(methods):
        raise BadOption(f"Expected distinct methods among {', '.join(METHODS)}; got {methods}.")
    return methods
