"""Counts events with DuckDB and huggy-etl while eight writers fill the lake and it is maintained.

    beside.py path/to/huggy-etl

At every moment each reader must find what was acknowledged before it began, nothing that was not yet sent when it
ended, and nothing twice.
"""
import json
import os
import subprocess
import sys
import tempfile
import threading

from readers import by_duckdb, duckdb_with_delta, ours

WRITERS, PARTS, EVENTS = 8, 6, 40
COUNTS = ["count(*)", "count(DISTINCT event_id)", "sum(chat_id)"]


def lines(writer, part):
    """A file of deliveries of an event each, over two days; each event is of a chat of its own."""
    first = (writer * PARTS + part) * EVENTS
    for chat in range(first + 1, first + EVENTS + 1):
        item = {"id": chat, "situation": "auto", "company": {"id": 7}}
        yield json.dumps({"time": 1709298000 + 86400 * (chat % 2), "messages": {"startedChat": [item]}, "token": "x"}), chat


class Lake:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.path = binary, folder, os.path.join(folder, "lake")
        self.lock = threading.Lock()
        self.sent, self.acknowledged = [0, 0], [0, 0]
        self.failures = []

    def run(self, *args):
        done = subprocess.run([self.binary, "--lake", self.path, *args], capture_output=True, text=True)
        if done.returncode != 0:
            self.failures.append(f"{' '.join(args)}: {done.stderr}")
        return done

    def write(self, writer):
        for part in range(PARTS):
            bodies, chats = zip(*lines(writer, part))
            path = os.path.join(self.folder, f"{writer}-{part}.ndjson")
            with open(path, "w") as file:
                file.write("\n".join(bodies))
            self.count(self.sent, chats)
            self.run("import", path)
            self.count(self.acknowledged, chats)

    def count(self, counts, chats):
        with self.lock:
            counts[0] += len(chats)
            counts[1] += sum(chats)

    def check(self, name, read):
        """Whether what is read lies between what was acknowledged before and what was sent by then."""
        with self.lock:
            least = list(self.acknowledged)
        rows, events, chats = read(self.path, "events", COUNTS)
        with self.lock:
            most = list(self.sent)
        is_right = least[0] <= rows <= most[0] and rows == events and rows % EVENTS == 0 and least[1] <= chats <= most[1]
        if not is_right:
            self.failures.append(f"{name} found {rows} rows of {events} events, of {least[0]} to {most[0]}")


def main():
    connection, readings, runs = duckdb_with_delta(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(os.path.abspath(sys.argv[1]), folder)
        lake.write(WRITERS)
        writers = [threading.Thread(target=lake.write, args=(writer,), daemon=True) for writer in range(WRITERS)]
        stop = threading.Event()
        compacted = []

        def maintain():
            while not stop.is_set():
                done = lake.run("maintain")
                compacted.append("wrote" in done.stdout)

        maintainer = threading.Thread(target=maintain, daemon=True)
        for thread in [*writers, maintainer]:
            thread.start()
        readers = {
            "duckdb": lambda *what: by_duckdb(connection, *what),
            "huggy-etl": lambda *what: ours(lake.binary, *what),
        }
        while any(writer.is_alive() for writer in writers) and not lake.failures:
            for name, read in readers.items():
                lake.check(name, read)
                readings += 1
        for writer in writers:
            writer.join()
        stop.set()
        maintainer.join()
        # Once more, when all is written and what was removed is gone.
        lake.run("maintain", "--vacuum-older-than", "0s")
        for name, read in readers.items():
            lake.check(name, read)
        runs = sum(compacted)
        accepted, stored = lake.acknowledged[0], by_duckdb(connection, lake.path, "events", COUNTS)
    for failure in lake.failures:
        print("WRONG     ", failure)
    print(
        f"eight writers and a maintainer that wrote files anew {runs} times, counted {readings} times: "
        f"accepted {accepted}, in the lake {stored[1]}, lost {accepted - stored[1]}, doubled {stored[0] - stored[1]}"
    )
    sys.exit(0 if not lake.failures and runs > 0 and readings > 4 and stored[:2] == [accepted, accepted] else 1)


if __name__ == "__main__":
    main()
