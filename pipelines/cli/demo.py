from __future__ import annotations


def demo() -> None:
    """Play the story."""
