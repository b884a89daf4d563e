"""A place in the tokens of a statement, from which names, words and parentheses are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.domain.migration import Dialect
from runner.domain.sql import Token


class Reader:
    """A place in a statement's tokens."""

    def __init__(self, found: Sequence[Token], dialect: Dialect, start: int) -> None:
        self.found, self.dialect, self.start = found, dialect, start
        self.at = 0

    def word(self, ahead: int = 0) -> str:
        """The token in upper case; empty at the end. A quoted name is none of SQL's words."""
        position = self.at + ahead
        if position >= len(self.found):
            return ""
        token = self.found[position]
        return token.text.upper() if token.kind != "name" else token.text

    def take(self, *words: str) -> bool:
        """Step over these words, if they stand here."""
        if all(self.word(ahead) == word for ahead, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def offset(self, ahead: int = 0) -> int:
        position = min(self.at + ahead, len(self.found) - 1)
        return self.start + self.found[position].start

    def name(self) -> str:
        """A name with its schema, as the database folds it; ``public`` and ``main`` go without saying."""
        parts: list[str] = []
        while self.at < len(self.found):
            token = self.found[self.at]
            if token.kind == "name" or (token.kind == "literal" and self.dialect == "sqlite"):
                quote = token.text[-1]
                text = token.text[1:-1].replace(quote * 2, quote)
                parts.append(text.lower() if self.dialect == "sqlite" else text)
            elif token.kind == "word":
                parts += [part for part in token.text.lower().split(".") if part]
            else:
                break
            self.at += 1
            if self.word() == ".":
                self.at += 1
            elif not (token.kind == "word" and token.text.endswith(".")):
                break
        if len(parts) > 1 and parts[0] in ("public", "main"):
            parts = parts[1:]
        return ".".join(parts)

    def parenthesis(self) -> Sequence[Token]:
        """What stands in the parentheses that open here, which are stepped over; nothing where none open."""
        if self.word() != "(":
            return ()
        depth, begin = 0, self.at + 1
        while self.at < len(self.found):
            text = self.found[self.at].text
            depth += (text == "(") - (text == ")")
            self.at += 1
            if depth == 0:
                return self.found[begin : self.at - 1]
        return self.found[begin:]

    def within(self, found: Sequence[Token]) -> Reader:
        return Reader(found, self.dialect, self.start)


def split(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The parts between the commas that stand in no parentheses."""
    depth, begin = 0, 0
    for position, token in enumerate(found):
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
        if token.text == "," and depth == 0:
            yield found[begin:position]
            begin = position + 1
    if begin < len(found):
        yield found[begin:]
