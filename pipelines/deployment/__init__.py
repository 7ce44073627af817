"""Flows in production: what Metaflow would deploy, how it differs from what is deployed, and the change to it."""
