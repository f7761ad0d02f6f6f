"""What the address of the Fix list page says: which part of it, how disagreements are settled, and the rule being looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import influence
from influence.data import Edit
from influence.review import POLICIES
from influence.rules import BY, Rule
from pages.ui.frame import Address
from pages.ui.parts import verdicts

PARTS = {
    "changes": "Changes",
    "rules": "Rules",
    "progress": "Progress",
    "agreement": "Agreement",
    "bring_back": "Exchange",
    "log": "Log",
}
POLICY_NAMES = {"majority": "majority", "latest": "latest decision", "adjudicated": "adjudicator only"}
BY_NAMES = {"words": "contain the words", "regex": "match the expression", "sql": "fulfil the SQL condition"}
assert set(POLICY_NAMES) == set(POLICIES)
assert set(BY_NAMES) == set(BY)


@dataclass(frozen=True, kw_only=True)
class FixListAddress(Address):
    """Every field is one parameter of the address."""

    part: str = "changes"
    policy: str = "majority"
    page: int = 1
    by: str = "words"
    pattern: str = ""
    action: str = "relabel"
    label: str = ""  # the new one
    only: str = ""  # among the examples of this label
    note: str = ""

    def rule(self) -> Rule:
        """The rule that the address spells. Raises `SettingsError` for one that makes no sense."""
        return Rule(
            by=self.by,
            pattern=self.pattern,
            action=self.action,
            new_label=(self.label or None) if Edit(self.action).does.relabels else None,
            only_label=self.only or None,
        )

    def part_only(self, part: str) -> "FixListAddress":
        """Another part of the page."""
        return FixListAddress(workspace=self.workspace, policy=self.policy, part=part)


def read_address(parameters: Mapping[str, str], workspace: influence.Workspace) -> tuple[FixListAddress, list[str]]:
    """The address as far as it makes sense."""
    labels = workspace.info.labels
    allowed = {
        "part": PARTS,
        "policy": POLICY_NAMES,
        "by": BY_NAMES,
        "action": verdicts.rule_actions(),
        "label": labels,
        "only": labels,
    }
    return FixListAddress.read(parameters, workspace=workspace.name, allowed=allowed, ranges={"page": (1, 10**6)})
