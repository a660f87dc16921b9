"""Commands about densities: fit, sample, describe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from symscore.cli.shared import Json, Quiet, Seed, print_json, require_folder, show
from symscore.errors import BadOption, NoDensity
from symscore.progress import progress_bar

if TYPE_CHECKING:
    from symscore.flow.modes import Modes

Model = Annotated[Path, typer.Argument(help="Model file written by `symscore fit`.")]


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
    require_folder(output)
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
        print_json(report | {"report": density.report_.to_dict()})
        return
    show(report, as_json=False)
    print(f"\n{density.report_}")


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
    show({"draws": n, "output": str(output), "names": list(flow.names)}, as_json=json)


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
        print_json(report | _mode_figures(modes))
        return
    show(report, as_json=False)
    print(f"\nmodes\n{modes}")


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
