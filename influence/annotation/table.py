"""A tool's file as a table with a row a text, whatever it has: nested tasks, a row an annotation, questions answered by many."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from influence.annotation.votes import Vote, settled
from influence.errors import DataError
from influence.reading import NewCells, Table

SUGGESTION = ".suggestion"  # what a question's column of suggestions is called after it
Votes = list[list[Vote]]  # of every text


@dataclass
class Found:
    """What a shape's reader makes of a file's rows."""

    places: list[list[int]] = field(default_factory=list)  # of every text its rows in the file
    columns: dict[str, list[Any]] = field(default_factory=dict)  # but for the questions; an entry a text
    votes: dict[str, Votes] = field(default_factory=dict)  # by question
    suggestions: dict[str, Votes] = field(default_factory=dict)
    spans: dict[str, None] = field(default_factory=dict)  # questions about parts of a text
    id: str | None = None  # the column of ids

    def add(self, places: list[int]) -> None:
        """One more text, of these rows of the file."""
        self.places.append(places)
        for values in self.columns.values():
            values.append(None)
        for said in (self.votes, self.suggestions):
            for votes in said.values():
                votes.append([])

    def put(self, name: str, value: Any) -> None:
        """A cell of the text that was added last."""
        if name not in self.columns:
            self.columns[name] = [None] * len(self.places)
        self.columns[name][-1] = value

    def copy(self, raw: Table, *, without: Container[str | None]) -> None:
        """The cells of its first row, but for some columns; what `meta` holds under names of its own, where it is left out."""
        row = self.places[-1][0]
        for name, values in raw.columns.items():
            if name not in without:
                self.put(name, values[row])
        meta = cell(raw, "meta", row) if "meta" in without else None
        for name, value in meta.items() if isinstance(meta, dict) else ():
            self.put(f"meta.{name}" if name in raw.columns else str(name), value)

    def vote(self, question: str, vote: Vote) -> None:
        """What an annotator said of the text that was added last."""
        self._say(self.votes, question, vote)

    def suggest(self, question: str, vote: Vote) -> None:
        """What a model said of it."""
        self._say(self.suggestions, question, vote)

    def _say(self, said: dict[str, Votes], question: str, vote: Vote) -> None:
        if question not in said:
            said[question] = [[] for _ in self.places]
        said[question][-1].append(vote)


def reworded(_: Table, rows: Sequence[int], texts: Mapping[str, str]) -> NewCells:
    """New texts where they stand in columns of their own."""
    return {row: dict(texts) for row in rows}


class Shape(NamedTuple):
    """A form in which a tool writes its annotations. `rows` are those of one text in the file."""

    tool: str
    fits: Callable[[Table], bool]
    unfold: Callable[[Table], Found]
    relabelled: Callable[[Table, Sequence[int], str, Any], NewCells]  # rows, question, the new label
    reworded: Callable[[Table, Sequence[int], Mapping[str, str]], NewCells] = reworded  # rows, new texts by column


@dataclass(frozen=True)
class AnnotatedTable(Table):
    """A row a text; the column of a question holds what its annotators come to, see `settled`."""

    raw: Table = field(kw_only=True, repr=False)  # the file's own rows and columns
    shape: Shape = field(kw_only=True, repr=False)
    places: Sequence[Sequence[int]] = field(kw_only=True, repr=False)  # of every text its rows in `raw`
    roles: Mapping[str, str] = field(kw_only=True)  # the columns of `id`, and of `label` where there is one question
    votes: Mapping[str, Votes] = field(kw_only=True, repr=False)  # by column
    suggestions: Mapping[str, Votes] = field(kw_only=True, repr=False)
    numbers: Sequence[int | str] = field(default=(), kw_only=True, repr=False)  # of every text, where it is of several files

    def number(self, row: int) -> int | str:
        """See `Table`; the first of its rows in the file."""
        return self.numbers[row] if self.numbers else self.raw.number(self.places[row][0])

    @property
    def annotators(self) -> list[str]:
        """Who gave labels."""
        return names_in(self.votes)

    def voices(self, column: str) -> list[list[tuple[str, str, str]]]:
        """Of every text whoever has something to say of its label besides what stands in the column: name, label and time.

        Annotators, where they are several, and the models that suggested something; in a column of suggestions the models.
        """
        said = self.votes.get(column, self.suggestions.get(column))
        if said is None:
            return [[] for _ in range(len(self))]
        several = len({vote.annotator for one in said for vote in one}) > 1
        suggested = self.suggestions.get(column + SUGGESTION) or [[]] * len(self)
        return [
            [(vote.annotator, label, vote.at) for vote in votes if vote.annotator and (label := vote.label) is not None]
            for votes in ([*(one if several else []), *more] for one, more in zip(said, suggested, strict=True))
        ]


def annotated(raw: Table, shape: Shape) -> AnnotatedTable:
    """The file's rows as texts. Raises `DataError` where only parts of texts are annotated."""
    found = shape.unfold(raw)
    answered = {question: votes for question, votes in found.votes.items() if any(votes)}
    suggested = any(any(said) for said in found.suggestions.values())  # of labels, which nobody has answered yet
    if found.spans and not answered and not suggested:
        raise DataError(
            f"{raw.source!r} is of {shape.tool}, where {next(iter(found.spans))!r} marks parts of texts (as for named entities): "
            "Wordtrace reads labels of whole texts; export a project that classifies them"
        )
    columns, votes, suggestions = dict(found.columns), dict[str, Votes](), dict[str, Votes]()
    for question, said in answered.items():
        if question in columns:  # data that had a label of that name before it was annotated
            columns[_free(f"data.{question}", columns)] = columns.pop(question)
        columns[question], votes[question] = [settled(one) for one in said], said
    for question, said in found.suggestions.items():
        if any(said):
            name = _free(f"{question}{SUGGESTION}", columns)
            columns[name], suggestions[name] = [settled(one) for one in said], said
    roles = {} if found.id is None else {"id": found.id}
    roles |= {"label": next(iter(answered))} if len(answered) == 1 else {}
    placed = {row: place for place, rows in enumerate(found.places) for row in rows}
    return AnnotatedTable(
        columns,
        raw.source,
        raw.sha256,
        replace(raw.form, tool=shape.tool, annotators=len(names_in(votes))),
        {placed[row]: why for row, why in raw.broken.items()},
        len(found.places),
        raw=raw,
        shape=shape,
        places=found.places,
        roles=roles,
        votes=votes,
        suggestions=suggestions,
    )


def names_in(said: Mapping[str, Votes]) -> list[str]:
    """Who is named in votes."""
    names = dict.fromkeys(vote.annotator for votes in said.values() for one in votes for vote in one)
    return [name for name in names if name]


def _free(name: str, columns: Mapping[str, Any]) -> str:
    while name in columns:
        name += "_"
    return name


def cell(raw: Table, column: str, row: int) -> Any:
    """What the file says there; None where it has no such column."""
    return raw.columns[column][row] if column in raw.columns else None


def first_values(raw: Table, column: str, count: int = 100) -> list[Any]:
    """The first values that a column has; [] without the column."""
    return [value for value in raw.columns.get(column, [])[:count] if value is not None]


def objects(found: Any) -> list[dict[str, Any]]:
    """The objects of a list; none of what is no list."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
