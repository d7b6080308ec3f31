"""The sandbox: Python functions that users write run apart from the server, bounded, and see nothing of it.

Two processes stand between such a function and this one. The interpreter (pydantic-monty) runs in a worker process that
the operating system holds to its bounds; a second process speaks with it, reads what it gives back and is ended when it
takes too long. What crosses to this process are frames of JSON of bounded size. docs/design/sandbox.md has the reasons.
"""
