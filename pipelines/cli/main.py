"""`lockgate`: its verbs, and how errors end it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from lockgate.gates.errors import DeployError, LockgateError, PolicyError
from lockgate.pipelines.cli.log import act, champion, export, history, holdouts, keys, verify, waivers, why
from lockgate.pipelines.cli.models import demo, evaluate, explain, judge, plan, predict, predictions, reverify, selftest
from lockgate.pipelines.cli.production import deploy, manifests, push_data, status, trigger, undeploy
from lockgate.pipelines.cli.pull_requests import bundle, comment, policy, propose, review
from lockgate.pipelines.cli.shared.flow_run import user
from lockgate.pipelines.promotion import events

app = typer.Typer(
    name="lockgate",
    help="Decide by declared gates whether a new model may replace the one in production.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command(context_settings=_EXTRA)(evaluate.evaluate)
app.command()(judge.judge)
app.command()(propose.propose)
app.command()(review.review)
app.command()(comment.comment)
app.command()(reverify.reverify)
app.command()(export.export)
app.command()(bundle.bundle)
app.command()(plan.plan)
app.add_typer(policy.app, name="policy")
app.command()(selftest.selftest)
app.command()(explain.explain)
app.command()(champion.champion)
app.command()(history.history)
app.command()(why.why)
app.command()(verify.verify)
app.add_typer(holdouts.app, name="holdouts")
app.command()(act.revoke)
app.command()(act.rollback)
app.command()(act.waive)
app.command()(waivers.waivers)
app.command()(act.retract)
app.add_typer(keys.app, name="keys")
app.command()(predict.predict)
app.add_typer(predictions.app, name="predictions")
app.command()(manifests.manifests)
app.command()(deploy.deploy)
app.command()(status.status)
app.command()(trigger.trigger)
app.command()(undeploy.undeploy)
app.command()(push_data.push_data)
app.command()(demo.demo)


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, and what flows print.")
    ] = False,
) -> None:
    """Exit codes: 0 PROMOTE or done, 1 HOLD, 3 INCONCLUSIVE, 2 anything else."""


def main() -> None:
    """Run the command line. Every error is one line and exit 2; `--debug`, anywhere, shows its traceback."""
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("LOCKGATE_DEBUG"))
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    if debug:
        os.environ["LOCKGATE_DEBUG"] = "1"
    user()
    try:
        app()
    except LockgateError as err:
        if debug:
            raise
        if events.wanted():
            sys.stderr.write(f"{events.refusal(err)}\n")
        else:
            for line in err.problems if isinstance(err, PolicyError | DeployError) else [str(err)]:
                sys.stderr.write(f"lockgate: {line}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("lockgate: interrupted\n")
        sys.exit(2)
    except Exception as err:
        if debug:
            raise
        said = " ".join(f"{type(err).__name__}: {err}".split())
        sys.stderr.write(f"lockgate: this is a bug: {said} (run it again with --debug)\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
