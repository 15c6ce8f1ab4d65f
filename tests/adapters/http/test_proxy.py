"""The way out of a closed network: the proxy that the environment names, on real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import adapters.http.client
from adapters.http.client import Http
from syncer.config.loader import ConfigError, build_adapters
from syncer.contract.errors import NotSent
from tests.support.account_files import ALL, KEYS, load
from tests.support.http_client import KEY, WIDE

VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(adapters.http.client, "NOT_SENT_ATTEMPTS", 1)


def asked_of_the_proxy(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, base_url: str, status: str = "403 Forbidden"
) -> tuple[bytes, str]:
    """What a proxy that lets nobody through is asked for, and how the write ends."""
    lines: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def main() -> str:
        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for name, value in environment.items():
            monkeypatch.setenv(name, value.replace("PORT", str(port)))
        client = Http(system="acme", base_url=base_url, headers={}, secrets=[KEY], rates=WIDE)
        with pytest.raises(NotSent) as caught:
            await client.write("POST", "/things")
        await client.aclose()
        server.close()
        return caught.value.words

    words = asyncio.run(main())
    return b"".join(lines), words


@pytest.mark.parametrize("environment", [{"HTTPS_PROXY": "http://127.0.0.1:PORT"}, {"ALL_PROXY": "127.0.0.1:PORT"}])
def test_what_is_encrypted_goes_through_the_proxy(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    line, words = asked_of_the_proxy(environment, monkeypatch, "https://crm.invalid/api")
    assert line == b"CONNECT crm.invalid:443 HTTP/1.1\r\n"
    assert words == "no connection to crm.invalid: ProxyError: 403 Forbidden"


@pytest.mark.parametrize(
    "reason", ["denied p-not-shown", "cC1ub3Qtc2hvd24=", "702d6e6f742d73686f776e", "p%2dnot%2Dshown"]
)
def test_a_proxys_reason_does_not_tell_its_password(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"HTTPS_PROXY": "http://asha:p%2Dnot-shown@127.0.0.1:PORT"}
    line, words = asked_of_the_proxy(environment, monkeypatch, "https://crm.invalid/api", f"407 \x1b[2J{reason}")
    assert line.startswith(b"CONNECT crm.invalid")
    assert words.startswith("no connection to crm.invalid: ProxyError: 407 ")
    assert words.endswith("[secret]")
    assert "\x1b" not in words


@pytest.mark.parametrize(
    ("base_url", "exempt"),
    [
        ("https://localhost:1/api", "localhost"),
        ("https://localhost:1", "*"),
        ("https://localhost:1", "a.example, *"),
        ("http://localhost:1", ""),
    ],
)
def test_what_is_exempt_or_on_this_machine_does_not(
    base_url: str, exempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"HTTPS_PROXY": "http://127.0.0.1:PORT", "HTTP_PROXY": "http://127.0.0.1:PORT", "NO_PROXY": exempt}
    line, words = asked_of_the_proxy(environment, monkeypatch, base_url)
    assert line == b""
    assert "ConnectError" in words


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "socks5://127.0.0.1:1", "http://127.0.0.1:x"])
def test_a_proxy_that_cannot_be_used_is_a_wrong_setting(
    proxy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**KEYS, "HTTPS_PROXY": proxy}.items():
        monkeypatch.setenv(name, value)
    account = load(tmp_path, ALL)
    with pytest.raises(ConfigError, match=r"acme\.toml: the proxy in HTTPS_PROXY or ALL_PROXY cannot be used"):
        build_adapters(account)
