"""What each command does; `syncer.cli.app` parses and calls. Imported on use, so that help needs none of it."""

from __future__ import annotations
