"""Statements of arXiv 2404.18893 (paper A)."""
