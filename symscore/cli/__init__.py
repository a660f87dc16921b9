"""The command line: ``symscore`` or ``python -m symscore``.

Exit status 0: done. 1: a check failed. 2: wrong use or unusable input, with one line that says
what is at fault.
"""

import sys

import typer

from symscore.cli.certificates import certify, plan
from symscore.cli.demonstration import demo
from symscore.cli.densities import describe, fit, sample
from symscore.cli.verification import verify
from symscore.errors import NotCertified, SymscoreError

app = typer.Typer(
    name="symscore",
    help="Turn samples into a probability distribution that can be used and checked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (fit, sample, describe, certify, plan, verify, demo):
    app.command()(command)


def main() -> None:
    """Run the command line; errors raised on purpose become one line and an exit status.

    That is 1 where something could not be certified, 2 where something was used wrongly.
    """
    try:
        app()
    except SymscoreError as error:
        print(f"symscore: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(1 if isinstance(error, NotCertified) else 2) from None
