"""Stands in for the load generator: writes down how it was called, and says what the environment tells it to."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

answers = json.loads(Path(os.environ["STUB_ANSWERS"]).read_text())
calls = Path(os.environ["STUB_CALLS"])
number = len(calls.read_text().splitlines()) if calls.exists() else 0
with calls.open("a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\n")
answer = answers[number % len(answers)]
print(json.dumps(answer.get("told", {})))
print(answer.get("said", ""), file=sys.stderr)
sys.exit(answer.get("code", 0))
