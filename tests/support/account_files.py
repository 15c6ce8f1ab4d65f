"""The least that an account file needs, and its loading from a text."""

from __future__ import annotations

from pathlib import Path

from syncer.config.loader import Account, load_account

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"
KEYS = {"SUPERFONE_API_KEY": "sf-not-shown", "REPLY_API_KEY": "re-not-shown", "HIGHLEVEL_TOKEN": "hl-not-shown"}

SUPERFONE = '[superfone]\napi_key = "env:SUPERFONE_API_KEY"\n'
REPLY = '[reply]\napi_key = "env:REPLY_API_KEY"\n'
HIGHLEVEL = '[highlevel]\ntoken = "env:HIGHLEVEL_TOKEN"\nlocation_id = "ve9EPM428h8vShlRW1KT"\n'
ALL = SUPERFONE + REPLY + HIGHLEVEL


def load(folder: Path, text: str, name: str = "acme.toml") -> Account:
    """The account of a file with this text, in this folder."""
    file = folder / name
    file.write_text(text)
    return load_account(file)
