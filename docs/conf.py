"""Sphinx configuration; ./dev docs builds with warnings as errors."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "symscore"
author = "the symscore authors"
version = release = installed_version("symscore")

extensions = [
    "myst_parser",
    "numpydoc",
    "run",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build", "_ext", "_static", "_templates"]
templates_path = ["_templates"]

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # numpydoc's type lines carry the shapes
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "symscore"
html_static_path = ["_static"]
html_css_files = ["output.css"]


def setup(app):
    """Leave out the methods that scikit-learn generates: their text is written for its own site."""
    generated = "sklearn.utils._metadata_requests"

    def skip(app, what, name, obj, skip, options):
        return True if getattr(obj, "__module__", "") == generated else None

    app.connect("autodoc-skip-member", skip)
