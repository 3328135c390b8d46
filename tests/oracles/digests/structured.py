"""Structured hashing, as the module documentation of `digest` describes it."""

from blake3 import blake3


class Facts:
    """A list of facts, to be hashed."""

    def __init__(self, domain: str) -> None:
        self.hasher = blake3()
        self.text(domain)

    def item(self, tag: bytes, number: int) -> "Facts":
        self.hasher.update(tag + number.to_bytes(8, "little"))
        return self

    def bytes(self, value) -> "Facts":
        self.item(b"b", len(value)).hasher.update(value)
        return self

    def text(self, value: str) -> "Facts":
        self.item(b"t", len(value.encode())).hasher.update(value.encode())
        return self

    def u64(self, value: int) -> "Facts":
        return self.item(b"u", value)

    def list(self, length: int) -> "Facts":
        return self.item(b"l", length)

    def option(self, present: bool) -> "Facts":
        self.hasher.update(b"o\x01" if present else b"o\x00")
        return self

    def digest(self, value: str) -> "Facts":
        """A digest in its text form."""
        prefix, digits = value.split(":")
        self.hasher.update({"blake3": b"d", "sha256": b"c"}[prefix] + bytes.fromhex(digits))
        return self

    def finish(self) -> str:
        return f"blake3:{self.hasher.hexdigest()}"
