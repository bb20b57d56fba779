"""The evidence of one call as a file that stands for itself: what is in it, and its check."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from gateway.core.recording.evidence import (
    FORMAT,
    ChainEvent,
    EvidenceBroken,
    EvidenceKind,
    Leaf,
    Link,
    ProofStep,
    canonical,
    digest_of,
    led_to,
    read_canonical,
    read_chain,
    read_statement,
)
from gateway.core.recording.plain_tar import BadArchive, Entry, entries_in, exactly

ABOUT = "callgate evidence of one call"
README, MANIFEST, SIGNATURE = "README.txt", "manifest.json", "manifest.sig"
EVENTS, CALL = "events.jsonl", "call.json"
KEYS, ROOTS, FILES = "keys/", "roots/", "files/"
SMALL_BYTES_MAX = 32 * 1024 * 1024
"""Of everything but the recordings themselves, each."""
ENTRIES_MAX = 10_000
_PIECE_BYTES = 1024 * 1024
_OF_FILES = frozenset({EvidenceKind.RECORDING_MADE.value, EvidenceKind.VERDICT.value})


class Signatures(Protocol):
    """How signatures are checked; no secret is needed for it."""

    def public_of_pem(self, text: str) -> bytes:
        """Read a public key. Raises `ValueError`."""

    def pem_of(self, public: bytes) -> str:
        """Write it, always in the same form."""

    def key_id_of(self, public: bytes) -> str:
        """Name it by what it is."""

    def is_signed(self, content: bytes, signature: bytes, *, public: bytes) -> bool:
        """Whether its owner has signed exactly this."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in a package."""

    name: str
    size: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        """As the manifest lists it."""
        return {"name": self.name, "size": self.size, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Report:
    """What a sound package says."""

    call: str
    made_at: str
    key_id: str
    events: int
    signed_events: int
    """So many of the first ones stand below daily roots."""
    verdict: str | None
    recordings: tuple[Packed, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """What was read of an archive."""

    packed: list[Packed] = field(default_factory=list)
    small: dict[str, bytes] = field(default_factory=dict)


def manifest_text(
    *,
    call: str,
    made_at: str,
    key_id: str,
    link: Link,
    files: Sequence[Packed],
    account: Mapping[str, str],
) -> str:
    """Return what is signed: every file but the manifest and its signature."""
    return canonical(
        {
            "v": FORMAT,
            "about": ABOUT,
            "call": call,
            "account": dict(account),
            "made_at": made_at,
            "key": key_id,
            "events": link.seq,
            "head": link.head,
            "files": [each.as_json() for each in files],
        }
    )


def proof_text(leaf: Leaf, steps: Sequence[ProofStep]) -> str:
    """Write the way from a call's leaf to a daily root."""
    path = [["left" if step.is_left else "right", step.digest] for step in steps]
    return canonical({"call": leaf.call_id, "seq": leaf.seq, "head": leaf.head, "path": path})


def read_proof(text: str) -> tuple[Leaf, tuple[ProofStep, ...]]:
    """Read it. Raises `EvidenceBroken`."""
    tree = read_canonical(text, "a proof")
    try:
        leaf = Leaf(tree["call"], tree["seq"], tree["head"])
        steps = tuple(ProofStep(side == "left", digest) for side, digest in tree["path"])
        is_ours = proof_text(leaf, steps) == text
    except (KeyError, TypeError, ValueError):
        is_ours = False
    if not is_ours:
        raise EvidenceBroken("a proof is not of this format")
    return Leaf(tree["call"], tree["seq"], tree["head"]), tuple(
        ProofStep(side == "left", digest) for side, digest in tree["path"]
    )


def heard(events: Sequence[ChainEvent]) -> list[dict[str, Any]]:
    """Say who heard which announcement when, from the chain alone."""
    asked: Mapping[str, Any] = {}
    found: list[dict[str, Any]] = []
    for event in events:
        match event.kind:
            case EvidenceKind.ANNOUNCEMENT_ASKED:
                asked = event.facts
            case EvidenceKind.ANNOUNCEMENT_BEGAN:
                found.append({**asked, **event.facts, "began_at": event.at, "whole": False})
            case EvidenceKind.ANNOUNCEMENT_ENDED if found:
                found[-1] |= {"ended_at": event.at, "whole": True}
            case EvidenceKind.ANNOUNCEMENT_CUT_SHORT if found:
                found[-1] |= {"ended_at": event.at, "whole": False}
            case _:
                pass
    return found


def digests_in(facts: object) -> frozenset[str]:
    """Return every text of a chain's facts: a kept file's digest must be among them."""
    if isinstance(facts, str):
        return frozenset({facts})
    if isinstance(facts, Mapping):
        return frozenset[str]().union(*(digests_in(each) for each in facts.values()))
    if isinstance(facts, list | tuple):
        return frozenset[str]().union(*(digests_in(each) for each in facts))
    return frozenset()


# --- checking --------------------------------------------------------------------------------


def check_package(
    archive: BinaryIO, signatures: Signatures, *, trusted: frozenset[str] | None = None
) -> Report:
    """Check a package from its first bit to its last, and say what it holds.

    `trusted` are the ids of keys that are believed; without them the package's own keys are,
    and whoever checks must compare the id with what the installation has told.
    Raises `EvidenceBroken`.
    """
    try:
        found = _read(archive)
    except BadArchive as error:
        raise EvidenceBroken(str(error)) from None
    keys = _keys(found, signatures)
    manifest = _manifest(found, keys, signatures)
    if trusted is not None and manifest["key"] not in trusted:
        raise EvidenceBroken(f"signed with the key {manifest['key']}, which is not trusted")
    events, links = read_chain(_lines(found), manifest["call"])
    end = links[-1] if links else Link()
    if (end.seq, end.head) != (manifest["events"], manifest["head"]):
        raise EvidenceBroken("events are missing at the end")
    signed = _roots(found, manifest["call"], links, keys, signatures)
    return _report(found, manifest, events, signed)


def _read(archive: BinaryIO) -> _Found:
    found = _Found()
    for entry in entries_in(archive):
        if len(found.packed) >= ENTRIES_MAX:
            raise BadArchive("the archive holds too many files")
        found.packed.append(_read_entry(archive, entry, found))
    return found


def _read_entry(archive: BinaryIO, entry: Entry, found: _Found) -> Packed:
    digest = hashlib.sha256()
    is_small = not entry.name.startswith(FILES)
    if entry.name in found.small or (is_small and entry.size > SMALL_BYTES_MAX):
        raise BadArchive(f"{entry.name} does not belong here")
    left, pieces = entry.size, list[bytes]()
    while left:
        piece = exactly(archive, min(left, _PIECE_BYTES))
        left -= len(piece)
        digest.update(piece)
        if is_small:
            pieces.append(piece)
    if is_small:
        found.small[entry.name] = b"".join(pieces)
    return Packed(entry.name, entry.size, digest.hexdigest())


def _text(found: _Found, name: str) -> str:
    try:
        return found.small[name].decode("ascii")
    except KeyError:
        raise EvidenceBroken(f"{name} is missing") from None
    except UnicodeDecodeError:
        raise EvidenceBroken(f"{name} is damaged") from None


def _keys(found: _Found, signatures: Signatures) -> dict[str, bytes]:
    """Return the public keys by what they are."""
    keys: dict[str, bytes] = {}
    for name in found.small:
        if not name.startswith(KEYS):
            continue
        text = _text(found, name)
        try:
            public = signatures.public_of_pem(text)
        except ValueError:
            raise EvidenceBroken(f"{name} is no key") from None
        key_id = signatures.key_id_of(public)
        if name != f"{KEYS}{key_id}.pem" or signatures.pem_of(public) != text:
            raise EvidenceBroken(f"{name} is not the key it is called")
        keys[key_id] = public
    return keys


def _manifest(
    found: _Found, keys: Mapping[str, bytes], signatures: Signatures
) -> dict[str, Any]:
    text = _text(found, MANIFEST)
    manifest = read_canonical(text, MANIFEST)
    if manifest.get("v") != FORMAT or manifest.get("about") != ABOUT:
        raise EvidenceBroken("this is no evidence package that this program can read")
    public = keys.get(str(manifest.get("key")))
    if public is None:
        raise EvidenceBroken("the key that signed the package is not in it")
    signature = found.small.get(SIGNATURE, b"")
    if not signatures.is_signed(text.encode(), signature, public=public):
        raise EvidenceBroken("the signature of the package is wrong")
    listed = [each for each in found.packed if each.name not in {MANIFEST, SIGNATURE}]
    if [each.as_json() for each in listed] != manifest.get("files"):
        raise EvidenceBroken(_difference(listed, manifest.get("files")))
    return manifest


def _difference(listed: Sequence[Packed], wanted: object) -> str:
    """Say which file is not what the manifest says."""
    known = {each["name"]: each for each in wanted} if isinstance(wanted, list) else {}
    for each in listed:
        if known.get(each.name) != each.as_json():
            return f"{each.name} is not what was signed"
    return "a file is missing, or not in its place"


def _lines(found: _Found) -> list[str]:
    text = _text(found, EVENTS)
    lines = text.split("\n")
    if lines.pop() != "":
        raise EvidenceBroken(f"{EVENTS} is cut off")
    return lines


def _roots(
    found: _Found,
    call: str,
    links: Sequence[Link],
    keys: Mapping[str, bytes],
    signatures: Signatures,
) -> int:
    """Check the daily roots and return for how many of the first events they vouch."""
    signed = 0
    for name in found.small:
        if not (name.startswith(ROOTS) and name.endswith(".json")) or ".proof." in name:
            continue
        stem = name.removesuffix(".json")
        text = _text(found, name)
        root = read_statement(text)
        public = keys.get(root.key_id)
        signature = found.small.get(f"{stem}.sig", b"")
        if public is None or not signatures.is_signed(text.encode(), signature, public=public):
            raise EvidenceBroken(f"the signature of the daily root {root.number} is wrong")
        leaf, steps = read_proof(_text(found, f"{stem}.proof.json"))
        if leaf.call_id != call or led_to(leaf, steps) != root.tree:
            raise EvidenceBroken(f"the daily root {root.number} does not vouch for this call")
        if leaf.seq > len(links) or links[leaf.seq - 1].head != leaf.head:
            raise EvidenceBroken("events are missing, or not those that a daily root names")
        signed = max(signed, leaf.seq)
    return signed


def _report(
    found: _Found, manifest: Mapping[str, Any], events: Sequence[ChainEvent], signed: int
) -> Report:
    recordings = tuple(each for each in found.packed if each.name.startswith(FILES))
    warnings = _unspoken(recordings, events)
    if signed < len(events):
        warnings.append(f"{len(events) - signed} events are not below a daily root yet")
    verdicts = [
        str(each.facts.get("verdict")) for each in events if each.kind == EvidenceKind.VERDICT
    ]
    return Report(
        call=manifest["call"],
        made_at=manifest["made_at"],
        key_id=manifest["key"],
        events=len(events),
        signed_events=signed,
        verdict=verdicts[-1] if verdicts else None,
        recordings=recordings,
        warnings=tuple(warnings),
    )


def _unspoken(recordings: Sequence[Packed], events: Sequence[ChainEvent]) -> list[str]:
    """Find recordings that the chain does not name.

    One of which the chain tells another digest has been exchanged. One of which it tells
    nothing is older than the chain.
    """
    files = [each for each in events if each.kind in _OF_FILES]
    told = frozenset[str]().union(*(digests_in(each.facts) for each in files))
    unspoken = [each.name for each in recordings if each.sha256 not in told]
    if unspoken and files:
        raise EvidenceBroken(f"{unspoken[0]} is not the file that the events speak of")
    return [f"the events do not speak of {name}: it is older than they" for name in unspoken]


def event_text(lines: Sequence[str]) -> str:
    """Write the chain, a line for each event."""
    return "".join(f"{line}\n" for line in lines)


def packed(name: str, content: bytes) -> Packed:
    """Describe a small file."""
    return Packed(name, len(content), digest_of(content))
