"""What a file is read as: its delimiter, encoding and compression, found or said; rows that cannot be read; the same again."""

import codecs
import gzip
from pathlib import Path

import pytest

from influence.errors import DataError, EncodingUnsure, SettingsError
from influence.reading import FormOptions, Table, read_table, rewritten

TEXTS = ["eins, zwei", "drei; vier", 'mit "Zeichen"', "zwei\nZeilen", "tab\there", "bar | bar"]


def table(file: Path, **said: str) -> Table:
    return read_table(str(file), split="train", options=FormOptions(**said))


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def write(file: Path, content: str, encoding: str = "utf-8", *, zipped: bool = False) -> Path:
    data = content.encode(encoding)
    file.write_bytes(gzip.compress(data) if zipped else data)
    return file


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("start", ["", "sep=\n"])
def test_delimiters_are_found(tmp_path: Path, name: str, delimiter: str, start: str) -> None:
    """Whatever the ending, and where the texts hold the other delimiters."""
    content = start.replace("=", f"={delimiter}") + delimiter.join(["text", "note", "label"]) + "\n"
    content += "".join(delimiter.join([quoted(text), "", "x"]) + "\n" for text in TEXTS)
    found = table(write(tmp_path / name, content))
    assert found.columns == {"text": TEXTS, "note": [""] * 6, "label": ["x"] * 6}
    assert found.form.delimiter == delimiter
    changed = rewritten(found, {1: {"label": "y"}, 2: None})
    assert changed.decode() == content.replace(
        delimiter.join([quoted(TEXTS[1]), "", "x"]),
        delimiter.join([quoted(TEXTS[1]) if delimiter == ";" else TEXTS[1], "", "y"]),
    ).replace(delimiter.join([quoted(TEXTS[2]), "", "x"]) + "\n", "")


def test_a_delimiter_that_is_said_is_taken(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "a,b;c\n1,2;3\n")
    assert table(file).columns == {"a": ["1"], "b;c": ["2;3"]}
    assert table(file, delimiter=";").columns == {"a,b": ["1,2"], "c": ["3"]}
    assert table(write(tmp_path / "b.csv", "a~b\n1~2\n"), delimiter="~").columns == {"a": ["1"], "b": ["2"]}
    assert table(write(tmp_path / "c.csv", "text\nonly one\n")).columns == {"text": ["only one"]}


@pytest.mark.parametrize(
    "said", [{"delimiter": ""}, {"delimiter": ";;"}, {"delimiter": '"'}, {"encoding": "utf-99"}, {"encoding": "zip"}]
)
def test_what_is_no_form(said: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"--{next(iter(said))}"):
        FormOptions(**said)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.JSONL.GZ", "a.json"])
def test_unicode_and_gzip_say_what_they_are(tmp_path: Path, name: str, encoding: str, zipped: bool) -> None:
    """Whatever the name says, and they are written as they were."""
    texts = ["grün 🎬", "plain", "ж"]
    if "csv" in name:
        content = "text,label\r\n" + "".join(f"{text},x\r\n" for text in texts)
    else:
        content = "\n".join('{"text": "%s", "label": "x"}' % text for text in texts)  # noqa: UP031 - braces
        content = f"[{content.replace(chr(10), ', ')}]" if name == "a.json" else content
    file = write(tmp_path / name, content, encoding, zipped=zipped)
    found = table(file)
    assert found.columns == {"text": texts, "label": ["x"] * 3}
    assert found.form.compressed == zipped
    assert ("gzip" in found.form.in_words, "UTF-16" in found.form.in_words) == (zipped, "16" in encoding)
    again = rewritten(found, {1: {"label": "y"}, 2: None})
    data = gzip.decompress(again) if zipped else again
    marks = (codecs.BOM_UTF8, codecs.BOM_UTF32_LE, codecs.BOM_UTF16_LE)
    mark = next((m for m in marks if (gzip.decompress(file.read_bytes()) if zipped else file.read_bytes()).startswith(m)), b"")
    assert data.startswith(mark)
    file.write_bytes(again)
    assert table(file).columns == {"text": texts[:2], "label": ["x", "y"]}


WORDS = {
    "windows-1252": "Das Café in der Straße hat schöne Gerüche – „gut“, 5 €",
    "windows-1250": "příliš žluťoučký kůň; zażółć gęślą jaźń",
    "windows-1251": "Этот фильм был очень хороший, я его люблю",
    "gb18030": "这部电影非常好看，我很喜欢它",
    "cp932": "この映画はとても面白かったです。カメラも良い",
    "cp949": "이 영화는 정말 재미있었습니다 좋아요",
    "windows-1253": "Αυτή η ταινία ήταν πολύ καλή",
}


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_other_encodings_are_shown_and_read_when_said(tmp_path: Path, name: str, encoding: str) -> None:
    text = WORDS[encoding]
    content = f'text,label\nplain,x\n"{text}",y\n' if name == "a.csv" else f'{{"text": "p"}}\n\n{{"text": "{text}"}}\n'
    file = write(tmp_path / name, content, encoding)
    with pytest.raises(EncodingUnsure, match=r"is not UTF-8 text\. It may be .*: line 3: .* add --encoding ") as caught:
        table(file)
    assert next(iter(caught.value.offered)) == encoding  # as the likeliest
    ((number, line),) = caught.value.offered[encoding]
    assert (number, text in line or line.strip("…") in content) == (3, True)
    found = table(file, encoding=encoding)
    assert found.columns["text"][1] == text
    assert rewritten(found, {}) == file.read_bytes()


def test_what_is_said_does_not_undo_unicode(tmp_path: Path) -> None:
    """Two files may be in two encodings: what is said is of the one that is not Unicode."""
    assert table(write(tmp_path / "a.csv", "text\nCafé\n"), encoding="windows-1252").columns == {"text": ["Café"]}
    assert table(write(tmp_path / "b.csv", "text\nCafé\n", "utf-16"), encoding="windows-1252").columns == {"text": ["Café"]}
    file = write(tmp_path / "c.csv", "text\nCafé\n", "windows-1252")
    with pytest.raises(DataError, match=r"line 2: the text is not utf-8 \(byte 0xe9\)"):
        table(file, encoding="utf-8")
    found = table(file, encoding="latin-1")
    with pytest.raises(DataError, match="is iso8859-1, which has no '漢': save the file as UTF-8 first"):
        rewritten(found, {0: {"text": "漢"}})


def test_rows_that_cannot_be_read_keep_their_numbers(tmp_path: Path) -> None:
    """A stray quote costs its own line, not the file; rows that are not in the table stay in the file."""
    content = 'text,label\none,a\ntwo,b,c\n"three,a\nfour,b\n"five" x,a\n\nsix,b\nseven\neight,a\n"two\nlines",b\nnine,a,\n'
    found = table(write(tmp_path / "a.csv", content))
    assert found.columns["text"] == ["one", None, None, "four", None, "six", None, "eight", "two\nlines", "nine"]
    assert found.columns["label"] == ["a", None, None, "b", None, "b", None, "a", "b", "a"]
    assert found.broken == {
        1: "line 3: 3 fields where the header has 2",
        2: "line 4: malformed (',' expected after '\"')",
        4: "line 6: malformed (',' expected after '\"')",
        6: "line 9: 1 field where the header has 2",
    }
    changed = rewritten(found, {3: {"label": "z"}, 7: None, 9: {"label": "z"}}).decode()
    assert changed == content.replace("four,b", "four,z").replace("eight,a\n", "").replace("nine,a,", "nine,z,")


def test_a_quote_that_never_closes_costs_its_line(tmp_path: Path) -> None:
    found = table(write(tmp_path / "a.csv", 'text,label\na,1\n"b,1\nc,1\nd,1\n'))
    assert found.columns["text"] == ["a", None, "c", "d"]
    assert found.broken == {1: "line 3: malformed (unexpected end of data)"}


def test_lines_of_json_that_cannot_be_read_keep_their_numbers(tmp_path: Path) -> None:
    deep = "[" * 100_000
    content = f'{{"text": "a"}}\n{{"text":\n{deep}\n\n{{"text": "b"}}\n7\n{{"text": "c"}}\n{{"text":"d"}}\n'
    found = table(write(tmp_path / "a.jsonl", content))
    assert found.columns == {"text": ["a", None, None, "b", None, "c", "d"]}
    assert list(found.broken) == [1, 2, 4]
    assert found.broken[2] == "line 3: malformed JSON (nested too deep)"
    assert rewritten(found, {3: None, 6: {"text": "e"}}).decode() == content.replace('{"text": "b"}\n', "").replace('"d"', '"e"')


def test_blanks_in_headers(tmp_path: Path) -> None:
    """Columns are found without the blanks around their names, and named with them; those without a name are left alone."""
    file = write(tmp_path / "a.csv", " text,label ,,\na,x,0,\nb,y\nc,z,,\n")
    found = table(file)
    assert found.columns == {" text": ["a", "b", "c"], "label ": ["x", "y", "z"]}
    assert (found.column("text", "--text"), found.column("label ", "--label")) == (" text", "label ")
    with pytest.raises(DataError, match=r"--id 'id': .* has no such column; it has ' text', 'label '"):
        found.column("id", "--id")
    assert rewritten(found, {1: {"label ": "w"}}) == b" text,label ,,\na,x,0,\nb,w,,\nc,z,,\n"
    assert table(write(tmp_path / "b.csv", ",text\n7,a\n")).columns == {"": ["7"], "text": ["a"]}


def test_a_list_of_objects_is_written_with_what_stands_between_them(tmp_path: Path) -> None:
    first, last = ('  {\n    "text": "%s",\n    "label": "x"\n  }' % text for text in "ac")  # noqa: UP031 - braces
    content = f'[\n{first},\n  {{"text": "ü", "label": "y"}},\n{last}\n]\n'
    found = table(write(tmp_path / "a.json", content))
    assert found.columns == {"text": ["a", "ü", "c"], "label": ["x", "y", "x"]}
    assert rewritten(found, {}).decode() == content
    assert rewritten(found, {0: {"label": "z"}, 1: None}).decode() == content.replace('"x"', '"z"', 1).replace(
        '  {"text": "ü", "label": "y"},\n', ""
    )
    assert (
        rewritten(found, {0: None, 1: {"label": "z"}}).decode()
        == '[\n  {"text": "ü", "label": "z"},\n' + content.rpartition("},\n")[2]
    )
    assert rewritten(found, {0: None, 1: None, 2: None}).decode() == "[\n  \n]\n"
