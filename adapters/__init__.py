"""One folder for each CRM: its wire shapes, the adapter to the canonical model, and a sandbox of it."""

from __future__ import annotations
