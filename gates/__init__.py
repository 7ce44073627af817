"""The engine: policies, evidence, statistics, decisions, the promotion log. Knows nothing of flows or Hydra."""
