"""What was said in calls, in SQL (port `Transcripts`)."""

from pydantic import TypeAdapter
from sqlalchemy import delete, select
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_official_schema import transcripts
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.transcript import Transcript
from gateway.ports.cases import Transcripts

_TRANSCRIPT = TypeAdapter(Transcript)


class SqlTranscripts(Transcripts):
    """One per call; deleted with its recording."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def keep(
        self, call_id: CallId, account_id: AccountId, transcript: Transcript, *, now: float
    ) -> None:
        values = {
            "account_id": account_id,
            "language": transcript.language,
            "content": _TRANSCRIPT.dump_python(transcript, mode="json"),
            "stored_at": now,
        }
        insert = self._database.insert_new(transcripts).values(call_id=call_id, **values)
        # Locked: a deletion that comes at the same time finds the words, or is found here.
        recording = (
            select(recordings.c.state).where(recordings.c.call_id == call_id).with_for_update()
        )
        async with self._database.writing() as connection:
            state = (await connection.execute(recording)).scalar_one_or_none()
            if state not in {None, Life.AVAILABLE}:
                return
            await connection.execute(
                insert.on_conflict_do_update(index_elements=["call_id"], set_=values)
            )

    @override
    async def find(self, call_id: CallId) -> Transcript | None:
        query = select(transcripts.c.content).where(transcripts.c.call_id == call_id)
        async with self._database.reading() as connection:
            content = await connection.scalar(query)
        return None if content is None else _TRANSCRIPT.validate_python(content)

    @override
    async def delete(self, call_id: CallId) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                delete(transcripts).where(transcripts.c.call_id == call_id)
            )
