"""One line of a benchmark."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evals.records import Figure, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measured value beside what it is held against: a bar to be met, or a peer of the same run.

    `highest` is true where the reference must not be exceeded. `value` is None when nothing could be measured.
    """

    name: str
    value: float | None
    reference: float
    against: str
    unit: str = ""
    highest: bool = False
    is_bar: bool = True
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether a bar was not met; a peer is only compared, and what was not measured met nothing."""
        if not self.is_bar:
            return False
        return self.value is None or (self.value > self.reference if self.highest else self.value < self.reference)

    def line(self) -> str:
        """The figure for people: value, ratio, what it is against, and whether a bar was met."""
        unit = f" {self.unit}" if self.unit else ""
        if self.value is None:
            return f"{self.name}: not measured ({self.against} {self.reference:g}{unit})"
        ratio = self.value / self.reference if self.reference else math.inf if self.value else 1.0
        kind = "at most" if self.highest else "at least"
        named = (
            f"{self.against}, {kind} {self.reference:g}{unit}"
            if self.is_bar
            else f"{self.against} {self.reference:.3g}"
        )
        outcome = ("MISSED" if self.missed else "met") if self.is_bar else ""
        tail = "; ".join(part for part in (outcome, self.note) if part)
        return f"{self.name}: {self.value:.3g}{unit} = {ratio:.2f} x {named}{f' - {tail}' if tail else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A line without a figure: what was measured on what, or why nothing was."""

    text: str


Line = Measured | Note


def about(machine: Machine) -> Note:
    """The machine, as a line."""
    return Note(text=f"machine: {machine.cpu}, {machine.cores} cores, {machine.platform}, Python {machine.python}")


def interval(figure: Figure) -> str:
    """The cases of a figure and its interval, as a note."""
    bounds = f", 95 % {figure.low:.2f}-{figure.high:.2f}" if figure.low is not None and figure.high is not None else ""
    return f"n = {figure.cases}{bounds}"
