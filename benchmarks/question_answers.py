"""The measurements of the three questions, each remembered as soon as it is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import (
    question_crude,
    question_degree,
    question_families,
    question_size,
    question_soft,
)
from benchmarks.question_families import Family
from benchmarks.question_memory import Memory
from benchmarks.question_size import Point
from symscore import exact

Progress = Callable[[str, int, int], None]
LARGE = 40  # parameters of a family
SHARED = (question_families, question_size)
SIZE_MEMORY = Memory([Path(module.__file__) for module in SHARED])
CRUDE_MEMORY = Memory([Path(module.__file__) for module in (*SHARED, question_crude)])
DEGREE_MEMORY = Memory([Path(question_degree.__file__)])
SOFT_MEMORY = Memory([Path(m.__file__) for m in (question_degree, question_soft)])
EXACT = sorted(Path(exact.__file__).parent.rglob("*.py"))
CERTIFICATE_MEMORY = Memory([Path(question_degree.__file__), *EXACT])


def size_answer(
    axes: Mapping[str, Sequence[Family]], seeds: Sequence[int], progress: Progress
) -> dict[Family, dict[int, list[Point]]]:
    """Return what was reached at growing sizes, by family and seed; each family once.

    Families of more than `LARGE` parameters, which take most of the time, have the first seed only.
    """
    families = list(dict.fromkeys(family for own in axes.values() for family in own))
    found: dict[Family, dict[int, list[Point]]] = {family: {} for family in families}
    todo = [
        (seed, family)
        for seed in seeds
        for family in families
        if seed == seeds[0] or family.parameters <= LARGE
    ]
    for done, (seed, family) in enumerate(todo):
        progress("sample size", done, len(todo))

        def remembered(n: int, family: Family = family, seed: int = seed) -> Point:
            asked = f"size {family} {n} {seed}"
            answer = SIZE_MEMORY.recall(
                asked, lambda: asdict(question_size.measure(family, n, seed))
            )
            return Point(answer["n"], {k: tuple(v) for k, v in answer["reached"].items()})

        found[family][seed] = question_size.climb(family, remembered)
    progress("sample size", len(todo), len(todo))
    return found


def crude_answer(
    kinds: Sequence[str],
    distances: Sequence[float],
    n: int,
    seeds: Sequence[int],
    progress: Progress,
) -> list[dict[str, Any]]:
    """Return a row for every kind and distance of the perturbation, and seed."""
    todo = [(s, k, d) for s in seeds for k in kinds for d in distances]
    rows = []
    for done, (seed, kind, distance) in enumerate(todo):
        progress("crude mixtures", done, len(todo))
        # No distance is no perturbation, of whatever kind.
        same = question_crude.KINDS[0] if distance == 0 else kind
        reached = CRUDE_MEMORY.recall(
            f"crude {same} {distance:g} {n} {seed}",
            lambda kind=same, distance=distance, seed=seed: question_crude.measure(
                kind, distance, n, seed
            ),
        )
        rows.append({"kind": kind, "distance": distance, "seed": seed, "reached": reached})
    progress("crude mixtures", len(todo), len(todo))
    return rows


def certificates(
    separations: Sequence[int], progress: Progress
) -> dict[int, dict[int, dict[str, Any]]]:
    """Return certified errors and degrees by separation and number of cells."""
    todo = [(mu, count) for mu in separations for count in question_degree.CELLS]
    found: dict[int, dict[int, dict[str, Any]]] = {mu: {} for mu in separations}
    for done, (mu, count) in enumerate(todo):
        progress("certificates", done, len(todo))
        found[mu][count] = CERTIFICATE_MEMORY.recall(
            f"certificate {mu} {count}",
            lambda mu=mu, count=count: question_degree.certified(mu, count),
        )
    progress("certificates", len(todo), len(todo))
    return found


def degree_answer(
    separations: Sequence[int], repeats: Mapping[int, int], progress: Progress
) -> list[dict[str, Any]]:
    """Return a row for every separation, number of rows and seed, of plain cells."""
    return _by_seed(
        "degrees", DEGREE_MEMORY, question_degree.measure, separations, repeats, progress
    )


def soft_answer(
    separations: Sequence[int], repeats: Mapping[int, int], progress: Progress
) -> list[dict[str, Any]]:
    """Return a row for every separation, number of rows and seed, of the default's cells."""
    return _by_seed(
        "soft cells", SOFT_MEMORY, question_soft.measure, separations, repeats, progress
    )


def _by_seed(
    stage: str,
    memory: Memory,
    measure: Callable[[int, int, int], dict[str, Any]],
    separations: Sequence[int],
    repeats: Mapping[int, int],
    progress: Progress,
) -> list[dict[str, Any]]:
    todo = [(mu, n, s) for n, most in repeats.items() for mu in separations for s in range(most)]
    rows = []
    for done, (mu, n, seed) in enumerate(todo):
        progress(stage, done, len(todo))
        answer = memory.recall(
            f"{stage} {mu} {n} {seed}", lambda mu=mu, n=n, seed=seed: measure(mu, n, seed)
        )
        rows.append({"mu": mu, "n": n, "seed": seed, **answer})
    progress(stage, len(todo), len(todo))
    return rows
