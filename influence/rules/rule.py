"""Rules: "examples labelled World that contain *championship series* are Sport", the paper's fixing functions.

A rule is looked at before it is applied, kept in the log with its matches, and taken back as one.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from influence.data import EDIT_KINDS, Edit, find, texts_of
from influence.errors import SettingsError
from influence.review import (
    Action,
    Corpus,
    Evidence,
    Reviewer,
    Reviews,
    TrainExample,
    decide_bulk,
    preview_bulk,
)
from influence.rules.matching import Judge

BY: tuple[str, ...] = ("words", "regex", "sql")
SEPARATOR = ","  # between phrases that must all occur
UNKNOWN = "a rule that this version does not know"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What to match and what to do with the matches.

    `by` "words": every phrase of `pattern`, commas between them, occurs as whole words, ignoring case. "regex": an RE2
    expression matches somewhere in a text. "sql": a DuckDB condition over id, text, text_pair, label, predicted and
    confidence is true. `only_label`: among the examples of that label.
    """

    by: str
    pattern: str
    action: str
    new_label: str | None = None
    only_label: str | None = None
    ignore_case: bool = True  # for "regex"

    def __post_init__(self) -> None:
        if self.by not in BY:
            raise SettingsError(f"a rule goes by {', '.join(BY)}, not by {self.by!r}")
        if self.action not in EDIT_KINDS:
            raise SettingsError(f"a rule can {', '.join(EDIT_KINDS)}, not {self.action!r}")
        if not self.pattern.strip() or (self.by == "words" and not self.phrases):
            raise SettingsError("a rule needs something to look for; the pattern is blank")
        if (misuse := self.edit.misuse) is not None:
            raise SettingsError(f"a rule to {self.action}: {misuse[1]}")
        if self.new_label is not None and self.new_label == self.only_label:
            raise SettingsError(f"a rule that relabels {self.only_label!r} to {self.new_label!r} changes nothing")
        if self.edit.does.masks and self.by != "words":
            raise SettingsError(f"a rule by {self.by} cannot {self.action}, as it does not say which words; make it by words")

    @property
    def phrases(self) -> tuple[str, ...]:
        """The phrases of a rule by words."""
        return tuple(phrase for part in self.pattern.split(SEPARATOR) if (phrase := " ".join(part.split())))

    @property
    def edit(self) -> Edit:
        """What the rule does to each example that it matches."""
        words = self.phrases if self.by == "words" else (self.pattern,)  # for the latter a rule cannot be made
        return Edit(self.action, self.new_label, words if EDIT_KINDS[self.action].masks else ())

    def __str__(self) -> str:
        scope = "examples" if self.only_label is None else f"examples labelled {self.only_label!r}"
        what = " and ".join(f'"{p}"' for p in self.phrases) if self.by == "words" else self.pattern
        how = {"words": "that contain", "regex": "that match", "sql": "where"}[self.by]
        return f"{scope} {how} {what}: {self.action}" + ("" if self.new_label is None else f" to {self.new_label!r}")


@dataclass(frozen=True)
class Preview:
    """What a rule would do, before it is applied."""

    rule: Rule
    example_ids: tuple[str, ...]  # what it would change, in the data's order
    unchanged: int  # further matches on which it changes nothing
    decided: tuple[str, ...]  # matches that this reviewer has decided otherwise, which it would leave alone
    labels: dict[str, int]  # of the matches
    before: dict[str, int]  # class counts of the data as it is, and with this rule alone
    after: dict[str, int]
    samples: tuple[TrainExample, ...]  # the first of `example_ids`


@dataclass(frozen=True)
class AppliedRule:
    """A rule in the log; `action.undone` says whether it has been revoked."""

    rule: Rule | None  # None: the log holds one that this version does not know
    action: Action

    def __str__(self) -> str:
        return UNKNOWN if self.rule is None else str(self.rule)


def preview(reviews: Reviews, reviewer: Reviewer, rule: Rule, *, samples: int = 20, tick: Callable[[], object] = int) -> Preview:
    """What a rule matches and would change. `tick` is called while that takes; where it raises, the matching ends.

    Raises `SettingsError` for one that does not compile, takes too long, matches nothing or everything, or changes
    nothing, and `QueryError` for a label that does not exist.
    """
    matches, fitting = _fitting(reviews.corpus, rule, tick)
    found = preview_bulk(reviews, reviewer, {example.id: rule.edit for example in fitting})
    return Preview(
        rule=rule,
        example_ids=found.free,
        unchanged=len(matches) - len(found.free) - len(found.decided),
        decided=found.decided,
        labels=found.labels,
        before=found.before,
        after=found.after,
        samples=tuple(reviews.corpus[id] for id in found.free[:samples]),
    )


def changed_by(corpus: Corpus, rule: Rule) -> list[TrainExample]:
    """The examples that a rule would change, whoever has decided what about them. Raises as `preview` does."""
    return _fitting(corpus, rule)[1]


def apply_rule(reviews: Reviews, reviewer: Reviewer, rule: Rule, *, note: str = "") -> Action:
    """Decide every match of a rule, as one action that is undone as one; what the reviewer has decided is left alone.

    Raises as `preview` does, and `SettingsError` when nothing is left to decide.
    """
    _, fitting = _fitting(reviews.corpus, rule)
    edits = {example.id: rule.edit for example in fitting}
    evidence, origin = Evidence(method=f"rule: {rule.by}"), {"rule": asdict(rule)}
    action = decide_bulk(reviews, reviewer, edits, evidence=evidence, origin=origin, note=note)
    if action is None:
        raise SettingsError("the rule changes nothing: every match is decided already")
    return action


def applied_rules(reviews: Reviews) -> list[AppliedRule]:
    """Every rule ever applied, the latest first, revoked ones too; `Reviews.revoke` takes one back."""
    return [AppliedRule(rule_of(action.origin), action) for action in reviews.made_by_rules()]


def rule_of(origin: Mapping[str, Any]) -> Rule | None:
    """The rule that a decision came from; None if it did not come from one, or from one that this version does not know."""
    told = origin.get("rule")
    if not isinstance(told, dict) or not all(value is None or isinstance(value, str | bool) for value in told.values()):
        return None
    try:
        return Rule(**told)
    except (SettingsError, TypeError, AttributeError):  # a kind of edit or an option that a later version, or a program, adds
        return None


def _fitting(corpus: Corpus, rule: Rule, tick: Callable[[], object] = int) -> tuple[list[TrainExample], list[TrainExample]]:
    """A rule's matches, and those of them that it changes."""
    for label in filter(None, (rule.new_label, rule.only_label)):
        corpus.checked_label(label)
    matches = _matches(corpus, rule, tick)
    fitting = [example for example in matches if rule.edit.fits(example)]
    if not fitting:
        why = "hold nothing else" if rule.new_label is None else f"are labelled {rule.new_label!r} already"
        raise SettingsError(f"the rule changes nothing: all {len(matches):,} matches {why}")
    return matches, fitting


def _matches(corpus: Corpus, rule: Rule, tick: Callable[[], object]) -> list[TrainExample]:
    examples = list(corpus.examples.values())
    if rule.by == "words":
        found = [example for example in examples if _contains(example, rule.phrases)]
    else:
        judge = Judge(corpus.results, len(examples))
        if rule.by == "regex":
            places = judge.matching_regex(rule.pattern, ignore_case=rule.ignore_case, tick=tick)
        else:
            places = judge.matching_sql(rule.pattern, tick=tick)
        found = [examples[place] for place in places]
    scope = [example for example in examples if rule.only_label in (None, example.label)]
    matches = [example for example in found if rule.only_label in (None, example.label)]
    among = f"the {len(scope):,} examples" + (f" labelled {rule.only_label!r}" if rule.only_label is not None else "")
    if not matches:
        raise SettingsError(f"the rule matches nothing among {among}")
    if len(matches) == len(scope):
        raise SettingsError(f"the rule matches everything: all of {among}; a rule must tell some from others")
    return matches


def _contains(example: TrainExample, phrases: tuple[str, ...]) -> bool:
    return all(any(find(text, phrase) for text in texts_of(example)) for phrase in phrases)
