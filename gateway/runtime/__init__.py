"""Asyncio orchestration over the ports."""
