"""The rows of the ledger as a page: one document in HTML, and Markdown for the documentation."""

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from symscore.ledger.entry import Entry, Label, Outcome, Paper
from symscore.ledger.registry import entries
from symscore.ledger.verification import Row

FORMULA = re.compile(r"\$([^$]+)\$")
SOURCES = Path(__file__).resolve().parents[2]


def summary(rows: Sequence[Row]) -> str:
    """Return one line that counts the outcomes.

    Examples
    --------
    >>> summary([Row("A.Eq3", "A", Outcome.PROVED, "", 0.1)])
    '1 statement: 1 PROVED'
    """
    counts = Counter(row.outcome for row in rows)
    parts = [f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]]
    return f"{len(rows)} statement{'s' * (len(rows) != 1)}: {', '.join(parts)}"


def to_html(rows: Sequence[Row]) -> str:
    """Return a page that stands alone: statements, outcomes, figures, findings and the checks."""
    from jinja2 import Environment

    template = files("symscore.ledger").joinpath("page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["formulas"] = with_formulas
    return environment.from_string(template).render(
        summary=summary(rows), papers=[_paper(paper, rows) for paper in Paper]
    )


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the same for the documentation, whose formulas are LaTeX between dollar signs."""
    return "\n".join(line for paper in Paper for line in _markdown(_paper(paper, rows)))


def with_formulas(text: str) -> str:
    """Return text as HTML, with what stands between dollar signs as MathML."""
    from latex2mathml.converter import convert

    parts = FORMULA.split(text)  # text, formula, text, ...
    shown = [convert(part) if i % 2 else escape(part) for i, part in enumerate(parts)]
    return "".join(shown)


def place_of(found: Entry) -> str:
    """Return the file and line of an entry's check; nothing where there is none."""
    if found.check is None:
        return ""
    path = Path(inspect.getsourcefile(found.check) or "").resolve()
    line = inspect.getsourcelines(found.check)[1]
    return f"{path.relative_to(SOURCES).as_posix()}:{line}"


def code_of(found: Entry) -> str:
    """Return the source of an entry's check, without what stands above its name."""
    if found.check is None:
        return ""
    source = inspect.getsource(found.check)
    return source[source.index("def ") :].rstrip()


def _paper(paper: Paper, rows: Sequence[Row]) -> dict[str, Any]:
    known = {found.id: found for found in entries()}
    own = [(known[row.id], row) for row in rows if row.paper == paper]
    return {
        "id": str(paper),
        "citation": paper.citation,
        "summary": summary([row for _, row in own]),
        "rows": [
            {"entry": found, "row": row, "place": place_of(found), "code": code_of(found)}
            for found, row in own
        ],
        "findings": [found for found, _ in own if found.finding is not None],
        "labels": list(Label),
    }


def _markdown(paper: dict[str, Any]) -> Iterator[str]:
    if not paper["rows"]:
        return
    yield f"\n## {paper['citation']}\n\n{paper['summary']}.\n"
    if paper["findings"]:
        yield "### Printed and corrected forms\n"
        yield "| statement | label | printed | checked instead | note |\n|---|---|---|---|---|"
        for found in paper["findings"]:
            finding = found.finding
            cells = (finding.label, finding.printed, finding.corrected, finding.note)
            yield f"| {found.id} | " + " | ".join(_cell(text) for text in cells) + " |"
        yield ""
    yield "### Statements\n"
    for shown in paper["rows"]:
        yield from _entry_markdown(shown["entry"], shown["row"], shown["place"], shown["code"])


def _entry_markdown(found: Entry, row: Row, place: str, code: str) -> Iterator[str]:
    page = f", page {found.page}" if found.page else ""
    yield f"**{found.id}** ({found.kind}{page}). {found.statement}\n"
    lines = [f"*{row.outcome}*" + (f": {_plain(row.figure)}" if row.figure else "")]
    if found.corrected is not None:
        lines[0] = f"*{row.outcome}*, corrected form *{found.corrected}*: {_plain(row.figure)}"
    if found.reason:
        lines.append(f"Not checkable: {found.reason}")
    if found.weaker:
        lines.append(f"Checked instead: {found.weaker}")
    if found.uses:
        lines.append(f"Takes for granted: {'; '.join(found.uses)}.")
    if found.proof:
        lines.append(f"Proof: {{ref}}`{found.proof} <{found.proof}>`.")
    yield "\n".join(f": {line}" if i == 0 else f"  {line}" for i, line in enumerate(lines)) + "\n"
    if code:
        yield f"<details><summary><code>{place}</code></summary>\n\n```python\n{code}\n```\n"
        yield "</details>\n"


def _cell(text: str) -> str:
    """Return text for a cell of a Markdown table, in which a bar would end it."""
    return str(text).replace("|", r"\vert " if "$" in str(text) else r"\|")


def _plain(text: str) -> str:
    """Return text in which nothing is Markdown."""
    return re.sub(r"([*_`<>|$\[\]])", r"\\\1", text)
