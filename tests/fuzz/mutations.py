r"""Damage to the content of a file, as a disk, a network or an enemy does it."""

import random
import re

VALUES = [
    b'-1',
    b'0',
    b'1e999',
    b'NaN',
    b'null',
    b'""',
    b'[]',
    b'{}',
    b'9' * 20,
    b'[[1]]',
]
TOKEN = re.compile(rb'-?\d+(?:\.\d+)?|"[^"\n]{0,30}"|[a-zA-Z_]{3,}')


def flip_bits(rng: random.Random, content: bytearray) -> None:
    for _ in range(rng.choice([1, 1, 3, 30])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, content: bytearray) -> None:
    start, size = rng.randrange(len(content)), rng.choice([1, 2, 4, 8])
    content[start : start + size] = rng.choice([b'\xff', b'\x00', b'\x7f']) * size


def truncate(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content)) :]


def insert(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content) + 1)
    content[start:start] = rng.randbytes(rng.choice([1, 8, 100]))


def remove(rng: random.Random, content: bytearray) -> None:
    start = rng.randrange(len(content))
    del content[start : start + rng.choice([1, 8, 100])]


def swap_chunks(rng: random.Random, content: bytearray) -> None:
    a, b, c = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    content[a:c] = content[b:c] + content[a:b]


def repeat_chunk(rng: random.Random, content: bytearray) -> None:
    a, b = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    content[b:b] = content[a:b] * rng.choice([1, 1, 5])


def edit_token(rng: random.Random, content: bytearray) -> None:
    r"""Another value of JSON, of a table, or of a header."""
    tokens = list(TOKEN.finditer(content))
    if tokens:
        token = rng.choice(tokens)
        other = rng.choice([*VALUES, rng.choice(tokens).group()])
        content[token.start() : token.end()] = other


MUTATIONS = [
    flip_bits,
    overwrite,
    truncate,
    insert,
    remove,
    swap_chunks,
    repeat_chunk,
    edit_token,
    edit_token,
    edit_token,
]


def mutate(rng: random.Random, content: bytes) -> bytes:
    out = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        if out:
            rng.choice(MUTATIONS)(rng, out)
    return bytes(out)
