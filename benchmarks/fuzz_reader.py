"""Feed the reader what no program writes, and see that every row is accounted for.

    python -m benchmarks.fuzz_reader [MINUTES]

First a log with a line of a gigabyte: its other rows have to come in, and memory to stay bounded.
Then file after file is opened and imported as far as its preview. Allowed are a count of rows that
adds up, or `BadInput`; anything else that escapes, a crash or a minute without an answer is a
failure. The file that was being read stays at `/tmp/spoor-fuzz/log` for a look.
"""

import bz2
import faulthandler
import gzip
import io
import json
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from benchmarks.workbooks import rows_of, write_workbook
from core.errors import BadInput
from core.logs.engine import connect, scratch_folder
from core.logs.events import create_events
from core.logs.lines import RESERVED
from core.logs.mapping import Format, Mapping
from core.logs.proposal import complete
from core.logs.reader import Source, open_log
from core.logs.sources import container_of

_PATIENCE = 60  # seconds per file

Edit = tuple[str, float, bytes]


def rows_add_up(path: Path) -> int | None:
    """Return how many rows the reader found, all accounted for; None where it refuses the file."""
    try:
        with scratch_folder() as scratch, connect(scratch) as con:
            source = open_log(con, path, scratch)
            rows = con.execute('SELECT "@row", "@line", "@text" FROM source ORDER BY 1').fetchall()
            counted = _count(con, source)
            left_out = _lines_left_out(path, source.format, rows)
    except BadInput:
        return None
    above = source.format.header + source.format.skip
    assert len(left_out) <= above or left_out == list(range(left_out[0], rows[0][1]))
    assert counted is None or counted == len(rows)
    assert [row for row, _, _ in rows] == list(range(1, len(rows) + 1))
    assert all(line >= 1 and text is not None for _, line, text in rows)
    return len(rows)


def _count(con: duckdb.DuckDBPyConnection, source: Source) -> int | None:
    """Count the rows as an import does, with the mapping proposed or a plain one."""
    for mapping in (None, _as_actor(source.columns[0])):
        try:
            counts = create_events(con, complete(con, source, mapping))
        except BadInput:
            continue
        return counts.accepted + counts.rejected + counts.duplicate
    return None


def _lines_left_out(path: Path, format: Format, rows: list[tuple[int, int, str]]) -> list[int]:
    """Return the numbers of the lines of a text that are neither blank nor in any row."""
    if container_of(path) != "text" or format.kind == "json":
        return []
    text = path.read_text(encoding=format.encoding, errors="replace").translate(RESERVED)
    kept = {line + n for _, line, raw in rows for n in range(raw.count("\n") + 1)}
    numbered = enumerate(text.split("\n"), start=1)
    return [number for number, line in numbered if line.strip() and number not in kept]


def _as_actor(column: str) -> Mapping:
    nothing = dict.fromkeys(("session", "time", "action", "item", "amount", "event_id"))
    return Mapping.model_validate({"roles": {"actor": column, **nothing}})


_EVENTS = [
    {"user": f"u{n % 3}", "time": f"2020-01-01 10:00:0{n}", "action": "view", "price": n / 2}
    for n in range(8)
]
_FRAME = pd.DataFrame(_EVENTS)
_CSV = _FRAME.to_csv(index=False).encode()
_ACCESS = (
    b'1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=1 HTTP/1.0" 200 2326 "-" "agent"\n' * 4
)


def _zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _workbook() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        rows: list[list[object]] = [list(_EVENTS[0]), *(list(event.values()) for event in _EVENTS)]
        return write_workbook(Path(folder) / "log.xlsx", {"Log": rows_of(rows)}).read_bytes()


def _zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


VALID = {
    "csv": _CSV,
    "quoted csv": b'user,note\nu1,"a ""b"", c\nd"\nu2,"x"\n',
    "utf-16": _CSV.decode().encode("utf-16"),
    "gb18030": "用户,动作\n张三,浏览\n李四,下单\n".encode("gb18030"),
    "fixed": _FRAME.to_string(index=False).encode(),
    "json lines": "\n".join(map(json.dumps, _EVENTS)).encode(),
    "json": json.dumps(
        {"n": 1, "events": [{"at": {"x": 1}, **event} for event in _EVENTS]}
    ).encode(),
    "access log": _ACCESS,
    "parquet": _FRAME.to_parquet(),
    "excel": _workbook(),
    "gzip": gzip.compress(_CSV),
    "bzip2": bz2.compress(_CSV),
    "zstd": _zstd(_CSV),
    "zip": _zipped("log.csv", _CSV),
}

_EDITS: dict[str, Callable[[bytes, int, bytes], bytes]] = {
    "cut off": lambda data, at, new: data[:at],
    "overwrite": lambda data, at, new: data[:at] + new + data[at + len(new) :],
    "insert": lambda data, at, new: data[:at] + new + data[at:],
    "remove": lambda data, at, new: data[:at] + data[at + len(new) :],
    "repeat": lambda data, at, new: data[:at] + data[at // 2 : at] * 3 + data[at:],
}
_PIECES = st.binary(min_size=1, max_size=8) | st.sampled_from(
    [b'"', b"\n", b"\r", b"\r\n", b"\0", b",", b"{", b"}", b"[", b"]", b"\\", b"\xff\xfe",
     b"\x01\x02", b"\x1e\x1f", b'":', b"nan", b"\xe2\x80\xa8", b"  ", b"\t", b"1e999",
     b"-", b"9" * 400]
)  # fmt: skip


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """Apply edits to a file; the place of each is a share of its length."""
    for edit, share, piece in edits:
        data = _EDITS[edit](data, int(share * len(data)), piece)
    return data


FILES = st.binary(max_size=300) | st.builds(
    edited,
    st.sampled_from(list(VALID.values())),
    st.lists(st.tuples(st.sampled_from(list(_EDITS)), st.floats(0, 1), _PIECES), max_size=4),
)


def fuzz(minutes: float) -> None:
    """Run for so long, and say how many files were refused and read."""
    path = Path("/tmp/spoor-fuzz/log")
    path.parent.mkdir(exist_ok=True)
    end, round_, found = time.monotonic() + 60 * minutes, 0, {True: 0, False: 0}

    @settings(
        max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(content=FILES)
    def one_round(content: bytes) -> None:
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        path.write_bytes(content)
        found[rows_add_up(path) is None] += 1

    while time.monotonic() < end:
        seed(round_)(one_round)()
        round_ += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"{sum(found.values())} files: {found[False]} read, {found[True]} refused, no failure")


def read_long_line(size: int = 1 << 30, memory: int = 300) -> None:
    """Open a log with a line of `size` bytes; no more than `memory` MB may be taken for it."""
    path = Path("/tmp/spoor-fuzz/long")
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        stream.write(_CSV)
        stream.writelines([b"x" * (1 << 20)] * (size >> 20))
        stream.write(b"\n" + _CSV.split(b"\n", 1)[1])
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with scratch_folder() as scratch, connect(scratch) as con:
        open_log(con, path, scratch)
        found = con.execute('SELECT count(*), count("@refused") FROM source').fetchone()
    taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    path.unlink()
    assert found == (2 * len(_EVENTS) + 1, 1), found
    assert taken < memory, f"{taken} MB"
    print(f"a line of {size:,} bytes: {time.monotonic() - start:.1f} s, {taken} MB")


if __name__ == "__main__":
    read_long_line()
    fuzz(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
