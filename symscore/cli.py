"""The command line: ``symscore`` or ``python -m symscore``.

Exit status 0: done. 1: a check failed. 2: wrong use or unusable input, with one line that says
what is at fault.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from symscore.errors import BadOption, NoDensity, NotCertified, SymscoreError
from symscore.progress import progress_bar, spinner

if TYPE_CHECKING:
    from symscore.flow.modes import Modes

app = typer.Typer(
    name="symscore",
    help="Turn samples into a probability distribution that can be used and checked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Seed; the same seed gives the same bits.")
]
Model = Annotated[Path, typer.Argument(help="Model file written by `symscore fit`.")]


def main() -> None:
    """Run the command line; errors raised on purpose become one line and an exit status.

    That is 1 where something could not be certified, 2 where something was used wrongly.
    """
    try:
        app()
    except SymscoreError as error:
        print(f"symscore: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(1 if isinstance(error, NotCertified) else 2) from None


@app.command()
def fit(
    data: Annotated[Path, typer.Argument(help="CSV, TSV or Parquet file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Model file to write.")],
    columns: Annotated[str, typer.Option(help="Comma-separated columns; all by default.")] = "",
    weights: Annotated[str, typer.Option(help="Column of row weights.")] = "",
    recipe: Annotated[str, typer.Option(help="How to learn: auto or ddpm-gradient.")] = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Learn the density of a table and write it as a model file."""
    from symscore.estimator import ScoreDensity
    from symscore.io.model_file import save
    from symscore.io.tables import read_table

    _require_recipe_with_density(recipe)
    chosen = [name.strip() for name in columns.split(",")] if columns else None
    table = read_table(data, columns=chosen, weights=weights or None)
    _require_folder(output)
    with progress_bar(quiet=quiet) as progress:
        density = ScoreDensity(recipe, random_state=seed).fit(
            _frame(table.values, table.names), sample_weight=table.weights, progress=progress
        )
    save(density.flow_, output)
    learned, steps = density.report_.ladder, density.report_.steps
    report = {
        "model": str(output),
        "rows": learned.n_rows,
        "distinct_rows": learned.n_distinct,
        "names": list(table.names),
        "levels": len(learned.levels),
        "mean_log_density": density.score(_frame(table.values, table.names)),
        "smoothing": learned.smoothing,
        "rounding": learned.rounding,
        "smallest_eigenvalues": [
            min(step.first_stage for step in steps),
            min(step.second_stage for step in steps),
        ],
        "steps_shrunk": sum(step.factors != (1.0, 1.0) for step in steps),
    }
    if json:
        _print_json(report | {"report": density.report_.to_dict()})
        return
    _show(report, as_json=False)
    print(f"\n{density.report_}")


@app.command()
def sample(
    model: Model,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of draws.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="CSV, TSV, Parquet or NetCDF file to write.")
    ],
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Draw from a model and write the draws as a table."""
    from symscore.io.draws import write_table
    from symscore.io.model_file import load

    flow = load(model)
    write_table(output, flow.draw(n, rng=np.random.default_rng(seed)), flow.names)
    _show({"draws": n, "output": str(output), "names": list(flow.names)}, as_json=json)


@app.command()
def describe(model: Model, seed: Seed = 0, json: Json = False) -> None:
    """Say what a model file holds, and list the modes of its density."""
    from symscore.io.model_file import load

    flow = load(model)
    draws = flow.draw(4000, rng=np.random.default_rng(seed))
    modes = flow.modes(rng=np.random.default_rng(seed))
    ladder = flow.ladder
    report = {
        "model": str(model),
        "names": list(flow.names),
        "levels": len(ladder.fields),
        "cells": [sum(m.crude.n_components for m in field.members) for field in ladder.fields],
        "degrees": [max(m.degree for m in field.members) for field in ladder.fields],
        "kappa": [float(ladder.schedule.kappas[0]), float(ladder.schedule.kappas[-1])],
        "mean": draws.mean(axis=0).tolist(),
        "sd": draws.std(axis=0).tolist(),
        "draws_for_mean_and_sd": len(draws),
    }
    if json:
        _print_json(report | _mode_figures(modes))
        return
    _show(report, as_json=False)
    print(f"\nmodes\n{modes}")


@app.command()
def certify(
    spec: Annotated[
        Path,
        typer.Argument(help="JSON file: a claim's name and inputs; with --check, a certificate."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Certificate to write.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Derive a certificate again, by another method.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Enclose a number that exact inputs determine, or check such a certificate."""
    if check:
        if output is not None:
            raise BadOption("Expected --check without --output: a check writes no certificate.")
        _check(spec, quiet=quiet, as_json=json)
        return
    from symscore.exact.arithmetic.spec import read_json
    from symscore.exact.claims import certify as derive

    if output is not None:
        _require_folder(output)
    with spinner("certifying", quiet=quiet):
        certificate = derive(read_json(spec))
    if output is not None:
        certificate.save(output)
    _print_json(certificate.to_json()) if json else print(certificate)


@app.command()
def plan(
    spec: Annotated[Path, typer.Argument(help="JSON file with a mixture, as `certify` takes it.")],
    rms: Annotated[str, typer.Option(help="Root mean square error to reach, such as 0.03.")],
    cells: Annotated[int | None, typer.Option(help="The most cells; one a component.")] = None,
    alphas: Annotated[str, typer.Option(help="Comma-separated noise levels: 1,15/17.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Picture or JSON file to write.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Find the smallest polynomial degrees that are certified to come near a mixture's scores."""
    from symscore.exact.planning.plan_files import check_output, mixture_in, save_plan
    from symscore.exact.planning.planner import ALPHAS
    from symscore.exact.planning.planner import plan as find

    if output is not None:
        check_output(output)
        _require_folder(output)
    levels = alphas.split(",") if alphas else ALPHAS
    with progress_bar(quiet=quiet) as progress:
        found = find(mixture_in(spec), rms, alphas=levels, cells=cells, progress=progress)
    if output is not None:
        save_plan(found, output)
    _print_json(found.to_json()) if json else print(found.table())


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", help="Folder for pictures.")] = Path(
        "symscore-demo"
    ),
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Learn Old Faithful, compare with EM, KDE and NUTS, and use the density as a prior."""
    from symscore.demo import run

    with progress_bar(quiet=quiet or json) as progress:
        result = run(output, seed=seed, progress=progress)
    _print_json(result.numbers()) if json else print(result.text())
    if not result.masses_agree:
        raise typer.Exit(1)


def _check(path: Path, *, quiet: bool, as_json: bool) -> None:
    from symscore.exact.certificate import Certificate
    from symscore.exact.claims import check

    with spinner("checking", quiet=quiet):
        found = check(Certificate.load(path))
    report = {
        "confirmed": True,
        "claim": found.certificate.claim,
        "made_by": found.certificate.method,
        "confirmed_by": found.method,
    }
    _show(report, as_json=as_json)


def _frame(values: np.ndarray, names: tuple[str, ...]) -> Any:
    import pandas as pd

    return pd.DataFrame(values, columns=list(names))


def _mode_figures(modes: "Modes") -> dict[str, Any]:
    """Return the table as JSON has it: no infinity there, so the highest mode's depth is null."""
    columns = {
        "location": modes.locations.tolist(),
        "log_density": modes.log_densities.tolist(),
        "mass": modes.masses.tolist(),
        "standard_error": modes.standard_errors.tolist(),
        "interval": modes.intervals.tolist(),
        "depth": [depth if np.isfinite(depth) else None for depth in modes.depths.tolist()],
    }
    rows = zip(*columns.values(), strict=True)
    return {
        "modes": [dict(zip(columns, row, strict=True)) for row in rows],
        "modes_merged": modes.n_merged,
        "draws_for_modes": modes.n_draws,
        "draws_unassigned": modes.n_unassigned,
    }


def _require_recipe_with_density(name: str) -> None:
    """Refuse a recipe that is none, or whose fit has no density to write."""
    from symscore.recipes import NAMED

    if name not in NAMED:
        raise BadOption(f"Expected --recipe auto or ddpm-gradient; got {name!r}.")
    if name not in {"auto", "ddpm-gradient"}:
        raise NoDensity(
            f"Expected --recipe auto or ddpm-gradient; got {name!r}: a model file holds a density, "
            "and hard cells have none. In Python, ScoreDensity(...).fit(...).soften() has one."
        )


def _require_folder(output: Path) -> None:
    """Refuse a folder that is not there before minutes of work, not after."""
    if not output.absolute().parent.is_dir():
        raise BadOption(f"Expected --output in a folder that exists; got {output}.")


def _print_json(report: dict[str, Any]) -> None:
    print(json.dumps(report, allow_nan=False))


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _print_json(report)
        return
    for key, value in report.items():
        print(f"{key.replace('_', ' '):<22}{_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return str(value)
