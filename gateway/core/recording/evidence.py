"""What happened in a call and to its recording, chained so that nothing is changed or left out.

A chain is a list of lines, one canonical JSON object each, that name the digest of the line
before. Whoever knows the last digest (the head) knows all lines. The heads of many calls are
the leaves of a tree (RFC 6962, section 2.1) whose root is signed once a day, so that a call's
head can be shown to have been there without showing anybody else's.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

FORMAT = 1
GENESIS = "0" * 64
"""Stands before the first line of a chain, and before the first root."""
LINE_CHARS_MAX = 256 * 1024
_DIGEST_CHARS = 64
_FIELDS = frozenset({"v", "call", "account", "seq", "at", "kind", "facts", "previous"})

Facts = Mapping[str, Any]
"""JSON: ids, digests, numbers, words of our own. Nothing that names a customer."""


class EvidenceBroken(Exception):
    """A chain, a root or a package is not what it was; the text says where."""


class EvidenceKind(StrEnum):
    """What can happen. The values are stable; deeds of people keep the audit's names."""

    CALL_STARTED = "call.started"
    CALL_ANSWERED = "call.answered"
    CALL_AGENT = "call.agent"
    """Another agent has the call."""
    CALL_ENDED = "call.ended"
    MINUTES_HELD = "minutes.held"
    RECORDING_REFUSED = "recording.refused"
    ANNOUNCEMENT_ASKED = "announcement.asked"
    ANNOUNCEMENT_BEGAN = "announcement.began"
    ANNOUNCEMENT_ENDED = "announcement.ended"
    ANNOUNCEMENT_CUT_SHORT = "announcement.cut_short"
    CAPTURE_ORDERED = "capture.ordered"
    CAPTURE_FAILED = "capture.failed"
    CAPTURE_WENT = "capture.went"
    """It began, or went on after it had been stopped."""
    CAPTURE_STOPPED = "capture.stopped"
    RECORDING_MADE = "recording.made"
    OFFICIAL_AWAITED = "official.awaited"
    OFFICIAL_ANNOUNCED = "official.announced"
    OFFICIAL_VERIFIED = "official.verified"
    OFFICIAL_FAILED = "official.failed"
    OFFICIAL_UNWANTED = "official.unwanted"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that is to be added to a call's chain."""

    kind: str
    at: float
    """Wall clock, seconds; it may go back a little where nodes' clocks differ."""
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """A line of a chain, read."""

    seq: int
    at: str
    kind: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain ends."""

    seq: int = 0
    head: str = GENESIS


@dataclass(frozen=True, slots=True)
class Leaf:
    """A call's chain as a root vouches for it."""

    call_id: str
    seq: int
    head: str


@dataclass(frozen=True, slots=True)
class ProofStep:
    """A neighbour on the way from a leaf to the root."""

    is_left: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Root:
    """What is signed once a day."""

    number: int
    day: str
    """In UTC; what was written while it was made may be in it, or in the next."""
    made_at: str
    leaves: int
    tree: str
    previous: str
    """Digest of the statement of the root before."""
    key_id: str


def canonical(tree: Mapping[str, Any]) -> str:
    """Write JSON the one way that is digested and signed (ASCII, sorted, no blanks)."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str | bytes) -> str:
    """Return the SHA-256 of a text, in hex."""
    content = text.encode() if isinstance(text, str) else text
    return hashlib.sha256(content).hexdigest()


def moment(at: float) -> str:
    """Write a time: UTC, milliseconds."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


# --- chains ----------------------------------------------------------------------------------


def next_line(link: Link, call_id: str, account_id: str, happening: Happening) -> str:
    """Return the line that comes after `link`."""
    return canonical(
        {
            "v": FORMAT,
            "call": call_id,
            "account": account_id,
            "seq": link.seq + 1,
            "at": moment(happening.at),
            "kind": str(happening.kind),
            "facts": dict(happening.facts),
            "previous": link.head,
        }
    )


def extended(link: Link, line: str) -> Link:
    """Return where the chain ends with one more line."""
    return Link(link.seq + 1, digest_of(line))


def read_chain(lines: Sequence[str], call_id: str) -> tuple[list[ChainEvent], list[Link]]:
    """Check a whole chain and return its events, and where it ended after each.

    Raises `EvidenceBroken` for a line that is missing, changed, moved or another call's.
    """
    link, events, links = Link(), list[ChainEvent](), list[Link]()
    for line in lines:
        events.append(_read_line(line, link, call_id))
        link = extended(link, line)
        links.append(link)
    return events, links


def _read_line(line: str, link: Link, call_id: str) -> ChainEvent:
    where = f"event {link.seq + 1}"
    if len(line) > LINE_CHARS_MAX:
        raise EvidenceBroken(f"{where} is too long")
    tree = read_canonical(line, where)
    if tree.keys() != _FIELDS or tree["v"] != FORMAT:
        raise EvidenceBroken(f"{where} is not of this format")
    if tree["call"] != call_id:
        raise EvidenceBroken(f"{where} is of another call")
    if tree["seq"] != link.seq + 1:
        raise EvidenceBroken(f"{where} is missing")
    if tree["previous"] != link.head:
        raise EvidenceBroken(f"{where} does not follow the one before it")
    if not isinstance(tree["facts"], dict):
        raise EvidenceBroken(f"{where} is not of this format")
    return ChainEvent(tree["seq"], str(tree["at"]), str(tree["kind"]), tree["facts"])


def read_canonical(text: str, where: str) -> dict[str, Any]:
    """Return a JSON object that is written exactly as `canonical` writes it."""
    try:
        tree: object = json.loads(text)
        if isinstance(tree, dict) and canonical(tree) == text:
            return tree
    except (ValueError, RecursionError):
        pass
    raise EvidenceBroken(f"{where} is damaged")


# --- trees -----------------------------------------------------------------------------------


def leaf_digest(leaf: Leaf) -> str:
    """Return a leaf's digest."""
    text = canonical({"call": leaf.call_id, "seq": leaf.seq, "head": leaf.head})
    return hashlib.sha256(b"\x00" + text.encode()).hexdigest()


def _joined(left: str, right: str) -> str:
    return hashlib.sha256(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def _levels(leaves: Sequence[Leaf]) -> list[list[str]]:
    """Return all digests, level by level, the leaves first; an odd one goes up as it is."""
    level = [leaf_digest(leaf) for leaf in leaves]
    levels = [level]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [_joined(left, right) for left, right in pairs]
        level = [*above, level[-1]] if len(level) % 2 else above
        levels.append(level)
    return levels


def tree_of(leaves: Sequence[Leaf]) -> str:
    """Return the root of a tree, with the leaves in the order given; there is at least one."""
    assert leaves, "a tree has leaves"
    return _levels(leaves)[-1][0]


def proof_of(leaves: Sequence[Leaf], place: int) -> tuple[ProofStep, ...]:
    """Return the way from the leaf at `place` to the root."""
    steps: list[ProofStep] = []
    for level in _levels(leaves)[:-1]:
        neighbour = place ^ 1
        if neighbour < len(level):
            steps.append(ProofStep(neighbour < place, level[neighbour]))
        place //= 2
    return tuple(steps)


def led_to(leaf: Leaf, steps: Sequence[ProofStep]) -> str:
    """Return the root that a leaf's way leads to. Raises `EvidenceBroken`."""
    digest = leaf_digest(leaf)
    for step in steps:
        if not is_digest(step.digest):
            raise EvidenceBroken("a proof holds what is no digest")
        pair = (step.digest, digest) if step.is_left else (digest, step.digest)
        digest = _joined(*pair)
    return digest


def is_digest(text: object) -> bool:
    """Whether it is a SHA-256 in lower-case hex."""
    return (
        isinstance(text, str)
        and len(text) == _DIGEST_CHARS
        and all(character in "0123456789abcdef" for character in text)
    )


# --- roots -----------------------------------------------------------------------------------


def statement_of(root: Root) -> str:
    """Return the text that is signed."""
    return canonical(
        {
            "v": FORMAT,
            "number": root.number,
            "day": root.day,
            "made_at": root.made_at,
            "leaves": root.leaves,
            "tree": root.tree,
            "previous": root.previous,
            "key": root.key_id,
        }
    )


def read_statement(text: str) -> Root:
    """Read what was signed. Raises `EvidenceBroken`."""
    tree = read_canonical(text, "a daily root")
    try:
        root = Root(
            number=tree["number"],
            day=tree["day"],
            made_at=tree["made_at"],
            leaves=tree["leaves"],
            tree=tree["tree"],
            previous=tree["previous"],
            key_id=tree["key"],
        )
    except KeyError:
        raise EvidenceBroken("a daily root is not of this format") from None
    if statement_of(root) != text:
        raise EvidenceBroken("a daily root is not of this format")
    return root
