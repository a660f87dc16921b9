"""Fisher information, enclosed by several theorems."""
