"""The card of a data set on the Hub (`README.md`): what was corrected, in a section that a later push replaces.

Whatever else stands in a card that is there already stays as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from influence.errors import DataError
from influence.fixes import FixList, in_markdown
from influence.hub.front_matter import FrontMatter, in_front
from influence.hub.settings import FIXES_BEFORE

BEGIN = "<!-- wordtrace:corrections: the next push writes this section anew -->"
END = "<!-- /wordtrace:corrections -->"
_SECTION = re.compile(r"<!-- wordtrace:corrections[^\n]*?-->.*?<!-- /wordtrace:corrections -->", re.DOTALL)
_FRONT = re.compile(r"\s*---[ \t]*\n(.*?)(?:(?<=\n)|\n)---[ \t]*(?:\n|$)", re.DOTALL)
SETTLED = {
    "majority": "by what more than half of the reviewers said",
    "latest": "by what more than half of the reviewers said, else by the latest verdict",
    "adjudicated": "by an adjudicator only",
}


@dataclass(frozen=True)
class Card:
    """What a push says of itself: for programs between the lines of dashes, for people in the section."""

    title: str
    section: str
    front: FrontMatter

    def text(self, existing: str | None = None) -> str:
        """The whole card: of its own, or an existing one with the section in it. Raises `DataError` where that is no card."""
        if existing is None or not existing.strip():
            return f"---\n{self.front.merged('')}---\n\n# {in_markdown(self.title)}\n\n{self.section}\n"
        plain = existing.replace("\r\n", "\n").removeprefix("\ufeff")
        front = _FRONT.match(plain)
        body = plain if front is None else plain[front.end() :]
        matter = in_front(front[1] if front is not None else "")
        made = f"---\n{self.front.merged(matter)}---\n{self._with_section(body)}"
        return made.replace("\n", "\r\n") if "\r\n" in existing else made

    def _with_section(self, body: str) -> str:
        if _SECTION.search(body):
            return _SECTION.sub(lambda _: self.section, body, count=1)
        if BEGIN[:24] in body or END in body:
            raise DataError("the repository's README.md has only one of the two marks of our section: take it out")
        return f"{body.rstrip()}\n\n{self.section}\n"


def section(found: FixList, balance: tuple[Mapping[str, int], Mapping[str, int]], rows: tuple[int, int], facts: list[str]) -> str:
    """What was changed, in Markdown; labels are escaped. `balance`: class counts before and after; `facts`: more lines."""
    lines = [BEGIN, "## Corrections to the training data", ""]
    counts = ", ".join(f"{count:,} {action}" for action, count in found.counts.items() if action != "keep")
    lines += [f"Of {rows[0]:,} examples {found.changes:,} were changed: {counts}. {rows[1]:,} are left.", ""]
    lines += ["| label | before | after | change |", "|---|---:|---:|---:|"]
    before, after = balance
    lines += [f"| {in_markdown(label)} | {n:,} | {after[label]:,} | {after[label] - n:+,} |" for label, n in before.items()]
    return "\n".join([*lines, "", *(f"- {fact}" for fact in [*_decided(found), *facts]), "", END])


def _decided(found: FixList) -> list[str]:
    """Whether they were judged otherwise, too, and how disagreements were settled."""
    said = [f"Examples judged and kept as they were: {found.counts['keep']:,}."] if found.counts["keep"] else []
    left_out = sum(resolution.decision is None for resolution in found.conflicts)
    if found.conflicts:
        settled = f"{len(found.conflicts) - left_out:,} settled {SETTLED[found.policy]}, {left_out:,} left as they were"
        said.append(f"Examples on which the reviewers disagreed: {len(found.conflicts):,}; {settled}.")
    if found.applied:
        said.append(f"Examples corrected in earlier rounds: {found.applied:,}; `{FIXES_BEFORE}` lists them.")
    return said
