"""What can go wrong with a recording's bytes, as refusals that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.http.problems import Problem, Refusal, retry_after
from gateway.ports.library import Busy, NotTranscoded
from gateway.ports.storage import NotStored, StorageDown, Unsealable

STORAGE_RETRY_S = 5.0


@contextmanager
def faults_told() -> Iterator[None]:
    """Turn faults of files and of their conversion into `Refusal`."""
    try:
        yield
    except Busy as error:
        raise Refusal(
            Problem(
                503,
                "busy",
                "Too much is being sent or converted at the moment; try again soon.",
                headers=retry_after(error.retry_after_s),
            )
        ) from error
    except StorageDown as error:
        raise Refusal(
            Problem(
                503,
                "storage_down",
                "The store of recordings does not answer; try again soon.",
                headers=retry_after(STORAGE_RETRY_S),
            )
        ) from error
    except (NotStored, Unsealable) as error:
        raise Refusal(
            Problem(
                500,
                "recording_unreadable",
                "The recording's file is missing or damaged; tell your operator "
                "(`callgate recording scrub`).",
            )
        ) from error
    except NotTranscoded as error:
        raise Refusal(
            Problem(
                500,
                "recording_unreadable",
                "The recording could not be converted; download it as it is.",
            )
        ) from error
