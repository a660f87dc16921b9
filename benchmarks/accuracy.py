"""Total variation to a known truth: symscore with no options, EM by BIC, and a tuned KDE.

    ./dev bench accuracy [--n 5000] [--seed 1] [--targets ring,moons] [--json]

Every figure comes from the same draws in one run. TV is estimated from draws of the truth and, for
symscore, also from its own draws; the two agree only if its density is normalised.
"""

import argparse
import json
import time

import numpy as np

from benchmarks.targets import TARGETS
from symscore import ScoreDensity
from symscore.baselines import fit_em, fit_kde
from symscore.compare.metrics import total_variation

TEST_DRAWS = 4000


def measure(name: str, n: int, seed: int) -> dict[str, float | str]:
    """Fit the three methods to n draws of a target and return their distances and times."""
    truth = TARGETS[name]()
    rng = np.random.default_rng(seed)
    data, test = truth.draw(n, rng=rng), truth.draw(TEST_DRAWS, rng=rng)
    row: dict[str, float | str] = {"target": name}

    def judge(method: str, log_density, own_draws: np.ndarray, seconds: float) -> None:
        distance = total_variation(truth.log_density, log_density, draws_p=test, draws_q=own_draws)
        row[method] = distance.from_p.value
        row[f"{method} se"] = distance.from_p.standard_error
        row[f"{method} own draws"] = distance.from_q.value
        row[f"{method} s"] = seconds

    began = time.perf_counter()
    flow = ScoreDensity(random_state=seed).fit(data).flow_
    judge("symscore", flow.log_density, flow.draw(TEST_DRAWS, rng=rng), time.perf_counter() - began)
    for method, fit in (("em", fit_em), ("kde", fit_kde)):
        estimate = fit(data, rng=np.random.default_rng(seed))
        draws = estimate.draw(TEST_DRAWS, rng=rng)
        judge(method, estimate.log_density, draws, estimate.seconds)
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=5000, help="rows to learn from")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default=",".join(TARGETS), help="comma-separated names")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    rows = []
    if not options.json:
        print(f"TV to the truth, n = {options.n}, seed {options.seed}, standard errors about .001")
        print(
            f"{'target':<12} {'symscore':>9} {'own draws':>9} {'EM, BIC':>9} {'KDE':>9}   seconds"
        )
    for name in options.targets.split(","):
        row = measure(name, options.n, options.seed)
        rows.append(row)
        if not options.json:
            figures = [row[key] for key in ("symscore", "symscore own draws", "em", "kde")]
            seconds = " / ".join(
                f"{row[f'{method} s']:.1f}" for method in ("symscore", "em", "kde")
            )
            print(
                f"{name:<12} " + " ".join(f"{x:9.4f}" for x in figures) + f"   {seconds}",
                flush=True,
            )
    if options.json:
        print(json.dumps({"n": options.n, "seed": options.seed, "rows": rows}))


if __name__ == "__main__":
    main()
