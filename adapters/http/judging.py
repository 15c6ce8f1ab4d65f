"""What an answer means: accepted, an error of the CRM, or one of a proxy, which says nothing of a task (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Final

from adapters.http.answers import Answer, OwnError, any_object, error_body, said, short
from adapters.http.network import Arrived
from adapters.http.rules import DEFAULT_RULES, Rule, meaning
from syncer.contract.errors import AdapterError, BadAnswer, BudgetSpent, Forbidden, InDoubt, NotSent, Unauthorized

_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)


class Judge:
    """Judges the answers of one CRM. The arguments are those of `adapters.http.client.Http`."""

    def __init__(self, system: str, rules: Sequence[Rule], own_error: OwnError | None, says: Sequence[str]) -> None:
        self._system = system
        self._rules = (*rules, *DEFAULT_RULES)
        self._says = tuple(says)
        self._own_error = own_error or partial(any_object, says=self._says)

    def answer(self, arrived: Arrived, unreadable: type[AdapterError]) -> Answer:
        """The accepted answer. Raises what an error means by its status and text; `InDoubt` if it is not the CRM's.

        ``unreadable`` is raised if the content cannot be used, and for a status that no rule names.
        """
        status, content = arrived.status, arrived.content
        if status in _SUCCESS:
            if arrived.unfit:
                raise unreadable(arrived.unfit, system=self._system, status=status)
            return Answer(self._system, status, arrived.headers, content, unreadable)
        words = arrived.unfit or said(content, self._says) or short(arrived.reason) or f"status {status}"
        # Only a proxy asks for a proxy's password, so the request has not reached the CRM.
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            msg = f"a proxy did not let the request through: {words}"
            raise NotSent(msg, system=self._system, status=status)
        if not self._is_own(arrived):
            # Even for a 4xx: the CRM may have carried out the write behind a proxy that answers something else.
            raise InDoubt(_not_theirs(status, words), system=self._system, status=status)
        error = meaning(self._rules, status, words) or unreadable
        raise error(words, system=self._system, status=status, content=content)

    def is_throttled(self, arrived: Arrived) -> bool:
        """Whether the answer says that there were too many requests, by a 429 or by a rule with `BudgetSpent`."""
        if arrived.status == HTTPStatus.TOO_MANY_REQUESTS or arrived.status in _SUCCESS:
            # A 429 is believed whoever sends it, because waiting does no harm.
            return arrived.status == HTTPStatus.TOO_MANY_REQUESTS
        means = meaning(self._rules, arrived.status, said(arrived.content, self._says))
        return means is BudgetSpent and self._is_own(arrived)

    def is_expired(self, arrived: Arrived) -> bool:
        """Whether the access token was rejected. A missing permission does not count: a new token would lack it too."""
        try:
            self.answer(arrived, BadAnswer)
        except AdapterError as error:
            return isinstance(error, Unauthorized) and not isinstance(error, Forbidden)
        return False

    def _is_own(self, arrived: Arrived) -> bool:
        """Whether the answer comes from the CRM. A redirect never does."""
        if arrived.unfit or arrived.status in _REDIRECT:
            return False
        try:
            return self._own_error(arrived.status, error_body(arrived.content))
        except ValueError:
            return False


def _not_theirs(status: int, words: str) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return words
    return f"status {status} with an answer that is not the CRM's (perhaps a proxy's): {words}"
