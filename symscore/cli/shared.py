"""What the commands share: options, and how results are printed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from symscore.errors import BadOption

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress bar.")]
Seed = Annotated[
    int, typer.Option("--seed", min=0, help="Seed; the same seed gives the same bits.")
]


def require_folder(output: Path, option: str = "--output") -> None:
    """Refuse a folder that is not there before minutes of work, not after."""
    if not output.absolute().parent.is_dir():
        raise BadOption(f"Expected {option} in a folder that exists; got {output}.")


def print_json(report: dict[str, Any]) -> None:
    """Print one JSON object, in which there is no infinity."""
    print(json.dumps(report, allow_nan=False))


def show(report: dict[str, Any], *, as_json: bool) -> None:
    """Print a report as JSON or as lines of a name and a value."""
    if as_json:
        print_json(report)
        return
    for key, value in report.items():
        print(f"{key.replace('_', ' '):<22}{_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return str(value)
