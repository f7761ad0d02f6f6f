"""Verdicts as a JUnit report, which Jenkins, GitLab and others show: a suite, a test case a limit."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from influence.gate.verdicts import Verdict

SUITE = "wordtrace check"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(verdicts: Sequence[Verdict], about: Mapping[str, str], started: datetime, seconds: float) -> bytes:
    """The report as UTF-8, valid by the schema of Jenkins' xUnit plugin; `about`, what was looked at, become properties.

    Characters that XML cannot hold, even escaped, are replaced.
    """
    counts = {"tests": str(len(verdicts)), "failures": str(sum(one.broken for one in verdicts)), "errors": "0"}
    time = {"time": f"{seconds:.3f}"}
    root = ET.Element("testsuites", {"name": SUITE, **counts, **time})
    when = {"timestamp": started.strftime("%Y-%m-%dT%H:%M:%S")}
    suite = ET.SubElement(root, "testsuite", {"name": SUITE, **counts, "skipped": "0", **time, **when})
    properties = ET.SubElement(suite, "properties")
    for name, value in about.items():
        ET.SubElement(properties, "property", {"name": name, "value": _clean(value)})
    for one in verdicts:
        case = ET.SubElement(suite, "testcase", {"classname": "wordtrace.check", "name": one.limit.name})
        if one.broken:
            failure = ET.SubElement(case, "failure", {"type": "limit", "message": _clean(one.sentence)})
            failure.text = _clean(one.way_out)
        else:
            ET.SubElement(case, "system-out").text = _clean(one.sentence)
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
