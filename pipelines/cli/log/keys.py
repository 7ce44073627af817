"""`lockgate keys`: who signs, and whose signature counts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lockgate.gates.errors import SigningError
from lockgate.pipelines.cli.shared import options

if TYPE_CHECKING:
    from lockgate.gates.log import Keyring, Signer

app = typer.Typer(help="Make keys, and show which are trusted.", no_args_is_help=True)

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@app.command()
def new(
    out: Annotated[Path, typer.Option("--out", help="The file for the private key; it must not exist yet.")] = Path(
        "lockgate.key"
    ),
    role: Annotated[str, typer.Option(help="What the key is for: judge or approver.")] = "judge",
    name: Annotated[str, typer.Option(help="The owner's name, as written in conf/platform.")] = "me",
    as_json: options.Json = False,
) -> None:
    """Make an Ed25519 key: the private part in a file with mode 0600, the public line for conf/platform."""
    from lockgate.gates.log.signing import Signer, generate_key
    from lockgate.pipelines.cli.shared.files import print_json, write_file

    if role not in ("judge", "approver"):
        raise SigningError(f"unknown role {role[:40]!r}", expected="judge or approver", where="--role")
    if not _NAME.fullmatch(name):
        raise SigningError(f"{name[:64]!r} is not a valid name", expected="letters, digits, _ . and -", where="--name")
    pem, line = generate_key()
    write_file(out, pem, mode=0o600, overwrite=False)
    mark = Signer.parse(pem, where=str(out)).fingerprint
    listed = f'{name}: {{role: {role}, key: "{line}", last_entry: null}}'
    if as_json:
        print_json(
            {"file": str(out), "public": line, "fingerprint": mark, "role": role, "name": name, "listed": listed}
        )
        return
    typer.echo(f"private key: {out} (mode 0600; keep it out of the repository)")
    typer.echo(f"public key:  {line}")
    typer.echo(f"fingerprint: {mark}\n")
    typer.echo(
        "In conf/platform/*.yaml or lockgate.yaml of everybody who writes or reads the log, beside the keys there:\n"
    )
    typer.echo(f"keys:\n  trusted:\n    {listed}\n")
    typer.echo(f"On this machine: export LOCKGATE_SIGNING_KEY_FILE={out.absolute()}")
    typer.echo("In CI: store the file's text as a secret, and pass it as LOCKGATE_SIGNING_KEY.")


@app.command()
def show(
    platform: Annotated[
        str, typer.Option(help="Use this file of conf/platform instead of the one that conf/config.yaml chooses.")
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Show whose signatures count for this project, and which key this process signs with."""
    import os

    from lockgate.pipelines.cli.shared.files import print_json
    from lockgate.pipelines.cli.shared.project import compose_project, load_project
    from lockgate.pipelines.promotion.log import build_keyring, load_signer

    keys = (
        compose_project([f"platform={platform}"], need="conf/platform for --platform").settings.keys
        if platform
        else load_project().keys
    )
    keyring = build_keyring(keys)
    own = load_signer(keys, os.environ)
    if as_json:
        print_json(
            {
                "signed": keyring.requires_signatures,
                "required": keys.required,
                "private": keys.private,
                "own": own and _own(own, keyring),
                "trusted": {
                    key.name: {"role": key.role, "fingerprint": mark, "last_entry": key.last}
                    for mark, key in keyring.keys.items()
                },
            }
        )
        return
    typer.echo(
        "entries must be signed" if keyring.requires_signatures else "entries are unsigned: no judge's key is listed"
    )
    name_width = max((len(key.name) for key in keyring.keys.values()), default=0)
    for mark, key in keyring.keys.items():
        until = f", up to entry {key.last}" if key.last is not None else ""
        typer.echo(f"  {key.role:<8}  {key.name:<{name_width}}  {mark}{until}")
    if own is None:
        typer.echo(
            "this process has no private key" + (": it can read the log, not write it" * keyring.requires_signatures)
        )
        return
    trusted = keyring.keys.get(own.fingerprint)
    ended = f", up to entry {trusted.last} only" if trusted and trusted.last is not None else ""
    typer.echo(
        f"this process signs as {trusted.name}, {trusted.role}{ended}"
        if trusted
        else f"this process's key is not listed, so nothing it signs counts: {own.fingerprint}"
    )


def _own(own: Signer, keyring: Keyring) -> dict[str, str | None]:
    trusted = keyring.keys.get(own.fingerprint)
    return {
        "fingerprint": own.fingerprint,
        "name": trusted.name if trusted else None,
        "role": trusted.role if trusted else None,
    }
