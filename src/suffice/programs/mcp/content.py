"""A part of what a tool of an MCP server gives, as text; of what is no text, what it is and where it is to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.shown import one_line

if TYPE_CHECKING:
    from mcp.types import BlobResourceContents, ContentBlock, TextResourceContents


def text_of_part(part: ContentBlock) -> str:
    """A text as it is; an embedded one with its address; the name and address of a link; of an image, a sound or other
    bytes a mark with their type and size."""
    if part.type == "text":
        return part.text
    if part.type == "resource":
        return _embedded(part.resource)
    if part.type == "resource_link":
        named = one_line(f"{part.title or part.name}: {part.uri}")
        return f"[{part.type} {named}]" + (f"\n{part.description}" if part.description else "")
    return f"[{part.type}: {_left_out(part.data, part.mime_type)}]"


def _embedded(resource: TextResourceContents | BlobResourceContents) -> str:
    address = one_line(resource.uri)
    text: str | None = getattr(resource, "text", None)
    if text is not None:
        return f"[resource {address}]\n{text}"
    return f"[resource {address}: {_left_out(getattr(resource, 'blob', ''), resource.mime_type)}]"


def _left_out(data: str, kind: str | None) -> str:
    size = len(data.rstrip("=")) * 3 // 4  # of base64
    return f"{size:,} bytes{f' of {one_line(kind)}' if kind else ''} are left out"
