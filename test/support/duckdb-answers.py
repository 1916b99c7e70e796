"""Answers SQL in DuckDB, a line of JSON for a line of JSON: rows of texts, or an error."""

import json
import sys

import duckdb

connection = duckdb.connect()
for line in sys.stdin:
    try:
        rows = connection.execute(json.loads(line)).fetchall()
        answer = {"rows": [[None if value is None else str(value) for value in row] for row in rows]}
    except duckdb.Error as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
