"""Heart-beats and load of the gateway's nodes, through Redis."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.adapters.redis_link import Kept, RedisLink
from gateway.core.ids import NodeId
from gateway.ports import Json


@dataclass(frozen=True, slots=True)
class NodeBeat:
    """What a node says of itself once a second."""

    node_id: NodeId
    epoch: int
    live_calls: int


class RedisNodes:
    """Tells the others of this node and knows those that were heard of lately."""

    def __init__(self, link: RedisLink, *, epoch: int, live_calls: Callable[[], int]) -> None:
        """`live_calls` is asked at every heart-beat for this node's load."""
        self._epoch = epoch
        self._live_calls = live_calls
        self._others: dict[NodeId, NodeBeat] = {}
        link.keep(Kept("node", self._written, self._read))

    def others(self) -> Sequence[NodeBeat]:
        """Return the other nodes that live, as far as Redis tells."""
        return list(self._others.values())

    def _written(self) -> Json:
        return {"epoch": self._epoch, "live_calls": self._live_calls()}

    def _read(self, peers: Mapping[NodeId, Json]) -> None:
        self._others = {}
        for node, kept in peers.items():
            match kept:
                case {"epoch": int(epoch), "live_calls": int(live_calls)}:
                    self._others[node] = NodeBeat(node, epoch, live_calls)
                case _:
                    continue
