"""Turns at the one writer of SQLite."""

import asyncio
import random

from gateway.adapters.sql_turns import Turns
from tests.conftest import Rounds


async def test_the_hurried_go_first_but_never_twice_in_a_row() -> None:
    turns, order = Turns(), list[str]()

    async def take(name: str, *, hurried: bool) -> None:
        async with turns.turn(hurried=hurried):
            order.append(name)

    async with turns.turn():
        tasks = [asyncio.create_task(take(f"o{n}", hurried=False)) for n in range(3)]
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(take(f"h{n}", hurried=True)) for n in range(4)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["h0", "o0", "h1", "o1", "h2", "o2", "h3"]


async def test_whoever_gives_up_never_keeps_the_turn(seed: int, rounds: Rounds) -> None:
    chance = random.Random(seed)
    for _ in range(rounds(quick=20, soak=500)):
        turns = Turns()
        holders = 0
        served = 0

        async def take(turns: Turns = turns) -> None:
            nonlocal holders, served
            async with turns.turn(hurried=chance.random() < 0.5):
                holders += 1
                try:
                    assert holders == 1
                    await asyncio.sleep(0)
                    served += 1
                finally:
                    holders -= 1

        tasks = [asyncio.create_task(take()) for _ in range(20)]
        for task in tasks:
            if chance.random() < 0.5:
                await asyncio.sleep(0)
            if chance.random() < 0.5:
                task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert not any(isinstance(one, AssertionError) for one in ended)
        async with asyncio.timeout(30):
            await take()
        assert served
