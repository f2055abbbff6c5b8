"""Access logs of web servers: the Common, the Combined and the W3C extended format.

A virtual host in front and further fields behind, as many servers add, are columns too. Behind a
proxy all requests come from its address; who asked it stands in `X-Forwarded-For`, the client
first, which the usual configuration of nginx writes behind the Combined format. It is what a client
says of itself when no proxy of the shop's has overwritten it, so `ip` stays a column.
"""

import re

import duckdb

from core.logs.engine import literal, quoted
from core.logs.w3c_log import create_view_of_w3c, is_w3c_log

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_ADDRESS = r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]+"
_UNTOLD = "-|unknown"
_LINE = re.compile(
    r"(?:(\S+) )?(\S+) \S+ (\S+) \[([^\]]+)\] "  # host, ip, identity, user, time
    + _QUOTED  # method, path, protocol
    + rf" (\d{{3}}|-) (\d+|-)(?: {_QUOTED} {_QUOTED})?"
    + rf'(?: "((?:{_UNTOLD}|{_ADDRESS})(?:, ?(?:{_UNTOLD}|{_ADDRESS}))*)")?(?: (.*))?'
)
_REQUEST = r"^(\S+) ([^\s?]+)(?:\?(\S*))?(?: (\S+))?$"
_PARTS = ("host", "ip", "authuser", "time", "request", "status", "bytes", "referrer", "useragent",
          "client_ip", "rest")  # fmt: skip
# Columns only where the first lines have them.
_OPTIONAL = {"host", "referrer", "useragent", "client_ip", "rest"}
_REQUEST_PARTS = ("method", "url_path", "url_query", "protocol")
_LOOK = 200  # lines
_LEAST_SHARE = 0.5  # of them
_TIME = "%d/%b/%Y:%H:%M:%S %z"


def is_access_log(lines: list[str]) -> bool:
    """Tell whether most of these lines were written by a web server."""
    looked = lines[:_LOOK]
    if is_w3c_log(looked):
        return True
    return sum(_LINE.fullmatch(line) is not None for line in looked) > _LEAST_SHARE * len(looked)


def create_view_of_accesses(con: duckdb.DuckDBPyConnection, lines: list[str]) -> list[str]:
    """Create `source` from the table `lines`; `lines` here are the first ones, for a look."""
    if is_w3c_log(lines):
        return create_view_of_w3c(con, lines)
    columns = _columns(lines)
    cells = ", ".join(f"{_cell(column)} AS {quoted(column)}" for column in columns)
    con.execute(
        f"""CREATE VIEW source AS SELECT "@row", "@file", "@line", "@text",
            coalesce("@refused", CASE WHEN part.ip = '' THEN 'not a line of an access log' END)
                AS "@refused", {cells}
        FROM (SELECT *, regexp_extract(part.request, {literal(_REQUEST)},
                {list(_REQUEST_PARTS)}) AS request
            FROM (SELECT *, regexp_extract("@text", {literal(f"^(?:{_LINE.pattern})$")},
                {list(_PARTS)}) AS part FROM lines))"""
    )
    return columns


def _columns(lines: list[str]) -> list[str]:
    matches = [match for line in lines[:_LOOK] if (match := _LINE.fullmatch(line))]
    groups = zip(*(match.groups() for match in matches), strict=True)
    seen = {part for part, group in zip(_PARTS, groups, strict=False) if any(group)}
    columns = [part for part in _PARTS if part in seen or part not in _OPTIONAL]
    place = columns.index("request")
    return [*columns[:place], *_REQUEST_PARTS, *columns[place + 1 :]]


def _cell(column: str) -> str:
    if column == "client_ip":
        first = f"regexp_extract(part.client_ip, {literal(_ADDRESS)})"
        return f"coalesce(nullif({first}, ''), value_of(part.ip))"
    text = f"request.{column}" if column in _REQUEST_PARTS else f"part.{column}"
    if column == "time":  # as all other logs write it; `@text` keeps how it was written
        return f"coalesce(CAST(try_strptime({text}, '{_TIME}') AS VARCHAR), value_of({text}))"
    return f"CASE WHEN trim({text}) <> '-' THEN value_of({text}) END"
