"""The options of several commands, and those of the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from syncer.cli.session import Session


named_before: Final[list[Path]] = []
"""The account files that were named on the command line before the command."""


def states() -> list[str]:
    """Return the values that the shell offers."""
    from syncer.domain.model import State

    return [state.value for state in State]


def systems() -> list[str]:
    """Return the values that the shell offers."""
    from syncer.config.registry import installed_systems

    return list(installed_systems())


def session_of(
    configs: list[Path] | None = None,
    *,
    json: bool = False,
    verbose: int = 0,
    quiet: bool = False,
    log_file: Path | None = None,
) -> Session:
    """Return the options of the command line as a session."""
    from syncer.cli.screens import name_files
    from syncer.cli.session import Session

    name_files(files := tuple(configs or named_before))
    return Session(files, json=json, verbose=verbose, quiet=quiet, log_file=log_file)


Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="An account file, or a folder of them. May be repeated. Default: SYNCER_CONFIG, else ./config.toml.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON: one line for each account.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Log more. Twice: log every request.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only, and show no progress.")]
Creates = Annotated[
    int | None, typer.Option("--allow-creates", min=0, metavar="N", help="Allow this many creates in this run.")
]
Completions = Annotated[
    int | None, typer.Option("--allow-completions", min=0, metavar="N", help="Allow this many completions in this run.")
]
Edits = Annotated[
    int | None, typer.Option("--allow-edits", min=0, metavar="N", help="Allow this many edits in this run.")
]
Listen = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Serve the page, metrics, health and events.")
]
Token = Annotated[
    str | None,
    typer.Option("--token", metavar="REFERENCE", help="The access token of the page: env:NAME or file:PATH."),
]
PublicUrl = Annotated[
    str | None, typer.Option("--public-url", metavar="URL", help="The address at which others open the page.")
]

LogFile = Annotated[
    Path | None, typer.Option("--log-file", metavar="FILE", help="Write the log to this file, not to standard error.")
]
Answers = Annotated[
    Path | None,
    typer.Option("--answers", metavar="FILE", help="Ask nothing. A TOML file with the tables of an account file."),
]
Contact = Annotated[str | None, typer.Option(help="Part of a name, an e-mail, or the last digits of a phone number.")]
AnyState = Annotated[str | None, typer.Option(help="open, done or cancelled.", autocompletion=states)]
System = Annotated[str | None, typer.Option(help="Only tasks with a copy in this CRM.", autocompletion=systems)]
