"""A progress bar for a person at a terminal, and nothing in a pipe."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

PATIENCE = 1.0  # seconds before a bar appears


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callable (stage, done, total) that draws one bar a stage on standard error.

    Nothing is drawn with `quiet`, where standard error is no terminal, or in the first second.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    began = time.monotonic()
    bar = Progress(console=Console(stderr=True), transient=True)
    tasks: dict[str, int] = {}

    def show(stage: str, done: int, total: int) -> None:
        if not bar.live.is_started:
            if time.monotonic() - began < PATIENCE:
                return
            bar.start()
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total)
        bar.update(tasks[stage], completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


@contextmanager
def spinner(text: str, *, quiet: bool) -> Iterator[None]:
    """Show that work of unknown length goes on, on standard error if it is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(text):
        yield
