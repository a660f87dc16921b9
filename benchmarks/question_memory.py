"""Results remembered by what was asked and by the sources that answered."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sklearn

import symscore

CACHE = Path(".cache/bench-questions")
# What a figure depends on besides its question's own module.
SOURCES = ("learn/**/*.py", "flow/**/*.py", "estimator.py", "mixture.py", "schedule.py")


@dataclass(frozen=True)
class Memory:
    """A folder of results, one JSON file each.

    Parameters
    ----------
    own : sequence of Path
        Modules that measure: when they or the package's sources change, nothing is remembered.
    folder : Path
    """

    own: Sequence[Path]
    folder: Path = CACHE

    @cached_property
    def fingerprint(self) -> str:
        """The digest of sources and of the versions of what they rest on."""
        digest = hashlib.sha256(f"{np.__version__} {sklearn.__version__}".encode())
        package = Path(symscore.__file__).parent
        for pattern in SOURCES:
            for file in sorted(package.glob(pattern)):
                digest.update(file.read_bytes())
        for file in self.own:
            digest.update(file.read_bytes())
        return digest.hexdigest()[:16]

    def recall(self, asked: str, work: Callable[[], Any]) -> Any:
        """Return the remembered answer to `asked`, or do the work and remember what it returns."""
        name = hashlib.sha256(f"{self.fingerprint} {asked}".encode()).hexdigest()[:32]
        file = self.folder / f"{name}.json"
        if file.exists():
            return json.loads(file.read_text())["answer"]
        answer = work()
        self.folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"asked": asked, "answer": answer}))
        part.replace(file)
        return answer
