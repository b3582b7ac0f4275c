"""A trace against the rules of the Trace Event Format: trace_rules.py FILE N_PROCESSES N_PARTS [NAME...], NAMEs of phases that must be there."""
import json
import sys

path, n_processes, n_parts, names = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
with open(path) as f:
    trace = json.load(f)
assert set(trace) == {"displayTimeUnit", "otherData", "traceEvents"} and trace["displayTimeUnit"] == "ms"

open_spans, last, named, begun, parts, counters = {}, {}, {}, set(), 0, set()
for e in trace["traceEvents"]:
    ph, track = e["ph"], (e["pid"], e.get("tid"))
    assert ph in "BEMC" and isinstance(e["pid"], int), e
    if ph == "M":
        assert e["name"] in ("process_name", "process_sort_index", "process_labels", "thread_name", "thread_sort_index"), e
        assert len(e["args"]) == 1, e
        if e["name"] in ("process_name", "thread_name"):
            named[track] = e["args"]["name"]
        continue
    assert e["ts"] >= 0, e
    key = (e["pid"], e["name"]) if ph == "C" else track
    assert e["ts"] >= last.get(key, 0), ("back in time", e)
    last[key] = e["ts"]
    if ph == "C":
        assert all(v >= 0 for v in e["args"].values()), e
        counters.add(e["name"])
    elif ph == "B":
        open_spans.setdefault(track, []).append(e["name"])
        begun.add(e["name"])
        parts += e["cat"] == "part"
        assert track in named, ("a track without a name", e)
    else:
        assert open_spans.get(track), ("an end without a beginning", e)
        open_spans[track].pop()
assert not any(open_spans.values()), ("beginnings without an end", open_spans)
assert len({pid for pid, _ in named}) == n_processes, named
assert parts == n_parts, parts
assert counters <= {"memory", "cores in use", "input"} and "memory" in counters, counters
for name in names:
    assert name in begun, (name, sorted(begun))
