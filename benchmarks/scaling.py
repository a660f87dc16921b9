"""Three scaling laws of the papers' recipes, on instances whose answers are known.

    ./dev bench scaling [steps|rows|covers] [--quick] [--json FILE]

steps: total variation of the papers' sampler on the line by degree, cells and number of steps,
without any chance (population fits; the sampler's law is carried on a grid).
rows: how the excess risk of a fit falls with the number of rows, with the noise integrated out
exactly and with noise drawn, and the power of n at which it does.
covers: how much of a mixing measure the warm starts of arXiv 2404.18869 cover while the learned
posterior mean is disturbed, up to what Lemma 5.12 there bears and beyond.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from symscore import GaussianMixture
from symscore.atomic import atomic_path
from symscore.learn.general_mixture.grid import time_grid
from symscore.learn.hermite_sums import (
    exact_equations,
    hermite_moments,
    hermite_values,
    needed_order,
)
from symscore.learn.line_law import (
    line_grid,
    line_total_variation,
    merged_edges,
    population_score,
    sampler_law,
)
from symscore.learn.warm_start.covers import greedy_cover
from symscore.schedule import NoiseLevel

HORIZON, STOP = 4.0, 0.01
DEGREES = (1, 3, 5, 7, 9, 13)
STEPS = (40, 80, 160)
LINES = {
    "two, at +-2": GaussianMixture([0.5, 0.5], [[-2.0], [2.0]], np.ones((2, 1, 1))),
    "three, two of them near": GaussianMixture(
        [0.3, 0.4, 0.3], [[-4.0], [0.0], [1.5]], [[[1.0]], [[0.5]], [[1.0]]]
    ),
}
ROWS_TRUTH = GaussianMixture([0.5, 0.5], [[-1.5], [1.5]], np.ones((2, 1, 1)))
ROWS_DEGREE = 5
ROWS = (500, 1000, 2000, 4000, 8000, 16000)
TIMES = (0.02, 0.1, 0.5)
ATOMS = np.array([-4.0, -2.5, 2.2, 3.5])  # in two clusters of radius 1.5 and mass 1/2
RADIUS, LEAST_MASS, CLUSTERS = 1.5, 0.5, 2
DISTURBANCES = (0.0, 0.25, 1.0, 4.0, 16.0, 64.0)  # of the mean squared error it bears


@dataclass(frozen=True)
class ExactScore:
    """The score of a mixture at a level."""

    truth: GaussianMixture
    level: NoiseLevel
    dim: int = 1

    def score(self, x: ArrayLike) -> np.ndarray:
        """Return it at x (n, 1)."""
        return self.truth.at(self.level).score(x)


def steps(quick: bool) -> dict[str, Any]:
    """Return total variation by number of steps, exact scores, and by degree and cells."""
    found = {}
    for name, truth in LINES.items():
        x = line_grid(truth, spacing=0.015 if quick else 0.01)
        exact = {}
        for n in STEPS[: 2 if quick else 3]:
            grid = levels(n)
            fields = [ExactScore(truth, level) for level in grid[:-1]]
            exact[len(grid) - 1] = line_total_variation(truth, sampler_law(fields, grid[-1], x), x)
        grid = levels(STEPS[1])
        learned = {
            cells: [learned_error(truth, grid, degree, cells, x) for degree in DEGREES]
            for cells in ("one cell", "merged cells")
        }
        found[name] = {"exact scores, by steps": exact, "degrees": DEGREES} | learned
    return found


def levels(n_steps: int) -> tuple[NoiseLevel, ...]:
    """Return about that many levels of the papers' grid."""
    return time_grid(HORIZON, STOP, (HORIZON - 1 - np.log(STOP)) / n_steps)


def learned_error(
    truth: GaussianMixture, grid: tuple[NoiseLevel, ...], degree: int, cells: str, x: np.ndarray
) -> float:
    """Return the total variation of a sampler with the best polynomials of a degree."""
    fields = []
    for level in grid[:-1]:
        edges = merged_edges(truth, level) if cells == "merged cells" else []
        fields.append(population_score(truth, level, degree=degree, edges=edges))
    return line_total_variation(truth, sampler_law(fields, grid[-1], x), x)


def rows(quick: bool) -> dict[str, Any]:
    """Return mean excess risks by rows, and the power of n with its 95 % interval."""
    repeats, sizes = (20, ROWS[:5]) if quick else (100, ROWS)
    found = {}
    for time in TIMES:
        level = NoiseLevel.from_time(time)
        risks = {how: [excess(level, n, repeats, how) for n in sizes] for how in HOW}
        found[f"t = {time}"] = {
            how: {"rows": sizes, "excess": own, "power": power(sizes, own)}
            for how, own in risks.items()
        }
    return found


HOW = ("noise integrated out", "one antithetic pair", "one draw")


def excess(level: NoiseLevel, n: int, repeats: int, how: str) -> float:
    """Return the mean of E|s - s_D|^2, s_D the best polynomial of the degree."""
    best = population_score(ROWS_TRUTH, level, degree=ROWS_DEGREE, edges=[])
    noised = ROWS_TRUTH.at(level)
    x = line_grid(noised, spacing=0.02)[:, None]
    mass, target = np.exp(noised.log_density(x)) * 0.02, best.score(x)[:, 0]
    total = 0.0
    for repeat in range(repeats):
        rng = np.random.default_rng([n, repeat])
        learned = fitted_score(ROWS_TRUTH.draw(n, rng=rng), level, x, how, rng=rng)
        total += float(mass @ (learned - target) ** 2)
    return total / repeats


def fitted_score(
    data: np.ndarray, level: NoiseLevel, x: np.ndarray, how: str, *, rng: np.random.Generator
) -> np.ndarray:
    """Return the score at x (m, 1) of one polynomial, fitted to the rows of data (n, 1)."""
    sigma = level.sigma / level.alpha  # of y = x_t / alpha, the rows with heat noise
    share, centre = np.full(len(data), 1 / len(data)), np.zeros(1)
    if how == "noise integrated out":
        moments = hermite_moments(data, share, centre, needed_order(ROWS_DEGREE), 0.0)
        gram, cross = exact_equations(moments, centre, ROWS_DEGREE, sigma)
    else:
        z = rng.standard_normal(data.shape)
        signs = (1, -1) if how == "one antithetic pair" else (1,)
        phi = np.concatenate([hermite_values(data / sigma + s * z, ROWS_DEGREE) for s in signs])
        gram, cross = phi.T @ phi, phi.T @ np.concatenate([data] * len(signs))
    coef = np.linalg.solve(gram, cross)
    denoised = hermite_values(x / (level.alpha * sigma), ROWS_DEGREE) @ coef
    return (level.alpha * denoised[:, 0] - x[:, 0]) / level.sigma**2


def power(sizes: tuple[int, ...], risks: list[float]) -> dict[str, float]:
    """Return the slope of log risk on log rows, and half of its 95 % interval."""
    u, v = np.log(sizes), np.log(risks)
    slope, intercept = np.polyfit(u, v, 1)
    left = v - slope * u - intercept
    error = np.sqrt((left @ left) / (len(u) - 2) / ((u - u.mean()) @ (u - u.mean())))
    return {"power": float(slope), "half_width": float(error * student.ppf(0.975, len(u) - 2))}


def covers(quick: bool) -> dict[str, Any]:
    """Return shares of the mixing measure covered, and centres used, by size of disturbance."""
    repeats, n = (50, 200) if quick else (400, 200)
    sigma = 1.0
    scale = RADIUS + sigma * np.sqrt(np.log(1 / LEAST_MASS))
    rounds = int(np.ceil(2 * CLUSTERS * np.log(1 / LEAST_MASS))) + 1
    found = {}
    for size in DISTURBANCES:
        held, used = [], []
        for repeat in range(repeats):
            rng = np.random.default_rng([7, repeat])
            y = rng.choice(ATOMS, n) + sigma * rng.standard_normal(n)
            log = -0.5 * ((y[:, None] - ATOMS) / sigma) ** 2
            gates = np.exp(log - log.max(axis=1, keepdims=True))
            mean = gates @ ATOMS / gates.sum(axis=1)
            mean += np.sqrt(size * LEAST_MASS) * (RADIUS + sigma) * rng.standard_normal(n)
            cover = greedy_cover(mean[:, None], np.full(n, 1 / n), scale, rounds)
            distance = np.abs(ATOMS[:, None] - cover.centres[:, 0])
            held.append(float((distance.min(axis=1) <= scale + RADIUS).mean()))
            used.append(len(cover.centres))
        found[f"{size:g} of the lemma's error"] = {
            "covered": float(np.mean(held)),
            "all covered": float(np.mean(np.array(held) == 1)),
            "centres": float(np.mean(used)),
            "most": rounds,
        }
    return found


LAWS = {"steps": steps, "rows": rows, "covers": covers}


def shown(name: str, found: dict[str, Any]) -> str:
    """Return a law's figures as lines."""
    lines = [name]
    for what, own in found.items():
        lines.append(f"  {what}")
        for key, value in own.items():
            lines.append(f"    {key:<24}{_figures(value)}")
    return "\n".join(lines)


def _figures(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key}: {_figures(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_figures(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print the chosen laws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("laws", nargs="*", help="steps, rows, covers; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and repeats")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    options = parser.parse_args()
    if set(options.laws) - set(LAWS):
        parser.error(f"expected laws among {', '.join(LAWS)}; got {' '.join(options.laws)}")
    found = {}
    for name in options.laws or LAWS:
        found[name] = LAWS[name](options.quick)
        print(shown(name, found[name]), flush=True)
    if options.json:
        with atomic_path(options.json) as path:
            path.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
