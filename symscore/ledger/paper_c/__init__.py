"""Statements of arXiv 2307.01178 (paper C)."""
