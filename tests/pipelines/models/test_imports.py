from __future__ import annotations

import subprocess
import sys

HEAVY = ("numpy", "pandas", "pyarrow", "scipy", "skops", "sklearn", "xgboost")


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sorted({HEAVY!r} & sys.modules.keys()))".replace(
        f"{HEAVY!r}", f"set({HEAVY!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_declaring_costs_no_heavy_import() -> None:
    before = loaded("import lockgate.gates.errors")  # what this package may not add to
    assert loaded("import lockgate.gates.errors, lockgate.pipelines.data, lockgate.pipelines.models") == before


def test_the_modules_of_xgb_do_not_load_scikit_learn() -> None:
    code = "import lockgate.pipelines.models.xgb as m; m.Params"
    assert "sklearn" not in loaded(code)
