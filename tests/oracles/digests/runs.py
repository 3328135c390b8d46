"""Digests of sources and runs, from a run record.

As the module documentation of `expression`, `unit` and `record::digest` describes them.
"""

from digests.structured import Facts


def add_wire(facts: Facts, fields: list[dict]) -> None:
    facts.list(len(fields))
    for field in fields:
        facts.text(field["name"]).text(field["format"]).u64(field["nullable"]).u64(field["children"])
        facts.list(len(field["metadata"]))
        for key, value in field["metadata"]:
            facts.text(key).text(value)


def add_expression(facts: Facts, expression: dict) -> None:
    ((kind, parts),) = expression.items()
    facts.text(kind)
    if kind == "input":
        facts.text(parts)
    elif kind == "made":
        add_wire(facts, parts)
    elif kind == "select":
        facts.list(len(parts[1]))
        for name in parts[1]:
            facts.text(name)
    elif kind == "with":
        add_wire(facts, parts[1])
    elif kind == "rename":
        facts.text(parts[1]).text(parts[2])
    for part in parts:
        if isinstance(part, dict) and kind != "made":
            add_expression(facts, part)


def add_question(facts: Facts, kind: str, about: dict) -> None:
    facts.text(kind)
    for name in ("port", "name"):
        if name in about:
            facts.text(about[name])
    if kind == "seed":
        facts.u64(about["substream"])
    if kind == "valid":
        add_expression(facts, about["expression"])


def question_of(observation: dict) -> tuple[str, dict]:
    """What was asked, and the port and the name it is about."""
    question = observation["question"]
    return (question, {}) if isinstance(question, str) else next(iter(question.items()))


def source_digest(files: list[dict]) -> str:
    facts = Facts("pinion source v1").list(len(files))
    for file in files:
        facts.digest(file["digest"]).u64(file["size_bytes"])
    return facts.finish()


def add_step(facts: Facts, step: dict) -> None:
    facts.text(step["name"]).digest(step["digest"]).text(step["params"]).list(len(step["inputs"]))
    for port in step["inputs"]:
        ((unit, size),) = port["size"].items()
        facts.text(port["port"]).digest(port["digest"]).text(unit).u64(size)
        if port["withheld"]:
            facts.text("withheld").list(len(port["withheld"]))
            for column in port["withheld"]:
                facts.text(column)
    facts.list(len(step["outputs"]))
    for port in step["outputs"]:
        ((kind, artifact),) = port["artifact"].items()
        facts.text(port["port"]).text(kind).digest(artifact["digest"])
        if kind == "table":
            facts.u64(artifact["rows"]).u64(artifact["partitions"])
        else:
            facts.u64(artifact["len"]).text(artifact["media_type"])
    facts.list(len(step["units"]))
    for unit in step["units"]:
        facts.text(unit["call"]).option(unit["position"] is not None)
        if unit["position"] is not None:
            facts.u64(unit["position"])
        facts.list(len(unit["observations"]))
        for observation in unit["observations"]:
            add_question(facts, *question_of(observation))
            facts.digest(observation["answer"])
        facts.u64(unit["usage"]["fuel"]).u64(unit["usage"]["memory_bytes"])
    facts.option(step["error"] is not None)
    if step["error"] is not None:
        facts.text(step["error"]["code"])


def run_digest(start: dict, steps: dict[str, dict]) -> str:
    ended = [steps[name] for name in start["steps"] if name in steps]
    facts = Facts("pinion run v1").text(start["semantics"]).list(len(ended))
    for step in ended:
        add_step(facts, step)
    return facts.finish()
