"""The commands of ``syncer ledger``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from syncer.cli.options import Configs, Json, session_of

app: Final = typer.Typer(
    help="Back up or restore the ledger, or make it the account's only one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def backup(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where to write it. A backup of this account there is replaced."),
    ],
    *,
    config: Configs = None,
    json: Json = False,
) -> None:
    """Back up the ledger. The daemon may be running."""
    from syncer.cli.commands.ledger import back_up

    raise typer.Exit(back_up(session_of(config, json=json), file))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup of this account's ledger.")],
    *,
    config: Configs = None,
    json: Json = False,
) -> None:
    """Restore a backup. Stop the daemon first. The present ledger is kept beside it."""
    from syncer.cli.commands.ledger import restore

    raise typer.Exit(restore(session_of(config, json=json), file))


@app.command()
def take_over(*, config: Configs = None, json: Json = False) -> None:
    """Make this ledger the account's only one. Any other ledger of the account stops writing."""
    from syncer.cli.commands.ledger import take_over

    raise typer.Exit(take_over(session_of(config, json=json)))
