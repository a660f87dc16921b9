"""The list of all entries, and of all statements that must have one."""

from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TypeGuard

from symscore.ledger.entry import Entry

MODULES: tuple[str, ...] = (
    "paper_a.setting",
    "paper_a.structure",
    "paper_a.reverse",
    "paper_a.sampler",
    "paper_a.stopping",
    "paper_a.crude_list",
    "paper_a.crude_means",
    "paper_a.crude_covariances",
    "paper_a.fourth_moments",
    "paper_a.nearest_centre",
    "paper_a.crude_search",
    "paper_a.clustering",
    "paper_a.covariance_tests",
    "paper_a.clustering_rule",
    "paper_a.simplification",
    "paper_a.dropped_components",
    "paper_a.overlap",
    "paper_a.score_gap",
    "paper_a.softmax",
    "paper_a.polynomials",
    "paper_a.softmax_slopes",
    "paper_a.gates",
    "paper_a.gate_errors",
    "paper_a.learning",
    "paper_a.samples",
    "paper_b.setting",
    "paper_b.examples",
    "paper_b.diffusions",
    "paper_b.sampler",
    "paper_b.denoiser",
    "paper_b.noise_stability",
    "paper_b.sensitivity",
    "paper_b.smoothing",
    "paper_b.cells",
    "paper_b.cell_laws",
    "paper_b.regression",
    "paper_b.concentration",
    "paper_b.warm_starts",
    "paper_b.parameters",
    "paper_b.appendix_sampler",
    "paper_b.hypercontractivity",
    "paper_b.sub_exponential",
    "paper_c.descent",
    "paper_c.identities",
    "paper_c.limits",
    "own.approximation",
    "own.softmax",
    "own.sampling",
    "own.steps",
    "own.coefficients",
)


@cache
def entries() -> tuple[Entry, ...]:
    """Return all entries, in the order of :func:`statement_ids`.

    Raises
    ------
    ValueError
        Where two have one id.
    """
    found: dict[str, Entry] = {}
    for name in MODULES:
        module = import_module(f"symscore.ledger.{name}")
        for value in filter(_is_entry, vars(module).values()):
            if found.setdefault(value.id, value) is not value:
                raise ValueError(f"Expected one entry {value.id}; got two.")
    return tuple(found[name] for name in statement_ids() if name in found)


def _is_entry(value: object) -> TypeGuard[Entry]:
    return isinstance(value, Entry)


@cache
def statement_ids() -> tuple[str, ...]:
    """Return the id of every numbered statement of the three papers, and of our own results."""
    text = files("symscore.ledger").joinpath("statements.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))
