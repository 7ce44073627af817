"""Flows in production: what Metaflow would deploy, how that differs from what is deployed, and applying it."""
