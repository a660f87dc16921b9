"""Plans and files: the mixture comes from one, the answer goes to another."""

import json
from pathlib import Path

from symscore.atomic import atomic_path
from symscore.errors import BadOption
from symscore.exact.arithmetic.rational import RationalMixture
from symscore.exact.arithmetic.spec import Record, fields, read_json, read_mixture
from symscore.exact.planning.plan_pictures import PICTURES
from symscore.exact.planning.planner import Plan

PARTS = ("weights", "means", "covariances")


def mixture_in(path: Path) -> RationalMixture:
    """Return the mixture in a file; see :func:`mixture_of`."""
    return mixture_of(read_json(path), str(path))


def mixture_of(record: Record, where: str = "spec") -> RationalMixture:
    """Return the mixture that a specification is about.

    It is a mixture itself, ``{"weights": [...], "means": [...], "covariances": [...]}``, or an
    object whose only key is ``mixture``, or whatever ``symscore certify`` takes: of a ``claim``
    only the mixture is read.

    Raises
    ------
    BadData
        If it is none of these.

    Examples
    --------
    >>> two = {"weights": ["1/2", "1/2"], "means": [-1, 1], "covariances": [1, 1]}
    >>> mixture_of({"mixture": two}) == mixture_of(two)
    True
    """
    if any(name in record for name in PARTS):
        return read_mixture(record, where)
    others = tuple(record) if "claim" in record else ()
    return read_mixture(fields(record, where, ("mixture",), others)["mixture"], f"{where}.mixture")


def check_output(path: Path) -> None:
    """Raise BadOption unless a plan can be saved in a file of that kind."""
    if path.suffix.lower() not in (*PICTURES, ".json"):
        raise BadOption(f"Expected a file that ends in {', '.join(PICTURES)} or .json; got {path}.")


def save_plan(found: Plan, path: Path) -> None:
    """Write a plan as a picture, or as JSON if the name ends in .json.

    Raises
    ------
    BadOption
        If the name ends otherwise.
    FileProblem
        If the file cannot be written.
    """
    check_output(path)
    if path.suffix.lower() != ".json":
        found.plot(path)
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
