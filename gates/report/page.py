"""A markdown report as one self-contained HTML page: no scripts, no images, no links to other files."""

from __future__ import annotations

import html
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d1d9e0, #3d444d); --shade: light-dark(#f6f8fa, #151b23); }
body { margin: 0; background: light-dark(#fff, #0d1117); color: light-dark(#1f2328, #f0f6fc);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: .3em; }
table { border-collapse: collapse; display: block; max-width: 100%; overflow-x: auto; margin: 1em 0; }
th, td { border: 1px solid var(--line); padding: .35em .7em; text-align: left; vertical-align: top; }
tr:nth-child(even) { background: var(--shade); }
blockquote { margin: 1em 0; padding: 0 1em; border-left: .25em solid var(--line); }
code, pre { background: var(--shade); border-radius: 6px; font-size: 88%; }
code { padding: .15em .35em; }
pre { padding: 1em; overflow-x: auto; }
pre code { padding: 0; }
summary { cursor: pointer; }
"""
_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
"""


def render_page(report: str, *, title: str = "lockgate") -> str:
    """The page of a report that lockgate wrote. The report has escaped all foreign text, and that stays escaped."""
    return _TEMPLATE.format(title=html.escape(title), style=_STYLE, body=_parser().render(report))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table")
