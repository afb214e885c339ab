"""Datasets on a Langfuse server: their items read, written and archived.

Import this file where it is used: it brings in the langfuse package, which takes a second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from langfuse.api.commons import DatasetStatus
from langfuse.api.core import ApiError

from evals.items import Item
from rag.errors import DeliveryError
from rag.observe.account import Account
from rag.observe.langfuse import NOT_FOUND, Langfuse

# Items may hold the passages of an answer, and a reply is bounded.
PAGE, MOST_PAGES = 25, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A dataset on the server."""

    id: str
    name: str
    project_id: str


class DatasetServer(Langfuse):
    """A Langfuse server with datasets; use it as a context manager. Failures are DeliveryErrors."""

    def __init__(self, account: Account, *, budget_s: float | None = None) -> None:
        """Prepare, without connecting; all calls together take no longer than `budget_s`."""
        super().__init__(account)
        self._until = None if budget_s is None else time.monotonic() + budget_s

    def timeout(self, timeout_s: float | None) -> float:
        """The longest wait of a call, within what is left for all."""
        longest = super().timeout(timeout_s)
        if self._until is None:
            return longest
        if (left := self._until - time.monotonic()) <= 0:
            raise DeliveryError(f"the time for {self.where()} was up", remedy="try again")
        return min(longest, left)

    def find(self, name: str) -> Held | None:
        """The dataset with this name; None where there is none."""
        with self.translated():
            try:
                # The client puts the name into the address as it is.
                found = self.api.datasets.get(quote(name, safe=""), request_options=self.options())
            except ApiError as error:
                if error.status_code == NOT_FOUND:
                    return None
                raise
        return Held(id=found.id, name=found.name, project_id=found.project_id)

    def make(self, name: str) -> Held:
        """The dataset with this name, which is made if need be."""
        if found := self.find(name):
            return found
        with self.translated():
            made = self.api.datasets.create(name=name, request_options=self.options())
        return Held(id=made.id, name=made.name, project_id=made.project_id)

    def items(self, name: str) -> list[Item]:
        """The items of a dataset without those that were archived."""
        return [
            Item(id=one.id, input=one.input, expected=one.expected_output, metadata=one.metadata)
            for page in self._pages(name)
            for one in page.data
            if one.status is DatasetStatus.ACTIVE
        ]

    def put(self, name: str, item: Item, *, archived: bool = False) -> None:
        """Write an item: a new one, or in the place of the one with its id."""
        with self.translated():
            self.api.dataset_items.create(
                dataset_name=name,
                id=item.id,
                input=item.input,
                expected_output=item.expected,
                metadata=item.metadata,
                status=DatasetStatus.ARCHIVED if archived else DatasetStatus.ACTIVE,
                request_options=self.options(),
            )

    def _pages(self, name: str) -> Iterator[Any]:
        for number in range(1, MOST_PAGES + 1):
            with self.translated():
                page = self.api.dataset_items.list(
                    dataset_name=name, page=number, limit=PAGE, request_options=self.options()
                )
            yield page
            if number >= page.meta.total_pages:
                return
