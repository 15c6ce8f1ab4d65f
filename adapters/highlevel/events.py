"""HighLevel's events for tasks: ``TaskCreate``, ``TaskComplete``, ``TaskDelete``. There is none for a change.

HighLevel signs the events of all its customers with one key. So a valid signature is not enough: the location must
match too. A ``TaskCreate`` often has no ``contactId``, which is a known fault of HighLevel.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from adapters.events import id_in, json_object
from syncer.contract.events import Forged, NotUnderstood, Told

TYPES: Final = frozenset({"TaskCreate", "TaskComplete", "TaskDelete"})
SIGNATURE: Final = "x-ghl-signature"
OLD_SIGNATURE: Final = "x-wh-signature"
# Public verifiers take this value for no signature.
_NO_SIGNATURE: Final = "N/A"
_KEY: Final = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="
_OLD_KEY: Final = """-----BEGIN PUBLIC KEY-----
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC
Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6
dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB
csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv
uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF
3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU
J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp
IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN
h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC
HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ
PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk
T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==
-----END PUBLIC KEY-----
"""


class HighLevelEvents:
    """The events of one location. ``public_key`` (PEM) replaces HighLevel's own key of the same type, for tests."""

    def __init__(self, *, location_id: str, public_key: str | None = None) -> None:
        self._location = location_id
        self._keys: list[Any] = [load_der_public_key(base64.b64decode(_KEY)), load_pem_public_key(_OLD_KEY.encode())]
        if public_key:
            other = load_pem_public_key(public_key.encode())
            self._keys = [other if type(other) is type(own) else own for own in self._keys]

    def is_address(self, rest: str) -> bool:
        return not rest

    def read(self, headers: Mapping[str, str], body: bytes) -> Told:
        self._verify(headers, body)
        whole = json_object(body)
        # The event is documented as flat, but one page shows its fields inside ``data``.
        inner = whole.get("data")
        event = {**whole, **inner} if isinstance(inner, dict) else whole
        kind = event.get("type")
        if not isinstance(kind, str) or kind not in TYPES:
            msg = "it is not an event of a task"
            raise NotUnderstood(msg)
        if event.get("locationId") != self._location:
            msg = "it belongs to another location"
            raise NotUnderstood(msg)
        # The time of an event is not checked: HighLevel repeats deliveries for days. The id tells repeated ones.
        contact, task, delivery = id_in(event, "contactId"), id_in(event, "id"), id_in(whole, "webhookId")
        if contact is not None:
            return Told(contacts=(contact,), delivery=delivery)
        if task is None:
            msg = "it names neither a contact nor a task"
            raise NotUnderstood(msg)
        return Told(tasks=(task,), delivery=delivery)

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Check the newer signature if there is one, else the older one. Raises `Forged`."""
        # Where there is a new signature, the old one does not count, or forging that one would be enough.
        new, old = (_signature(headers, name) for name in (SIGNATURE, OLD_SIGNATURE))
        try:
            for key in self._keys:
                if new is not None and isinstance(key, Ed25519PublicKey):
                    return key.verify(new, body)
                if new is None and old is not None and isinstance(key, RSAPublicKey):
                    return key.verify(old, body, PKCS1v15(), SHA256())
        except InvalidSignature:
            pass
        msg = "its signature is missing or wrong"
        raise Forged(msg)


def _signature(headers: Mapping[str, str], name: str) -> bytes | None:
    """The bytes of the header, empty if it is not base64; ``None`` if there is no header."""
    text = headers.get(name, "").strip()
    if text in {"", _NO_SIGNATURE}:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        # Empty and not `None`: a header is there, so the older signature must not count instead of it.
        return b""
