"""The other files of a project, as text: `lockgate.yaml`, the flow for scores, the workflow, and their owners."""

from __future__ import annotations

from typing import NamedTuple

from lockgate.pipelines.starter.flows import FoundFlow
from lockgate.pipelines.starter.policies import Task

SCORES_FLOW = "scores_flow.py"
WORKFLOW = ".github/workflows/lockgate.yml"
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a # v7.0.1"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c # v8.0.1"

_PROJECT = """\
project: {project:<20} # champions are logged under this name: a-z, 0-9, _ and -
log_root: datastore           # where the promotion log is: Metaflow's own datastore, or s3://bucket/prefix
keys: {{required: false, private: any, trusted: {{}}}}    # who may sign entries: nobody has to until one is listed
policy: policy.yaml           # a file of this repository, or the policy itself
"""

_SCORES_FLOW = '''\
"""Scores on the record: `python scores_flow.py run --candidate NAME` makes the run that `lockgate judge` judges.

candidates/ has what would serve: the file of a model, or the prompt and settings of an agent. scores/ has a file of the
same name, with the score of every held-out row: columns `id`, {columns}.
"""

from pathlib import Path

from metaflow import FlowSpec, Parameter, step

import lockgate
from lockgate.metaflow import gated

PROJECT = "{project}"  # as in lockgate.yaml
FORMAT = "{file_format}"  # or what `lockgate import` reads besides: csv, parquet, jsonl, inspect, promptfoo


def find_file(folder, suits, what):
    """The one file of a folder that suits."""
    files = [file for file in sorted(Path(folder).iterdir()) if file.is_file() and suits(file)]
    if len(files) != 1:
        raise lockgate.LockgateError(f"{{len(files)}} files are {{what}}", expected="one", where=folder)
    return files[0]


def find_scores(candidate):
    return find_file("scores", lambda file: file.stem == candidate.stem, f"scores of {{candidate.name}}")


class ScoresFlow(FlowSpec):
    candidate = Parameter("candidate", default="", help="a file in candidates/; by default what challenger.txt names")

    @gated(project=PROJECT)
    @step
    def start(self):
        name = Path(self.candidate or Path("challenger.txt").read_text().strip()).name
        candidate = find_file("candidates", lambda file: file.name == name, f"called {{name}}")
        champion = lockgate.champion(PROJECT)
        if champion:  # known by its bytes, so that no other scores are taken for the champion's
            reigning = find_file("candidates", lambda file: file.read_bytes() == champion.model, "the champion's bytes")
        rows = lockgate.read_results(
            FORMAT, find_scores(candidate), find_scores(reigning) if champion else None{task}
        )
        lockgate.evidence(rows, model=candidate.read_bytes(), format=candidate.suffix.lstrip(".") or "file")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ScoresFlow()
'''

_WORKFLOW = """\
# What is on {branch} is scored and judged there, by its own lockgate.yaml and policy, and promoted if it passes.
# This needs, in the repository's settings and beside it:
# - the environment `promotion`, for {branch} alone, with the secrets METAFLOW_CONFIG (the content of
#   ~/.metaflowconfig/config.json: a datastore and a metadata service that outlive this machine), the credentials of
#   that datastore, and LOCKGATE_SIGNING_KEY once lockgate.yaml lists a key;
# - the variable LOCKGATE_PROMOTION, `on`: nothing is promoted before that is said;
# - requirements.txt with lockgate[{extras}] and what the flow imports, pinned.
name: lockgate

on:
  push:
    branches: [{branch}]
{on_pull}
permissions: {{}}

defaults:
  run:
    shell: bash # with pipefail

concurrency:
  group: lockgate-${{{{ github.ref }}}}
  cancel-in-progress: false # a promotion is never interrupted

jobs:
  judge:
    name: judge
    if: github.event_name == 'push' && vars.LOCKGATE_PROMOTION == 'on'
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    environment: promotion
    permissions:
      contents: read # to check out
    steps:
      - uses: {checkout}
        with:
          persist-credentials: false
      - run: |
          [ -n "$METAFLOW_CONFIG" ] || {{ echo '::error::METAFLOW_CONFIG is empty: the log would end here'; exit 1; }}
          mkdir -p ~/.metaflowconfig
          printf '%s' "$METAFLOW_CONFIG" > ~/.metaflowconfig/config.json
        env:
          METAFLOW_CONFIG: ${{{{ secrets.METAFLOW_CONFIG }}}}
      - run: |
          python3 -m venv .venv
          .venv/bin/pip install --requirement requirements.txt
      - run: .venv/bin/python {file} run --run-id-file run.txt
        env:
          AWS_ACCESS_KEY_ID: ${{{{ secrets.AWS_ACCESS_KEY_ID }}}}
          AWS_SECRET_ACCESS_KEY: ${{{{ secrets.AWS_SECRET_ACCESS_KEY }}}}
      # 0 is PROMOTE, 1 HOLD and 3 INCONCLUSIVE: in each of them a verdict was made. Anything else is an error.
      - run: |
          verdict=0
          .venv/bin/lockgate judge "{flow}/$(cat run.txt)" --report "$GITHUB_STEP_SUMMARY" || verdict=$?
          case $verdict in 0 | 1 | 3) ;; *) exit "$verdict" ;; esac
        env:
          AWS_ACCESS_KEY_ID: ${{{{ secrets.AWS_ACCESS_KEY_ID }}}}
          AWS_SECRET_ACCESS_KEY: ${{{{ secrets.AWS_SECRET_ACCESS_KEY }}}}
          LOCKGATE_SIGNING_KEY: ${{{{ secrets.LOCKGATE_SIGNING_KEY }}}}
"""

_PUBLISH_STEPS = """\
      # what pull requests are compared with: the champion's bytes, and the entries of the log that vouch for them
      - run: .venv/bin/lockgate bundle --out champion.tar
        continue-on-error: true # where what reigned may be served no more there is none
        env:
          AWS_ACCESS_KEY_ID: ${{{{ secrets.AWS_ACCESS_KEY_ID }}}}
          AWS_SECRET_ACCESS_KEY: ${{{{ secrets.AWS_SECRET_ACCESS_KEY }}}}
      - uses: {upload}
        with:
          name: champion
          path: champion.tar
          if-no-files-found: ignore
          retention-days: 90
"""

_PULL_JOBS = """
  # What a pull request would be told. `champion` fetches what `judge` published last, by the code of {branch}. `score`
  # runs the pull request's code beside it, without credentials: what it says is a claim. `advise` judges that by the
  # policy of {branch} and comments. Nothing is logged, and no model is promoted.
  champion:
    name: champion
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-24.04
    timeout-minutes: 20
    permissions:
      actions: read # to download what was published
      contents: read # to check out
    outputs:
      published: ${{{{ steps.fetch.outputs.published }}}}
    steps:
      - uses: {checkout}
        with:
          ref: ${{{{ github.base_ref }}}} # nothing of the pull request runs beside this token
          persist-credentials: false
      - run: |
          python3 -m venv .venv
          .venv/bin/pip install --requirement requirements.txt
      - id: fetch
        run: |
          .venv/bin/lockgate bundle --published "$GITHUB_REPOSITORY" --branch "$BASE" --out champion.tar
          if [ -f champion.tar ]; then echo "published=true" >> "$GITHUB_OUTPUT"; fi
        env:
          BASE: ${{{{ github.base_ref }}}}
          GITHUB_TOKEN: ${{{{ github.token }}}}
      - if: steps.fetch.outputs.published
        uses: {upload}
        with:
          name: champion
          path: champion.tar
          if-no-files-found: error

  score:
    name: score
    needs: [champion]
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    permissions:
      contents: read # to check out
    steps:
      - uses: {checkout}
        with:
          persist-credentials: false
      - run: |
          python3 -m venv .venv
          .venv/bin/pip install --requirement requirements.txt
      - if: needs.champion.outputs.published
        uses: {download}
        with:
          name: champion
          path: champion
      - run: |
          if [ "$PUBLISHED" ]; then export LOCKGATE_BUNDLE=champion/champion.tar; fi
          .venv/bin/python {file} run --run-id-file run.txt
          .venv/bin/python -c 'import metaflow, pathlib, sys
          pathlib.Path("evidence.arrow").write_bytes(metaflow.Run(sys.argv[1]).data.evidence)' "{flow}/$(cat run.txt)"
        env:
          PUBLISHED: ${{{{ needs.champion.outputs.published }}}}
      - uses: {upload}
        with:
          name: evidence
          path: evidence.arrow
          if-no-files-found: error

  advise: # runs nothing of the pull request, as its token may comment
    name: advise
    needs: [score]
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      contents: read # to check out
      pull-requests: write # for the one comment
    steps:
      - uses: {checkout}
        with:
          ref: ${{{{ github.base_ref }}}} # whose policy judges
          persist-credentials: false
      - uses: {download}
        with:
          name: evidence
          path: evidence
      - uses: {action}
        with:
          evidence: evidence/evidence.arrow
          policy: {policy}
          fail-on-hold: false
"""


class FlowFile(NamedTuple):
    """The flow whose runs are judged."""

    file: str
    name: str


def write_project_file(project: str) -> str:
    """The text of `lockgate.yaml`."""
    return _PROJECT.format(project=project)


def write_scores_flow(project: str, task: Task) -> str:
    """The text of a flow that reads scores from files, for a repository that has no flow."""
    return _SCORES_FLOW.format(
        project=project,
        columns="`score` and perhaps `epoch`, a row for each try" if task == "score" else "`label` and `score`",
        file_format="jsonl" if task == "score" else "csv",
        task="" if task == "score" else f', task="{task}"',
    )


def write_workflow(flow: FlowFile, *, branch: str, policy: str | None, action: str | None) -> str:
    """The text of the workflow; with jobs for pull requests if it is known which action judges by which file."""
    names = {
        "branch": branch,
        "file": flow.file,
        "flow": flow.name,
        "checkout": CHECKOUT,
        "upload": UPLOAD,
        "download": DOWNLOAD,
    }
    if action is None or policy is None:
        return _WORKFLOW.format(**names, on_pull="", extras="log,metaflow")
    jobs = (_PUBLISH_STEPS + _PULL_JOBS).format(**names, action=action, policy=policy)
    return _WORKFLOW.format(**names, on_pull="  pull_request:\n", extras="github,log,metaflow") + jobs


def write_owner_lines(paths: list[str], owner: str) -> str:
    """Lines of CODEOWNERS."""
    width = max(map(len, paths))
    return "".join(f"{path:<{width}}  {owner}\n" for path in paths)


def write_snippet(flow: FoundFlow, project: str, task: Task) -> str:
    """What the step of a flow needs, to be put there by whoever owns it."""
    label = "" if task == "score" else "        label=…,                   # what happened\n"
    kind = "" if task == "binary" else f'        task="{task}",\n'
    return f"""\
    import lockgate
    from lockgate.metaflow import gated

    @gated(project="{project}")    # above the @step of `{flow.step}`

    champion = lockgate.champion("{project}")    # where the scores are made
    lockgate.evidence(
        row_id=…,                  # of the held-out rows
{label}        challenger=…,              # the new model's scores of them
        champion=champion and …,   # and those by champion.model: its bytes, in your format
{kind}        model=…,                   # the new model as bytes
        format="…",                # what you call their format
    )
"""
