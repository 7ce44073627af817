"""Declared criteria as a frozen, validated policy; its errors, and the difference between two of them."""
