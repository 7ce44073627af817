"""xgboost without its wrappers for scikit-learn, which take four times as long to import as all the rest of it.

They are not used here. Where scikit-learn or xgboost was imported before, this changes nothing; else `XGBClassifier`
and its like say in this process that scikit-learn is missing, as xgboost has it. Everything else works.
"""

from __future__ import annotations

import sys

_HIDDEN = "sklearn" not in sys.modules and "xgboost" not in sys.modules
if _HIDDEN:
    sys.modules["sklearn"] = None  # type: ignore[assignment] # imports of it fail, and xgboost goes on without
try:
    import xgboost
finally:
    if _HIDDEN:
        del sys.modules["sklearn"]

__all__ = ["xgboost"]
