"""Changes to the training data that can be tried out before anybody makes them.

    proposed = propose(workspace, "opponents:rt-0005:20")

A proposal comes from the decisions so far (`decided`: what `apply` would do), a cluster (`cluster:12:remove`, or
`:relabel` to what is suggested for each member), a rule (`rule:{"by": "words", ...}`), the strongest opponents of one
test sentence (`opponents:ID:20` removes them, `words:ID:20` masks the most negative word of each), a method's ranking for one
(`top:ID:bm25` removes its strongest 1 %, for QLD), or a fix-list file.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from influence.attribution import METHODS, check_method
from influence.clusters import cluster, cluster_suggestions
from influence.data import TWO_WAYS, Edit
from influence.errors import DataError, SettingsError
from influence.experiments.deletion import qld_k
from influence.experiments.settings import RANDOM
from influence.experiments.trials import Ranking
from influence.explanations import Influence, Sentence, explain, positions_of, word_totals
from influence.fixes import Fix, FixList, fix_list, read_fixes
from influence.retraining import Change, seeds_of
from influence.review import Corpus, Reviews, read_reviews
from influence.rules import Rule, changed_by
from influence.workspace import WorkspaceReader

DECIDED = "decided"
LONGEST_SPEC = 2_000
DEFAULT_STRONGEST = 20  # opponents, where nobody says how many
SHOWN = 5


@dataclass(frozen=True)
class Proposal:
    """One change to the training set, not yet made."""

    spec: str  # spells it in an address and on the command line
    title: str
    change: Change
    before: dict[str, int]  # class counts
    after: dict[str, int]
    labels: dict[str, dict[str, int]]  # for each kind of edit, how many examples of each label it takes
    notes: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = field(default=())  # the test sentences that it is about
    ranking: Ranking | None = None  # what it puts to the test; where that is drawn, `change` is the first seed's

    @property
    def models(self) -> int:
        """How many models it takes with each seed: without it, with it, and with as many random examples removed for QLD."""
        return 2 if self.ranking is None or self.ranking.method == RANDOM else 3  # random removals are their own control

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
    edits = _edits(found.fixes)
    if not edits:
        raise SettingsError(f"nothing is decided that changes the data: {_kept(found)}; decide some examples first")
    return _proposal(opened.corpus, DECIDED, "The decisions so far", edits, notes=found.notes)


def of_fixes(workspace: WorkspaceReader, path: str) -> Proposal:
    """What applying a fix-list file would do. Raises `DataError` unless every row fits this workspace's training data."""
    fixes, corpus = read_fixes(path), Corpus(workspace)
    _check_fit(corpus, fixes, path)
    edits = _edits(fixes)
    if not edits:
        raise SettingsError(f"{path!r} changes nothing: it has {len(fixes):,} rows, none of them removes, relabels or masks")
    return _proposal(corpus, f"file:{Path(path).name}", f"Fix list {Path(path).name}", edits)


def _of_cluster(workspace: WorkspaceReader, rest: str) -> Proposal:
    number, _, action = rest.partition(":")
    if not (number.isascii() and number.isdecimal()) or action not in ("remove", "relabel"):
        raise SettingsError(f"change 'cluster:{rest[:80]}': spell it cluster:NUMBER:remove or cluster:NUMBER:relabel")
    found, corpus = cluster(workspace, int(number)), Corpus(workspace)
    name = f"cluster {', '.join(found.words[:SHOWN]) or number}"
    spec = f"cluster:{int(number)}:{action}"
    if action == "remove":
        return _proposal(corpus, spec, f"Remove {name}", dict.fromkeys(found.train_ids, Edit("remove")))
    suggested = cluster_suggestions(workspace, int(number))
    edits = {id: Edit("relabel", label) for id, label in suggested.items() if label != corpus[id].label}
    if not edits:
        raise SettingsError(f"{name}: every member is suggested to keep its label; remove it instead")
    return _proposal(corpus, spec, f"Relabel {name} as suggested", edits)


def _of_rule(workspace: WorkspaceReader, rest: str) -> Proposal:
    try:
        rule = Rule(**json.loads(rest))
    except (ValueError, TypeError) as error:
        raise SettingsError(f"change 'rule:{rest[:80]}': after rule: comes a JSON object of a rule's fields ({error})") from error
    corpus = Corpus(workspace)
    if not rule.edit.does.changes_data:
        raise SettingsError(f"the rule {rule} changes nothing: it {rule.action}s what it matches")
    edits = {example.id: rule.edit for example in changed_by(corpus, rule)}
    return _proposal(corpus, spec_of_rule(rule), f"Rule: {rule}", edits)


def spec_of_rule(rule: Rule) -> str:
    """How a rule is spelled."""
    fields = {name: value for name in Rule.__dataclass_fields__ if (value := getattr(rule, name)) is not None}
    return f"rule:{json.dumps(fields, ensure_ascii=False, separators=(',', ':'))}"


def _of_opponents(workspace: WorkspaceReader, rest: str) -> Proposal:
    test_id, k = _id_and_count("opponents", rest)
    edits = {str(one.train.id): Edit("remove") for one in _opponents(workspace, test_id, k)}
    title = f"Remove the {len(edits):,} strongest opponents of {test_id}"
    return _proposal(Corpus(workspace), f"opponents:{test_id}:{k}", title, edits, test_ids=(test_id,))


def _of_words(workspace: WorkspaceReader, rest: str) -> Proposal:
    test_id, k = _id_and_count("words", rest)
    corpus, found = Corpus(workspace), _opponents(workspace, test_id, k)
    edits = {str(one.train.id): edit for one in found if (edit := masking(corpus, one.train, one.train_words())) is not None}
    lacking = len(found) - len(edits)
    notes = (
        [f"{lacking:,} opponents stay whole: no word of theirs pulls against the label, or nothing else would be left"]
        if lacking
        else []
    )
    title = f"Mask the most negative word of the {len(found):,} strongest opponents of {test_id}"
    return _proposal(corpus, f"words:{test_id}:{k}", title, edits, notes=notes, test_ids=(test_id,))


def _of_top(workspace: WorkspaceReader, rest: str) -> Proposal:
    test_id, _, method = rest.rpartition(":")
    if not test_id:
        raise SettingsError(f"change 'top:{rest[:80]}': spell it top:TEST_ID:METHOD, such as top:{method or 'ID'}:bm25")
    check_method(method)
    ranking = Ranking(method, positions_of(workspace, "test", [test_id])[test_id])
    [change] = ranking.strongest(workspace, seeds_of(workspace, 1))
    about, most, removed = METHODS[method], qld_k(workspace.info.n_train), len(change.removed)
    if not removed:
        raise SettingsError(f"{about.title} names no proponents of test sentence {test_id!r}: there is nothing to remove")
    notes = [f"{removed:,} and not {most:,} examples, 1%: no more have a score above 0"] if removed < most else []
    if about.drawn:
        notes.append("Drawn anew for each seed: the counts by label are those of the first")
    if method == RANDOM:
        notes.append("This is the control itself, so its QLD is 0; how far its rise is from 0 shows what chance does")
    corpus = Corpus(workspace)
    ids = list(corpus.examples)
    edits = {ids[row]: Edit("remove") for row in change.removed}
    title = f"Remove the top 1% for {test_id} by {about.title}"
    made = _proposal(corpus, f"top:{test_id}:{method}", title, edits, notes=notes, test_ids=(test_id,))
    return replace(made, ranking=ranking)


def masking(corpus: Corpus, sentence: Sentence, scores: Mapping[int, float]) -> Edit | None:
    """Mask the word of a training example that scores lowest; None where none is below 0, or it cannot be done.

    `scores` are by word index; a word's part is that of all its occurrences together (eq. 4), as all of them are masked.
    """
    totals = word_totals(sentence, scores)
    score, word = min(((score, word) for word, score in totals.items()), default=(0.0, ""))
    edit = Edit("mask", words=(word,))
    return edit if score < 0 and edit.fits(corpus[str(sentence.id)]) else None


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
    corpus: Corpus,
    spec: str,
    title: str,
    edits: Mapping[str, Edit],
    *,
    notes: Iterable[str] = (),
    test_ids: tuple[str, ...] = (),
) -> Proposal:
    """The edits, by example, as rows. Raises `SettingsError` where they change nothing, or take every example of a label."""
    ordered = [(row, example, edits[id]) for row, (id, example) in enumerate(corpus.examples.items()) if id in edits]
    taken: dict[str, dict[str, int]] = {}
    for _, example, edit in ordered:
        counts = taken.setdefault(edit.kind, {})
        counts[example.label] = counts.get(example.label, 0) + 1
        corpus.checked_label(edit.new_label or example.label)
    if not edits:
        raise SettingsError(f"{title}: it changes nothing")
    before, after = corpus.balance(edits)
    for label, count in before.items():
        if count and not after[label]:
            raise SettingsError(f"{title}: no example of {label!r} would be left, and a model cannot learn a label it never sees")
    change = Change.of({row: edit for row, _, edit in ordered}, corpus.labels)
    told = (*notes, *([TWO_WAYS] if change.masked else []))
    return Proposal(spec, title, change, before, after, taken, told, test_ids)


def _edits(fixes: Iterable[Fix]) -> dict[str, Edit]:
    """Those that change the data, by example."""
    return {fix.example_id: fix.edit for fix in fixes if fix.edit.does.changes_data}


def _kept(found: FixList) -> str:
    kept = f"{found.counts['keep']:,} examples are kept as they are" if found.counts["keep"] else "no decision stands"
    return "; ".join([kept, *found.notes])


def _check_fit(corpus: Corpus, fixes: list[Fix], source: str) -> None:
    """Raise `DataError` naming the rows unless every fix is of an example as this workspace has it."""
    known = [fix for fix in fixes if fix.example_id in corpus.examples]
    misfits = [fix for fix in known if not fix.edit.fits(corpus[fix.example_id])]
    complaints: tuple[tuple[str, list[Fix]], ...] = (
        ("has no example with the id of", [fix for fix in fixes if fix.example_id not in corpus.examples]),
        ("has another text for", [fix for fix in known if corpus[fix.example_id].text_sha256 != fix.text_sha256]),
        ("has another label for", [fix for fix in known if corpus[fix.example_id].label != fix.old_label]),
        ("never has the new label of", [fix for fix in known if fix.new_label not in (None, *corpus.labels)]),
        ("cannot mask the words of", [fix for fix in misfits if fix.words]),
        ("is not changed by", [fix for fix in misfits if not fix.words]),
    )
    for complaint, some in complaints:
        if some:
            shown = ", ".join(repr(fix.example_id) for fix in some[:SHOWN]) + (", …" if len(some) > SHOWN else "")
            raise DataError(
                f"{source!r} does not fit this workspace, which {complaint} {len(some):,} of {len(fixes):,} fixes: {shown}; "
                "nothing was trained (was the list made from other data, or before a rebuild?)"
            )


_MAKERS: dict[str, Callable[[WorkspaceReader, str], Proposal]] = {
    DECIDED: lambda workspace, _: of_decisions(workspace),
    "cluster": _of_cluster,
    "rule": _of_rule,
    "opponents": _of_opponents,
    "words": _of_words,
    "top": _of_top,
}
