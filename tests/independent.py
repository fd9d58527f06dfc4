"""Computes the main measures once more, in plain SQL over `events`, and compares them with the facts.

    independent.py path/to/huggy-etl [seed...]

The SQL in `independent/` was written from the rules and shares nothing with the implementation. It also says for which
chats it does not express them: those are left out, and the check fails if they are more than a few.
"""
import os
import sys
import tempfile
from pathlib import Path

from readers import duckdb_with_delta, run

SQL = Path(__file__).with_name("independent")
FLOOR = 0.9  # The share of chats that every measure must cover.
SHOWN = 5

# What is simulated, how many chats, and which deliveries never arrive: gaps make the rules fall back to other evidence.
TRAFFIC = [("all deliveries", "3000", sys.maxsize), ("every seventh delivery lost", "1000", 7)]

CHAT = ["company_id", "chat_id"]
SESSION = [*CHAT, "session_no"]
QUEUE = ("sessions", "queue")

# Measure: our table, the fact, the keys, the columns, and the kinds of chats in `outside` that are left out.
MEASURES = {
    "times": ("sessions", "fact_chats", SESSION, ["started_at", "closed_at", "duration_seconds"], ("sessions",)),
    "counts": (
        "sessions",
        "fact_chats",
        SESSION,
        ["contact_messages", "agent_messages", "bot_messages", "internal_messages", "event_count"],
        ("sessions",),
    ),
    "outcomes": ("sessions", "fact_chats", SESSION, ["state", "outcome"], QUEUE),
    "session waits": (
        "sessions",
        "fact_chats",
        SESSION,
        ["queue_entered_at", "first_wait_seconds", "total_wait_seconds", "queue_episodes"],
        QUEUE,
    ),
    "queue waits": (
        "waits",
        "fact_queue_waits",
        [*SESSION, "episode_no"],
        ["entered_at", "entered_source", "left_at", "left_source", "exit", "agent_id", "wait_seconds"],
        QUEUE,
    ),
    "first responses": (
        "sessions",
        "fact_chats",
        SESSION,
        ["first_response_at", "first_response_seconds"],
        (*QUEUE, "responses"),
    ),
    "agent segments": (
        "segments",
        "fact_agent_segments",
        [*SESSION, "segment_no"],
        ["agent_id", "started_at", "ended_at", "end_reason", "handle_seconds", "ended_bounded"],
        QUEUE,
    ),
    "handle time": ("sessions", "fact_chats", SESSION, ["handle_seconds", "agent_segments", "transfers"], QUEUE),
    "messages": ("messages", "fact_messages", [*CHAT, "message_id"], ["session_no", "role", "is_internal", "sent_at"], ("sessions",)),
}

TOTALS = {
    "events by type": ("delivered_by_type", "stored_by_type", ["type"], ["events"]),
    "messages by role": ("messages_by_role", "stored_by_role", ["role"], ["messages"]),
}


def simulate(binary, folder, seed, chats, lost):
    """Writes the deliveries of a seed, less every `lost`th, and their lake; gives the paths of both."""
    lake, deliveries = os.path.join(folder, "lake"), os.path.join(folder, "deliveries.ndjson")
    lines = run(binary, lake, "generate", "--chats", chats, "--days", "3", "--seed", seed).splitlines(keepends=True)
    with open(deliveries, "w") as file:
        file.writelines(line for number, line in enumerate(lines, 1) if number % lost)
    run(binary, lake, "import", deliveries)
    run(binary, lake, "transform")
    return lake, deliveries


def derived(lake, deliveries):
    """A connection with the facts of the lake as `fact_*`, and what our SQL makes of its events."""
    connection = duckdb_with_delta()
    connection.sql("SET TimeZone = 'UTC'")
    connection.execute("SET VARIABLE lake = ?", [lake])
    connection.execute("SET VARIABLE deliveries = ?", [deliveries])
    for table in sorted({fact for _, fact, *_ in MEASURES.values()}):
        connection.sql(f"CREATE TABLE {table} AS FROM delta_scan('{lake}/{table}')")
    for part in ("evidence", "measures", "totals"):
        connection.execute((SQL / f"{part}.sql").read_text())
    return connection


def compare(connection, ours, facts, keys, columns):
    """How many rows there are, and those in which the two differ, both sides of each column side by side."""
    on = " AND ".join(f"o.{key} IS NOT DISTINCT FROM f.{key}" for key in keys)
    key = ", ".join(f"coalesce(o.{key}, f.{key}) AS {key}" for key in keys)
    sides = ", ".join(f"o.{column} AS our_{column}, f.{column}" for column in columns)
    differs = " OR ".join(f"o.{column} IS DISTINCT FROM f.{column}" for column in columns)
    # The flags tell a row that one side lacks from one whose columns are all NULL.
    joined = f"(SELECT *, 1 AS here FROM {ours}) o FULL OUTER JOIN (SELECT *, 1 AS here FROM {facts}) f ON {on}"
    [(rows,)] = connection.sql(f"SELECT count(*) FROM {joined}").fetchall()
    different = f"SELECT {key}, {sides} FROM {joined} WHERE {differs} OR o.here IS DISTINCT FROM f.here ORDER BY ALL"
    return rows, connection.sql(different)


def check(connection, name, what, ours, facts, keys, columns):
    rows, different = compare(connection, ours, facts, keys, columns)
    wrong = len(different)
    print(f"{'DIFFERENT' if wrong or not rows else 'same':9} {name:16} {what}{rows} rows, {wrong} differing")
    for row in different.project("COLUMNS(*)::TEXT").limit(SHOWN).fetchall():
        print(f"          {dict(zip(different.columns, row))}")
    return not wrong and rows > 0


def check_measure(connection, name, ours, fact, keys, columns, kinds):
    left_out = f"SELECT company_id, chat_id FROM outside WHERE list_contains({list(kinds)}, measures)"
    within = f"WHERE (company_id, chat_id) NOT IN ({left_out})"
    count = "SELECT count(DISTINCT (company_id, chat_id)) FROM evidence"
    [(chats, compared)] = connection.sql(f"SELECT ({count}), ({count} {within})").fetchall()
    share = compared / chats
    what = f"{compared} chats ({share:.1%}), "
    same = check(connection, name, what, f"{ours} {within}", f"{fact} {within}", keys, columns)
    if share < FLOOR:
        print(f"          covers less than {FLOOR:.0%} of the chats")
    return same and share >= FLOOR


def main():
    binary, seeds, good = os.path.abspath(sys.argv[1]), sys.argv[2:] or ["1"], True
    for seed in seeds:
        for what, chats, lost in TRAFFIC:
            print(f"seed {seed}, {what}:")
            with tempfile.TemporaryDirectory() as folder:
                connection = derived(*simulate(binary, folder, seed, chats, lost))
            for name, measure in MEASURES.items():
                good &= check_measure(connection, name, *measure)
            for name, total in TOTALS.items():
                good &= check(connection, name, "", *total)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
