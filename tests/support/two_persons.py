"""Two persons whom every CRM knows, and a task of the first one."""

from __future__ import annotations

from tests.support.scenario import Stage

OTHER = "+919876543222"


class Two:
    """Two persons that are in every CRM, and a call of the first one that has its copies."""

    def __init__(self, world: Stage, origin: str = "highlevel") -> None:
        self.world = world
        self.asha = world.everywhere()
        self.ravi = world.everywhere("Ravi", OTHER)
        create = world.highlevel.person_creates if origin == "highlevel" else world.reply.person_creates
        self.task = create(self.asha[2 if origin == "highlevel" else 1], "Ring", world.due())
        world.good()
        assert self.open() == ((1, 1, 1), (0, 0, 0))
        self.copy = world.highlevel_open()[0].id

    def open(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """How many tasks each of the two has open in Superfone, Reply and HighLevel."""
        return self._open(self.asha), self._open(self.ravi)

    def _open(self, ids: tuple[str, str, str]) -> tuple[int, int, int]:
        return (
            len(self.world.lane(ids[0])),
            sum(str(task.contact_id) == ids[1] for task in self.world.reply_open()),
            sum(task.contact == ids[2] for task in self.world.highlevel_open()),
        )
