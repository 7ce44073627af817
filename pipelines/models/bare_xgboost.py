"""The core of xgboost without its wrappers for scikit-learn, whose import takes several times as long as the core's.

`import xgboost` imports scikit-learn wherever it is installed, and nothing here uses that. So this module holds a copy
of xgboost's core of its own: its `__path__` is the folder of the installed package, and the copy's modules are named
below this one (`….bare_xgboost.core`). The package itself stays untouched: whoever writes `import xgboost` in the same
process, before or after, gets all of it, with wrappers that work.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

__all__ = ["Booster", "DMatrix", "XGBoostError", "train"]

_installed = find_spec("xgboost")
if _installed is None:
    raise ModuleNotFoundError("No module named 'xgboost'", name="xgboost")
__path__ = list(_installed.submodule_search_locations or ())

if TYPE_CHECKING:
    from xgboost import Booster, DMatrix, train
    from xgboost.core import XGBoostError
else:
    # An import of what is None in sys.modules fails, and the core then goes on without scikit-learn. Whatever had the
    # name before has it again when this import ends.
    _hidden = {"sklearn": sys.modules["sklearn"]} if "sklearn" in sys.modules else {}
    sys.modules["sklearn"] = None
    try:
        _core, _training = import_module(f"{__name__}.core"), import_module(f"{__name__}.training")
    finally:
        del sys.modules["sklearn"]
        sys.modules.update(_hidden)
    Booster, DMatrix, XGBoostError, train = _core.Booster, _core.DMatrix, _core.XGBoostError, _training.train
