"""The commands of ``syncer ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from syncer.cli.options import Configs, Json, session_of

app: Final = typer.Typer(
    help="Copy the ledger, put a copy back, or make it the only one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def backup(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the copy goes; a ledger that is there is replaced.")
    ],
    *,
    config: Configs = None,
    json: Json = False,
) -> None:
    """Copy the ledger, also while the daemon runs."""
    from syncer.cli.commands.ledger import back_up

    raise typer.Exit(back_up(session_of(config, json=json), file))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy of this account's ledger.")],
    *,
    config: Configs = None,
    json: Json = False,
) -> None:
    """Restore a copy while nothing runs. The present ledger is kept beside it."""
    from syncer.cli.commands.ledger import restore

    raise typer.Exit(restore(session_of(config, json=json), file))


@app.command()
def take_over(*, config: Configs = None, json: Json = False) -> None:
    """Make this ledger the account's only one. Any other ledger of the account stops writing."""
    from syncer.cli.commands.ledger import take_over

    raise typer.Exit(take_over(session_of(config, json=json)))
