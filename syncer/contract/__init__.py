"""What an adapter promises the engine: methods, capabilities, errors, and the settings of a connection.

Imports `syncer.domain` alone.
"""

from __future__ import annotations
