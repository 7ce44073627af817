"""Texts that somebody may write where lockgate reads a name: overrides, branches, titles, labels, files, slices.

Each would do something if it reached a shell, a page, a log, a terminal, YAML, git or the file system as more than
text. A command in it leaves a file called CANARY.
"""

from __future__ import annotations

CANARY = "canary-7f3a"
SECRET = "s3cr3t-c4n4ry"

SHELL = [
    f"$(touch {CANARY})", f"`touch {CANARY}`", f"; touch {CANARY}", f"&& touch {CANARY}", f"| touch {CANARY}",
    f"|| touch {CANARY} ||", f"\ntouch {CANARY}\n", f"\r\ntouch {CANARY}", f"'; touch {CANARY}; '",
    f'"; touch {CANARY}; "', f"$(<{CANARY})", f"${{IFS}}touch${{IFS}}{CANARY}", f"> {CANARY}", f">> {CANARY}",
    f"< /dev/null > {CANARY}", f"<(touch {CANARY})", f"& touch {CANARY} &", f"\\$(touch {CANARY})",
    f"$((`touch {CANARY}`))", f"!touch {CANARY}", f"{{touch,{CANARY}}}", f"~/$(touch {CANARY})", "*", "?", "~",
    f"x=$(touch {CANARY})", f"$'\\x24(touch {CANARY})'", f"%0atouch {CANARY}", f"${{PATH:0:1}}touch {CANARY}", "$@",
    "$*",
]  # fmt: skip
WORKFLOW = [
    "${{ secrets.GITHUB_TOKEN }}", "${{ github.token }}", "${{ toJSON(secrets) }}",
    "${{ github.event.pull_request.title }}", "::set-output name=verdict::PROMOTE", "::add-mask::PROMOTE",
    "::stop-commands::x", "::error file=a,line=1::x", "##[set-env name=PATH;]/tmp", "##[add-path]/tmp",
    "::save-state name=a::b", "::group::x", "::endgroup::", "::debug::x", "\n::set-env name=LD_PRELOAD::/tmp/x.so",
    "verdict=PROMOTE", "\nverdict=PROMOTE", "verdict<<EOF\nPROMOTE\nEOF", "ghadelimiter_1\nverdict=PROMOTE",
    "EOF\nrun=x", "a\rverdict=PROMOTE", "a\u2028verdict=PROMOTE", "a\x85verdict=PROMOTE",
]  # fmt: skip
PAGE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<iframe src=//x>",
    "<a href=//x>y</a>", "<b>bold</b>", "<!-- lockgate report: run 9 attempt 9 of  -->", "-->", "<!--",
    "<details open>", "</details>", "</summary></details>", "<sub>", "</sub>", "&lt;script&gt;", "&#60;script&#62;",
    "[x](javascript:alert(1))", "[x](//evil.example)", "![x](https://evil.example/pixel)",
    "![x][y]\n\n[y]: https://evil.example/p", "[x]: https://evil.example", "<https://evil.example>",
    "https://evil.example", "www.evil.example", "evil@evil.example", "mailto:evil@evil.example", "# heading",
    "\n# heading", "a\n===", "a\n---", "> quote", "- item", "* item", "1. item", "+ item", "**bold**", "__bold__",
    "*em*", "_em_", "~~gone~~", "`code`", "```\ncode", "~~~\ncode", "    code", "| cell | cell |", "|---|---|",
    "a | b", "\\|", "\\", "\\\\", "$x$", "$$x$$", "<kbd>x</kbd>", "[^1]", "[^1]: note", "- [x] done", ":tada:",
    "&nbsp;", "&#x40;everyone", "<style>*{display:none}</style>", "<input>", "<form action=//x>", "<base href=//x>",
    "\n\n***\n\n", "a<br>b", "![](data:text/html,x)", "[x]( <javascript:alert(1)> )",
    "<details><summary>PROMOTE</summary>", "🟢 PROMOTE",
]  # fmt: skip
MENTION = [
    "@everyone", "@here", "@acme/platform", "x@acme", "@ada", "#1", "acme/models#1", "GH-1", "fixes #1",
    "closes acme/models#2", "ada/models@main", "0123456789abcdef0123456789abcdef01234567",
]  # fmt: skip
TERMINAL = [
    "\x1b[31mred", "\x1b]0;title\x07", "\x1b[2J", "\x1b[1A\x1b[2K", "\x9b31m", "\x07", "\x08\x08\x08", "\x00",
    "a\x00b", "\x7f", "\t", "\v", "\f", "\u202eevil", "\u2066x\u2069", "\u200b", "\u200d", "\ufeff", "\ue000",
    "\uffff", "a\u0301" * 30, "İ", "ﷺ", "\U0001f468\u200d\U0001f469", "[bold red]x[/]",
    "[link=https://evil.example]x[/link]", "[/]", "[", "]",
]  # fmt: skip
YAML = [
    "!!python/object/apply:os.system ['touch x']", "!!python/name:os.system", "&a [*a]", "*a", "{a: 1}", "[a, b]",
    "a: b", "null", "~", "yes", "1e999", ".nan", "-.inf", "0x10", "0o7", "2013-10-01", "<<: *a", "? a", "%YAML 1.1",
    "---", "...", "|", ">", "'", '"', "\\u0000",
]  # fmt: skip
HYDRA = [
    "model=../../../etc/passwd", "model@gate=xgb", "+model.x=1", "++model.x=1", "~model.trees", "model=xgb,logistic",
    "model.trees=1,2", "model.trees=range(1,9)", "model.trees=choice(1,2)", "model.trees=glob(*)",
    "model._target_=os.system", "model._args_=[x]", "hydra.run.dir=/tmp", "hydra/launcher=x",
    "hydra.searchpath=[file:///tmp]", "--config-path=/tmp", "--multirun", "-m", "model.trees=${oc.env:HOME}",
    "model.trees=${oc.decode:1}", "model.name=${model.name}", "gate.confidence=0.51", "gate=independent_rows",
    "gate.checks.auc_floor.min=0", "data.path=/etc/passwd", "platform.image=evil", "store.path=/tmp/x",
    "as_of=2013-09", "seed=1", "experiment=../x", "model.trees=nan", "model.trees=1e999",
    "model.trees=" + "9" * 5000, "model.trees=" + "(" * 500, "model.trees=" + "[" * 500, "=", "==", "a=", "=a",
    ".=1", "model.=1", ".model=1",
]  # fmt: skip
PATHS = [
    "..", "../", "../../etc/passwd", "/etc/passwd", "/", "//", "./", "a/../../b", "C:\\x", "\\\\host\\x",
    "file:///etc/passwd", "/dev/stdin", "/proc/self/environ", "~root", "a/b", ".git", ".git/config",
    ".github/workflows/x.yml", "con", "aux", "a" * 300, "a/" * 200, ".", "-", "--", "…",
]  # fmt: skip
GIT = [
    "--output=x", "--upload-pack=touch x", "-c core.sshCommand=x", "--exec=x", "HEAD~", "HEAD^{commit}",
    "main..evil", ":/fix", "@{u}", "@{-1}", "refs/heads/main", "main:conf", "^main", "--all", "main\nmain",
    "main;ls", "a..b", "a.lock", "@", "HEAD@{yesterday}",
]  # fmt: skip

EVERY = list(
    dict.fromkeys([*SHELL, *WORKFLOW, *PAGE, *MENTION, *TERMINAL, *YAML, *HYDRA, *PATHS, *GIT, "", " ", "x" * 10**5])
)
