"""Commands of the exact layer: certify, plan."""

from pathlib import Path
from typing import Annotated

import typer

from symscore.cli.shared import Json, Quiet, print_json, require_folder, show
from symscore.errors import BadOption
from symscore.progress import progress_bar, spinner


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
        require_folder(output)
    with spinner("certifying", quiet=quiet):
        certificate = derive(read_json(spec))
    if output is not None:
        certificate.save(output)
    print_json(certificate.to_json()) if json else print(certificate)


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
        require_folder(output)
    levels = alphas.split(",") if alphas else ALPHAS
    with progress_bar(quiet=quiet) as progress:
        found = find(mixture_in(spec), rms, alphas=levels, cells=cells, progress=progress)
    if output is not None:
        save_plan(found, output)
    print_json(found.to_json()) if json else print(found.table())


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
    show(report, as_json=as_json)
