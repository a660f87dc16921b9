"""Results derived in this project."""
