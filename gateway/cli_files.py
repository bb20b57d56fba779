"""Files that commands write, and what they show of long work."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from gateway.core.errors import BadInput


def expect_new(output: Path) -> None:
    """Refuse to write over a file. Raises `BadInput`."""
    if output.exists():
        raise BadInput(f"{output} is there already")


async def write_whole(output: Path, chunks: AsyncIterator[bytes]) -> int:
    """Write a file that others cannot read, whole or not at all; returns its size.

    Raises `BadInput`, and what `chunks` does.
    """
    unfinished, written = output.with_name(f"{output.name}.part"), 0
    try:
        with (
            await asyncio.to_thread(_open_closed, unfinished) as file,
            progress("bytes written") as seen,
        ):
            async for chunk in chunks:
                written += await asyncio.to_thread(file.write, chunk)
                seen(written)
        await asyncio.to_thread(unfinished.replace, output)
    except OSError as error:
        raise BadInput(f"cannot write {output}: {error.strerror}") from None
    finally:
        await asyncio.to_thread(unfinished.unlink, missing_ok=True)
    return written


def _open_closed(path: Path) -> BinaryIO:
    path.touch(mode=0o600)
    return path.open("wb")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int], None]]:
    """Show on the terminal how far long work has got; nothing where there is none."""
    console = Console(file=sys.stderr)
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} {task.description}"))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda count: bar.update(task, completed=count)
