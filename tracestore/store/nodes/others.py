"""What a node asks of the other nodes: that they write their memory to segments."""

from __future__ import annotations

from tracestore.store.catalog.nodes import node_table
from tracestore.store.core import Core
from tracestore.store.nodes.catch_up import catch_up


def flush_others(core: Core) -> dict[str, str]:
    """Has every other node write what it has in memory to segments, and follows them.

    Returns why, by node id, of those that could not: rows that they have acknowledged are in no segment.
    """
    node = core.node
    if node is None:
        return {}
    with core.catalog.transaction() as connection:
        nodes = node_table.read_in(connection)
    me = node.name.node_id
    asked = [
        each for each in nodes if each.node_id != me and each.role != "query" and not each.stopped
    ]
    failed = {each.node_id: "it is not up" for each in asked if not each.is_up or each.url is None}
    reached = [each for each in asked if each.node_id not in failed]
    if reached and node.peers is None:
        failed.update({each.node_id: "this process asks no other node" for each in reached})
    elif reached and node.peers is not None:
        answers = node.peers.flush(reached)
        failed.update({name: why for name, why in answers.items() if why is not None})
    catch_up(core)
    return failed
