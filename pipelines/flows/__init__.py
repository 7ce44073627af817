"""What only the flow files need: their configs, their platform, their output. The flow files lie one folder above."""

from pathlib import Path

FLOW_FOLDER = Path(__file__).resolve().parents[1]
"""Where evaluate.py, promote.py, predict.py and reverify.py lie, which Metaflow runs as files."""
