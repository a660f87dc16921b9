"""What an entry of the ledger is: a numbered statement, and a check that can fail."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, final

from symscore.errors import CheckFailed

Choice = TypeVar("Choice")
LONGEST_TITLE = 60


class Outcome(StrEnum):
    """What a check came to.

    ``PROVED``: decided by exact algebra for symbolic parameters or a whole finite family, or by a
    written proof every algebraic step of which the check decides. ``CERTIFIED``: a rigorous
    enclosure on stated instances. ``MEASURED``: a statistical or floating-point check.
    ``REFUTED``: an explicit statement with an exact or certified counterexample, or a proved family
    that defeats every constant, *and* the corrected form proved or certified. ``NOT_CHECKABLE``:
    see the reason; a weaker statement may be checked instead.
    """

    PROVED = "PROVED"
    CERTIFIED = "CERTIFIED"
    MEASURED = "MEASURED"
    REFUTED = "REFUTED AS PRINTED"
    NOT_CHECKABLE = "NOT CHECKABLE"
    FAILED = "FAILED"


class Kind(StrEnum):
    """What sort of statement it is."""

    DEFINITION = "definition"
    IDENTITY = "identity"
    EXPLICIT = "explicit inequality"
    UNSPECIFIED = "inequality with an unspecified constant"
    ALGORITHM = "algorithm"
    EXISTENCE = "existence or asymptotic claim"


class Label(StrEnum):
    """What a finding says of the printed form, in rising order of mildness.

    REFUTED stands beside the outcome of that name alone.
    """

    REFUTED = "REFUTED"
    INCONSISTENT = "INCONSISTENT"
    VACUOUS = "VACUOUS"
    PROOF_GAP = "PROOF GAP"
    TYPO = "TYPO"
    REMARK = "REMARK"


class Paper(StrEnum):
    """Where a statement is from; the value is the prefix of its id."""

    A = "A"
    B = "B"
    C = "C"
    OWN = "own"

    @property
    def citation(self) -> str:
        """Authors, title and arXiv number."""
        return _CITATIONS[self]


_CITATIONS = {
    Paper.A: "Chen, Kontonis, Shah: Learning general Gaussian mixtures with efficient score "
    "matching, arXiv 2404.18893",
    Paper.B: "Gatmiry, Kelner, Lee: Learning mixtures of Gaussians using diffusion models, "
    "arXiv 2404.18869",
    Paper.C: "Shah, Chen, Klivans: Learning mixtures of Gaussians using the DDPM objective, "
    "arXiv 2307.01178",
    Paper.OWN: "Results derived in this project",
}


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in the printed form, and the form that was checked.

    Attributes
    ----------
    label : Label
    printed, corrected : str
        In words with LaTeX between dollar signs.
    note : str
        Why, or how much hangs on it.
    """

    label: Label
    printed: str
    corrected: str
    note: str = ""


@final
@dataclass(frozen=True, slots=True)
class Effort:
    """How much a check may do.

    Attributes
    ----------
    quick : bool
        Whether smaller instances will do.
    seed : int
        Of whatever is left to chance.
    """

    quick: bool = False
    seed: int = 0

    def pick(self, quick: Choice, full: Choice) -> Choice:
        """Return the first of two sizes if little is to be done, else the second."""
        return quick if self.quick else full


Check = Callable[[Effort], str]


@final
@dataclass(frozen=True, kw_only=True)
class Entry:
    """One statement, and how it is checked.

    Attributes
    ----------
    id : str
        The paper's letter (or ``own``), a dot, and the number of the statement.
    page : str
        Of the published version; empty where there is none.
    title : str
        What it says in at most 60 characters, without formulas.
    statement : str
        In our words, with LaTeX between dollar signs.
    kind : Kind
    outcome : Outcome
        What it is once the check has passed.
    check : callable or None
        Takes an :class:`Effort`, returns the figure to print, and raises if the statement is
        violated; with ``NOT_CHECKABLE``, of the weaker statement, if any.
    depends_on : tuple of str
        Ids, or results cited.
    reason : str
        Why it is not checkable.
    weaker : str
        What is checked instead.
    uses : tuple of str
        Analytic facts that the check takes for granted.
    proof : str
        The heading in ``docs/proofs.md`` under which its proof stands.
    finding : Finding or None
    corrected : Outcome or None
        Of the corrected form, where the printed one is refuted.
    """

    id: str
    title: str
    statement: str
    kind: Kind
    outcome: Outcome
    page: str = ""
    check: Check | None = None
    depends_on: tuple[str, ...] = ()
    reason: str = ""
    weaker: str = ""
    uses: tuple[str, ...] = ()
    proof: str = ""
    finding: Finding | None = None
    corrected: Outcome | None = None

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(f"Entry {self.id}: {problem}")

    @property
    def paper(self) -> Paper:
        """The paper, from the id."""
        return Paper(self.id.split(".", 1)[0])

    def _problems(self) -> list[str]:
        """Return what is not as it must be, in a few words each."""
        refuted, open_ = Outcome.REFUTED, Outcome.NOT_CHECKABLE
        holds = {
            "an outcome that a check can have": self.outcome is not Outcome.FAILED,
            f"a title of at most {LONGEST_TITLE} characters": len(self.title) <= LONGEST_TITLE,
            "a check": self.check is not None or self.outcome is open_,
            "a reason if and only if it is not checkable": bool(self.reason)
            == (self.outcome is open_),
            "a check if and only if something weaker is checked": self.outcome is not open_
            or bool(self.weaker) == (self.check is not None),
            "a finding of the label REFUTED if and only if it is refuted": (
                self.finding is not None and self.finding.label is Label.REFUTED
            )
            == (self.outcome is refuted),
            "an outcome of the corrected form if and only if it is refuted": (
                self.corrected in (Outcome.PROVED, Outcome.CERTIFIED)
            )
            == (self.outcome is refuted),
        }
        return [f"expected {what}." for what, holding in holds.items() if not holding]


def entry(
    id: str,
    *,
    title: str,
    statement: str,
    kind: Kind,
    outcome: Outcome,
    page: str = "",
    depends_on: tuple[str, ...] = (),
    reason: str = "",
    weaker: str = "",
    uses: tuple[str, ...] = (),
    proof: str = "",
    finding: Finding | None = None,
    corrected: Outcome | None = None,
) -> Callable[[Check], Entry]:
    """Make the check that it decorates an :class:`Entry`; the arguments are its attributes."""

    def made(check: Check) -> Entry:
        return Entry(
            id=id,
            title=title,
            statement=statement,
            kind=kind,
            outcome=outcome,
            page=page,
            check=check,
            depends_on=depends_on,
            reason=reason,
            weaker=weaker,
            uses=uses,
            proof=proof,
            finding=finding,
            corrected=corrected,
        )

    return made


def require(holds: object, expected: str, got: object = "") -> None:
    """Fail the check unless `holds`, which must be a bool: a ball's comparison is one.

    Raises
    ------
    CheckFailed
        With what was expected and what was got.
    """
    if holds is not True:
        shown = f"; got {got}" if got != "" else ""
        raise CheckFailed(f"Expected {expected}{shown}.")
