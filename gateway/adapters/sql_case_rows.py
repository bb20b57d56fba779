"""Between a case and its row: documents as JSON, and columns to search by and to add up."""

from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Row

from gateway.core.recording.facts import Facts
from gateway.core.recording.outcome import local_ms, official_ms
from gateway.core.recording.reconcile import Conclusion
from gateway.ports import Json
from gateway.ports.cases import Case, CaseFiles, Opening

_OPENING = TypeAdapter(Opening)
_FACTS = TypeAdapter(Facts)
_CONCLUSION = TypeAdapter(Conclusion)
_FILES = TypeAdapter(CaseFiles)
_Any = TypeVar("_Any")


def case_of(row: Row[Any]) -> Case:
    """Read a row."""
    return Case(
        opening=_read(_OPENING, row.opening),
        facts=facts_of(row),
        version=row.version,
        conclusion=conclusion_of(row),
        files=_read(_FILES, row.files),
    )


def facts_of(row: Row[Any]) -> Facts:
    """Read what a row knows."""
    return _read(_FACTS, row.facts)


def conclusion_of(row: Row[Any]) -> Conclusion | None:
    """Read what was concluded last."""
    return None if row.conclusion is None else _read(_CONCLUSION, row.conclusion)


def opening_columns(opening: Opening) -> dict[str, Any]:
    """Write how a case began."""
    return {
        "call_id": opening.call_id,
        "account_id": opening.account_id,
        "ended_at": opening.ended_at,
        "opening": _written(_OPENING, opening),
    }


def facts_columns(facts: Facts) -> dict[str, Any]:
    """Write what is known."""
    return {
        "facts": _written(_FACTS, facts),
        "announced_until": facts.announced_until,
        "official_ms": official_ms(facts),
        "local_ms": local_ms(facts),
    }


def conclusion_columns(conclusion: Conclusion | None) -> dict[str, Any]:
    """Write what follows from it."""
    if conclusion is None:
        return {"conclusion": None, "verdict": None, "stored_ms": None, "is_open": True}
    return {
        "conclusion": _written(_CONCLUSION, conclusion),
        "verdict": conclusion.verdict.value,
        "stored_ms": conclusion.stored_ms,
        "is_open": conclusion.is_open and not conclusion.is_final,
    }


def files_columns(files: CaseFiles) -> dict[str, Any]:
    """Write which files are kept."""
    return {"files": _written(_FILES, files)}


def _written(adapter: TypeAdapter[_Any], value: _Any) -> dict[str, Json]:
    dumped: dict[str, Json] = adapter.dump_python(value, mode="json")
    return dumped


def _read(adapter: TypeAdapter[_Any], stored: dict[str, Json]) -> _Any:
    return adapter.validate_python(stored)
