"""Verbs that deploy, and look at what is deployed."""
