"""One method's accuracy on one sample of one target, remembered."""

import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from benchmarks.baselines import Estimate
from benchmarks.methods import METHODS, prepare, quiet, stamp_of
from benchmarks.remember import Memory, digest
from benchmarks.targets import Target
from symscore.arrays import FloatArray
from symscore.compare.metrics import paired_difference, total_variation

MOST_DRAWS, FEWEST_DRAWS = 10_000, 2000


def judging_draws(n: int, dim: int) -> int:
    """Return how many draws to judge by: fewer where a density costs more and TV is larger."""
    return max(FEWEST_DRAWS, min(MOST_DRAWS, 20_000 // dim, 4 * n))


@final
@dataclass(frozen=True)
class Result:
    """What a method reached.

    Attributes
    ----------
    target, method : str
    n, seed : int
        Rows learned from, and the seed of these rows and of the fit.
    tv, tv_error : float
        Total variation from draws of the truth, and its standard error.
    twin, twin_error : float
        The same from own draws: equal up to chance if the fitted density is normalised.
    kl, kl_error : float or None
        Divergence E[log p - log q] from draws of the truth p; None where it is infinite.
    seconds : float
        Of the processor (all cores) for the fit, after the kernels were compiled.
    note : str
    """

    target: str
    method: str
    n: int
    seed: int
    tv: float
    tv_error: float
    twin: float
    twin_error: float
    kl: float | None
    kl_error: float | None
    seconds: float
    note: str = ""


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """Rows to learn from and rows to judge by, drawn from a target."""

    target: Target
    seed: int
    data: FloatArray
    test: FloatArray

    @classmethod
    def of(cls, target: Target, n: int, seed: int) -> "Sample":
        """Draw independently for every target and seed."""
        rng = np.random.default_rng([seed, zlib.crc32(target.name.encode())])
        data = target.draw(n, rng=rng)
        return cls(target, seed, data, target.draw(judging_draws(n, target.dim), rng=rng))

    def key(self, method: str) -> str:
        """Return the name of the method's result on this sample."""
        true_log_density = self.target.log_density(self.test[:100])
        return digest(self.data, self.test, true_log_density, self.seed, stamp_of(method))


def judge(sample: Sample, estimate: Estimate) -> dict[str, Any]:
    """Return the figures of a fitted density."""
    truth, test = sample.target, sample.test
    own = estimate.draw(len(test), rng=np.random.default_rng([sample.seed, 1]))
    distance = total_variation(truth.log_density, estimate.log_density, draws_p=test, draws_q=own)
    divergence = paired_difference(truth.log_density(test), estimate.log_density(test))
    finite = bool(np.isfinite(divergence.value))
    return {
        "tv": distance.from_p.value,
        "tv_error": distance.from_p.standard_error,
        "twin": distance.from_q.value,
        "twin_error": distance.from_q.standard_error,
        "kl": divergence.value if finite else None,
        "kl_error": divergence.standard_error if finite else None,
    }


def measure(sample: Sample, method: str) -> Result | None:
    """Fit and judge; None where the method does not apply to the target."""
    prepare(method)
    began = time.process_time()
    with quiet():
        estimate = METHODS[method].fit(sample.data, sample.target, sample.seed)
    seconds = time.process_time() - began
    if estimate is None:
        return None
    figures = judge(sample, estimate)
    identity = (sample.target.name, method, len(sample.data), sample.seed)
    return Result(*identity, **figures, seconds=seconds, note=estimate.note)


def remembered(
    memory: Memory,
    sample: Sample,
    method: str,
    work: Callable[[Sample, str], Result | None] = measure,
) -> Result | None:
    """Return a result from the memory, or measure and keep it."""
    key = sample.key(method)
    kept = memory.get(key)
    if kept is None:
        result = work(sample, method)
        kept = {} if result is None else asdict(result)
        memory.put(key, kept)
    return Result(**kept) if kept else None
