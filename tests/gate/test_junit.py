"""The JUnit report: read back by a parser, held against what Jenkins' and GitLab's readers take, whatever is in the data."""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from hypothesis import given, settings, strategies as st

from influence.gate import Measured, Verdict, as_junit, read_limits

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
# Of every element: the attributes it must have, those it may have, the elements it may hold, in any order. From the schema of
# Jenkins' xUnit plugin (junit-10.xsd), of which `error`, reruns and the like are left out, as they are never written here.
SUITE = ({"name", "tests", "failures", "errors"}, {"time", "skipped", "timestamp"}, {"properties", "testcase"})
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": SUITE,
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name"}, {"time", "classname"}, {"failure", "system-out"}),
    "failure": (set(), {"type", "message"}, set()),
    "system-out": (set(), set(), set()),
}


def check_schema(element: ET.Element) -> None:
    """Fails for what the schema does not allow, and for a time that is no number of seconds."""
    must, may, children = SCHEMA[element.tag]
    assert must <= set(element.keys()) <= must | may
    assert {child.tag for child in element} <= children
    assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
    if children:
        assert not (element.text or "").strip()
    for child in element:
        assert not (child.tail or "").strip()
        check_schema(child)


def measured(count: int, **changes: str) -> Measured:
    words = {"unit": "rows", "what": "are odd", "advice": "Mend them.", **changes}
    return Measured(count=count, of=9, first=[changes.get("row", "4")], **{k: v for k, v in words.items() if k != "row"})


def test_every_limit_is_a_test_case_and_a_broken_one_a_failure():
    leaks, conflicts = read_limits(["leaks", "conflicts=50%"])
    content = as_junit([Verdict(leaks, measured(2)), Verdict(conflicts, measured(3))], {"train": "a.csv"}, WHEN, 1.23456)
    assert content.decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<testsuites name="wordtrace check" tests="2" failures="1" errors="0" time="1.235">\n'
        '  <testsuite name="wordtrace check" tests="2" failures="1" errors="0" skipped="0" time="1.235" '
        'timestamp="2026-03-04T05:06:07">\n'
        "    <properties>\n"
        '      <property name="train" value="a.csv" />\n'
        "    </properties>\n"
        '    <testcase classname="wordtrace.check" name="leaks">\n'
        '      <failure type="limit" message="leaks: 2 of 9 rows (22.2%) are odd; allowed: none.">'
        "First rows: 4, …. Mend them.</failure>\n"
        "    </testcase>\n"
        '    <testcase classname="wordtrace.check" name="conflicts">\n'
        "      <system-out>conflicts: 3 of 9 rows (33.3%) are odd; allowed: at most 50%.</system-out>\n"
        "    </testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n"
    )
    check_schema(ET.fromstring(content))


@settings(max_examples=25)
@given(st.text(max_size=20), st.text(max_size=20), st.sampled_from(["\ud800", "\x00", "]]>", "<b>&", "\x1b[2J"]))
def test_no_text_breaks_it(name, words, bad):
    [limit] = read_limits(["leaks"])
    found = measured(1, what=words + bad, row=bad + words)
    root = ET.fromstring(as_junit([Verdict(limit, found)], {"train": name + bad}, WHEN, 0.0))
    check_schema(root)
    clean = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", name + bad)
    assert root.find(".//property").get("value") == clean
    assert len(root.findall(".//failure")) == 1
