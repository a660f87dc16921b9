"""Expectation maximisation for a Gaussian mixture, its size chosen by BIC."""

import warnings
from time import perf_counter

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

from symscore.arrays import FloatArray
from symscore.baselines.estimate import DensityEstimate
from symscore.baselines.frame import standard_frame
from symscore.errors import BadOption
from symscore.learn.frame import Whitening
from symscore.mixture import GaussianMixture

# Neither kind of start wins everywhere, so both are tried. Columns are scaled but not whitened:
# whitening shrinks the direction that separates the clusters, and the starts miss them.
STARTS = ("kmeans", "k-means++")
STARTS_OF_A_KIND = 3
MOST_COMPONENTS = 25
# scikit-learn's own, on scaled columns: a component may be a thousandth of the data wide.
SMALLEST_VARIANCE = 1e-6
# BIC over k is not unimodal on curved data; a run this long without improvement ends the search.
PATIENCE = 6


def component_cap(n: int, dim: int) -> int:
    """Return the largest number of components tried: five times d + 1 rows for each, at most 25."""
    return max(1, min(MOST_COMPONENTS, n // (5 * (dim + 1))))


def fit_em(
    samples: ArrayLike, *, rng: np.random.Generator, max_components: int | None = None
) -> DensityEstimate:
    r"""Fit a Gaussian mixture by maximum likelihood, its number of components k by BIC.

    .. math:: \mathrm{BIC}(k) = -2 \log L_k + (k (d + 1)(d + 2) / 2 - 1) \log n

    The least is taken. The work is scikit-learn's, on columns scaled to unit variance, each k from
    several starts of two kinds; the search stops when six k in a row brought no improvement.

    Parameters
    ----------
    samples : (n, d) array
    rng : numpy.random.Generator
    max_components : int, optional
        Largest k; by default :func:`component_cap`.

    Returns
    -------
    DensityEstimate
        Its density is a :class:`~symscore.mixture.GaussianMixture`; diagnostics ``components``,
        ``bic`` (of the scaled data) and ``converged`` (1 or 0).

    Raises
    ------
    BadData
        If the samples have no density to estimate.
    BadOption
        If `max_components` is not positive or exceeds the number of rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> samples = np.concatenate([rng.normal(-4, 1, (200, 1)), rng.normal(4, 1, (200, 1))])
    >>> fit_em(samples, rng=rng).diagnostics["components"]
    2.0
    """
    start = perf_counter()
    frame = standard_frame(samples)
    u = frame.whiten(samples)
    cap = component_cap(*u.shape) if max_components is None else max_components
    if not 1 <= cap <= len(u):
        raise BadOption(f"Expected max_components from 1 to {len(u)}, the rows; got {cap}.")
    fitted, bic = best_by_bic(u, cap, rng=rng)
    diagnostics = {
        "components": float(fitted.n_components),
        "bic": bic,
        "converged": float(fitted.converged_),
    }
    mixture = in_data_units(fitted, frame)
    return DensityEstimate("em", mixture, perf_counter() - start, diagnostics)


def best_by_bic(
    u: FloatArray, cap: int, *, rng: np.random.Generator, floor: float = SMALLEST_VARIANCE
) -> tuple[SklearnMixture, float]:
    """Return the mixture of least BIC on scaled points u among k = 1..cap, and that BIC.

    `floor` is added to the variances of every component.
    """
    best, least = _best_start(u, 1, floor, rng=rng)
    for k in range(2, cap + 1):
        candidate, bic = _best_start(u, k, floor, rng=rng)
        if bic < least:
            best, least = candidate, bic
        elif k - best.n_components >= PATIENCE:
            break
    return best, least


def _best_start(
    u: FloatArray, k: int, floor: float, *, rng: np.random.Generator
) -> tuple[SklearnMixture, float]:
    kinds = STARTS if k > 1 else STARTS[:1]
    fitted = [_fit(u, k, floor, kind, seed=int(rng.integers(2**31))) for kind in kinds]
    bics = [float(mixture.bic(u)) for mixture in fitted]
    least = int(np.argmin(bics))
    return fitted[least], bics[least]


def _fit(u: FloatArray, k: int, floor: float, kind: str, *, seed: int) -> SklearnMixture:
    mixture = SklearnMixture(
        k,
        reg_covar=floor,
        init_params=kind,
        n_init=STARTS_OF_A_KIND if k > 1 else 1,
        max_iter=500,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # A size that does not converge may still lose on BIC; the winner's state is reported.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(u)


def in_data_units(fitted: SklearnMixture, frame: Whitening) -> GaussianMixture:
    """Return the mixture fitted to scaled points as a mixture of the data."""
    covariances = frame.scale_tril @ fitted.covariances_ @ frame.scale_tril.T
    symmetric = (covariances + covariances.swapaxes(1, 2)) / 2
    return GaussianMixture(fitted.weights_, frame.unwhiten(fitted.means_), symmetric)
