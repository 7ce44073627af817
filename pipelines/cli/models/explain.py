"""`lockgate explain`: what a policy may declare."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import LockgateError, SettingsError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from lockgate.gates.kinds import Check
    from lockgate.gates.metrics import Family, Metric


def explain(
    name: Annotated[str | None, typer.Argument(help="A kind of gate, or a metric: slices, auc, recall@0.3.")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of a policy, for editors.")] = False,
) -> None:
    """Explain a kind of gate or a metric; without a name, list them all."""
    from lockgate.pipelines.cli.shared.files import console, print_json

    if schema:
        if name is not None:
            raise SettingsError("both a name and --schema are given", expected="one of them")
        from lockgate.gates.policy.policy import Policy

        print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **Policy.model_json_schema()})
        return
    out = console()
    for part in _list_everything() if name is None else _explain_name(name):
        out.print(part)


def _list_everything() -> Iterator[RenderableType]:
    """Every kind of gate and every metric, one line each."""
    from rich.text import Text

    from lockgate.gates.kinds import KINDS
    from lockgate.gates.metrics import METRICS
    from lockgate.gates.report import reference
    from lockgate.gates.report.tables import make_table

    def lines(title: str) -> Table:
        table = make_table(indent=2)
        table.title, table.title_style, table.title_justify = Text(title, "bold"), "", "left"
        return table

    kinds = lines("Kinds of gate")
    for kind, check_class in KINDS.items():
        kinds.add_row(kind, Text((inspect.getdoc(check_class) or "").splitlines()[0]))
    yield kinds
    for task, metrics in METRICS.items():
        if not metrics:
            continue
        table = lines(f"\nMetrics of task {task}")
        for declared in metrics.values():
            metric = reference.resolve_family(declared)
            table.add_row(
                Text(reference.format_name(declared)),
                reference.describe_direction(metric),
                Text(reference.summarise_formula(metric)),
            )
        yield table


def _explain_name(name: str) -> Iterator[RenderableType]:
    """The kind of gate and the metrics of that name."""
    from lockgate.gates.kinds import KINDS
    from lockgate.gates.metrics import METRICS, explain_unknown

    base = name.partition("@")[0]
    tasks = [metrics[base] for metrics in METRICS.values() if base in metrics]
    if tasks and (problem := explain_unknown(name)) and "@" in name:
        from lockgate.gates.report import reference

        raise LockgateError(problem, expected=reference.format_name(tasks[0]))
    if name not in KINDS and not tasks:
        names = dict.fromkeys([*KINDS, *(metric_name for metrics in METRICS.values() for metric_name in metrics)])
        near = get_close_matches(name, list(names), n=1)
        raise LockgateError(
            f"no kind of gate or metric is called {name[:80]!r}",
            expected=f"one of {', '.join(names)}",
            hint=f"did you mean {near[0]!r}?" if near else "",
        )
    if name in KINDS:
        yield from _explain_kind(KINDS[name])
    for declared in tasks:
        yield from _explain_metric(declared)


def _explain_kind(kind: type[Check]) -> Iterator[RenderableType]:
    from rich.markdown import Markdown
    from rich.text import Text

    from lockgate.gates.report import reference
    from lockgate.gates.report.tables import make_table

    yield Markdown(inspect.getdoc(kind) or "")
    yield ""
    table = make_table("key", "type", "", overflow="ellipsis")
    for key in reference.list_keys(kind):
        table.add_row(*(Text(word) for word in (key.name, key.type, key.default or "must be given")))
    yield table


def _explain_metric(declared: Metric | Family) -> Iterator[RenderableType]:
    from rich.markdown import Markdown
    from rich.text import Text

    from lockgate.gates.metrics import Family
    from lockgate.gates.report import reference
    from lockgate.gates.report.tables import make_table

    metric = reference.resolve_family(declared)
    table = make_table()
    rows = {
        "metric": reference.format_name(declared),
        "task": metric.task,
        "better": reference.describe_direction(metric),
        "range": reference.format_range(metric),
        "unit": metric.unit,
        "needs": metric.needs,
        "interval": reference.INTERVALS[metric.method],
    }
    if isinstance(declared, Family):
        rows["number"] = reference.describe_parameter(declared)
    for heading, words in rows.items():
        table.add_row(Text(heading, "bold"), Text(words))
    yield table
    yield ""
    yield Markdown(reference.read_formula(metric))
    yield ""
