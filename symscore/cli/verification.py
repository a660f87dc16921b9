"""The command verify."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symscore.cli.shared import Json, Quiet, Seed, print_json, require_folder
from symscore.errors import BadOption
from symscore.progress import progress_bar

if TYPE_CHECKING:
    from symscore.ledger import Row


def verify(
    paper: Annotated[str, typer.Option(help="A, B, C or own; all by default.")] = "",
    id: Annotated[str, typer.Option(help="Comma-separated ids, such as A.Lem15.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Smaller instances.")] = False,
    html: Annotated[Path | None, typer.Option(help="Page to write.")] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Check the numbered statements of the three papers, and our own; 1 if a check fails."""
    from symscore.ledger import Outcome
    from symscore.ledger import verify as run
    from symscore.ledger.page import summary, to_html

    if html is not None:
        require_folder(html, "--html")
    papers, ids = _listed(paper), _listed(id)
    with progress_bar(quiet=quiet) as progress:
        rows = run(
            papers=papers,
            ids=ids,
            quick=quick,
            seed=seed,
            jobs=os.cpu_count() or 1,
            progress=progress,
        )
    if not rows:
        raise BadOption(f"Expected an id of paper {paper}; got {id}.")
    if html is not None:
        _write(html, to_html(rows))
    if json:
        print_json({"entries": [row.to_dict() for row in rows]})
    else:
        print("\n".join([*_table(rows), "", summary(rows)]))
    if any(row.outcome is Outcome.FAILED for row in rows):
        raise typer.Exit(1)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _table(rows: "tuple[Row, ...]") -> list[str]:
    """Return a line for every row: id, outcome, seconds, what it says and what was found."""
    from symscore.ledger import entries

    titles = {found.id: found.title for found in entries()}
    widths = [max(len(text) for text in column) for column in _columns(rows)]
    return [
        f"{row.id:<{widths[0]}}  {row.outcome:<{widths[1]}}  {row.seconds:6.2f} s  "
        f"{titles[row.id]}" + (f": {row.figure}" if row.figure else "")
        for row in rows
    ]


def _columns(rows: "tuple[Row, ...]") -> tuple[list[str], list[str]]:
    return [row.id for row in rows], [str(row.outcome) for row in rows]


def _write(path: Path, text: str) -> None:
    from symscore.atomic import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
