"""Flows are found by reading: which class, which step, and whether it is gated already."""

from __future__ import annotations

from pathlib import Path

import pytest

from lockgate.pipelines.starter import flows

FLOW = """
import metaflow as mf
from metaflow import FlowSpec, step


class Helper:
    def fit(self): ...


class {name}({base}):
    @step
    def start(self):
        self.next(self.learn)

    {decorator}
    def learn(self):
        {call}
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def write_flow(
    folder: Path, file: str, *, name: str = "Own", base: str = "FlowSpec", call: str = "pass", decorator: str = "@step"
) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(FLOW.format(name=name, base=base, call=call, decorator=decorator), encoding="utf-8")


@pytest.mark.parametrize("call", ["self.model = Model().fit(x)", "fit_model(x)", "xgb.train(x)", "self._train()"])
def test_the_step_that_fits(tmp_path: Path, call: str) -> None:
    write_flow(tmp_path, "flows/churn.py", base="mf.FlowSpec", decorator="@mf.step", call=call)
    (flow,) = flows.find_flows(tmp_path)
    assert (flow.file, flow.name, flow.step, flow.line) == ("flows/churn.py", "Own", "learn", 16)
    assert (flow.fits, flow.gated, flow.project) == (True, False, None)


def test_where_nothing_fits_it_is_the_last_step_that_works(tmp_path: Path) -> None:
    write_flow(tmp_path, "a.py", call="self.outfit = 1")
    (flow,) = flows.find_flows(tmp_path)
    assert (flow.step, flow.fits) == ("learn", False)


@pytest.mark.parametrize(
    ("decorator", "project"),
    [
        ('@gated(project="churn")\n    @step', "churn"),
        ("@gated(project=PROJECT)\n    @step", None),
        ('@lockgate.metaflow.gated(project="x")\n    @step', "x"),
    ],
)
def test_a_gated_flow_comes_first(tmp_path: Path, decorator: str, project: str | None) -> None:
    write_flow(tmp_path, "a.py", call="fit()", name="First")
    write_flow(tmp_path, "b.py", decorator=decorator, name="Second")
    write_flow(tmp_path, "c.py", name="Third")
    assert [flow.name for flow in flows.find_flows(tmp_path)] == ["Second", "First", "Third"]
    assert (flows.find_flows(tmp_path)[0].gated, flows.find_flows(tmp_path)[0].project) == (True, project)


def test_what_is_no_flow_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (".hidden/a.py", "node_modules/a.py", "env/lib/a.py", "build/a.py"):
        write_flow(tmp_path, place)
    (tmp_path / "env/pyvenv.cfg").touch()
    write_flow(tmp_path, "plain.py", base="object")
    (tmp_path / "broken.py").write_text("class Own(FlowSpec:\n", encoding="utf-8")
    (tmp_path / "bytes.py").write_bytes(b"\x00\xff")
    (tmp_path / "deep.py").write_text("(" * 5000 + ")" * 5000, encoding="utf-8")
    (tmp_path / "stepless.py").write_text("class Own(FlowSpec):\n    pass\n", encoding="utf-8")
    write_flow(tmp_path, "large.py", call=f"self.text = '{'x' * flows.MAX_FILE_BYTES}'")
    assert flows.find_flows(tmp_path) == []
    write_flow(tmp_path, "z.py")
    monkeypatch.setattr(flows, "MAX_FILES", 2)
    assert flows.find_flows(tmp_path) == []
