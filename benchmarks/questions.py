"""Three open questions: rows and seconds needed, crude starts, and degrees and cells.

    ./dev bench questions [sample-size|crude|degree] [--quick] [--json FILE] [--pictures FOLDER]

sample-size: rows and CPU seconds for a total variation of .1 and .05 by dimension, number of
components and separation, for the default and for EM with the true number of components. crude:
total variation of a ladder whose cells come from a mixture wrong by a known amount. degree: the
degree and the number of cells of least held-out risk, beside certified degrees. Measurements are
remembered (.cache/bench-questions) until a source that made them changes, so an interrupted run
goes on where it stopped.
"""

import argparse
import json
import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks import question_pictures, question_tables
from benchmarks.question_answers import (
    Progress,
    certificates,
    crude_answer,
    degree_answer,
    size_answer,
    soft_answer,
)
from benchmarks.question_crude import KINDS
from benchmarks.question_memory import CACHE
from benchmarks.question_size import AXES, QUICK_AXES
from benchmarks.question_summaries import degree_summary, size_summary
from symscore.errors import SymscoreWarning
from symscore.progress import progress_bar

Answer = tuple[dict[str, Any], Iterable[str]]
SEPARATIONS = (1, 2, 3, 4)
CRUDE_ROWS = 2000


def sample_size(quick: bool, pictures: Path, progress: Progress) -> Answer:
    """Answer how rows and seconds grow with d, k and separation."""
    axes = QUICK_AXES if quick else AXES
    found = size_answer(axes, (1, 2), progress)
    summary = size_summary(axes, found)
    question_pictures.draw_sizes(summary, pictures / "questions-sample-size.png")
    return summary, question_tables.size_lines(summary)


def crude(quick: bool, pictures: Path, progress: Progress) -> Answer:
    """Answer how total variation degrades with the crude mixture."""
    kinds = KINDS[-1:] if quick else KINDS
    distances = (0.5, 2.0) if quick else (0.0, 0.25, 0.5, 1.0, 2.0)
    rows = crude_answer(kinds, distances, CRUDE_ROWS, (1,) if quick else (1, 2), progress)
    question_pictures.draw_crude(rows, pictures / "questions-crude.png")
    return {"n": CRUDE_ROWS, "rows": rows}, question_tables.crude_lines(rows, CRUDE_ROWS)


def degree(quick: bool, pictures: Path, progress: Progress) -> Answer:
    """Answer which degree, and how many cells, the held-out risk asks for."""
    repeats = {2000: 2, 5000: 2} if quick else {2000: 10, 5000: 10, 50_000: 4}
    certified = certificates(SEPARATIONS, progress)
    rows = degree_summary(degree_answer(SEPARATIONS, repeats, progress), certified)
    soft = soft_answer(SEPARATIONS, {2000: 1} if quick else {2000: 3, 5000: 3}, progress)
    question_pictures.draw_degrees(rows, certified, pictures / "questions-degree.png")
    lines = [*question_tables.degree_lines(rows), *question_tables.soft_lines(soft)]
    return {"rows": rows, "certified": certified, "soft": soft}, lines


QUESTIONS: dict[str, Callable[[bool, Path, Progress], Answer]] = {
    "sample-size": sample_size,
    "crude": crude,
    "degree": degree,
}


def finite(value: Any) -> Any:
    """Return a JSON value with null for NaN, and floats to six digits."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def main() -> None:
    """Answer the questions asked, print their tables and draw their pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", nargs="?", choices=[*QUESTIONS], help="all three if not given")
    parser.add_argument("--quick", action="store_true", help="fewer instances and seeds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--pictures", type=Path, default=CACHE, metavar="FOLDER")
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    # Small samples make EM stop early and the fit say that rows are few: the figures show it.
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.simplefilter("ignore", SymscoreWarning)
    answers: dict[str, Any] = {"quick": options.quick}
    with progress_bar(quiet=False) as progress, threadpool_limits(1):
        for name in [options.question] if options.question else QUESTIONS:
            answers[name], lines = QUESTIONS[name](options.quick, options.pictures, progress)
            print(f"\n## {name}", *lines, sep="\n", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(finite(answers), allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
