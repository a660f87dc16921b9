"""Learned densities in PyMC: what a step costs, which form to sample, how good a prior they are.

    ./dev bench pymc [cost] [modes] [prior] [--quick] [--seed 1] [--json]

Each word is one of the tables, described in pymc_cost.py, pymc_modes.py and pymc_prior.py; all
three are the default.
"""

from benchmarks import pymc_cost, pymc_modes, pymc_prior
from benchmarks.pymc_models import parser, print_tables

TABLES = {"cost": pymc_cost.run, "modes": pymc_modes.run, "prior": pymc_prior.run}


def main() -> None:
    """Print the tables asked for."""
    command = parser(__doc__)
    command.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(TABLES))
    options = command.parse_args()
    unknown = sorted(set(options.tables) - set(TABLES))
    if unknown:
        command.error(f"Expected tables among {', '.join(TABLES)}; got {', '.join(unknown)}.")
    print_tables({name: TABLES[name] for name in options.tables or TABLES}, options)


if __name__ == "__main__":
    main()
