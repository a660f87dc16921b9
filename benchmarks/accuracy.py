"""Total variation to a known truth: symscore with no options, EM, and a tuned KDE.

    ./dev bench accuracy [--quick] [--n 5000] [--seeds 1,2,3,4,5] [--targets ring,moons] [--json]

Every figure comes from the same draws in one run; results of the peers are remembered by the
content of their sample (.cache/bench-baselines), their seconds too. TV is estimated from draws of
the truth and, for symscore, also from its own draws; the two agree only if its density is
normalised. --quick takes the first seed alone.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.baselines import PEERS, Estimate, remembered
from benchmarks.targets import TARGETS
from symscore import GaussianMixture, ScoreDensity
from symscore.compare.metrics import total_variation

TEST_DRAWS = 4000
OURS = "symscore"
Row = dict[str, dict[str, float]]


def measure(truth: GaussianMixture, n: int, seed: int) -> Row:
    """Fit every method to n draws of a target; return TV by both twins, and seconds."""
    rng = np.random.default_rng(seed)
    data, test = truth.draw(n, rng=rng), truth.draw(TEST_DRAWS, rng=rng)

    def judge(estimate: Estimate) -> tuple[float, float]:
        own = estimate.draw(TEST_DRAWS, rng=np.random.default_rng([seed, 1]))
        distance = total_variation(
            truth.log_density, estimate.log_density, draws_p=test, draws_q=own
        )
        return distance.from_p.value, distance.from_q.value

    began = time.perf_counter()
    flow = ScoreDensity(random_state=seed).fit(data).flow_
    seconds = time.perf_counter() - began
    tv, twin = judge(Estimate(flow.log_density, flow.draw))
    row = {OURS: {"tv": tv, "twin": twin, "seconds": seconds}}
    for name in PEERS:
        peer = remembered(name, data, truth, seed, judge)
        row[name] = {"tv": peer.from_truth, "twin": peer.from_own, "seconds": peer.seconds}
    return row


def summary(rows: list[Row], method: str, figure: str) -> tuple[float, float]:
    """Return the mean over seeds and its standard error (NaN for one seed)."""
    values = np.array([row[method][figure] for row in rows])
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)


def line(name: str, rows: list[Row]) -> str:
    """Return a target's line of the table."""
    mean, error = summary(rows, OURS, "tv")
    figures = [f"{mean:.4f} +- {error:.4f}", f"{summary(rows, OURS, 'twin')[0]:.4f}"]
    figures += [f"{summary(rows, peer, 'tv')[0]:.4f}" for peer in PEERS]
    ratio = mean / summary(rows, "EM, BIC", "tv")[0]
    seconds = " / ".join(f"{summary(rows, m, 'seconds')[0]:.0f}" for m in (OURS, *PEERS))
    return _columns(name, *figures, f"{ratio:.2f}") + f"  {seconds}"


def _columns(name: str, *figures: str) -> str:
    return f"{name:<12}{figures[0]:>18}" + "".join(f"{figure:>11}" for figure in figures[1:])


def run(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, list[Row]]:
    """Measure every target and seed, saying each target's line when it is complete."""
    say(f"TV to the truth, n = {options.n}, seeds {options.seeds}")
    say(_columns("target", OURS, "own draws", *PEERS, "to BIC") + "  seconds, in that order")
    results = {}
    for name in options.targets.split(","):
        seeds = [int(seed) for seed in options.seeds.split(",")]
        results[name] = [measure(TARGETS[name](), options.n, seed) for seed in seeds]
        say(line(name, results[name]))
    return results


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=5000, help="rows to learn from")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="comma-separated")
    parser.add_argument("--quick", action="store_true", help="the first seed alone")
    parser.add_argument("--targets", default=",".join(TARGETS), help="comma-separated names")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    if options.quick:
        options.seeds = options.seeds.split(",")[0]
    # Sizes of the scan that do not converge lose on BIC; nothing else is hidden.
    warnings.simplefilter("ignore", ConvergenceWarning)
    results = run(options, (lambda text: None) if options.json else _say)
    if options.json:
        print(json.dumps({"n": options.n, "seeds": options.seeds, "results": results}))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
