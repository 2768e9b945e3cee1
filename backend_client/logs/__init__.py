"""Logs, the same for every backend: bytes -> clean lines -> LogBuffer; `follow` reopens a stream."""

from backend_client.logs.block import Line
from backend_client.logs.buffer import LogBuffer
from backend_client.logs.follow import follow, follow_lines
from backend_client.logs.line_filter import LineFilter
from backend_client.logs.search import Search

__all__ = ["Line", "LineFilter", "LogBuffer", "Search", "follow", "follow_lines"]
