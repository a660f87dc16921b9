"""Recipes: ways to learn a ladder of scores from data."""
