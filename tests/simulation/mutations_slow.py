"""The planted fault that shows only where no run has the time to read everything."""

from __future__ import annotations

from tests.simulation.planting import Mutant

SLOW_MUTANTS = (
    Mutant(
        "what failed before gets only the time that quiet leads leave",
        "L8",
        "syncer.engine.observe",
        "        await self._for_a_while(connection, self._read_failing(connection), late)\n",
        "        await self._for_a_while(connection, self._read_failing(connection), self._time.left())\n",
        having=("slow", "failing_lead"),
    ),
)
