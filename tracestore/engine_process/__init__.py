"""The engine process: statements of users are planned and run apart from the process that takes data.

Composition. What crosses between the two: requests and answers as frames of JSON and bytes; the store's changes from
the serving process to the engine, rows in memory as shared memory. The serving process unpacks nothing else that the
engine sends. docs/design/engine_process.md has the reasons.
"""
