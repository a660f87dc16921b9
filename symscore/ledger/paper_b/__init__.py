"""Statements of arXiv 2404.18869 (paper B)."""
