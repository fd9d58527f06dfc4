"""Reads one lake with DuckDB, Polars and huggy-etl: every table must give every reader the same rows.

    readers.py path/to/huggy-etl

Compares counts, and sums over columns that a misread file, partition or type would change.
"""
import csv
import io
import os
import subprocess
import sys
import sysconfig
import tempfile

import duckdb
import polars

CHECKS = {
    "events": ["count(*)", "count(distinct event_id)", "sum(chat_id)", "count(event_date)"],
    "fact_chats": ["count(*)", "sum(duration_seconds)", "sum(event_count)", "count(started_date)"],
    "fact_queue_waits": ["count(*)", "sum(wait_seconds)"],
    "fact_agent_segments": ["count(*)", "sum(handle_seconds)"],
    "fact_flow_runs": ["count(*)", "sum(duration_seconds)"],
    "fact_messages": ["count(*)", "sum(message_id)"],
    "fact_replies": ["count(*)", "sum(reply_seconds)"],
    "fact_department_changes": ["count(*)", "sum(to_department_id)"],
    "fact_workflow_changes": ["count(*)", "sum(to_step_id)"],
    "fact_agent_status": ["count(*)", "sum(duration_seconds)", "count(status_id)"],
    "dim_contacts": ["count(*)", "sum(contact_id)", "count(email)"],
    "dim_agents": ["count(*)", "sum(agent_id)"],
    "dim_channels": ["count(*)", "count(uuid)"],
    "dim_departments": ["count(*)", "count(name)"],
    "dim_flows": ["count(*)", "sum(runs)"],
    "dim_workflow_steps": ["count(*)", "sum(workflow_id)"],
    "dim_tabulations": ["count(*)", "count(name)"],
    "coverage": ["count(*)", "sum(events)"],
}


def run(binary, lake, *args):
    done = subprocess.run([binary, "--lake", lake, *args], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(args)}: {done.stderr}")
    return done.stdout


def ours(binary, lake, table, expressions):
    text = run(binary, lake, "query", "-c", f"SELECT {', '.join(expressions)} FROM {table}", "--format", "csv")
    return [int(value) for value in list(csv.reader(io.StringIO(text)))[1]]


def by_duckdb(connection, lake, table, expressions):
    row = connection.sql(f"SELECT {', '.join(expressions)} FROM delta_scan('{lake}/{table}')").fetchone()
    return [int(value) for value in row]


def by_polars(lake, table, expressions):
    frame = polars.scan_delta(f"{lake}/{table}")
    row = polars.SQLContext(t=frame).execute(f"SELECT {', '.join(expressions)} FROM t").collect().row(0)
    return [int(value) for value in row]


def duckdb_with_delta():
    connection = duckdb.connect()
    connection.sql("SET autoinstall_known_extensions=false")
    packages = sysconfig.get_paths()["purelib"]
    folder = os.path.join(packages, "duckdb_extension_delta", "extensions", f"v{duckdb.__version__}")
    connection.sql(f"LOAD '{folder}/delta.duckdb_extension'")
    return connection


def compare(binary, connection, lake):
    wrong = 0
    for table, expressions in CHECKS.items():
        answers = {
            "huggy-etl": ours(binary, lake, table, expressions),
            "duckdb": by_duckdb(connection, lake, table, expressions),
            "polars": by_polars(lake, table, expressions),
        }
        same = len({tuple(answer) for answer in answers.values()}) == 1 and answers["huggy-etl"][0] > 0
        print(f"{'same' if same else 'DIFFERENT':9} {table:20} {answers['huggy-etl'] if same else answers}")
        wrong += not same
    return wrong


def main():
    binary = os.path.abspath(sys.argv[1])
    connection, wrong = duckdb_with_delta(), 0
    with tempfile.TemporaryDirectory() as folder:
        lake = os.path.join(folder, "lake")
        # Twice, so that facts have been replaced and files removed from the tables but not the folders.
        for seed in ("1", "2"):
            path = os.path.join(folder, f"{seed}.ndjson")
            with open(path, "w") as file:
                file.write(run(binary, lake, "generate", "--chats", "300", "--days", "2", "--seed", seed))
            run(binary, lake, "import", path)
            run(binary, lake, "transform")
        wrong += compare(binary, connection, lake)
        # And all of it once more, when small files were written together and what they were is gone.
        before = {table: ours(binary, lake, table, expressions) for table, expressions in CHECKS.items()}
        run(binary, lake, "maintain", "--vacuum-older-than", "0s")
        print("after maintenance:")
        wrong += compare(binary, connection, lake)
        after = {table: ours(binary, lake, table, expressions) for table, expressions in CHECKS.items()}
        wrong += before != after
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
