#!/usr/bin/env python3
"""Writes ingest/html_entities.inc, the named character references of HTML. Run by hand; the result is committed.

Data: the HTML standard's table as Python has it (html.entities.html5 of Python 3.11; the table is closed, the
standard adds no names).

  gen_entities.py -o ingest/html_entities.inc
"""
import argparse
import html.entities

SLOT_BITS = 12  # twice as many slots as names: a look-up meets 1.5 names
WIDTH = 118


def slot(name):
    """The hash of html_entity.c."""
    h = 0
    for c in name.encode():
        h = (h * 31 + c) & 0xFFFFFFFF
    return (h * 0x9E3779B1 & 0xFFFFFFFF) >> (32 - SLOT_BITS)


def lines(f, items):
    line = ""
    for item in items:
        if len(line) + len(item) > WIDTH:
            f.write(line + "\n")
            line = ""
        line += item
    f.write(line + "\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-o", "--out", required=True)
    a = p.parse_args()
    table = html.entities.html5
    names = sorted(n[:-1] for n in table if n.endswith(";"))
    legacy = {n for n in table if not n.endswith(";")}
    assert legacy <= set(names) and all(table[n] == table[n + ";"] for n in legacy)
    assert all(n.isalnum() and n.isascii() for n in names) and max(map(len, names)) < 32
    slots = [0] * (1 << SLOT_BITS)
    for i, n in enumerate(names):
        at = slot(n)
        while slots[at]:
            at = (at + 1) % len(slots)
        slots[at] = i + 1
    with open(a.out, "w", encoding="ascii") as f:
        f.write("/* Written by tools/gen_entities.py from the HTML standard's named character references.\n"
                " * Not edited by hand. */\n")
        f.write(f"enum {{ ENTITY_SLOT_BITS = {SLOT_BITS}, ENTITY_LEGACY_LONGEST = {max(map(len, legacy))}, "
                f"ENTITY_LONGEST = {max(map(len, names))} }};\n")
        f.write("static const char entity_names[] =\n")
        for i in range(0, len(names), 12):
            f.write('"' + "".join(names[i:i + 12]) + '"\n')
        f.write(f";\nstatic const Entity entities[{len(names)}] = {{\n")
        rows, at = [], 0
        for n in names:
            utf8 = table[n + ";"].encode()
            assert len(utf8) <= 6
            data = ",".join(str(b) for b in utf8)
            rows.append(f"{{{at},{len(n)},{int(n in legacy)},{len(utf8)},{{{data}}}}},")
            at += len(n)
        lines(f, rows)
        f.write(f"}};\n/* Number of the name plus 1; 0: nothing */\nstatic const uint16_t entity_slots[1 << ENTITY_SLOT_BITS] = {{\n")
        lines(f, [f"{s}," for s in slots])
        f.write("};\n")


if __name__ == "__main__":
    main()
