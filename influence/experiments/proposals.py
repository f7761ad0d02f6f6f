"""Changes to the training data that can be tried out before anybody makes them.

    proposed = propose(workspace, "opponents:rt-0005:20")

A proposal comes from the decisions so far (`decided`: what `apply` would do), a cluster (`cluster:12:remove`, or
`:relabel` to what is suggested for each member), a rule (`rule:{"by": "words", ...}`), the strongest opponents of one
test sentence (`opponents:ID:20` removes them, `words:ID:20` masks the most negative word of each), or a fix-list file.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from influence.data import find_to_mask, mask
from influence.errors import DataError, SettingsError
from influence.explanations import Influence, explain
from influence.fixes import Fix, FixList, fix_list, read_fixes
from influence.retraining import Change
from influence.review import Corpus, Reviews, Rule, TrainExample, changed_by, changes, read_reviews
from influence.suspects import cluster, cluster_suggestions
from influence.workspace import WorkspaceReader

DECIDED = "decided"
LONGEST_SPEC = 2_000
DEFAULT_STRONGEST = 20  # opponents, where nobody says how many
SHOWN = 5


class Step(NamedTuple):
    """What becomes of one example."""

    example_id: str
    action: str  # remove, relabel or mask
    new_label: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """One change to the training set, not yet made."""

    spec: str  # spells it in an address and on the command line
    title: str
    change: Change
    before: dict[str, int]  # class counts
    after: dict[str, int]
    labels: dict[str, dict[str, int]]  # for each action, how many examples of each label it takes
    notes: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = field(default=())  # the test sentences that it is about

    @property
    def counts(self) -> dict[str, int]:
        """How many examples are removed, relabelled and masked."""
        change = self.change
        return {"removed": len(change.removed), "relabelled": len(change.relabelled), "masked": len(change.masked)}


def propose(workspace: WorkspaceReader, spec: str, *, reviews: Reviews | None = None) -> Proposal:
    """The proposal that a text spells; `reviews` where they are open already.

    Raises `SettingsError` for a text that spells none and a change that cannot be trained on, `QueryError` for a cluster,
    example or label that does not exist, and `WorkspaceError` where what it comes from was never computed.
    """
    kind, _, rest = spec.partition(":")
    maker = _MAKERS.get(kind)
    if maker is None or len(spec) > LONGEST_SPEC:
        raise SettingsError(f"change {spec[:80]!r}: it begins with one of {', '.join(_MAKERS)}")
    if kind == DECIDED:
        return of_decisions(workspace, reviews)
    return maker(workspace, rest)


def of_decisions(workspace: WorkspaceReader, reviews: Reviews | None = None) -> Proposal:
    """What applying the fix list as it stands would do. Raises `SettingsError` when nothing is decided."""
    opened = reviews or read_reviews(workspace)
    try:
        found = fix_list(opened)
    finally:
        if reviews is None:
            opened.close()
    steps = [_step(fix) for fix in found.fixes if fix.action != "keep"]
    if not steps:
        raise SettingsError(f"nothing is decided that changes the data: {_kept(found)}; decide some examples first")
    return _proposal(opened.corpus, DECIDED, "The decisions so far", steps, notes=found.notes)


def of_fixes(workspace: WorkspaceReader, path: str) -> Proposal:
    """What applying a fix-list file would do. Raises `DataError` unless every row fits this workspace's training data."""
    fixes, corpus = read_fixes(path), Corpus(workspace)
    _check_fit(corpus, fixes, path)
    steps = [_step(fix) for fix in fixes if fix.action != "keep"]
    if not steps:
        raise SettingsError(f"{path!r} changes nothing: it has {len(fixes):,} rows, none of them removes, relabels or masks")
    return _proposal(corpus, f"file:{Path(path).name}", f"Fix list {Path(path).name}", steps)


def _of_cluster(workspace: WorkspaceReader, rest: str) -> Proposal:
    number, _, action = rest.partition(":")
    if not (number.isascii() and number.isdecimal()) or action not in ("remove", "relabel"):
        raise SettingsError(f"change 'cluster:{rest[:80]}': spell it cluster:NUMBER:remove or cluster:NUMBER:relabel")
    found, corpus = cluster(workspace, int(number)), Corpus(workspace)
    name = f"cluster {', '.join(found.words[:SHOWN]) or number}"
    spec = f"cluster:{int(number)}:{action}"
    if action == "remove":
        return _proposal(corpus, spec, f"Remove {name}", [Step(id, "remove") for id in found.train_ids])
    suggested = cluster_suggestions(workspace, int(number))
    steps = [Step(id, "relabel", label) for id, label in suggested.items() if label != corpus[id].label]
    if not steps:
        raise SettingsError(f"{name}: every member is suggested to keep its label; remove it instead")
    return _proposal(corpus, spec, f"Relabel {name} as suggested", steps)


def _of_rule(workspace: WorkspaceReader, rest: str) -> Proposal:
    try:
        rule = Rule(**json.loads(rest))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"change 'rule:{rest[:80]}': after rule: comes a JSON object of a rule's fields ({error})") from error
    corpus = Corpus(workspace)
    words = rule.phrases if rule.action == "mask" else ()
    if rule.action == "keep":
        raise SettingsError(f"the rule {rule} changes nothing: it keeps what it matches")
    steps = [Step(example.id, rule.action, rule.new_label, words) for example in changed_by(corpus, rule)]
    return _proposal(corpus, spec_of_rule(rule), f"Rule: {rule}", steps)


def spec_of_rule(rule: Rule) -> str:
    """How a rule is spelled."""
    fields = {name: value for name in Rule.__dataclass_fields__ if (value := getattr(rule, name)) is not None}
    return f"rule:{json.dumps(fields, ensure_ascii=False, separators=(',', ':'))}"


def _of_opponents(workspace: WorkspaceReader, rest: str) -> Proposal:
    test_id, k = _id_and_count("opponents", rest)
    steps = [Step(str(one.train.id), "remove") for one in _opponents(workspace, test_id, k)]
    title = f"Remove the {len(steps):,} strongest opponents of {test_id}"
    return _proposal(Corpus(workspace), f"opponents:{test_id}:{k}", title, steps, test_ids=(test_id,))


def _of_words(workspace: WorkspaceReader, rest: str) -> Proposal:
    test_id, k = _id_and_count("words", rest)
    corpus, found = Corpus(workspace), _opponents(workspace, test_id, k)
    steps = [step for one in found if (step := masking_step(corpus, one)) is not None]
    lacking = len(found) - len(steps)
    notes = (
        [f"{lacking:,} opponents stay whole: no word of theirs pulls against the label, or nothing else would be left"]
        if lacking
        else []
    )
    title = f"Mask the most negative word of the {len(found):,} strongest opponents of {test_id}"
    return _proposal(corpus, f"words:{test_id}:{k}", title, steps, notes=notes, test_ids=(test_id,))


def masking_step(corpus: Corpus, opponent: Influence) -> Step | None:
    """Mask the word of an opponent that carries most of its negative score; None where that cannot be done."""
    sentence = opponent.train
    ranked = sorted((score, word) for word, score in opponent.train_words().items() if sentence.words[word].side >= 0)
    if not ranked or ranked[0][0] >= 0:
        return None
    word = " ".join(sentence.words[ranked[0][1]].text.split())
    return Step(str(sentence.id), "mask", None, (word,)) if can_mask(corpus[str(sentence.id)], (word,)) else None


def _opponents(workspace: WorkspaceReader, test_id: str, k: int) -> list[Influence]:
    found = explain(workspace, test_id=test_id, top=k).opponents
    if not found:
        raise SettingsError(f"test sentence {test_id!r} has no opponents: nothing in the training data pulls against its label")
    return found


def _id_and_count(kind: str, rest: str) -> tuple[str, int]:
    test_id, _, count = rest.rpartition(":")
    if not test_id or not (count.isascii() and count.isdecimal()) or not 0 < int(count) < 10**6:
        raise SettingsError(f"change '{kind}:{rest[:80]}': spell it {kind}:TEST_ID:K, such as {kind}:{test_id or 'ID'}:20")
    return test_id, int(count)


def _proposal(
    corpus: Corpus, spec: str, title: str, steps: Iterable[Step], *, notes: Iterable[str] = (), test_ids: tuple[str, ...] = ()
) -> Proposal:
    """The steps as rows. Raises `SettingsError` where they change nothing, or take every example of a label."""
    rows = {id: row for row, id in enumerate(corpus.examples)}
    places = {label: index for index, label in enumerate(corpus.labels)}
    ordered = sorted(steps, key=lambda step: rows[step.example_id])
    before, after = corpus.class_counts(), corpus.class_counts()
    taken: dict[str, dict[str, int]] = {}
    for step in ordered:
        label = corpus[step.example_id].label
        counts = taken.setdefault(step.action, {})
        counts[label] = counts.get(label, 0) + 1
        if step.action != "mask":
            after[label] -= 1
        if step.new_label is not None:
            after[corpus.checked_label(step.new_label)] += 1
    if not ordered:
        raise SettingsError(f"{title}: it changes nothing")
    for label, count in before.items():
        if count and not after[label]:
            raise SettingsError(f"{title}: no example of {label!r} would be left, and a model cannot learn a label it never sees")
    return Proposal(
        spec=spec,
        title=title,
        change=Change(
            removed=tuple(rows[step.example_id] for step in ordered if step.action == "remove"),
            relabelled=tuple((rows[s.example_id], places[s.new_label]) for s in ordered if s.new_label is not None),
            masked=tuple((rows[step.example_id], step.words) for step in ordered if step.action == "mask"),
        ),
        before=before,
        after=after,
        labels=taken,
        notes=tuple(notes),
        test_ids=test_ids,
    )


def _step(fix: Fix) -> Step:
    return Step(fix.example_id, fix.action, fix.new_label, fix.words)


def _kept(found: FixList) -> str:
    kept = f"{found.counts['keep']:,} examples are kept as they are" if found.counts["keep"] else "no decision stands"
    return "; ".join([kept, *found.notes])


def _check_fit(corpus: Corpus, fixes: list[Fix], source: str) -> None:
    """Raise `DataError` naming the rows unless every fix is of an example as this workspace has it."""
    known = [fix for fix in fixes if fix.example_id in corpus.examples]
    complaints: tuple[tuple[str, list[Fix]], ...] = (
        ("has no example with the id of", [fix for fix in fixes if fix.example_id not in corpus.examples]),
        ("has another text for", [fix for fix in known if corpus[fix.example_id].text_sha256 != fix.text_sha256]),
        ("has another label for", [fix for fix in known if corpus[fix.example_id].label != fix.old_label]),
        ("never has the new label of", [fix for fix in known if fix.new_label not in (None, *corpus.labels)]),
        ("cannot mask the words of", [fix for fix in known if fix.words and not can_mask(corpus[fix.example_id], fix.words)]),
        ("is not changed by", [fix for fix in known if fix.action != "keep" and not _changes(corpus, fix)]),
    )
    for complaint, misfits in complaints:
        if misfits:
            shown = ", ".join(repr(fix.example_id) for fix in misfits[:SHOWN]) + (", …" if len(misfits) > SHOWN else "")
            raise DataError(
                f"{source!r} does not fit this workspace, which {complaint} {len(misfits):,} of {len(fixes):,} fixes: {shown}; "
                "nothing was trained (was the list made from other data, or before a rebuild?)"
            )


def _changes(corpus: Corpus, fix: Fix) -> bool:
    return changes(corpus[fix.example_id], fix.action, fix.new_label, fix.words)


def can_mask(example: TrainExample, words: tuple[str, ...]) -> bool:
    """Whether every word occurs in an example, and masking them leaves some of each of its texts."""
    texts = [text for text in (example.text, example.text_pair) if text is not None]
    found = all(any(find_to_mask(text, word) for text in texts) for word in words)
    return found and all(mask(text, words).strip() for text in texts)


_MAKERS: dict[str, Callable[[WorkspaceReader, str], Proposal]] = {
    DECIDED: lambda workspace, _: of_decisions(workspace),
    "cluster": _of_cluster,
    "rule": _of_rule,
    "opponents": _of_opponents,
    "words": _of_words,
}
__all__ = ["DECIDED", "Proposal", "Step", "can_mask", "masking_step", "of_decisions", "of_fixes", "propose", "spec_of_rule"]
