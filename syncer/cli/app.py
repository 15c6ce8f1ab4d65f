"""The command line: parse it, call the command, and exit with its status. Imports of a command are made on use."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import typer

from syncer import __version__
from syncer.cli import app_ledger
from syncer.cli.options import (
    Answers,
    AnyState,
    Completions,
    Configs,
    Contact,
    Creates,
    Edits,
    Json,
    Listen,
    LogFile,
    PublicUrl,
    Quiet,
    System,
    Token,
    Verbose,
    named_before,
    session_of,
)
from syncer.cli.streams import protect_streams

_EPILOG: Final = (
    "Exit status: 0 done; 1 a connection could not be used or an operation failed; 2 the command line or a "
    "configuration is wrong, or the ledger belongs to another CRM account; 3 stopped by a limit; 4 another process "
    "is running the account; 130 and 143 stopped by SIGINT and SIGTERM. With several accounts the gravest counts: "
    "2, 3, 1, 4, 0. New here? Type: syncer demo"
)
_CONNECTION: Final = "CONNECTION=URL"

app = typer.Typer(
    name="syncer",
    help="One to-do list across Superfone, Reply.io and HighLevel: a task made in one appears in the others, a task "
    "done in one is done in all.",
    epilog=_EPILOG,
    no_args_is_help=True,
    # Pretty tracebacks show local variables, which may hold API keys.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(app_ledger.app, name="ledger")


def main() -> None:
    """Run the command line and end the process."""
    protect_streams()
    # No plugins are used, and searching all installed packages for them takes longer than reading an account file.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # Until a command handles them itself. Python would end on Ctrl+C with a traceback.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    try:
        Path.cwd()
    except OSError:
        _end("the current folder does not exist any more; go to another one with cd, and type the command again", 2)
    try:
        app(prog_name="syncer")
    except Exception as error:  # noqa: BLE001 - typer's own last resort shows tracebacks as they are
        _last_resort(error)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    # As shells tell that a signal ended a process.
    raise SystemExit(128 + number)


def _last_resort(error: Exception) -> NoReturn:
    """Report an unexpected error in one sentence, and with ``-v`` its traceback, without any API keys."""
    from syncer.cli.errors import failure_of, traceback_of

    # The command line may not have been parsed yet.
    if any(argument == "--verbose" or argument.startswith("-v") for argument in sys.argv):
        sys.stderr.write(traceback_of(error))
    failure = failure_of(error)
    _end(failure.message, failure.exit_status)


def _end(words: str, status: int) -> NoReturn:
    from syncer.cli.screens import complain

    complain(words)
    raise SystemExit(int(status))


def _version(wanted: bool) -> None:  # noqa: FBT001 - called by typer
    if wanted:
        typer.echo(f"syncer {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    config: Configs = None,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    del version
    # `syncer -c FILE status` means the same as `syncer status -c FILE`. A call leaves nothing for the next one of the
    # process.
    named_before[:] = config or ()


@app.command()
def init(
    *,
    file: Annotated[Path, typer.Option("--file", "-f", metavar="PATH", help="Where to write the account file.")] = Path(
        "config.toml"
    ),
    answers: Answers = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option("--base-url", metavar=_CONNECTION, help="Another address of a CRM, such as that of a sandbox."),
    ] = None,
) -> None:
    """Ask for the connections, test each, and write an account file."""
    from syncer.cli.commands.init import init, init_from
    from syncer.config.registry import installed_systems

    addresses = dict(part.partition("=")[::2] for part in base_url or ())
    for system in addresses:
        if system not in installed_systems():
            msg = f"expected {_CONNECTION}, where CONNECTION is one of {', '.join(installed_systems())}"
            raise typer.BadParameter(msg, param_hint="--base-url")
    if answers is not None:
        raise typer.Exit(init_from(session_of(), answers, file, addresses))
    raise typer.Exit(init(session_of(), file, addresses))


@app.command()
def check(*, config: Configs = None, json: Json = False, verbose: Verbose = 0, quiet: Quiet = False) -> None:
    """Check the account file, each API key and each permission. Changes nothing."""
    from syncer.cli.commands.check import check_accounts

    raise typer.Exit(check_accounts(session_of(config, json=json, verbose=verbose, quiet=quiet)))


@app.command()
def plan(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Save the plan for: syncer apply FILE")
    ] = None,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Show what a run would do, why, and how many requests it needs. Writes nothing."""
    from syncer.cli.commands.runs import make_plan

    raise typer.Exit(make_plan(session_of(config, json=json, verbose=verbose, quiet=quiet), out))


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan that `syncer plan --out FILE` saved.")],
    *,
    allow_creates: Creates = None,
    allow_completions: Completions = None,
    allow_edits: Edits = None,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Do what a saved plan says. Tasks that changed since are skipped and listed."""
    from syncer.cli.commands.runs import apply_plan
    from syncer.engine.run import Options

    options = Options(allow_creates, allow_completions, allow_edits)
    raise typer.Exit(apply_plan(session_of(config, json=json, verbose=verbose, quiet=quiet), file, options))


@app.command()
def sync(
    *,
    once: Annotated[bool, typer.Option("--once", help="Run once for each account, then exit.")] = False,
    allow_creates: Creates = None,
    allow_completions: Completions = None,
    allow_edits: Edits = None,
    log_file: LogFile = None,
    listen: Listen = None,
    token: Token = None,
    public_url: PublicUrl = None,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Run at every `interval` of the account file until Ctrl+C. With --once, run once."""
    if listen is None and (token is not None or public_url is not None):
        msg = "these options need --listen HOST:PORT"
        raise typer.BadParameter(msg, param_hint="--token, --public-url")
    if once and listen is not None:
        msg = "only the daemon listens; remove --once"
        raise typer.BadParameter(msg, param_hint="--listen")
    # A daemon that was started with a raised limit would keep it for months.
    if not once and {allow_creates, allow_completions, allow_edits} != {None}:
        msg = "limits can be raised for one run only; add --once"
        raise typer.BadParameter(msg, param_hint="--allow-creates, --allow-completions, --allow-edits")
    session = session_of(config, json=json, verbose=verbose, quiet=quiet, log_file=log_file)
    if once:
        from syncer.cli.commands.runs import sync_once
        from syncer.engine.run import Options

        raise typer.Exit(sync_once(session, Options(allow_creates, allow_completions, allow_edits)))
    from syncer.cli.daemon import run_daemon
    from syncer.web.listening import CannotListen, listening_of

    try:
        listening = None if listen is None else listening_of(listen, token, public_url)
    except CannotListen as error:
        _end(str(error), 2)
    raise typer.Exit(run_daemon(session, listening))


@app.command()
def status(
    *,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 while an alarm is active.")] = False,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Show the last run, alarms, what waits and what needs attention. Uses no network."""
    from syncer.cli.commands.status import show_status

    raise typer.Exit(show_status(session_of(config, json=json, verbose=verbose, quiet=quiet), check=check))


@app.command()
def tasks(
    *,
    contact: Contact = None,
    state: AnyState = None,
    system: System = None,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """List the tasks and their copies in each CRM."""
    from syncer.cli.commands.tasks import list_tasks
    from syncer.domain.model import State

    if state is not None and state not in set(State):
        msg = f"expected one of {', '.join(State)}"
        raise typer.BadParameter(msg, param_hint="--state")
    session = session_of(config, json=json, verbose=verbose, quiet=quiet)
    raise typer.Exit(list_tasks(session, contact, None if state is None else State(state), system))


@app.command()
def explain(
    reference: Annotated[
        str, typer.Argument(metavar="ID", help="A task's id, or that of a copy, such as superfone:4567.")
    ],
    *,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Show the history of one task: who did what, where and why."""
    from syncer.cli.commands.explain import explain

    raise typer.Exit(explain(session_of(config, json=json, verbose=verbose, quiet=quiet), reference))


@app.command()
def retry(
    reference: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only this task, such as superfone:4567.")
    ] = None,
    *,
    config: Configs = None,
    json: Json = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Let the next run try rejected, failed or missing tasks again."""
    from syncer.cli.commands.retry import retry

    raise typer.Exit(retry(session_of(config, json=json, verbose=verbose, quiet=quiet), reference))


@app.command()
def service(
    *,
    launchd: Annotated[bool, typer.Option("--launchd", help="Print a launchd property list, for macOS.")] = False,
    listen: Listen = None,
    token: Token = None,
    public_url: PublicUrl = None,
    config: Configs = None,
) -> None:
    """Print a systemd unit that starts the daemon with the machine."""
    from syncer.cli.commands.service import print_service

    options = {"--listen": listen, "--token": token, "--public-url": public_url}
    raise typer.Exit(print_service(session_of(config), options, launchd=launchd))


@app.command()
def sandbox(
    *,
    seed: Annotated[int, typer.Option(metavar="N", help="Selects the people, tasks and faults.")] = 0,
    faults: Annotated[bool, typer.Option("--faults", help="Sometimes fail, throttle, or lose an answer.")] = False,
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="The port. Default: a free one.", show_default=False)
    ] = 0,
) -> None:
    """Serve simulations of all three CRMs on this machine until Ctrl+C."""
    from rich.console import Console

    from syncer.demo.server import serve

    raise typer.Exit(serve(seed, faults, Console(), port))


@app.command()
def demo(
    *,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Where to put its files. Default: a new folder.")
    ] = None,
) -> None:
    """Watch a day of tasks being synced between three simulated CRMs."""
    from rich.console import Console

    from syncer.demo.command import run_demo

    raise typer.Exit(run_demo(folder, Console()))
