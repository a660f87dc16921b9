"""How many components: the held-out denoising loss of each number of a short list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from symscore.arrays import FloatArray
from symscore.learn.ddpm.free import FreeDescent
from symscore.learn.ddpm.starts import WarmStarts, given_covariance, smallest_sd
from symscore.learn.partition import smallest_cell
from symscore.learn.select import Progress, Sample
from symscore.mixture import GaussianMixture
from symscore.schedule import NoiseLevel

COARSE = 1e-3  # gradient at which a descent that only compares numbers stops: 1e-4 nats or less
SHORT_RUN = 60
PARTS = 8  # of a held-out fold, for standard errors
PATIENCE = 2  # numbers without a gain after which no larger one is tried


@final
@dataclass(frozen=True, eq=False)
class Chosen:
    """Numbers of components tried, and their held-out losses.

    Attributes
    ----------
    numbers : tuple of int
        Ascending.
    losses : (n_numbers,) array
        Mean objective on held-out rows; up to a constant the negative log-likelihood.
    errors : (n_numbers,) array
        Standard errors of their differences from the least one.
    """

    numbers: tuple[int, ...]
    losses: FloatArray
    errors: FloatArray

    @property
    def best(self) -> int:
        """The smallest number whose loss is within a standard error of the least.

        The aim is the parameters: components that gain nothing have none to recover.
        """
        return self.numbers[int(np.argmax(self.losses <= self.losses.min() + self.errors))]

    def __str__(self) -> str:
        pairs = zip(self.numbers, self.losses.tolist(), strict=True)
        return ", ".join(f"k={k}: {loss:.4f}" for k, loss in pairs)


def affordable(choices: Sequence[int], n_rows: int, dim: int) -> tuple[int, ...]:
    """Return the numbers of components that `n_rows` rows can fill, ascending; at least one."""
    most = max(1, n_rows // (2 * smallest_cell(dim)))
    return tuple(sorted({k for k in choices if k <= most})) or (1,)


def choose_number(
    sample: Sample,
    numbers: Sequence[int],
    starts: WarmStarts,
    method: FreeDescent,
    known: FloatArray | None,
    *,
    progress: Progress,
) -> Chosen:
    """Cross-fit every number of components in turn, until two more in a row gain nothing.

    Start and descent see the other folds only; the loss is that of the held-out one, with noise
    of its own, at the same levels for all numbers.

    Parameters
    ----------
    sample : Sample
        Whitened rows with folds.
    numbers : sequence of int
        Ascending.
    starts : callable
        From a number to a :class:`~symscore.learn.ddpm.starts.WarmStart`.
    method : FreeDescent
    known : (d, d) array or None
        The components' covariance, where it is known.
    progress : callable
    """
    found = [
        given_covariance(starts(k).fit(sample.x, sample.weights, seed=sample.seed), known)
        for k in numbers
    ]
    levels = method.levels(smallest_sd(found))
    quick = replace(
        method, tolerance=max(method.tolerance, COARSE), max_steps=min(method.max_steps, SHORT_RUN)
    )
    parts: list[FloatArray] = []
    means: list[float] = []
    for done, k in enumerate(numbers):
        progress("choosing components", done, len(numbers))
        parts.append(_held_out(sample, k, starts, quick, known, levels))
        means.append(float(parts[-1][:, 0].sum() / parts[-1][:, 1].sum()))
        if done - int(np.argmin(means)) >= PATIENCE:
            break
    best = int(np.argmin(means))
    return Chosen(
        tuple(numbers[: len(means)]),
        np.array(means),
        np.array([_excess(own, parts[best]) for own in parts]),
    )


def _excess(own: FloatArray, best: FloatArray) -> float:
    """Return the standard error of a mean loss less the best one's, over the parts."""
    gaps = own[:, 0] - best[:, 0]
    return float(gaps.std() * np.sqrt(len(gaps)) / own[:, 1].sum())


def _held_out(
    sample: Sample,
    k: int,
    starts: WarmStarts,
    method: FreeDescent,
    known: FloatArray | None,
    levels: tuple[NoiseLevel, ...],
) -> FloatArray:
    """Return the summed losses and masses (n_parts, 2) of the held-out rows, in parts."""
    parts = []
    for fold in np.unique(sample.folds).tolist():
        x, weights = sample.without(fold)
        training = Sample(x, weights, np.zeros(len(x), dtype=np.int64), sample.seed)
        start = given_covariance(starts(k).fit(x, weights, seed=sample.seed), known)
        fitted = method.fit(
            training, start, levels, known=known is not None, progress=lambda *_: None
        )
        for rows in np.array_split(np.flatnonzero(sample.folds == fold), PARTS):
            if rows.size:
                parts.append(_part_loss(sample, rows, fitted.mixture, method, levels))
    return np.array(parts)


def _part_loss(
    sample: Sample,
    rows: np.ndarray,
    mixture: GaussianMixture,
    method: FreeDescent,
    levels: tuple[NoiseLevel, ...],
) -> tuple[float, float]:
    """Return the summed loss and the mass of some held-out rows."""
    # Another stream of noise than the training rows saw.
    seed = (sample.seed + 2**32 + int(rows[0])) % 2**64
    held = Sample(sample.x[rows], sample.weights[rows], sample.folds[rows], seed)
    mass = float(held.weights.sum())
    return mass * method.slope(mixture, held, levels, method.noises(held, levels)).loss, mass
