"""Reads exports with DuckDB, Polars and pyarrow while they are written, killed and written again.

    exports.py path/to/huggy-etl

At every moment each reader must be able to read the folder and find every object whole; at the end
every table must have the rows, types and dates that the lake has.
"""
import glob
import os
import random
import subprocess
import sys
import tempfile
import time

import duckdb
import polars
import pyarrow.dataset
import pyarrow.parquet

TABLES = {
    "events": ("event_date", "count(*), sum(chat_id), count(DISTINCT event_id), count(event_date)"),
    "fact_chats": ("started_date", "count(*), sum(duration_seconds), sum(event_count), count(started_date)"),
    "fact_messages": ("sent_date", "count(*), sum(message_id), count(body), count(sent_date)"),
    "fact_queue_waits": ("entered_date", "count(*), sum(wait_seconds), count(entered_at), count(entered_date)"),
    "dim_contacts": (None, "count(*), sum(contact_id), count(email), count(first_seen_at)"),
}


class Desk:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.lake, self.out = os.path.join(folder, "lake"), os.path.join(folder, "out")

    def command(self, *args):
        return [self.binary, "--lake", self.lake, *args]

    def run(self, *args, **options):
        done = subprocess.run(self.command(*args), capture_output=True, text=True, **options)
        if done.returncode != 0:
            sys.exit(f"{' '.join(args)}: {done.stderr}")
        return done

    def add(self, seed):
        lines = self.run("generate", "--chats", "200", "--days", "3", "--seed", str(seed)).stdout
        self.run("import", "-", input=lines)
        self.run("transform")

    def lakes(self, expressions, table):
        text = self.run("query", "-c", f"SELECT {expressions} FROM {table}", "--format", "csv").stdout
        return [int(value) for value in text.splitlines()[1].split(",")]


def by_duckdb(folder, expressions):
    files = f"{folder}/**/*.parquet"
    row = duckdb.connect().sql(f"SELECT {expressions} FROM read_parquet('{files}', hive_partitioning = true)")
    return [int(value) for value in row.fetchone()]


def by_polars(folder, expressions):
    frame = polars.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=True)
    row = polars.SQLContext(t=frame).execute(f"SELECT {expressions} FROM t").collect().row(0)
    return [int(value) for value in row]


def by_pyarrow(folder, expressions):
    # As pandas.read_parquet(folder) does.
    rows = pyarrow.parquet.read_table(folder)
    row = duckdb.connect().sql(f"SELECT {expressions} FROM rows").fetchone()
    return [int(value) for value in row]


def read_whole(desk):
    """Every reader reads what there is at this moment; an object that is not whole fails."""
    rows = 0
    for table in TABLES:
        folder = os.path.join(desk.out, table)
        if glob.glob(f"{folder}/**/*.parquet", recursive=True):
            rows += by_pyarrow(folder, "count(*)")[0] + by_duckdb(folder, "count(*)")[0]
            rows += by_polars(folder, "count(*)")[0]
    return rows


def disturb(desk, seed, kills):
    """Exports that are killed at any instant, with readers at work; gives how often they read."""
    chance, reads = random.Random(seed), 0
    for _ in range(kills):
        export = subprocess.Popen(desk.command("export", "--to", desk.out), stderr=subprocess.DEVNULL)
        give_up = time.monotonic() + chance.uniform(0.02, 0.6)
        while time.monotonic() < give_up and export.poll() is None:
            reads += read_whole(desk) > 0
        export.kill()
        export.wait()
        reads += read_whole(desk) > 0
    return reads


def types(desk):
    """Types as readers find them: no views, no dictionaries, instants in UTC."""
    path = glob.glob(f"{desk.out}/fact_chats/*/*.parquet")[0]
    schema = pyarrow.parquet.read_schema(path)
    odd = [str(kind) for kind in schema.types if "view" in str(kind) or "dictionary" in str(kind)]
    instant, described = str(schema.field("started_at").type), schema.field("started_at").metadata
    frame = duckdb.connect().sql(f"SELECT started_date FROM read_parquet('{desk.out}/fact_chats/*/*.parquet')")
    found = (odd, instant, b"comment" in (described or {}), str(frame.types[0]))
    return found == ([], "timestamp[us, tz=UTC]", True, "DATE"), found


def main():
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(os.path.abspath(sys.argv[1]), folder)
        desk.add(1)
        desk.run("export", "--to", desk.out)
        for seed in (2, 3):
            desk.add(seed)
            reads = disturb(desk, seed, kills=6)
            print(f"{'whole' if reads else 'UNREAD':9} at each of {reads} readings beside exports that were killed")
            wrong += not reads
            desk.run("export", "--to", desk.out)
            for table, (_, expressions) in TABLES.items():
                exported = os.path.join(desk.out, table)
                answers = {"lake": desk.lakes(expressions, table)}
                for reader in (by_duckdb, by_polars, by_pyarrow):
                    answers[reader.__name__] = reader(exported, expressions)
                same = len({tuple(answer) for answer in answers.values()}) == 1 and answers["lake"][0] > 0
                print(f"{'same' if same else 'DIFFERENT':9} {table:20} {answers['lake'] if same else answers}")
                wrong += not same
        right, found = types(desk)
        print(f"{'same' if right else 'DIFFERENT':9} types {'' if right else found}")
        wrong += not right
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
