"""What tests share: worlds to run in, values at random, servers, clocks."""

from __future__ import annotations
