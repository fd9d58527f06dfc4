"""Times every saved query against DuckDB on the same lake, whole processes, one after the other.

    queries.py path/to/huggy-etl [query...]

Both answer with the same SQL, but for names of functions that DuckDB has otherwise, and both answers are compared, so
that no time is won by a wrong one. Prints a line per query and the total, as our time over DuckDB's, and how long it
takes to start. `BENCH_QUERY_EVENTS` says how many events the lake has (10,000,000), `BENCH_QUERY_LAKE` names a folder
that keeps it for the next run, `BENCH_QUERY_ROUNDS` how often each is run (5): the median counts.
"""
import csv
import io
import json
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import duckdb_cli

# The program itself, not the package's script that starts it.
DUCKDB = str(Path(duckdb_cli.__file__).with_name("duckdb"))
QUERIES = Path(__file__).parents[3] / "queries"
EVENTS = int(os.environ.get("BENCH_QUERY_EVENTS", 10_000_000))
ROUNDS = int(os.environ.get("BENCH_QUERY_ROUNDS", 5))
EVENTS_PER_CHAT = 17
CHATS_PER_DAY = 500
ZONE = "America/Sao_Paulo"
PARAMETER = re.compile(r"^-- \$(\w+) (\w+)(?: = (\S+))?", re.MULTILINE)
SCANNED = re.compile(r"\b(FROM|JOIN)\s+((?:fact|dim)_\w+|events|coverage)\b(\s+AS\s+\w+)?")

# What DuckDB names otherwise.
DIALECT = [
    (re.compile(r"\bdate_bin\("), "time_bucket("),
    # There only a window has a first_value.
    (re.compile(r"\bfirst_value\((\w+ ORDER BY)"), r"first(\1"),
    (re.compile(r"\bat\b"), '"at"'),
    (re.compile(r"(FROM|JOIN) (generate_series\(.*\)) AS (\w+)"), r"\1 \2 AS \3(value)"),
    # A series of dates is one of timestamps there.
    (re.compile(r"(unnest\(generate_series\([^;]*?INTERVAL '1 day'\s*\)\)) AS"), r"CAST(\1 AS DATE) AS"),
]
MACROS = f"""
CREATE MACRO local_time(t) AS t AT TIME ZONE '{ZONE}';
CREATE MACRO local_date(t) AS CAST(t AT TIME ZONE '{ZONE}' AS DATE);
CREATE MACRO date_start(d) AS CAST(d AS TIMESTAMP) AT TIME ZONE '{ZONE}';
"""


class Desk:
    def __init__(self, binary, folder):
        self.binary, self.lake = binary, f"{folder}/lake"

    def etl(self, *args, **options):
        command = [self.binary, "--lake", self.lake, *args]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout

    def fill(self):
        """Traffic of the size asked for, its facts, and the files as regular maintenance leaves them."""
        if os.path.exists(self.lake):
            return
        chats = EVENTS // EVENTS_PER_CHAT
        days = max(1, chats // CHATS_PER_DAY)
        traffic = subprocess.Popen(
            [self.binary, "generate", "--chats", str(chats), "--days", str(days)], stdout=subprocess.PIPE
        )
        self.etl("import", "-", stdin=traffic.stdout)
        self.etl("transform")
        self.etl("maintain")

    def ours(self, name):
        return self.etl("query", str(QUERIES / f"{name}.sql"), "--format", "csv")

    def theirs(self, sql):
        return subprocess.run([DUCKDB, "-csv", "-nullvalue", "", "-c", sql], check=True, stdout=subprocess.PIPE).stdout

    def for_duckdb(self, sql):
        for name, kind, default in PARAMETER.findall(sql):
            kind = "TIMESTAMPTZ" if kind == "TIMESTAMP" else kind
            sql = re.sub(rf"\${name}\b", f"CAST({default or 'NULL'} AS {kind})", sql)
        sql = re.sub(r"^--.*\n?", "", sql, flags=re.MULTILINE)
        for name, other in DIALECT:
            sql = name.sub(other, sql)

        def scan(found):
            keyword, table, alias = found.groups()
            return f"{keyword} delta_scan('{self.lake}/{table}'){alias or ' AS ' + table}"

        return SCANNED.sub(scan, sql)


def timed(run, *args):
    began = time.perf_counter()
    answer = run(*args)
    return (time.perf_counter() - began) * 1e3, answer


def rows(answer):
    return list(csv.reader(io.StringIO(answer.decode())))


def same_cell(ours, theirs):
    if ours == theirs:
        return True
    try:
        # The last digit of what is rounded may differ: it is summed in another order.
        return abs(float(ours) - float(theirs)) <= 0.1
    except ValueError:
        return instant(ours) == instant(theirs)


def instant(text):
    return re.sub(r"[T ]", " ", text).removesuffix("Z").removesuffix("+00").removesuffix(" 00:00:00")


def difference(ours, theirs):
    ours, theirs = rows(ours), rows(theirs)
    if len(ours) != len(theirs):
        return f"{len(ours)} rows, and DuckDB has {len(theirs)}"
    for number, (our_row, their_row) in enumerate(zip(ours, theirs)):
        if len(our_row) != len(their_row) or not all(map(same_cell, our_row, their_row)):
            return f"row {number} is {our_row}, and DuckDB has {their_row}"
    return None


def delta():
    """Loads the extension that the package brings, which DuckDB would else download."""
    packages = Path(sysconfig.get_paths()["purelib"])
    extension = next(packages.glob("duckdb_extension_delta/extensions/*/delta.duckdb_extension"))
    return f"SET autoinstall_known_extensions=false; LOAD '{extension}'; SET TimeZone='UTC';"


def measure(desk, name, setup):
    sql = setup + desk.for_duckdb((QUERIES / f"{name}.sql").read_text())
    # Once unmeasured, so that both read from the system's cache.
    different = difference(desk.ours(name), desk.theirs(sql))
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(timed(desk.ours, name)[0])
        theirs.append(timed(desk.theirs, sql)[0])
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    line = f"{name:28} {ours:8.0f} ms {theirs:8.0f} ms  ratio {ours / theirs:.2f}"
    print(f"{line}  DIFFERENT: {different}" if different else line, flush=True)
    return ours, theirs, different


def start(desk, what, *args):
    times = [timed(desk.etl, "query", "-c", *args)[0] for _ in range(4 * ROUNDS)]
    print(f"{what:28} {statistics.median(times):8.0f} ms, of {len(times)} from {min(times):.0f} to {max(times):.0f}")


def main():
    binary, *names = sys.argv[1:]
    names = names or sorted(path.stem for path in QUERIES.glob("*.sql"))
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(os.path.abspath(binary), os.environ.get("BENCH_QUERY_LAKE", folder))
        desk.fill()
        events = json.loads(desk.etl("query", "-c", "SELECT count(*) AS n FROM events", "--format", "json"))[0]["n"]
        print(f"{'a lake of ' + format(events, ',') + ' events':28} huggy-etl   DuckDB", flush=True)
        setup = delta() + MACROS
        measured = [measure(desk, name, setup) for name in names]
        ours, theirs = (sum(times) for times in list(zip(*measured))[:2])
        worst = max(ours / theirs for ours, theirs, _ in measured)
        print(f"{'total':28} {ours:8.0f} ms {theirs:8.0f} ms  ratio {ours / theirs:.2f}, worst {worst:.2f}")
        start(desk, "start: select 1", "SELECT 1")
        start(desk, "start: a small table", "SELECT count(*), max(changed_at) FROM fact_workflow_changes")
    sys.exit(1 if any(different for _, _, different in measured) else 0)


if __name__ == "__main__":
    main()
