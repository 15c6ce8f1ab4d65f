"""The commands. `syncer.cli.app` parses the command line and calls them. They are imported on use."""

from __future__ import annotations
