"""The options that several commands have, and those of the daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="An account file, or a folder of them; may be repeated. Else SYNCER_CONFIG, else ./config.toml.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line for each account.")]
Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Log more; twice: every request.", show_default=False)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only, show no progress.")]
Creates = Annotated[
    int | None, typer.Option("--allow-creates", min=0, metavar="N", help="Allow this run that many creates.")
]
Completions = Annotated[
    int | None, typer.Option("--allow-completions", min=0, metavar="N", help="Allow this run that many completions.")
]
Listen = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Serve the page, metrics, health and events.")
]
Token = Annotated[
    str | None, typer.Option("--token", metavar="REFERENCE", help="Who has it sees the page: env:NAME or file:PATH.")
]
PublicUrl = Annotated[
    str | None, typer.Option("--public-url", metavar="URL", help="The address under which others reach the page.")
]
