"""Why an object store did not do as it was asked; obstore's own texts are not passed on.

    StorageDown
    └── ObjectStoreDown      `trouble` says which

Those texts quote addresses, names and the store's whole answer, and only they name the cause.
"""

import re
from enum import StrEnum

from obstore.exceptions import (
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from gateway.core.jobs import Setback
from gateway.ports.storage import StorageDown


class Trouble(StrEnum):
    """What is wrong; the words are stable and go into logs."""

    KEY = "the object store does not know our key"
    SECRET = "the object store finds our secret wrong"  # noqa: S105 (no password)
    NO_KEY = "there is no key for the object store"
    RIGHT = "the object store refuses our keys"
    CLOCK = "the object store finds our clock wrong"
    BUCKET = "the object store has no such bucket"
    REGION = "the bucket is in another region"
    CREATE_ONLY = "the object store does not know create-only writes"
    CERTIFICATE = "the object store's certificate is not trusted"
    TLS = "the object store does not speak TLS there"
    NAME = "the object store's name is not known"
    UNREACHABLE = "nothing listens where the object store should be"
    SILENT = "the object store does not answer in time"
    FULL = "the object store is full"
    OTHER = "the object store does not answer"


_REFUSING = frozenset(
    {
        *(Trouble.KEY, Trouble.SECRET, Trouble.NO_KEY, Trouble.RIGHT, Trouble.CLOCK),
        *(Trouble.BUCKET, Trouble.REGION, Trouble.CREATE_ONLY),
    }
)
# docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_BY_CODE = {
    "InvalidAccessKeyId": Trouble.KEY,
    "InvalidToken": Trouble.KEY,
    "ExpiredToken": Trouble.KEY,
    "SignatureDoesNotMatch": Trouble.SECRET,
    "AccessDenied": Trouble.RIGHT,
    "AllAccessDisabled": Trouble.RIGHT,
    "AccountProblem": Trouble.RIGHT,
    "RequestTimeTooSkewed": Trouble.CLOCK,
    "RequestExpired": Trouble.CLOCK,
    "NoSuchBucket": Trouble.BUCKET,
    "InvalidBucketName": Trouble.BUCKET,
    "AuthorizationHeaderMalformed": Trouble.REGION,
    "PermanentRedirect": Trouble.REGION,
    "NotImplemented": Trouble.CREATE_ONLY,
    "QuotaExceeded": Trouble.FULL,
    "XMinioStorageFull": Trouble.FULL,
}
_BY_WORDS = (
    # Where machines of a cloud ask for their role: only without keys of ours.
    ("169.254.169.254", Trouble.NO_KEY),
    ("incorrectly configured region", Trouble.REGION),
    ("501 Not Implemented", Trouble.CREATE_ONLY),
    ("507 Insufficient Storage", Trouble.FULL),
    ("InvalidCertificate", Trouble.CERTIFICATE),
    ("InvalidContentType", Trouble.TLS),
    ("dns error", Trouble.NAME),
    ("tcp connect error", Trouble.UNREACHABLE),
    ("kind: Timeout", Trouble.SILENT),
    ("TimedOut", Trouble.SILENT),
)
# In the answer itself, or, where many deletions are answered at once, as obstore tells it.
_CODE = re.compile(r"(?:<Code>|\(code: )([A-Za-z]{1,64})(?:</Code>|\))")


class ObjectStoreDown(StorageDown):
    """The object store did not do it; what was there is still there."""

    def __init__(self, trouble: Trouble, kind: str) -> None:
        detail = f"{trouble} ({kind})" if trouble is Trouble.OTHER else trouble.value
        super().__init__(Setback.REFUSED if trouble in _REFUSING else Setback.OUTAGE, detail)
        self.trouble = trouble


def trouble_of(error: Exception) -> Trouble:
    """Tell from obstore's error what is wrong."""
    told = str(error)
    code = _CODE.search(told)
    if code is not None and code[1] in _BY_CODE:
        return _BY_CODE[code[1]]
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return Trouble.RIGHT
    if isinstance(error, NotSupportedError):
        return Trouble.CREATE_ONLY
    return next((trouble for words, trouble in _BY_WORDS if words in told), Trouble.OTHER)


def down(error: Exception) -> ObjectStoreDown:
    """Make our error of obstore's."""
    return ObjectStoreDown(trouble_of(error), type(error).__name__)


def is_bucket_missing(error: FileNotFoundError) -> bool:
    """Whether it is not the object alone that is not there."""
    return trouble_of(error) is Trouble.BUCKET
