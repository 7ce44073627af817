"""`lockgate`: its verbs, and how errors end it."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

import lockgate
from lockgate.gates.errors import DeployError, LockgateError, PolicyError, TooFewRowsError
from lockgate.pipelines.cli.log import act, champion, export, history, holdouts, keys, verify, waivers, why
from lockgate.pipelines.cli.models import (
    demo,
    evaluate,
    explain,
    import_results,
    init,
    judge,
    plan,
    predict,
    predictions,
    reverify,
    selftest,
)
from lockgate.pipelines.cli.production import deploy, manifests, push_data, status, trigger, undeploy
from lockgate.pipelines.cli.pull_requests import bundle, comment, policy, propose, review
from lockgate.pipelines.cli.shared.extras import name_extra
from lockgate.pipelines.cli.shared.flow_run import set_user
from lockgate.pipelines.promotion import events

app = typer.Typer(
    name="lockgate",
    help="Decide by declared gates whether a new model may replace the one in production.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_MODELS, _LOG, _PULL_REQUESTS, _PRODUCTION = "Models", "Promotion log", "Pull requests", "Production"
"""The panels of `lockgate --help`, as the folders of this one."""

_EXTRA_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command(context_settings=_EXTRA_ARGUMENTS, rich_help_panel=_MODELS)(evaluate.evaluate)
app.command(rich_help_panel=_MODELS)(judge.judge)
app.command("import", rich_help_panel=_MODELS)(import_results.import_results)
app.command(rich_help_panel=_MODELS)(init.init)
app.command(rich_help_panel=_MODELS)(reverify.reverify)
app.command(rich_help_panel=_MODELS)(predict.predict)
app.add_typer(predictions.app, name="predictions", rich_help_panel=_MODELS)
app.command(rich_help_panel=_MODELS)(plan.plan)
app.command(rich_help_panel=_MODELS)(selftest.selftest)
app.command(rich_help_panel=_MODELS)(explain.explain)
app.command(rich_help_panel=_MODELS)(demo.demo)
app.command(rich_help_panel=_LOG)(champion.champion)
app.command(rich_help_panel=_LOG)(history.history)
app.command(rich_help_panel=_LOG)(why.why)
app.command(rich_help_panel=_LOG)(verify.verify)
app.command(rich_help_panel=_LOG)(export.export)
app.add_typer(holdouts.app, name="holdouts", rich_help_panel=_LOG)
app.command(rich_help_panel=_LOG)(act.revoke)
app.command(rich_help_panel=_LOG)(act.rollback)
app.command(rich_help_panel=_LOG)(act.waive)
app.command(rich_help_panel=_LOG)(waivers.waivers)
app.command(rich_help_panel=_LOG)(act.retract)
app.add_typer(keys.app, name="keys", rich_help_panel=_LOG)
app.command(rich_help_panel=_PULL_REQUESTS)(propose.propose)
app.command(rich_help_panel=_PULL_REQUESTS)(review.review)
app.command(rich_help_panel=_PULL_REQUESTS)(comment.comment)
app.command(rich_help_panel=_PULL_REQUESTS)(bundle.bundle)
app.add_typer(policy.app, name="policy", rich_help_panel=_PULL_REQUESTS)
app.command(rich_help_panel=_PRODUCTION)(manifests.manifests)
app.command(rich_help_panel=_PRODUCTION)(deploy.deploy)
app.command(rich_help_panel=_PRODUCTION)(status.status)
app.command(rich_help_panel=_PRODUCTION)(trigger.trigger)
app.command(rich_help_panel=_PRODUCTION)(undeploy.undeploy)
app.command(rich_help_panel=_PRODUCTION)(push_data.push_data)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"lockgate {lockgate.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, and everything that flows print.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Exit codes: 0 PROMOTE or done, 1 HOLD, 3 INCONCLUSIVE or too few rows to train for, 2 anything else."""


def main() -> None:
    """Run the command line. Every error is one line and exit 2, or 3 where a holdout is too small to show anything.

    `--debug`, anywhere, shows the traceback.
    """
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("LOCKGATE_DEBUG"))
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    if debug:
        os.environ["LOCKGATE_DEBUG"] = "1"
    set_user()
    try:
        app()
    except LockgateError as err:
        if debug:
            raise
        _end(err)
    except KeyboardInterrupt:
        sys.stderr.write("lockgate: interrupted\n")
        sys.exit(2)
    except Exception as err:
        if debug:
            raise
        if isinstance(err, ModuleNotFoundError) and (missing := name_extra(err)):
            _end(missing)
        text = " ".join(f"{type(err).__name__}: {err}".split())
        sys.stderr.write(f"lockgate: this is a bug: {text} (run it again with --debug)\n")
        sys.exit(2)


def _end(err: LockgateError) -> NoReturn:
    """Say what is wrong, a line each, and exit with 2; with 3 as for INCONCLUSIVE, if there were too few rows."""
    if events.wants_json():
        sys.stderr.write(f"{events.format_error(err)}\n")
    else:
        for line in err.problems if isinstance(err, PolicyError | DeployError) else [str(err)]:
            sys.stderr.write(f"lockgate: {line}\n")
    sys.exit(3 if isinstance(err, TooFewRowsError) else 2)


if __name__ == "__main__":
    main()
