"""The peers of the accuracy benchmark, as a user would fit them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.mixture import GaussianMixture as SklearnMixture

from benchmarks.targets import Target
from symscore import GaussianMixture
from symscore.arrays import FloatArray
from symscore.baselines import fit_kde

LARGEST = 25  # components of the scan
STARTS = 3
# Rows a component, in multiples of d + 1, below which a covariance has hardly a density to fit.
FEWEST_ROWS = 2


@dataclass(frozen=True)
class Estimate:
    """A fitted density, and what is worth saying of it."""

    log_density: Callable[[FloatArray], FloatArray]
    draw: Callable[..., FloatArray]
    note: str = ""


def em_true(data: FloatArray, truth: Target | GaussianMixture, seed: int) -> Estimate | None:
    """Fit scikit-learn's EM with the true number of components; None where there is none."""
    if truth.n_components is None:
        return None
    return of_mixture(em(data, truth.n_components, seed, STARTS))


def em_bic(
    data: FloatArray, truth: object, seed: int, *, starts: int = STARTS, largest: int = LARGEST
) -> Estimate:
    """Fit scikit-learn's EM with 1 to 25 components, three starts each, and keep the least BIC."""
    n, dim = data.shape
    cap = max(1, min(largest, n // (FEWEST_ROWS * (dim + 1))))
    fits = (em(data, k, seed, starts) for k in range(1, cap + 1))
    return of_mixture(min(fits, key=lambda fit: fit.bic(data)))


def kde(data: FloatArray, truth: object, seed: int) -> Estimate:
    """Fit the package's kernel density estimate, its bandwidth tuned by cross-validation."""
    fitted = fit_kde(data, rng=np.random.default_rng(seed))
    return Estimate(fitted.log_density, fitted.draw, f"h = {fitted.diagnostics['bandwidth']:.3g}")


def em(data: FloatArray, k: int, seed: int, starts: int) -> SklearnMixture:
    """Fit k components as scikit-learn does by default, from several starts."""
    return SklearnMixture(k, n_init=starts, max_iter=300, random_state=seed).fit(data)


def of_mixture(fitted: SklearnMixture) -> Estimate:
    """Return what scikit-learn fitted."""
    positive = fitted.weights_ > 0
    weights = fitted.weights_[positive] / fitted.weights_.sum()
    mixture = GaussianMixture(weights, fitted.means_[positive], fitted.covariances_[positive])
    return Estimate(mixture.log_density, mixture.draw, f"k = {fitted.n_components}")
