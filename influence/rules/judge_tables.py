"""The process that matches one rule: python -I judge_tables.py, a request on stdin, the answer on stdout, both JSON.

What a reviewer types is an expression that may cost anything: it is evaluated here, where time, memory and output have
limits that the system holds, and nothing is within reach but the results of one build. It imports nothing of Wordtrace, so
that it starts in a fraction of a second. DuckDB's regular expressions are RE2, whose time is linear in the text.

    {"results": file, "seconds": n, "bytes": n, "regex": pattern, "ignore_case": bool}    or {…, "sql": condition}
    an empty line once it begins, then
    {"places": [0, 5, …]}    of the matches, in the data's order; or {"error": line, "when": "compiling" | "evaluating"}
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

COLUMNS = ("id", "text", "text_pair", "label", "predicted", "confidence")
LONGEST_LINE = 500
# What an examples table for people is: the training split with the last checkpoint's predictions.
EXAMPLES = """create view examples as
    select e.position, id, text, text_pair, e.label, predicted, confidence::double as confidence
    from results.examples e join results.predictions p using (split, position)
    where split = 'train' and checkpoint = (select max(checkpoint) from results.checkpoints)"""


class _Wrong(NamedTuple):
    error: str
    when: str


def limit(seconds: int, size: int) -> None:
    """Have the system end this process at so many processor seconds, and refuse it memory beyond what it has now."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is left
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    try:
        now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + size, now + size))
    except (OSError, ValueError):  # not Linux: DuckDB's own limit is left
        pass


def connected(results: str, size: int) -> duckdb.DuckDBPyConnection:
    """A database in memory that sees the examples of a build's results, and from then on no other file."""
    connection = duckdb.connect(
        config={
            "python_enable_replacements": "false",
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "memory_limit": f"{size // 2 >> 20}MB",
            "max_temp_directory_size": "0MB",
            "threads": "1",
        }
    )
    quoted = results.replace("'", "''")
    connection.execute(f"attach '{quoted}' as results (read_only)")
    connection.execute(EXAMPLES)
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def judged(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    connection = connected(request["results"], request["bytes"])
    sys.stdout.write("\n")  # the clock starts
    sys.stdout.flush()
    condition, parameters = (request["sql"], []) if "sql" in request else _regex(request)
    wrong = _uncompilable(connection, request, condition, parameters)
    if wrong is None:
        try:
            place = "select row_number() over (order by position) - 1 as place, * from examples"
            sql = f"select place from ({place}) as examples where ({condition}\n) order by place"
            found = connection.execute(sql, parameters).fetchnumpy()["place"]
            return {"places": found.tolist()}
        except duckdb.Error as error:
            wrong = _Wrong(reason(error), "evaluating")
    return wrong._asdict()


def _regex(request: dict[str, Any]) -> tuple[str, list[Any]]:
    found = "regexp_matches(text, $1, $2) or coalesce(regexp_matches(text_pair, $1, $2), false)"
    return found, [request["regex"], "i" if request["ignore_case"] else "c"]


def _uncompilable(
    connection: duckdb.DuckDBPyConnection, request: dict[str, Any], condition: str, parameters: list[Any]
) -> _Wrong | None:
    """Why it is no condition over the examples; None where it is one."""
    if "sql" in request and (complaint := not_one_expression(condition)):
        return _Wrong(f"is not one SQL expression: {complaint}", "compiling")
    try:
        if "regex" in request:
            connection.execute("select regexp_matches('', $1, $2)", parameters).fetchall()
            return None
        [(_, type, *_)] = connection.execute(f"describe select ({condition}\n) as matched from examples").fetchall()
    except duckdb.Error as error:
        columns = f" (the columns are {', '.join(COLUMNS)})" if "sql" in request else ""
        return _Wrong(f"does not compile: {reason(error)}{columns}", "compiling")
    return None if type == "BOOLEAN" else _Wrong(f"gives {type[:LONGEST_LINE]}, not true or false", "compiling")


def not_one_expression(condition: str) -> str:
    """What keeps a text from being one expression when put between parentheses, "" for nothing."""
    tokens = duckdb.tokenize(condition)
    if not tokens:
        return "it is blank"
    ends = [start for start, _ in tokens[1:]] + [len(condition.encode())]
    text, depth = condition.encode(), 0
    for (start, kind), end in zip(tokens, ends, strict=True):
        token = text[start:end].strip()
        if kind != duckdb.token_type.operator:
            continue
        if token.startswith(b";"):
            return "it has a semicolon"
        depth += token.startswith(b"(") - token.startswith(b")")
        if depth < 0:
            return "a closing parenthesis has no opening one"
    return "an opening parenthesis has no closing one" if depth else ""


def reason(error: Exception) -> str:
    """What DuckDB says is wrong, in one line of no great length."""
    line = str(error)[: 4 * LONGEST_LINE].splitlines()[0]
    return line.split("Error: ", 1)[-1][:LONGEST_LINE]


def main() -> None:
    """Answer the request on stdin."""
    request = json.load(sys.stdin)
    limit(request["seconds"], request["bytes"])
    try:
        answer = judged(request)
    except (MemoryError, duckdb.OutOfMemoryException):
        answer = {"error": "out of memory", "when": "evaluating"}
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # nothing is left to be tidied up, and tidying takes memory


if __name__ == "__main__":
    main()
