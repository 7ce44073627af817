"""What only the flow files need: configs, platform and output. The flow files themselves are one folder above."""

from pathlib import Path

FLOW_FOLDER = Path(__file__).resolve().parents[1]
"""The folder of evaluate.py, promote.py, predict.py and reverify.py, which Metaflow runs as files."""
