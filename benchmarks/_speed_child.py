"""One measurement in a process of its own, as one JSON line: a cold start, or the memory it took.

    python -m benchmarks._speed_child ours|mixtures TARGET N SEED [--warm]

`ours` is a default fit, `mixtures` are scikit-learn's fits of 1, 5, 10 and 25 components, one start
each. With --warm, both run on few rows first, whose seconds do not count.
"""

import argparse
import json
import resource
import sys
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture

from benchmarks.targets import target
from symscore import ScoreDensity
from symscore.arrays import FloatArray

SIZES = (1, 5, 10, 25)
FEW = 300  # rows of the fit that warms up
KIB = 1 if sys.platform == "darwin" else 1024  # bytes in a unit of ru_maxrss


def ours(data: FloatArray, seed: int) -> None:
    """Fit with no options."""
    ScoreDensity(random_state=seed).fit(data)


def mixtures(data: FloatArray, seed: int) -> None:
    """Fit scikit-learn's mixtures with their defaults."""
    for k in SIZES:
        SklearnMixture(k, random_state=seed).fit(data)


WORK = {"ours": ours, "mixtures": mixtures}


def peak_mb() -> float:
    """Return the largest resident memory of this process so far, in 10^6 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 1e6


def main() -> None:
    """Print seconds and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", choices=WORK)
    parser.add_argument("target")
    parser.add_argument("n", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--warm", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = target(options.target).draw(options.n, rng=np.random.default_rng(options.seed))
    if options.warm:
        WORK[options.work](data[:FEW], options.seed)
    before = peak_mb()
    began = time.perf_counter()
    WORK[options.work](data, options.seed)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), "peak_before_mb": before}))


if __name__ == "__main__":
    main()
