"""Seconds of a default fit beside scikit-learn's BIC scan, on the same rows in the same run.

    ./dev bench fit_time [--n 5000] [--seed 1] [--targets separated,moons]

Both run once to warm up on few rows; the scan has 1 to 25 components and three starts each.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.baselines import em_bic
from benchmarks.targets import TARGETS
from symscore import ScoreDensity


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Print one line a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=5000, help="rows to learn from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default="separated,overlapping,ring,moons,scales")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{'target':<12}{'symscore':>10}{'BIC scan':>10}{'ratio':>8}")
    for name in options.targets.split(","):
        truth = TARGETS[name]()
        data = truth.draw(options.n, rng=np.random.default_rng(options.seed))
        ScoreDensity(random_state=options.seed).fit(data[:300])
        em_bic(data[:300], truth, options.seed)
        ours = seconds(lambda data=data: ScoreDensity(random_state=options.seed).fit(data))
        scan = seconds(lambda data=data, truth=truth: em_bic(data, truth, options.seed))
        print(f"{name:<12}{ours:10.1f}{scan:10.1f}{ours / scan:8.2f}", flush=True)


if __name__ == "__main__":
    main()
