"""Results kept on disk by what decides them, so that an interrupted benchmark goes on."""

import ast
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import symscore
from symscore.atomic import atomic_path

CACHE = Path(".cache")
PACKAGE = Path(symscore.__file__).parent
# What decides a default fit is what these import, other recipes apart.
FIT_ROOTS = ("symscore.estimator", "symscore.learn.recipes.auto")
OTHER_RECIPES = "symscore.recipes"
REFEREE = PACKAGE / "compare" / "metrics.py"


@dataclass(frozen=True)
class Memory:
    """A folder with one JSON file a result, each written as a whole or not at all."""

    folder: Path

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what was kept under the key, or None."""
        file = self._file(key)
        return json.loads(file.read_text()) if file.exists() else None

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Keep a value under the key."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self._file(key)) as temporary:
            temporary.write_text(json.dumps(value, allow_nan=False))

    def _file(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def digest(*parts: object) -> str:
    """Return a name of all the parts: arrays by their bytes, the rest as text."""
    key = hashlib.sha256()
    for part in parts:
        data = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        key.update(f"{len(data)} ".encode() + data)
    return key.hexdigest()[:32]


def sources(files: Iterable[Path]) -> str:
    """Return a name of the content of files."""
    return digest(*(file.read_bytes() for file in sorted(files)))


def fit_files() -> set[Path]:
    """Return the sources that decide a default fit."""
    files: set[Path] = set()
    waiting = list(FIT_ROOTS)
    while waiting:
        file = _source(waiting.pop())
        if file is not None and file not in files:
            files.add(file)
            waiting += [name for name in _imports(file) if name != OTHER_RECIPES]
    return files


def _source(module: str) -> Path | None:
    """Return the file of a module of the package, or None for packages and for other names."""
    file = PACKAGE.parent / f"{module.replace('.', '/')}.py"
    return file if module.startswith("symscore.") and file.exists() else None


def _imports(file: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def stamp(modules: Iterable[str], packages: Iterable[str]) -> str:
    """Return a name of the sources of modules, of the referee and of installed versions."""
    files = [Path(str(import_module(module).__file__)) for module in modules]
    return digest(sources([*files, REFEREE]), [version(package) for package in packages])
