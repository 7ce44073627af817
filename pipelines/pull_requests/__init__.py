"""Candidates, proposals and their review; two versions of the repository compared."""
