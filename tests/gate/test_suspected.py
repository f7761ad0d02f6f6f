"""Suspects of data and of workspaces, against loops that share no code with them; accuracy against stored predictions."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from tiny import request, rows

from influence.data import text_sha256
from influence.data.dataset import Columns
from influence.data.words import COUNTED_WORD
from influence.errors import DataError, SettingsError, WorkspaceMissing
from influence.fixes import Fix
from influence.gate import Subject, check_limits, read_limits
from influence.opinions.settings import OpinionSettings
from influence.opinions.words import said_by_words
from influence.reading import FormOptions, Table
from influence.review.events import Reviewer
from influence.review.reviews import open_reviews
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import suspects
from influence.workspace.build import build_workspace
from influence.workspace.workspace import read_workspace

LABELS = ("neg", "pos")


def one_by_one(texts: list[str], labels: np.ndarray) -> np.ndarray:
    """What words alone say of each text, shape (N, 2): everything fitted anew without the text and its copies."""
    tfidf = TfidfVectorizer(token_pattern=COUNTED_WORD, sublinear_tf=True, min_df=2).fit_transform(texts).toarray()
    bayes, near = np.zeros((len(texts), 2)), np.zeros((len(texts), 2))
    for at, text in enumerate(texts):
        others = np.array([other != text for other in texts])
        bayes[at] = MultinomialNB(alpha=0.1).fit(tfidf[others], labels[others]).predict_proba(tfidf[[at]])[0]
        similar = np.where(others, tfidf @ tfidf[at], -np.inf)
        nearest = np.argsort(-similar)[: min(50, others.sum())]
        rest = np.delete(labels, at)
        near[at] = [(labels[nearest] == label).sum() + (rest == label).mean() for label in (0, 1)]
        near[at] /= near[at].sum()
    parts, gains = [], []
    for said in (bayes, near):
        usual = np.array([said[labels == label, label].mean() for label in (0, 1)])
        evened = said / np.sqrt(usual)
        parts.append(evened / evened.sum(axis=1, keepdims=True))
        right = (parts[-1].argmax(axis=1) == labels).mean()
        gains.append(max(right - np.bincount(labels).max() / len(labels), 1e-3) ** 2)
    return sum(gain * part for gain, part in zip(gains, parts, strict=True)) / sum(gains)


@pytest.fixture(scope="module")
def noisy() -> tuple[list[str], np.ndarray, list[int]]:
    """Fifty short reviews, two of which stand twice, four labels turned."""
    made = rows(48, seed=5)
    texts = [text for _, text, _ in made] + [made[3][1], made[7][1]]
    labels = np.array([LABELS.index(label) for _, _, label in made] + [LABELS.index(made[at][2]) for at in (3, 7)])
    turned = [1, 12, 20, 33]
    labels[turned] = 1 - labels[turned]
    return texts, labels, turned


def table(texts: list[str], labels: list[str]) -> Table:
    return Table({"text": texts, "label": labels}, "train.csv", "0" * 64)


def test_words_alone_say_what_one_by_one_says(noisy):
    texts, labels, _ = noisy
    assert np.allclose(said_by_words(texts, labels, 2), one_by_one(texts, labels), atol=1e-5)


def test_suspects_of_data_are_counted_above_the_threshold_and_named_in_order(noisy):
    texts, labels, turned = noisy
    said = one_by_one(texts, labels)
    given, other = said[np.arange(len(texts)), labels], said[np.arange(len(texts)), 1 - labels]
    suspicion = (other + 0.05) / (other + given + 0.1)
    names = [LABELS[label] for label in labels]
    names[0] = f" {names[0].upper()}"  # the same label, written otherwise
    for threshold in (0.5, 0.7, 0.8):
        subject = Subject(train=table([*texts, ""], [*names, "pos"]), columns=Columns())
        [verdict] = check_limits(read_limits(["suspects=4"]), subject, suspicion=threshold)
        wanted = [at for at in np.argsort(-suspicion) if suspicion[at] > threshold]
        assert (verdict.measured.count, verdict.measured.of) == (len(wanted), 50)
        assert verdict.broken is (len(wanted) > 4)
        shown = [f"{at + 1} ({LABELS[labels[at]]} → {LABELS[1 - labels[at]]})" for at in wanted[:5] if at]
        assert [one for one in verdict.measured.first if not one.startswith("1 (")] == shown
    assert set(np.argsort(-suspicion)[:4].tolist()) == set(turned)  # or the numbers above would be about nothing


def test_what_a_fix_list_has_decided_no_longer_counts(noisy):
    texts, labels, turned = noisy
    names = [LABELS[label] for label in labels]
    right = {at: LABELS[1 - labels[at]] for at in turned}
    mended = [right.get(at, name) if at == turned[1] else name for at, name in enumerate(names)]

    def fix(at: int, action: str) -> Fix:
        about = {"example_id": str(at), "action": action, "old_label": names[at], "text": texts[at]}
        new = right[at] if action == "relabel" else None
        rest = {"words": (), "reason": "", "reviewer": "Ada", "decided_at": "2026-01-01T00:00:00+00:00", "method": None}
        return Fix(**about, **rest, new_label=new, score=None, text_sha256=text_sha256(texts[at]))

    def first(given: list[str], fixes: list[Fix]) -> set[int]:
        subject = Subject(train=table(texts, given), columns=Columns(), fixes=fixes)
        [verdict] = check_limits(read_limits(["suspects"]), subject, suspicion=0.6)
        assert len(verdict.measured.first) == min(verdict.measured.count, 5)
        found = re.search(r"\((\d+) decided ones left out\)", verdict.sentence)
        assert (int(found[1]) if found else 0) == settled[len(fixes)]
        return {int(one.split()[0]) - 1 for one in verdict.measured.first}

    settled = {0: 0, 4: 2}
    fixes = [fix(turned[0], "keep"), fix(turned[1], "relabel"), fix(turned[2], "remove"), fix(turned[3], "relabel")]
    assert set(turned) - {turned[1]} <= first(mended, [])
    # Kept: settled. Relabelled, and mended by now: settled. To be removed, or relabelled, and not yet done: still suspected.
    assert first(mended, fixes) & set(turned) == {turned[2], turned[3]}


@pytest.mark.parametrize(
    ("texts", "labels", "said"),
    [
        (["a b", "b c"], ["x", "X "], "suspects need two labels or more; it has 1"),
        (["", " "], ["x", "y"], "suspects need two labels or more; it has 0"),
        (["!", "?"], ["x", "y"], "suspects need texts with words; it has none"),
    ],
)
def test_data_without_anything_to_go_by(texts, labels, said):
    with pytest.raises(DataError, match=said):
        check_limits(read_limits(["suspects"]), Subject(train=table(texts, labels), columns=Columns()))


def test_one_text_of_each_label_is_no_error():
    [verdict] = check_limits(read_limits(["suspects"]), Subject(train=table(["one", "two"], ["x", "y"]), columns=Columns()))
    assert verdict.measured.of == 2


def test_suspects_of_a_workspace_are_those_that_nobody_has_decided(copied: Callable[[], Path]):
    path = copied()
    subject = Subject(workspace=str(path))
    with pytest.raises(WorkspaceMissing):
        check_limits(read_limits(["suspects"]), subject)
    write_suspects(path, OpinionSettings(encoder="none"))
    workspace = read_workspace(path)
    _, ranking = suspects(workspace, limit=1000)
    threshold = float(ranking["suspicion"].iloc[7])  # seven are above it, unless some are level
    above = ranking[ranking["suspicion"] > threshold]
    named = [f"{row.train_id} ({row.label} → {row.suggested_label})" for row in above.itertuples()]
    [verdict] = check_limits(read_limits(["suspects=1%"]), subject, suspicion=threshold)
    assert (verdict.measured.count, verdict.measured.of, verdict.broken) == (len(above), 80, True)
    assert verdict.measured.first == named[:5]
    reviews = open_reviews(workspace)
    reviews.decide(Reviewer(name="Ada"), above["train_id"].iloc[0], "keep")
    reviews.decide(Reviewer(name="Ada"), above["train_id"].iloc[2], "remove")
    reviews.decide(Reviewer(name="Ada"), ranking["train_id"].iloc[-1], "keep")  # not among them
    reviews.close()
    [verdict] = check_limits(read_limits(["suspects"]), subject, suspicion=threshold)
    assert verdict.measured.count == len(above) - 2
    assert verdict.measured.first == [named[at] for at in (1, 3, 4, 5, 6) if at < len(named)]
    assert "(3 decided ones left out)" in verdict.sentence


def test_suspects_of_a_workspace_of_other_data_are_refused(copied: Callable[[], Path], data: dict[str, str]):
    from influence.sources import open_table

    path = copied()
    write_suspects(path, OpinionSettings(encoder="none"))
    for file, fits in ((data["train"], True), (data["test"], False)):
        subject = Subject(train=open_table(file, split="train", options=FormOptions()), columns=Columns(), workspace=str(path))
        if fits:
            assert check_limits(read_limits(["suspects"]), subject)[0].measured.unit == "training examples"
        else:
            with pytest.raises(SettingsError, match=r"was not built from --train .*; build it again, or leave one of the two"):
                check_limits(read_limits(["suspects"]), subject)


def test_a_drop_in_accuracy_is_counted_on_the_shared_test_texts(workspace: Path, data: dict[str, str], tmp_path: Path):
    from tiny import write_csv

    tests = rows(16, seed=2, prefix="te")
    turned = [(id, text, "neg" if label == "pos" else "pos") for id, text, label in tests[:5]]
    other = tmp_path / "other"
    changed = write_csv(tmp_path / "test.csv", [*turned, *tests[5:12], ("new", "a text of its own", "pos")])
    build_workspace(other, request({**data, "test": changed}))

    def right(path: Path) -> dict[str, bool]:
        opened = read_workspace(path)
        names = np.array(opened.info.labels)[opened.probabilities("test").argmax(axis=1)]
        frame = opened.store.frame("select text, label from examples where split = 'test' order by position")
        return dict(zip(frame["text"], frame["label"] == names, strict=True))

    one, two = right(workspace), right(other)
    shared = one.keys() & two.keys()
    assert len(shared) == 12
    for new, old, first, second in ((other, workspace, one, two), (workspace, other, two, one)):
        fewer = sum(first[text] for text in shared) - sum(second[text] for text in shared)
        subject = Subject(workspace=str(new), baseline=str(old))
        [verdict] = check_limits(read_limits(["accuracy-drop=10%"]), subject)
        assert (verdict.measured.count, verdict.measured.of) == (max(fewer, 0), 12)
        assert verdict.broken is (10 * fewer > 12)
        assert "5 of them under another label" in verdict.sentence
    assert sum(one[text] for text in shared) != sum(two[text] for text in shared)


def test_workspaces_without_a_common_test_text(workspace: Path, data: dict[str, str], tmp_path: Path):
    from tiny import write_csv

    other = tmp_path / "other"
    build_workspace(other, request({**data, "test": write_csv(tmp_path / "test.csv", rows(12, seed=99, prefix="x"))}))
    with pytest.raises(SettingsError, match="have no test text in common"):
        check_limits(read_limits(["accuracy-drop"]), Subject(workspace=str(workspace), baseline=str(other)))
