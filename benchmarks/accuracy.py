"""Total variation to a known truth: symscore with no options, EM, and a tuned KDE.

    ./dev bench accuracy [--quick | --large] [--targets ring,moons] [--minutes 60] [--json FILE]

Every target and seed is one sample, the same for all methods. TV is estimated from draws of the
truth, and by its twin from own draws; the two agree only if the density is normalised. Results are
kept in .cache/bench-accuracy by what decides them (the sample, the sources and versions of the
method), so an interrupted run goes on and a change of the package measures only symscore anew.
Seconds are of the processor: other programs on the machine then add little.

5000 rows and 10 seeds (3 for 10 and more dimensions). --quick takes 1000 rows and one seed,
--large 50,000 rows and two seeds of eight targets. zuko and FlowJAX join in with --flows, where
they are installed.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.measured import Result, Sample, remembered
from benchmarks.methods import FLOWS, MAIN, METHODS, OURS, RIVALS
from benchmarks.remember import CACHE, Memory
from benchmarks.targets import MIXTURE, OTHER, TARGETS, Target, target
from benchmarks.verdicts import Mean, as_json, by_target, conclusion, ratio_of

HIGH_DIM, HIGH_DIM_SEEDS = 10, 3
LARGE = (
    "separated",
    "overlapping",
    "scales",
    "ring",
    "moons",
    "banana",
    "mw10-claw",
    "random5",
)
MEMORY = Memory(CACHE / "bench-accuracy")
Say = Callable[[str], None]
Work = Callable[[Sample, str], Result | None]
Job = tuple[Target, int, str]  # target, seed, method


def jobs(targets: Sequence[Target], seeds: int, methods: Sequence[str]) -> Iterator[Job]:
    """Yield what is to be measured: seed after seed, few dimensions first, flows at the end."""
    passes = [[name for name in methods if (name in FLOWS) is late] for late in (False, True)]
    for names in passes:
        for seed in range(1, seeds + 1):
            for truth in sorted(targets, key=lambda truth: truth.dim):
                if truth.dim < HIGH_DIM or seed <= HIGH_DIM_SEEDS:
                    yield from ((truth, seed, name) for name in names)


def run(
    todo: Iterator[Job], n: int, say: Say, *, deadline: float = float("inf"), work: Work
) -> list[Result]:
    """Measure one job after the other, until the deadline on the monotonic clock."""
    results = []
    sample = None
    for truth, seed, method in todo:
        if time.monotonic() > deadline:
            say("The time is up; the same command goes on from here.")
            break
        if sample is None or (sample.target, sample.seed) != (truth, seed):
            sample = Sample.of(truth, n, seed)
        try:
            result = work(sample, method)
        except Exception as error:
            # One failure must not end a run of hours; it is tried again the next time.
            say(f"{truth.name}, seed {seed}, {method}: {type(error).__name__}: {error}")
            continue
        if result is not None:
            results.append(result)
            say(f"{truth.name}, seed {seed}, {method}: TV {result.tv:.4f} {result.note}")
    return results


def table(results: Sequence[Result], truths: Sequence[Target]) -> Iterator[str]:
    """Yield the lines of the table."""
    found = by_target(results)
    names = [name for name in METHODS if any(name in methods for methods in found.values())]
    yield (
        f"{'':<28}{'d':>3}{'seeds':>6}"
        + "".join(f"{name:>17}" for name in names)
        + (f"{'twin':>9}{'KL':>9}{'ratio':>7}  seconds, in that order")
    )
    for truth in truths:
        if truth.name in found:
            yield _line(truth, found[truth.name], names)


def _line(truth: Target, methods: dict[str, dict[int, Result]], names: Sequence[str]) -> str:
    own = methods.get(OURS, {})
    seeds = max(len(done) for done in methods.values())
    tv = [_mean(methods.get(name, {}), "tv") for name in names]
    twin, kl = (_mean(own, figure).split(" ")[0] for figure in ("twin", "kl"))
    ratio = ratio_of(truth.name, truth.group, methods)
    shown = "-" if ratio is None else f"{ratio.value:.2f}" + ("!" if ratio.breaks else "")
    seconds = [_mean(methods.get(name, {}), "seconds").split(" ")[0] for name in names]
    rounded = " / ".join(text if text == "-" else f"{float(text):.1f}" for text in seconds)
    return (
        f"{truth.name:<28}{truth.dim:>3}{seeds:>6}"
        + "".join(f"{text:>17}" for text in tv)
        + f"{twin:>9}{kl:>9}{shown:>7}  {rounded}"
    )


def _mean(done: dict[int, Result], figure: str) -> str:
    values = [getattr(result, figure) for result in done.values()]
    known = [value for value in values if value is not None]
    if not known:
        return "inf" if values else "-"
    return str(Mean.of(known)) if len(known) == len(values) else "inf"


def report(results: Sequence[Result], truths: Sequence[Target], say: Say) -> None:
    """Say the table, group by group, and the conclusion."""
    groups = {truth.name: truth.group for truth in truths}
    for group in (MIXTURE, OTHER):
        members = [truth for truth in truths if truth.group == group]
        if any(groups[result.target] == group for result in results):
            say(f"\nTV to the truth: {group}")
            for line in table([r for r in results if groups[r.target] == group], members):
                say(line)
    say("")
    for line in conclusion(results, groups.__getitem__):
        say(line)
    say(f"ratio: {OURS} to the better of {' and '.join(RIVALS)}; twin and KL: of {OURS}; +- 95 %")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    preset = parser.add_mutually_exclusive_group()
    preset.add_argument("--quick", action="store_true", help="1000 rows, one seed")
    preset.add_argument("--large", action="store_true", help="50,000 rows, 2 seeds, 8 targets")
    parser.add_argument("--n", type=int, help="rows to learn from")
    parser.add_argument("--seeds", type=int, help="how many")
    parser.add_argument("--targets", help="comma-separated names, or 1d, 2d: all of that dimension")
    parser.add_argument("--methods", default=",".join(MAIN), help="comma-separated names")
    parser.add_argument("--flows", action="store_true", help="zuko and FlowJAX too, if installed")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    preset_n, preset_seeds = (1000, 1) if options.quick else (50_000, 2)
    plain = not (options.quick or options.large)
    options.n = options.n or (5000 if plain else preset_n)
    options.seeds = options.seeds or (10 if plain else preset_seeds)
    options.targets = _targets(parser, options)
    options.methods = options.methods.split(",")
    unknown = [name for name in options.methods if name not in METHODS]
    if unknown:
        parser.error(f"no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    return options


def _targets(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Target]:
    everything = [target(name) for name in TARGETS]
    if options.targets is None:
        return [truth for truth in everything if not options.large or truth.name in LARGE]
    found = []
    for name in options.targets.split(","):
        named = [truth for truth in everything if name in (truth.name, f"{truth.dim}d")]
        if not named:
            parser.error(f"no target {name!r}; there are 1d, 2d, ... and {', '.join(TARGETS)}")
        found += [truth for truth in named if truth not in found]
    return found


def _installed(names: Sequence[str], say: Say) -> list[str]:
    for name in names:
        if METHODS[name].missing:
            say(f"{name} is left out: pip install {' '.join(METHODS[name].missing)}")
    return [name for name in names if not METHODS[name].missing]


def main() -> None:
    """Measure, print the table, and write the figures."""
    options = _options()
    asked = [*options.methods, *(FLOWS if options.flows else ())]
    todo = jobs(options.targets, options.seeds, _installed(asked, _progress))
    deadline = time.monotonic() + 60 * options.minutes
    work = partial(remembered, MEMORY)
    results = run(todo, options.n, _progress, deadline=deadline, work=work)
    print(f"{options.n} rows")
    report(results, options.targets, print)
    if options.json is not None:
        groups = {truth.name: truth.group for truth in options.targets}
        figures = {"n": options.n} | as_json(results, groups.__getitem__)
        options.json.write_text(json.dumps(figures, indent=1))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
