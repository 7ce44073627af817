"""`lockgate keys`: who signs, and whose signature counts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gates.errors import SigningError
from pipelines.cli import options

app = typer.Typer(help="Make keys, and show which are trusted.", no_args_is_help=True)


@app.command()
def new(
    out: Annotated[
        Path, typer.Option("--out", help="The private key's file; its public line goes beside it.", dir_okay=False)
    ] = Path("lockgate.key"),
    role: Annotated[str, typer.Option(help="What it is for: judge or approver.")] = "judge",
    name: Annotated[str, typer.Option(help="Whose it is, as conf/platform is to say.")] = "me",
    as_json: options.Json = False,
) -> None:
    """Make an Ed25519 key: the private part in a file with mode 0600, the public line for conf/platform."""
    from gates.log.signing import Signer, generated
    from pipelines.cli.printing import print_json

    if role not in ("judge", "approver"):
        raise SigningError(f"unknown role {role[:40]!r}", expected="judge or approver", where="--role")
    pem, line = generated()
    _write_private(out, pem)
    mark = Signer.parse(pem, where=str(out)).fingerprint
    if as_json:
        print_json({"file": str(out), "public": line, "fingerprint": mark, "role": role})
        return
    typer.echo(f"private key: {out} (mode 0600; keep it out of the repository)")
    typer.echo(f"public key:  {line}")
    typer.echo(f"fingerprint: {mark}\n")
    typer.echo("In conf/platform/local.yaml or argo.yaml, under keys:")
    typer.echo(f'  trusted: {{{name}: {{role: {role}, key: "{line}", last_entry: null}}}}\n')
    typer.echo(f"On this machine: export LOCKGATE_SIGNING_KEY_FILE={out.absolute()}")
    typer.echo("In CI: put the file's text into a secret, and the secret into LOCKGATE_SIGNING_KEY.")


@app.command()
def show(as_json: options.Json = False) -> None:
    """Show whose signatures count for this project, and which key this process signs with."""
    import os

    from pipelines.cli.printing import print_json
    from pipelines.promotion_log import keyring_of, signer
    from pipelines.settings import compose

    keys = compose().settings.platform.keys
    keyring = keyring_of(keys)
    own = signer(keys, os.environ)
    if as_json:
        print_json(
            {
                "signed": keyring.signed,
                "own": own and own.fingerprint,
                "trusted": {
                    one.name: {"role": one.role, "fingerprint": mark, "last_entry": one.last}
                    for mark, one in keyring.keys.items()
                },
            }
        )
        return
    typer.echo("entries must be signed" if keyring.signed else "entries are unsigned: no judge's key is listed")
    for mark, one in keyring.keys.items():
        until = f", up to entry {one.last}" if one.last is not None else ""
        typer.echo(f"  {one.role:<8}  {one.name}  {mark}{until}")
    if own is None:
        typer.echo("this process has no private key")
        return
    held = keyring.keys.get(own.fingerprint)
    typer.echo(
        f"this process signs as {held.name}, {held.role}"
        if held
        else f"this process's key is not listed, so nothing it signs counts: {own.fingerprint}"
    )


def _write_private(path: Path, pem: bytes) -> None:
    """Create the file whole, for its owner only; never over another."""
    import os

    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as err:
        raise SigningError("there is a file already", expected="a new name", where=str(path)) from err
    except OSError as err:
        raise SigningError(f"the private key cannot be written: {err.strerror}", where=str(path)) from err
