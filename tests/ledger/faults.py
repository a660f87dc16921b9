"""A deliberate mistake in the mathematics of one check."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import symscore.ledger
from symscore.ledger import Effort, Entry, Row
from symscore.ledger.verification import row_of

ROOT = Path(symscore.ledger.__file__).parent


@dataclass(frozen=True)
class Fault:
    """What stands once in a module of the ledger, and the mistake that takes its place.

    Attributes
    ----------
    entry_id : str
        Of the entry that must notice.
    module : str
        Within ``symscore.ledger``, as ``"paper_a.means"``.
    old, new : str
    """

    entry_id: str
    module: str
    old: str
    new: str

    def row(self) -> Row:
        """Run the entry's check with the mistake in it."""
        path = ROOT.joinpath(*self.module.split(".")).with_suffix(".py")
        source = path.read_text(encoding="utf-8")
        if source.count(self.old) != 1:
            raise ValueError(f"{self.old!r} stands {source.count(self.old)} times in {path.name}")
        changed = ModuleType(f"symscore.ledger.{self.module}")
        changed.__file__ = str(path)
        exec(compile(source.replace(self.old, self.new), str(path), "exec"), vars(changed))
        found = [v for v in vars(changed).values() if isinstance(v, Entry)]
        return row_of(next(e for e in found if e.id == self.entry_id), Effort(quick=True))
