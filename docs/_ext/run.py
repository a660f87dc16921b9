"""Code blocks that run when the page is built, in order and in one namespace, with their output.

``{run}`` shows Python and what it printed, then either the open matplotlib figures or the value of
a last expression, as mathematics where it is of SymPy. ``:hide:`` leaves out the code,
``:markdown:`` parses what was printed. ``{run} sh`` runs a shell script. All blocks of a page run
in one folder, empty at first. ``{value}`` is an expression's value within a sentence. An exception,
a warning or an exit status other than 0 fails the build.
"""

import ast
import base64
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from matplotlib import pyplot
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sympy import Basic

from symscore.exact import to_latex


def namespace_of(env: Any) -> dict[str, Any]:
    """Return the names of the page that is being read, with the folder its code runs in."""
    if "run_names" not in env.temp_data:
        folder = tempfile.TemporaryDirectory(prefix="symscore-docs-")
        env.temp_data["run_names"] = {"__name__": env.docname, "__folder__": folder}
    return env.temp_data["run_names"]


def is_exact(value: Any) -> bool:
    """Return whether a value is a SymPy expression or a tuple of them."""
    return isinstance(value, Basic) or (
        isinstance(value, tuple) and bool(value) and all(map(is_exact, value))
    )


def execute(code: str, names: dict[str, Any]) -> tuple[str, Any]:
    """Run code in its folder; return what it printed and the value of a last expression."""
    tree, printed, value = ast.parse(code), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with (
        contextlib.chdir(names["__folder__"].name),
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(action="error"),
    ):
        exec(compile(tree, names["__name__"], "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), names["__name__"], "eval"), names)
    return printed.getvalue(), value


def run_shell(script: str, names: dict[str, Any]) -> str:
    """Run a script with this environment's commands first on the path; return what it printed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["sh", "-eu", "-c", script],
        cwd=names["__folder__"].name,
        env=os.environ | {"PATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"exit status {done.returncode}: {done.stderr}")
    return done.stdout


class Run(SphinxDirective):
    """The directive."""

    has_content = True
    optional_arguments = 1
    option_spec = {  # noqa: RUF012 - docutils reads it from the class
        "alt": directives.unchanged,
        "hide": directives.flag,
        "markdown": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Return the code and its output."""
        self.env.note_reread()  # the output depends on more than on this page
        code, names = "\n".join(self.content), namespace_of(self.env)
        language = self.arguments[0] if self.arguments else "python"
        try:
            printed, value = (
                (run_shell(code, names), None) if language == "sh" else execute(code, names)
            )
        except Exception as error:
            pyplot.close("all")
            raise self.error(f"This block failed.\n{traceback.format_exc()}") from error
        found = [] if "hide" in self.options else [self._block(code, language)]
        return [*found, *self._output(printed, value), *self._figures()]

    def _output(self, printed: str, value: Any) -> Iterator[nodes.Node]:
        if "markdown" in self.options:
            box = nodes.container()
            lines = StringList(printed.splitlines(), source=self.get_source_info()[0])
            self.state.nested_parse(lines, self.content_offset, box)
            yield from box.children
            return
        if value is not None and not is_exact(value) and not pyplot.get_fignums():
            printed += f"{value!r}\n"
        if printed:
            yield self._block(printed.rstrip("\n"), "text", "output")
        if is_exact(value):
            one = value[0] if isinstance(value, tuple) and len(value) == 1 else value
            text = to_latex(one)
            yield nodes.math_block(text, text, nowrap=False, number=None, docname=self.env.docname)

    def _figures(self) -> Iterator[nodes.Node]:
        for number in pyplot.get_fignums():
            if "alt" not in self.options:
                raise self.error("Expected the option alt, which says what the figure shows.")
            picture = io.BytesIO()
            pyplot.figure(number).savefig(picture, format="svg")
            content = base64.b64encode(picture.getvalue()).decode()
            yield nodes.image(
                uri=f"data:image/svg+xml;base64,{content}", alt=self.options["alt"], align="center"
            )
        pyplot.close("all")

    def _block(self, text: str, language: str, *classes: str) -> nodes.Node:
        return nodes.literal_block(text, text, language=language, classes=list(classes))


class Value(SphinxRole):
    """The role."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the text of the value."""
        try:
            _, value = execute(self.text, namespace_of(self.env))
        except Exception as error:
            reason = f"{self.text!r} failed: {type(error).__name__}: {error}"
            message = self.inliner.reporter.error(reason, line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.Text(str(value))], []


def setup(app: Any) -> dict[str, Any]:
    """Add both to Sphinx."""
    pyplot.switch_backend("svg")
    app.add_directive("run", Run)
    app.add_role("value", Value())
    return {"version": "1", "parallel_read_safe": True}
