"""A worker that breaks in a chosen way after some answers: `broken_worker HOW AFTER`."""

import json
import os
import sys
import time

from hologram_dagster.target.reference_worker import ReferenceWorker


def main() -> None:
    how, after = sys.argv[1], int(sys.argv[2])
    worker, runs = ReferenceWorker(), 0
    for line in sys.stdin:
        request = json.loads(line)
        answer = {"ok": True, **worker.answer(request)}
        if request["call"] == "bye":
            return
        runs += request["call"] == "run"
        if runs > after:
            sys.stderr.write("the disk is full, password=hunter2\n")
            sys.stderr.flush()
            if how == "dies":
                os._exit(3)
            if how == "hangs":
                time.sleep(3600)
            if how == "lies":
                answer["digest"] = "0" * 64
            if how == "prints-rubbish":
                sys.stdout.write("ready!\n")
            if how == "writes-to-stdout":
                sys.stdout.write('{"ok": true, "ns": [1], "digest": "' + "0" * 64 + '"}\n')
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
