"""An edit: what becomes of one training example. The noun of decisions, rules, fix lists, proposals and retrainings.

    Edit("relabel", "pos").checked(example, labels)
    after = balance(before, [("neg", Edit("remove"))])

A kind that is added to `EDIT_KINDS` can be decided, made a rule, counted and listed. If it changes the data in a way of its
own, `fixes.apply` says what it does to a file and `retraining.Change` what it does to a training set.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from influence.data.masking import find_to_mask, mask
from influence.errors import DataError, QueryError, SettingsError


@dataclass(frozen=True, kw_only=True)
class EditKind:
    """What a kind of edit takes and does."""

    relabels: bool = False  # takes a new label, which the example gets
    masks: bool = False  # takes words, which its text loses
    drops: bool = False  # the example leaves the data
    listed: bool = True  # it stands in fix lists

    @property
    def moves_labels(self) -> bool:
        """Whether class counts change."""
        return self.relabels or self.drops

    @property
    def changes_data(self) -> bool:
        """Whether the example changes in any way."""
        return self.moves_labels or self.masks


EDIT_KINDS: dict[str, EditKind] = {
    "keep": EditKind(),
    "relabel": EditKind(relabels=True),
    "remove": EditKind(drops=True),
    "mask": EditKind(masks=True),
}
_NO_EDIT = EditKind(listed=False)  # what review's flag and skip come to


def listed_kinds() -> list[str]:
    """The kinds that stand in fix lists, those that change the data first."""
    return sorted((name for name, kind in EDIT_KINDS.items() if kind.listed), key=lambda name: not EDIT_KINDS[name].changes_data)


class _Example(Protocol):
    """A training example; both texts of a pair are masked alike."""

    @property
    def id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def text_pair(self) -> str | None: ...
    @property
    def label(self) -> str: ...


@dataclass(frozen=True)
class Edit:
    """What becomes of an example; which one it is of is said by what holds it. A kind outside `EDIT_KINDS` edits nothing."""

    kind: str
    new_label: str | None = None
    words: tuple[str, ...] = ()

    @property
    def does(self) -> EditKind:
        """What its kind takes and does."""
        return EDIT_KINDS.get(self.kind, _NO_EDIT)

    @property
    def outcome(self) -> tuple[str, str | None, tuple[str, ...]]:
        """What the example would become; edits come to the same when these are equal."""
        return self.kind, self.new_label, tuple(sorted({word.casefold() for word in self.words}))

    @property
    def misuse(self) -> tuple[str, str] | None:
        """What it was given or lacks, and the rule that this breaks; None for a label and words as its kind takes them."""
        if self.does.relabels != (self.new_label is not None):
            takers = " or ".join(name for name, kind in EDIT_KINDS.items() if kind.relabels)
            return f"new_label {self.new_label!r}", f"a new label goes with {takers} and with nothing else"
        if self.does.masks != bool(self.words):
            takers = " or ".join(name for name, kind in EDIT_KINDS.items() if kind.masks)
            return f"words {list(self.words)}", f"words go with {takers} and with nothing else"
        return None

    def checked(self, example: _Example, labels: Collection[str]) -> "Edit":
        """The edit as it is kept: every word once, with single spaces.

        Raises `SettingsError` for one that makes no sense for the example, and `QueryError` for a label not among `labels`.
        """
        if self.misuse is not None:
            raise SettingsError(f"{self.kind} {example.id!r}: {self.misuse[1]}")
        if self.new_label is not None and known_label(self.new_label, labels) == example.label:
            raise SettingsError(f"{self.kind} {example.id!r}: it is labelled {self.new_label!r} already; keep it instead")
        words = tuple(dict.fromkeys(" ".join(word.split()) for word in self.words))
        texts = texts_of(example)
        for word in words:
            if not _occurs(texts, word):
                raise SettingsError(f"{self.kind} {example.id!r}: {word!r} does not occur in it as a word")
        if not _leaves_text(texts, words):
            raise SettingsError(f"{self.kind} {example.id!r}: no text would be left; remove it instead")
        return replace(self, words=words)

    def fits(self, example: _Example) -> bool:
        """Whether it says anything of an example: not that of a label it has already, nor of words that it cannot lose."""
        if self.does.relabels:
            return example.label != self.new_label
        texts = texts_of(example)
        return not self.does.masks or (all(_occurs(texts, word) for word in self.words) and _leaves_text(texts, self.words))


def known_label(label: str, labels: Collection[str]) -> str:
    """The label. Raises `QueryError` for one that is not among `labels`."""
    if label not in labels:
        raise QueryError(f"unknown label {label!r}; the labels are {', '.join(map(repr, labels))}")
    return label


def balance(before: Mapping[str, int], edits: Iterable[tuple[str, Edit]]) -> dict[str, int]:
    """Class counts after edits, from those before and, for each edit, the label that its example has."""
    after = dict(before)
    for label, edit in edits:
        if edit.does.moves_labels:
            after[label] -= 1
        if edit.new_label is not None:
            after[edit.new_label] = after.get(edit.new_label, 0) + 1
    return after


def masked(id: str, texts: Sequence[str], words: Sequence[str], token: str = "") -> list[str]:
    """The texts of example `id` with the words masked, as `mask` does it.

    Raises `DataError` for a word that none of them has, and where one of them would be left without text.
    """
    for word in words:
        if not _occurs(texts, word):
            raise DataError(f"cannot mask {word!r} in example {id!r}: it does not occur there")
    left = [mask(text, words, token) for text in texts]
    if not all(text.strip() for text in left):
        raise DataError(f"masking leaves no text of example {id!r}: remove it instead")
    return left


def texts_of(example: _Example) -> list[str]:
    """The text of an example, or both of a pair."""
    return [example.text] if example.text_pair is None else [example.text, example.text_pair]


def _occurs(texts: Sequence[str], word: str) -> bool:
    return any(find_to_mask(text, word) for text in texts)


def _leaves_text(texts: Sequence[str], words: Sequence[str]) -> bool:
    return not words or all(mask(text, words).strip() for text in texts)
