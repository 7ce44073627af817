"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import yaml

from lockgate import Evidence, Policy, judge

ROOT = Path(__file__).resolve().parent.parent


def test_the_reference_of_gates_is_written_by_the_code() -> None:
    spec = importlib.util.spec_from_file_location("render", ROOT / "docs/render.py")
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    assert render.PAGE.read_text(encoding="utf-8") == render.page(), "run `python docs/render.py`"


def test_the_readme_shows_the_policy_and_the_table_that_ship() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```yaml\n")[1:]]
    shipped = [
        yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
        for name in ("conf/gate/default.yaml", "conf/data/table.yaml")
    ]
    assert [yaml.safe_load(block) for block in blocks] == shipped


def test_the_readme_says_how_python_calls_the_engine(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    names = {
        "y": [0, 1] * 50,
        "new_scores": [0.2, 0.8] * 50,
        "old_scores": [0.4, 0.6] * 50,
        "ids": list(range(100)),
        "days": [f"d{number % 20}" for number in range(100)],
        "training_ids": [1000, 1001],
    }
    code = code.replace('"conf/', f'"{ROOT}/conf/').replace('"evidence.arrow"', f'"{tmp_path}/evidence.arrow"')
    exec(compile(code, "README.md", "exec"), names)
    evidence = Evidence.read(tmp_path / "evidence.arrow")
    policy = Policy.parse(yaml.safe_load((ROOT / "conf/gate/independent_rows.yaml").read_text(encoding="utf-8")))
    assert judge(policy, evidence).verdict == "PROMOTE"
