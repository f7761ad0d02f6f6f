"""Rules: what they match, by three roads that must agree; what they refuse; and that one command takes one back."""

import resource
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from reviewing import ROWS, make_workspace, reviews_at

from influence.data.edits import Edit
from influence.data.masking import find, mask
from influence.errors import QueryError, SettingsError
from influence.fixes.fixlist import fix_list
from influence.review.bulk import decide_bulk
from influence.review.corpus import TrainExample
from influence.review.events import Reviewer
from influence.review.reviews import Reviews
from influence.rules.matching import AT_ONCE, JUDGE, Judge
from influence.rules.rule import Preview, Rule, applied_rules, apply_rule, preview, rule_of

ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
SERIES = Rule(by="words", pattern="championship series", action="relabel", new_label="Sport", only_label="World")


@pytest.fixture
def reviews(tmp_path: Path):
    opened = reviews_at(make_workspace(tmp_path / "ws"))
    yield opened
    opened.close()


def matches(reviews: Reviews, **options) -> tuple[str, ...]:
    return preview(reviews, ANN, Rule(**{"action": "remove", **options})).example_ids


def test_the_papers_fixing_function(reviews: Reviews) -> None:
    """Examples labelled World that contain "championship series" are Sport."""
    found = preview(reviews, ANN, SERIES, samples=1)
    assert found == Preview(
        rule=SERIES,
        example_ids=("e0", "e1"),
        unchanged=0,
        decided=(),
        labels={"World": 2},
        before={"Business": 3, "Sport": 2, "World": 3},
        after={"Business": 3, "Sport": 4, "World": 1},
        samples=(TrainExample("e0", ROWS[0][1], None, "World", reviews.corpus["e0"].text_sha256, "Business", 0.75),),
    )
    assert len(reviews.audit()) == 0
    action = apply_rule(reviews, ANN, SERIES, note="baseball")
    assert (action.example_ids, action.new_label, action.note) == (("e0", "e1"), "Sport", "baseball")
    assert [(d.example_id, d.verdict, d.method) for d in reviews.decisions()] == [
        ("e0", "relabel: Sport", "rule: words"),
        ("e1", "relabel: Sport", "rule: words"),
    ]
    assert rule_of(reviews.decisions()[0].origin) == SERIES
    [applied] = applied_rules(reviews)
    assert (applied.rule, applied.action) == (SERIES, action)
    reviews.revoke(BOB, action.id)
    assert reviews.decisions() == []
    assert [rule.action.undone for rule in applied_rules(reviews)] == [True]
    reviews.redo(BOB)
    assert len(reviews.decisions()) == 2


UNKNOWN_RULES = {
    "a kind of edit that is not installed": {**asdict(SERIES), "action": "translate"},
    "an option of a later version": {**asdict(SERIES), "fuzzy": True},
    "no pattern": {"by": "words", "action": "remove"},
    "a pattern that is none": {**asdict(SERIES), "pattern": True},
    "a list": ["words"],
    "a pattern of many": {**asdict(SERIES), "pattern": ["a"]},
    "nothing": None,
}


@pytest.mark.parametrize("told", UNKNOWN_RULES.values(), ids=UNKNOWN_RULES)
def test_a_rule_in_the_log_that_this_version_does_not_know_is_said_and_can_be_revoked(reviews: Reviews, told: object) -> None:
    action = decide_bulk(reviews, ANN, {"e0": Edit("remove"), "e1": Edit("remove")}, origin={"rule": told})
    assert action is not None
    [applied] = applied_rules(reviews)
    assert (str(applied), applied.rule, applied.action) == ("a rule that this version does not know", None, action)
    assert [fix.reason for fix in fix_list(reviews).fixes] == ["rule: a rule that this version does not know"] * 2
    reviews.revoke(ANN, applied.action.id)
    assert reviews.decisions() == []


def test_a_rule_leaves_alone_what_its_reviewer_has_decided(reviews: Reviews) -> None:
    reviews.decide(ANN, "e0", "keep")
    reviews.decide(ANN, "e4", "relabel", new_label="World")
    reviews.decide(BOB, "e1", "remove")
    rule = Rule(by="words", pattern="championship series", action="relabel", new_label="World")
    found = preview(reviews, ANN, rule)
    assert (found.example_ids, found.unchanged, found.decided) == ((), 3, ())
    with pytest.raises(SettingsError, match="the rule changes nothing: every match is decided already"):
        apply_rule(reviews, ANN, rule)
    found = preview(reviews, ANN, SERIES)
    assert (found.example_ids, found.unchanged, found.decided) == (("e1",), 0, ("e0",))
    apply_rule(reviews, ANN, SERIES)
    assert [(d.reviewer, d.example_id, d.verdict) for d in reviews.decisions(["e0", "e1"])] == [
        ("ann", "e0", "keep"),
        ("bob", "e1", "remove"),
        ("ann", "e1", "relabel: Sport"),
    ]


def test_words_are_whole_ignore_case_and_must_all_occur(reviews: Reviews) -> None:
    assert matches(reviews, by="words", pattern="RED") == ("e0", "e7")
    assert matches(reviews, by="words", pattern="red , Sox") == ("e0",)
    assert matches(reviews, by="words", pattern="climb", only_label="Business") == ("e5", "e7")
    with pytest.raises(SettingsError, match="the rule matches nothing among the 8 examples"):
        matches(reviews, by="words", pattern="champion")


def test_the_three_roads_agree(reviews: Reviews) -> None:
    by_words = matches(reviews, by="words", pattern="championship")
    assert matches(reviews, by="regex", pattern=r"\bChampionship\b") == by_words
    assert matches(reviews, by="sql", pattern="text like '%championship%'") == by_words == ("e0", "e1", "e4")
    assert matches(reviews, by="regex", pattern="^Red|OHIO$", ignore_case=True) == ("e6", "e7")


def test_sql_has_the_columns_and_null_is_no_match(reviews: Reviews) -> None:
    assert matches(reviews, by="sql", pattern="label <> predicted and confidence > 0.7 and id < 'e4'") == ("e0", "e1", "e3")
    assert matches(reviews, by="sql", pattern="nullif(label, 'World') = 'Sport' -- a remark") == ("e3", "e4")
    assert matches(reviews, by="sql", pattern="length(text) = (select max(length(text)) from examples)") == ("e0",)


def test_rules_look_at_both_texts_of_a_pair(tmp_path: Path) -> None:
    rows = [("p0", "a man", "a red hat", "no"), ("p1", "red", "a dog", "yes"), ("p2", "a cat", "it", "yes")]
    reviews = reviews_at(make_workspace(tmp_path / "ws", rows, labels=("no", "yes")))
    for rule in ({"by": "words", "pattern": "red"}, {"by": "regex", "pattern": "red"}):
        assert matches(reviews, **rule) == ("p0", "p1")
    assert matches(reviews, by="words", pattern="man,hat") == ("p0",)
    assert matches(reviews, by="sql", pattern="text_pair = 'it'") == ("p2",)
    reviews.close()


def test_a_rule_can_mask_its_own_words(reviews: Reviews) -> None:
    rule = Rule(by="words", pattern="championship series", action="mask")
    action = apply_rule(reviews, ANN, rule)
    assert (action.example_ids, action.words) == (("e0", "e1", "e4"), ("championship series",))
    assert str(rule) == 'examples that contain "championship series": mask'


def test_a_rule_in_words() -> None:
    assert str(SERIES) == "examples labelled 'World' that contain \"championship series\": relabel to 'Sport'"
    assert str(Rule(by="sql", pattern="confidence < 0.5", action="remove")) == "examples where confidence < 0.5: remove"
    assert str(Rule(by="regex", pattern="^a", action="keep")) == "examples that match ^a: keep"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "regex", "pattern": "(a"}, "the regular expression '(a' does not compile: missing ): (a"),
        ({"by": "regex", "pattern": "(?=a)"}, "the regular expression '(?=a)' does not compile: invalid perl operator: (?="),
        ({"by": "regex", "pattern": "q{9}"}, "the rule matches nothing among the 8 examples"),
        (
            {"by": "regex", "pattern": "."},
            "the rule matches everything: all of the 8 examples; a rule must tell some from others",
        ),
        (
            {"by": "words", "pattern": "climb", "only_label": "World"},
            "the rule matches nothing among the 3 examples labelled 'World'",
        ),
        ({"by": "words", "pattern": " , "}, "a rule needs something to look for; the pattern is blank"),
        ({"by": "glob", "pattern": "*"}, "a rule goes by words, regex, sql, not by 'glob'"),
        ({"by": "words", "pattern": "a", "action": "flag"}, "a rule can keep, relabel, remove, mask, not 'flag'"),
        (
            {"by": "words", "pattern": "a", "action": "relabel"},
            "a rule to relabel: a new label goes with relabel and with nothing else",
        ),
        (
            {"by": "words", "pattern": "a", "action": "relabel", "new_label": "World", "only_label": "World"},
            "a rule that relabels 'World' to 'World' changes nothing",
        ),
        (
            {"by": "words", "pattern": "goal", "action": "relabel", "new_label": "Sport"},
            "the rule changes nothing: all 1 matches are labelled 'Sport' already",
        ),
        (
            {"by": "regex", "pattern": "a", "action": "mask"},
            "a rule by regex cannot mask, as it does not say which words; make it by words",
        ),
        ({"by": "sql", "pattern": "1 = 1; drop table x"}, "the condition '1 = 1; drop table x' is not one SQL expression: "),
        ({"by": "sql", "pattern": "true) or (true"}, "the condition 'true) or (true' is not one SQL expression: "),
        ({"by": "sql", "pattern": "((true)"}, "the condition '((true)' is not one SQL expression: "),
        ({"by": "sql", "pattern": "-- nothing"}, "the condition '-- nothing' is not one SQL expression: it is blank"),
        ({"by": "sql", "pattern": "text"}, "the condition 'text' gives VARCHAR, not true or false"),
        ({"by": "sql", "pattern": "colour = 'red'"}, "the condition \"colour = 'red'\" does not compile: "),
        ({"by": "sql", "pattern": "x" * 5001}, "a rule of 5,001 characters; the most is 5,000"),
    ],
)
def test_bad_rules_are_refused_in_one_line(reviews: Reviews, options, message) -> None:
    with pytest.raises(SettingsError) as error:
        preview(reviews, ANN, Rule(**{"action": "remove", **options}))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_rule_about_a_label_that_does_not_exist(reviews: Reviews) -> None:
    with pytest.raises(QueryError, match="unknown label 'Art'; the labels are 'Business', 'Sport', 'World'"):
        preview(reviews, ANN, Rule(by="words", pattern="a", action="relabel", new_label="Art"))


@pytest.mark.parametrize(
    "condition",
    [
        "exists (select 1 from read_csv('/etc/passwd'))",
        "exists (select 1 from read_text('/etc/hostname'))",
        "exists (select 1 from glob('/*'))",
        "exists (select 1 from secret_frame)",
        "getenv('HOME') = ''",
    ],
)
def test_a_condition_reaches_nothing_but_the_examples(reviews: Reviews, condition: str) -> None:
    import pandas as pd

    secret_frame = pd.DataFrame({"a": [1]})  # DuckDB would by default find it by its name
    assert len(secret_frame) == 1
    with pytest.raises(SettingsError, match="does not compile"):
        preview(reviews, ANN, Rule(by="sql", pattern=condition, action="remove"))


COSTLY = {
    "for ever": ("(select count(*) from range(1000000000000) r where r.range % 7 = length(id)) > 0", "took longer than"),
    "one call": ("levenshtein(repeat('ab', 200000), repeat('ba', 200000)) = 0", "took longer than"),
    "a great text": ("length(repeat('x', 3000000000)) > 7", ""),
    "a text of texts": ("length(repeat(repeat(text, 20000), 20000)) > 7", ""),
    "a great list": ("len(range(4000000000)) > 7", ""),
    "a great cross": ("(select count(distinct a.range * b.range) from range(99999) a, range(99999) b) > 0", ""),
    "a list of lists": ("len(list_transform(range(30000), lambda x: range(30000))) > 0", ""),
    "a long complaint": ("error(repeat('x', 100000000)) is null", ""),
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_costs_too_much_is_ended_in_one_line(reviews: Reviews, name: str) -> None:
    """The processor seconds and the memory are those of the processes that were waited for, the system's own account."""
    condition, said = COSTLY[name]
    judge = Judge(reviews.corpus.results, 8, timeout=2, memory=512 << 20)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with pytest.raises(SettingsError, match=r"took longer than 2 s|of memory|cannot be evaluated|does not compile") as found:
        judge.matching_sql(condition)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert said in str(found.value)
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 1_000
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 5
    assert after.ru_maxrss < max(1 << 20, before.ru_maxrss + 1)  # KiB: no process of these tests had more than a gigabyte
    assert Judge(reviews.corpus.results, 8).matching_sql("label = 'Sport'") == [3, 4]
    assert children() == []


def children() -> list[str]:
    """The commands of the processes that this one has started and not seen the end of."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = [pid for task in tasks for pid in task.read_text().split()]
    return [line for pid in pids if "judge" in (line := Path(f"/proc/{pid}/cmdline").read_text())]


class Left(BaseException):
    """What Streamlit raises where the reader has gone on."""


def test_a_page_that_is_left_ends_the_matching(reviews: Reviews) -> None:
    seen = []

    def leave() -> None:
        seen.append(children())
        raise Left

    started = time.monotonic()
    with pytest.raises(Left):
        preview(reviews, ANN, Rule(by="sql", pattern=COSTLY["for ever"][0], action="remove"), tick=leave)
    assert [len(commands) for commands in seen] == [1]
    assert children() == []
    assert time.monotonic() - started < 30


def test_many_at_once_wait_for_their_turn(reviews: Reviews) -> None:
    """Two are matched side by side, and none is lost."""
    most, found = [0], []

    def ask(number: int) -> None:
        def look() -> None:
            most[0] = max(most[0], len(children()))

        found.append(Judge(reviews.corpus.results, 8).matching_sql(f"length(id) = 2 and {number} > -1", tick=look))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(8))] * 6
    assert most[0] <= AT_ONCE


def test_matching_starts_no_pytorch_and_reads_nothing_of_ours() -> None:
    code = f"import sys; sys.argv = ['x']; sys.path.insert(0, {str(JUDGE.parent)!r}); import judge_tables; " + (
        "print(sorted({'torch', 'transformers', 'streamlit', 'pandas', 'influence'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_expression_backtracks(tmp_path: Path) -> None:
    """A pattern that takes Python's own engine 2^40 steps on this text."""
    workspace = make_workspace(tmp_path / "ws", [("e0", "a" * 40 + "!", "World"), ("e1", "b", "Sport")])
    judge = Judge(workspace.build / "results.duckdb", 2, timeout=5)
    assert judge.matching_regex("^(a+)+$", ignore_case=False) == []


@pytest.mark.parametrize(
    ("text", "phrase", "spans"),
    [
        ("Red red RED", "red", [(0, 3), (4, 7), (8, 11)]),
        ("reddish redo", "red", []),
        ("red_hat", "red", []),
        ("red-hat's", "red", [(0, 3)]),
        ("the red\n sox", "red sox", [(4, 12)]),
        ("cafe\u0301 cafe", "cafe", [(6, 10)]),
        ("\u0939\u093f\u0928\u094d\u0926\u0940 \u0939\u093f\u0928", "\u0939\u093f\u0928", [(7, 10)]),
        ("\u6211\u559c\u6b22\u5317\u4eac", "\u5317\u4eac", [(3, 5)]),
        ("Stra\u00dfe", "stra\u00dfe", [(0, 6)]),
        ("a.b", ".", [(1, 2)]),
        ("anything", " ", []),
        ("\U0001f44dgood", "good", [(1, 5)]),
    ],
)
def test_whole_words_in_many_scripts(text: str, phrase: str, spans: list[tuple[int, int]]) -> None:
    assert find(text, phrase) == spans


@pytest.mark.parametrize(
    ("text", "words", "token", "masked"),
    [
        ("the bad film", ["bad"], "", "the film"),
        ("bad film", ["bad"], "", "film"),
        ("the film was bad", ["bad"], "", "the film was"),
        ("bad, Bad and BAD.", ["bad"], "", ", and."),
        ("red sox, win", ["sox"], "", "red, win"),
        ("(bad film)", ["bad"], "", "(film)"),
        ("a man runs", ["man", "runs"], "", "a"),
        ("so bad bad bad so", ["bad"], "", "so so"),
        ("bad bad", ["bad"], "", ""),
        ("a red sox fan", ["red sox", "sox fan"], "[MASK]", "a [MASK]"),
        ("the bad film", ["bad"], "[MASK]", "the [MASK] film"),
        ("covid19 cases", ["covid"], "", "19 cases"),
        ("foo_bar baz", ["bar"], "", "foo_ baz"),
        ("badly", ["bad"], "", "badly"),
        ("  bad  film  ", ["bad"], "", "   film  "),
        # Neighbours do not run together.
        ("U.S. shares fell 3.5 %", ["."], "", "U S shares fell 3 5 %"),
        ("so. bad. ok", ["bad"], "", "so. . ok"),
        ("x-bad-y", ["bad"], "", "x- -y"),
        ("foo_bar_baz", ["_"], "", "foo bar baz"),
        ("don't", ["'"], "", "don t"),
        ("\u6211\u559c\u6b22\u5317\u4eac", ["\u559c\u6b22"], "", "\u6211\u5317\u4eac"),
    ],
)
def test_masking(text: str, words: list[str], token: str, masked: str) -> None:
    assert mask(text, words, token) == masked


@given(st.text(alphabet="ab .\n", max_size=30), st.lists(st.sampled_from(["a", "b", "ab", "b a"]), max_size=3))
def test_masking_leaves_no_masked_word_and_every_other_character(text: str, words: list[str]) -> None:
    masked = mask(text, words, "#")
    assert not any(find(masked, word) for word in words)
    assert mask(text, words, "").replace(" ", "").replace("\n", "") == masked.replace("#", "").replace(" ", "").replace("\n", "")
