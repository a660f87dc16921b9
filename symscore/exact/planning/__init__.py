"""The smallest degree that is certified to reach an error."""
