"""``syncer service``: print a systemd unit or a launchd property list that starts the daemon with the machine."""

from __future__ import annotations

import getpass
import os
import plistlib
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from syncer.cli.screens import complain
from syncer.cli.session import Session
from syncer.config.loader import named_paths
from syncer.config.schema import Account
from syncer.domain.report import Exit
from syncer.ledger import locate

LABEL: Final = "local.syncer"
WATCHDOG: Final = 120
"""Seconds without a sign of life after which systemd starts the daemon again."""
_HARDENING: Final = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
AmbientCapabilities=
UMask=0077"""


def print_service(session: Session, options: Mapping[str, str | None], *, launchd: bool) -> int:
    """Print the unit to standard output, and to standard error what to do with it.

    ``options`` are those of ``syncer sync``.
    """
    session.configure_log()
    found = session.find(secrets=False)
    if found.broken:
        session.fail_all(found.broken)
        return Exit.WRONG
    command = [*_program(), "sync", *(part for path in _configs(session) for part in ("--config", str(path)))]
    command += [part for name, value in options.items() if value is not None for part in (name, _placed(value))]
    if launchd:
        sys.stdout.write(property_list(command, found.accounts))
        complain(f"save it as ~/Library/LaunchAgents/{LABEL}.plist, then: launchctl load -w that file")
        _warn_of_variables(_variables(found.accounts, command))
    else:
        sys.stdout.write(unit(command, found.accounts, user=getpass.getuser()))
        complain("save it as /etc/systemd/system/syncer.service, then: systemctl enable --now syncer")
    return Exit.DONE


def unit(command: Sequence[str], accounts: Sequence[Account], *, user: str) -> str:
    """Return the text of a systemd unit. ``command`` has absolute paths."""
    folders = sorted({str(folder) for account in accounts for folder in _written(account)})
    names = ", ".join(account.name for account in accounts)
    variables = _variables(accounts, command)
    lines = [
        "[Unit]",
        f"Description=syncer for {names}".replace("%", "%%"),
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=notify",
        f"ExecStart={' '.join([_quoted(command[0]), *(_argument(part) for part in command[1:])])}",
        f"WorkingDirectory={_escaped(str(accounts[0].path.absolute().parent))}",
        f"User={user}",
        *_environment(variables, accounts),
        # Its threads come and go, and glibc would keep memory for up to eight of them on each core.
        "Environment=MALLOC_ARENA_MAX=2",
        f"WatchdogSec={WATCHDOG}",
        "# A wrong account file (2) or another daemon (4) does not go away by itself.",
        "Restart=on-failure",
        "RestartSec=30",
        "RestartPreventExitStatus=2 4",
        # A daemon that is asked to stop ends with these, and that is no failure.
        "SuccessExitStatus=130 143",
        # Longer than `signals.LAST_MOMENT`, so that systemd never has to kill it.
        "TimeoutStopSec=15",
        "",
        "# It reads its account files and keys, and writes only beside them and its ledgers.",
        _HARDENING,
        f"ReadWritePaths={' '.join(_quoted(folder) for folder in folders)}",
        *([] if _in_temporary([*folders, *command]) else ["PrivateTmp=yes"]),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return "\n".join(lines) + "\n"


def property_list(command: Sequence[str], accounts: Sequence[Account]) -> str:
    """Return the text of a launchd property list for a user's agent."""
    log = str(Path.home() / "Library/Logs/syncer.log")
    content = {
        "Label": LABEL,
        "ProgramArguments": [*command, "--log-file", log],
        "WorkingDirectory": str(accounts[0].path.absolute().parent),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        # The same limits as in the unit for systemd.
        "ThrottleInterval": 30,
        "ExitTimeOut": 15,
        "ProcessType": "Background",
        "Umask": 0o077,
    }
    return plistlib.dumps(content, sort_keys=False).decode()


def _program() -> list[str]:
    """Return the command of this program with its absolute path."""
    name = Path(sys.argv[0])
    # Started with `python -m`, it has no command of its own.
    found = shutil.which(name) if name.name != "__main__.py" else None
    return [str(Path(found).absolute())] if found else [sys.executable, "-m", "syncer"]


def _configs(session: Session) -> list[Path]:
    """Return the files and folders as they were named, because the files of a folder may change later."""
    return [path.absolute() for path in named_paths(session.configs, os.environ)]


def _written(account: Account) -> Iterator[Path]:
    """Yield the folders that a run writes in: the ledger's, and the account file's, where tokens are stored."""
    yield account.path.absolute().parent
    place = locate(account.ledger_url)
    if place is not None:
        yield place.path.parent


def _variables(accounts: Iterable[Account], command: Sequence[str]) -> list[str]:
    """Return the environment variables with the accounts' secrets and the token of the page."""
    references = [secret.place for account in accounts for secret in account.references]
    references += [value for option, value in pairwise(command) if option == "--token"]
    parts = (reference.partition(":") for reference in references)
    return sorted({name for scheme, _, name in parts if scheme == "env"})


def _environment(variables: Sequence[str], accounts: Sequence[Account]) -> Iterator[str]:
    if variables:
        file = accounts[0].path.absolute().parent / "syncer.env"
        yield f"# A file of mode 0600 with the lines {', '.join(f'{name}=…' for name in variables)}"
        yield f"EnvironmentFile={_escaped(str(file))}"


def _placed(value: str) -> str:
    """Return an option's value with the whole path of a file: the service does not run in the present folder."""
    scheme, _, path = value.partition(":")
    return f"file:{Path(os.path.expanduser(path)).absolute()}" if scheme == "file" else value  # noqa: PTH111


def _warn_of_variables(variables: Iterable[str]) -> None:
    if variables:
        complain(f"launchd does not give it {', '.join(variables)}; name these keys with file: or keyring: instead")


def _in_temporary(paths: Iterable[str]) -> bool:
    """Whether one of these paths is hidden from a service with a private folder for temporary files."""
    temporary = {Path(folder) for folder in ("/tmp", "/var/tmp", tempfile.gettempdir())}  # noqa: S108
    return any(folder in Path(path).parents for folder in temporary for path in paths)


def _argument(part: str) -> str:
    """Return an argument of a command. Only in arguments a dollar sign begins a variable."""
    return _quoted(part).replace("$", "$$")


def _quoted(part: str) -> str:
    """Return one word of a list in systemd's notation."""
    escaped = _escaped(part)
    if not any(letter.isspace() or letter in "\"'\\;" for letter in part):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
