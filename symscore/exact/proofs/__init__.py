"""Identities decided by algebra: normal forms, differential fields, witnesses."""
