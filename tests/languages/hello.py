"""Hello world: a step that hands its rows on."""

from wit_world import exports
from wit_world.exports.row_map import OutputBatch
from wit_world.imports import ports


def port(role: str) -> ports.Port:
    return ports.Port("rows", role, "table", False, [], "", [])


class Step(exports.Step):
    def describe(self) -> ports.Descriptor:
        return ports.Descriptor(
            "row-map",
            "Says hello.",
            [port("main")],
            [port("out")],
            '{"type": "object"}',
            [],
        )

    def check(self, params, inputs):
        return inputs


class RowMap(exports.RowMap):
    def open(self, params, side):
        pass

    def apply(self, rows):
        return [OutputBatch("rows", rows.slice(0, rows.rows()))]
