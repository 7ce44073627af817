"""Verbs that read the promotion log, or record what people decide."""
