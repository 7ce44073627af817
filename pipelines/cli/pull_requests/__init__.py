"""Verbs of pull requests."""
