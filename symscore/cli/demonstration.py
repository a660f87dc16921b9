"""The command demo."""

from pathlib import Path
from typing import Annotated

import typer

from symscore.cli.shared import Json, Quiet, Seed, print_json
from symscore.progress import progress_bar


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
    print_json(result.numbers()) if json else print(result.text())
    if not result.masses_agree:
        raise typer.Exit(1)
