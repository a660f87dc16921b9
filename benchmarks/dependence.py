"""Draws of Markov chains: folds at random, by chain, and by long block.

    ./dev bench dependence [--seeds 3] [--rows 4000] [--json]

The chains are guided random walks that keep every step, so that successive draws are correlated at
.98 and a chain is a smooth path. Held-out rows taken at random lie on the path of those that were
fitted: they reward cells that follow it. Held-out chains or long blocks do not.

Rows worth S independent ones leave any fit with p free numbers about .4 sqrt(p / S) from the truth
in total variation: .06 for a single Gaussian in three columns at S = 400. EM by BIC, which takes
the rows for independent, and the same recipe on S rows that are so, stand beside the three.
"""

import argparse
import json
import warnings

import numpy as np
import xarray as xr

from symscore import GaussianMixture, ScoreDensity
from symscore.baselines import fit_em
from symscore.baselines.estimate import Density
from symscore.compare.metrics import total_variation
from symscore.errors import SymscoreWarning
from symscore.io.blocks import contiguous_groups
from symscore.recipes import Auto

STEP = 0.2  # of time: for unit variance, successive draws are correlated at cos(.2) = .98
FRICTION = 0.6  # near that for which squares of the draws decorrelate fastest
CHAINS = 4
TEST_DRAWS = 4000


def lopsided() -> GaussianMixture:
    """Return a skewed density in three columns: two round components 1.2 sd apart."""
    means = [[0, 0, 0], [1.2, 0, 0]]
    return GaussianMixture([0.7, 0.3], means, np.tile(np.eye(3), (2, 1, 1)))


def guided_walk(
    truth: GaussianMixture, chains: int, length: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Draw stationary chains, shape (chains, length, d), that leave `truth` invariant.

    Horowitz' guided walk (1991): the velocity is renewed in part, moves the point by one leapfrog
    step, and is turned round where Metropolis rejects the step.
    """
    kept = np.exp(-FRICTION * STEP)
    x = truth.draw(chains, rng=rng)
    velocity = rng.normal(size=x.shape)
    path = np.empty((length, *x.shape))
    for place in range(length):
        velocity = kept * velocity + np.sqrt(1 - kept**2) * rng.normal(size=x.shape)
        half = velocity + STEP / 2 * truth.score(x)
        proposed = x + STEP * half
        moved = half + STEP / 2 * truth.score(proposed)
        log_odds = truth.log_density(proposed) - truth.log_density(x)
        log_odds += ((velocity**2).sum(axis=1) - (moved**2).sum(axis=1)) / 2
        accepted = (np.log(rng.random(chains)) < log_odds)[:, None]
        x = np.where(accepted, proposed, x)
        velocity = np.where(accepted, moved, -velocity)
        path[place] = x
    return path.swapaxes(0, 1)


def lag_one(draws: np.ndarray) -> np.ndarray:
    """Return the correlation of successive draws, shape (d,), pooled over chains."""
    centred = draws - draws.mean(axis=(0, 1))
    return (centred[:, 1:] * centred[:, :-1]).mean(axis=(0, 1)) / (centred**2).mean(axis=(0, 1))


def measure(rows: int, seed: int, recipe: Auto | str = "auto") -> dict[str, float]:
    """Return the distances to the truth of every kind of fold, and what the draws are worth."""
    truth = lopsided()
    rng = np.random.default_rng(seed)
    draws = guided_walk(truth, CHAINS, rows // CHAINS, rng=rng)
    alone = guided_walk(truth, 1, rows, rng=rng)[0]
    posterior = xr.Dataset({"x": (("chain", "draw", "column"), draws)})
    pooled = draws.reshape(-1, truth.dim)
    test = truth.draw(TEST_DRAWS, rng=rng)

    def judge(density: Density) -> float:
        own = density.draw(TEST_DRAWS, rng=np.random.default_rng([seed, 1]))
        distance = total_variation(
            truth.log_density, density.log_density, draws_p=test, draws_q=own
        )
        return distance.from_p.value

    with warnings.catch_warnings():
        # That the draws are worth little is the matter of this benchmark.
        warnings.simplefilter("ignore", SymscoreWarning)
        by_chain = ScoreDensity.from_idata(posterior, recipe=recipe, random_state=seed)
    effective = by_chain.report_.mixing.smallest
    density = ScoreDensity(recipe, random_state=seed)
    return {
        "lag one": float(lag_one(draws).mean()),
        "effective": effective,
        "by chain": judge(by_chain.flow_),
        "random": judge(density.fit(pooled).flow_),
        "by block": judge(density.fit(alone, groups=contiguous_groups(np.zeros(rows))).flow_),
        "em": judge(fit_em(pooled, rng=rng)),
        "independent": judge(density.fit(truth.draw(int(effective), rng=rng)).flow_),
    }


def main() -> None:
    """Print the table, a line a seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--rows", type=int, default=4000, help="of all four chains together")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args()
    found = []
    for seed in range(options.seeds):
        found.append(measure(options.rows, seed))
        if not options.json:
            if seed == 0:
                print(f"TV to the truth of fits to {options.rows} rows, standard errors about .003")
                print(" ".join(f"{name:>11}" for name in ("seed", *found[0])))
            print(" ".join([f"{seed:>11}", *map(shown, found[-1].values())]), flush=True)
    if options.json:
        print(json.dumps({"rows": options.rows, "seeds": found}))
    else:
        means = [float(np.mean([row[name] for row in found])) for name in found[0]]
        print(" ".join([f"{'mean':>11}", *map(shown, means)]))


def shown(figure: float) -> str:
    """Return a figure for the table."""
    return f"{figure:11.3f}" if figure < 1 else f"{figure:11.0f}"


if __name__ == "__main__":
    main()
