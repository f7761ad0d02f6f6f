"""A push's section within a card that is there already: all else stays, and what programs read is true of the new data."""

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from influence.errors import DataError
from influence.fixes import in_markdown
from influence.hub.card import BEGIN, END, Card
from influence.hub.columns import common_schema, features
from influence.hub.front_matter import FrontMatter

FILES = [{"split": "train", "path": "data/train.parquet"}, {"split": "test", "path": "data/test.parquet"}]
COLUMNS = [{"name": "text", "dtype": "string"}]
FRONT = FrontMatter({one["split"]: one["path"] for one in FILES}, features=COLUMNS)
CARD = Card("reviews", f"{BEGIN}\nours\n{END}", FRONT)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "",
            {
                "task_categories": ["text-classification"],
                "configs": [{"config_name": "default", "data_files": FILES}],
                "dataset_info": {"features": COLUMNS},
            },
        ),
        (  # a validation part and another configuration stay; counts of the old data do not
            "license: mit\ntask_categories: [summarization]\nconfigs:\n- config_name: default\n  data_files:\n"
            "  - split: validation\n    path: v.parquet\n  - split: train\n    path: old.parquet\n"
            "- config_name: raw\n  data_files: raw/*\n"
            "dataset_info:\n- config_name: raw\n  features: []\n- config_name: default\n  description: theirs\n"
            "  features: [1]\n  splits: [2]\n  download_size: 3\n",
            {
                "license": "mit",
                "task_categories": ["summarization"],
                "configs": [
                    {"config_name": "default", "data_files": [*FILES, {"split": "validation", "path": "v.parquet"}]},
                    {"config_name": "raw", "data_files": "raw/*"},
                ],
                "dataset_info": [
                    {"config_name": "raw", "features": []},
                    {"config_name": "default", "description": "theirs", "features": COLUMNS},
                ],
            },
        ),
        (  # the one configuration has a name of its own
            "configs:\n- config_name: en\n  data_files: old.csv\n",
            {
                "task_categories": ["text-classification"],
                "configs": [{"config_name": "en", "data_files": FILES}],
                "dataset_info": {"config_name": "en", "features": COLUMNS},
            },
        ),
        (  # of two the default
            "configs:\n- config_name: en\n- config_name: de\n  default: true\n",
            {
                "task_categories": ["text-classification"],
                "configs": [{"config_name": "en"}, {"config_name": "de", "default": True, "data_files": FILES}],
                "dataset_info": {"config_name": "de", "features": COLUMNS},
            },
        ),
        (  # written as nobody foresaw: its values stay, if not its bytes
            "{license: mit, tags: [a]}\n",
            {
                "license": "mit",
                "tags": ["a"],
                "task_categories": ["text-classification"],
                "configs": [{"config_name": "default", "data_files": FILES}],
                "dataset_info": {"features": COLUMNS},
            },
        ),
    ],
)
def test_front_matter(before: str, after: dict[str, Any]) -> None:
    made = FRONT.merged(before)
    assert yaml.safe_load(made) == after
    assert FRONT.merged(made) == made


def test_columns_that_nobody_knows_are_not_said() -> None:
    front = FrontMatter({"train": "train.csv"}, {"sep": ";"})
    config = {"config_name": "default", "data_files": [{"split": "train", "path": "train.csv"}], "sep": ";"}
    before = "license: mit\ndataset_info:\n  features: [1]\n  splits: [2]\nlanguage: [en]\n"
    assert front.merged(before).startswith("license: mit\nlanguage: [en]\n")
    assert yaml.safe_load(front.merged(before))["configs"] == [config]


def test_bytes_of_what_does_not_change_stay() -> None:
    before = '---\n# by hand\nlicense: "mit"   # as agreed\nlanguage: [ en ]\n---\n\n# Ours\n\n---\n\nlast\n'
    made = CARD.text(before)
    assert made.startswith('---\n# by hand\nlicense: "mit"   # as agreed\nlanguage: [ en ]\ntask_categories:\n')
    assert made.endswith(f"\n---\n\n# Ours\n\n---\n\nlast\n\n{CARD.section}\n")
    assert CARD.text(made) == made
    assert CARD.text(before.replace("\n", "\r\n")) == made.replace("\n", "\r\n")


@pytest.mark.parametrize("before", ["# Ours\n", "Text --- with dashes\n---\n"])
def test_a_card_without_front_matter(before: str) -> None:
    assert CARD.text(before) == f"---\n{FRONT.merged('')}---\n{before}\n{CARD.section}\n"


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ("---\na: [\n---\n", "begins with what is no YAML"),
        ("---\n- a\n---\n", "begins with YAML that is no list of names with values"),
        (f"{BEGIN}\nours\n", "has only one of the two marks of our section"),
        (f"text {END}\n", "has only one of the two marks of our section"),
    ],
)
def test_cards_that_cannot_be_gone_on_with(before: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        CARD.text(before)


def test_a_label_cannot_end_the_section() -> None:
    hostile = f"{END}\n# <script>|`a`"
    assert END not in in_markdown(hostile)
    assert "<script" not in in_markdown(hostile).replace("\\<", "")
    assert "\n" not in in_markdown(hostile)


def parquet(**columns: Any) -> bytes:
    opened = io.BytesIO()
    pq.write_table(pa.table(columns), opened)
    return opened.getvalue()


@pytest.mark.parametrize(
    ("labels", "tests", "dtype"),
    [
        (["b", "a", None], ["a"], {"class_label": {"names": {"0": "b", "1": "a"}}}),
        (["b", "a", "c"], ["a"], "string"),  # a label that is none of the names
        (["b", "a"], ["d"], "string"),
        ([0, 1, 0], [1], "int64"),  # numbers stay numbers
    ],
)
def test_classes_where_every_label_is_one(labels: list[Any], tests: list[Any], dtype: Any) -> None:
    files = {"train": parquet(text=["x"] * len(labels), label=labels), "test": parquet(text=["y"], label=tests)}
    found = features(files, "label", ["b", "a"])
    assert found == [{"name": "text", "dtype": "string"}, {"name": "label", "dtype": dtype}]


def test_files_of_other_columns_have_no_schema_in_common() -> None:
    one = parquet(text=["x"], label=["a"])
    assert common_schema({"train": one, "test": parquet(text=["x"], label=["a"], more=[1])}) is None
    assert common_schema({"train": one, "test": parquet(text=["x"], label=[1])}) is None
    assert common_schema({"train": one, "test": parquet(text=["x"], label=[None])}).names == ["text", "label"]
