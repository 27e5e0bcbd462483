"""The Model Context Protocol: tools of a server for an agent, and tools, solutions and bundles offered as a server."""

from suffice.programs.mcp.client import tools_of_mcp as tools_of_mcp
from suffice.programs.mcp.server import mcp_server as mcp_server
from suffice.programs.mcp.server import servable as servable
from suffice.programs.mcp.server import serve_mcp as serve_mcp
