"""The suite for authors of adapters, tried on the built-in ones and on one written for it."""

from __future__ import annotations
