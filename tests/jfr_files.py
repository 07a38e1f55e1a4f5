# SPDX-License-Identifier: Apache-2.0
"""
JFR recordings for tests: a writer for small forged ones, and an independent, trusting reader that counts.

    chunk(samples=[{"stack": ["main", "work"]}])         one chunk, bytes
    Recording(data).totals()                              {kind: {stack: (count, sum)}}
"""

import struct

MAGIC = b"FLR\0"


# ---- numbers and texts ----

def leb128(value):
    value &= (1 << 64) - 1
    out = b""
    for _ in range(8):
        if value < 0x80:
            return out + bytes([value])
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


class Writer:
    """Numbers either compressed or in big-endian."""

    def __init__(self, compressed=True):
        self.compressed = compressed

    def number(self, value, n_bytes):
        return leb128(value) if self.compressed else (value & (1 << 8 * n_bytes) - 1).to_bytes(n_bytes, "big")

    def long(self, value):
        return self.number(value, 8)

    def int(self, value):
        return self.number(value, 4)

    def text(self, text, encoding=3):
        if text is None:
            return b"\0"
        if encoding in (0, 1):
            return bytes([encoding])
        if encoding == 4:
            units = [u for (u,) in struct.iter_unpack(">H", text.encode("utf-16-be", "surrogatepass"))]
            return b"\4" + self.int(len(units)) + b"".join(self.number(u, 2) for u in units)
        raw = text.encode("latin-1" if encoding == 5 else "utf-8")
        return bytes([encoding]) + self.int(len(raw)) + raw


# ---- writing ----

PLAIN = ["boolean", "byte", "char", "short", "int", "long", "float", "double", "java.lang.String"]
# class: its fields, as (name, class, "c" for ids of constants, "a" for arrays)
CLASSES = {
    "jdk.jfr.Label": [("value", "java.lang.String", "")],
    "java.lang.Thread": [("osName", "java.lang.String", "")],
    "jdk.types.ClassLoader": [("type", "java.lang.Class", "c"), ("name", "jdk.types.Symbol", "c")],
    "java.lang.Class": [("classLoader", "jdk.types.ClassLoader", "c"), ("name", "jdk.types.Symbol", "c"),
                        ("modifiers", "int", "")],
    "jdk.types.Symbol": [("string", "java.lang.String", "")],
    "jdk.types.FrameType": [("description", "java.lang.String", "")],
    "jdk.types.ThreadState": [("name", "java.lang.String", "")],
    "jdk.types.Method": [("type", "java.lang.Class", "c"), ("name", "jdk.types.Symbol", "c"),
                         ("descriptor", "jdk.types.Symbol", "c"), ("modifiers", "int", ""), ("hidden", "boolean", "")],
    "jdk.types.StackFrame": [("method", "jdk.types.Method", "c"), ("lineNumber", "int", ""),
                             ("bytecodeIndex", "int", ""), ("type", "jdk.types.FrameType", "c")],
    "jdk.types.StackTrace": [("truncated", "boolean", ""), ("frames", "jdk.types.StackFrame", "a")],
    "jdk.ActiveSetting": [("startTime", "long", ""), ("id", "long", ""), ("name", "java.lang.String", ""),
                          ("value", "java.lang.String", "")],
}
AT = [("startTime", "long", "")]
WHERE = [("stackTrace", "jdk.types.StackTrace", "c")]
CONTEXT = [(name, "long", "") for name in ("spanId", "spanName", "contextId", "traceIdHi", "traceIdLo")]
EVENTS = {
    "jdk.ExecutionSample": AT + [("sampledThread", "java.lang.Thread", "c"), ("state", "jdk.types.ThreadState", "c")]
    + CONTEXT + WHERE,
    "profiler.WallClockSample": AT + [("state", "jdk.types.ThreadState", "c"), ("samples", "int", "")] + CONTEXT + WHERE,
    "jdk.ObjectAllocationInNewTLAB": AT + [("allocationSize", "long", ""), ("tlabSize", "long", "")] + CONTEXT + WHERE,
    "jdk.ObjectAllocationOutsideTLAB": AT + [("allocationSize", "long", "")] + CONTEXT + WHERE,
    "jdk.ObjectAllocationSample": AT + WHERE + [("weight", "long", "")],
    "jdk.JavaMonitorEnter": AT + [("duration", "long", "")] + CONTEXT + WHERE,
    "jdk.ThreadPark": AT + [("duration", "long", "")] + WHERE,
    "profiler.LiveObject": AT + WHERE + [("allocationSize", "long", "")],
    "profiler.Malloc": AT + WHERE + [("address", "long", ""), ("size", "long", "")],
    "jdk.GCHeapSummary": AT + [("heapUsed", "long", ""), ("ratio", "float", ""), ("share", "double", "")],
}
STATES = {"STATE_RUNNABLE": 1, "STATE_SLEEPING": 2, "STATE_DEFAULT": 3}
KINDS = {"Interpreted": 1, "Native": 2, "C++": 3, "Kernel": 4}


class Chunk:
    """
    One chunk.  Events are dicts of fields, "event" being the type, "stack" names ("Class.method", outermost first, or
    (name, line, frame type)); what is left out is 0.  Everything may be changed by the arguments, to forge.
    """

    def __init__(self, compressed=True, first_id=100, encoding=3, classes=None, settings=(), version=(2, 1), start_ns=10**18,
                 duration_ns=10**10, ticks_hz=10**9, truncated=False):
        self.w = Writer(compressed)
        self.encoding, self.version = encoding, version
        self.start_ns, self.duration_ns, self.ticks_hz, self.truncated = start_ns, duration_ns, ticks_hz, truncated
        self.classes = {**CLASSES, **EVENTS, **(classes or {})}
        self.ids = {name: first_id + 7 * i for i, name in enumerate([*PLAIN, *self.classes])}
        self.pools = {name: {} for name in ("jdk.types.Symbol", "java.lang.Class", "jdk.types.Method", "jdk.types.StackTrace")}
        self.events = []
        for type_name, name, value in settings:
            self.setting(type_name, name, value)

    # -- constants --

    def constant(self, pool, key, content):
        known = self.pools[pool]
        if key not in known:
            known[key] = (len(known) + 1, content() if callable(content) else content)
        return known[key][0]

    def symbol(self, text):
        return self.constant("jdk.types.Symbol", text, self.w.text(text, self.encoding))

    def method(self, name):
        owner, _, method = name.rpartition(".")
        w = self.w
        cls = self.constant("java.lang.Class", owner, lambda: w.long(0) + w.long(self.symbol(owner)) + w.int(0))
        return self.constant("jdk.types.Method", name,
                             lambda: w.long(cls) + w.long(self.symbol(method)) + w.long(self.symbol("()V")) + w.int(0) + b"\0")

    def stack(self, frames):
        w, frames = self.w, [f if isinstance(f, tuple) else (f, 0, "Interpreted") for f in frames]
        def content():
            body = bytes([self.truncated]) + w.int(len(frames))
            for name, line, kind in reversed(frames):
                body += w.long(self.method(name)) + w.int(line) + w.int(0) + w.long(KINDS[kind])
            return body
        return self.constant("jdk.types.StackTrace", tuple(frames), content)

    # -- events --

    def raw_event(self, type_id, fields):
        if not self.w.compressed:
            return struct.pack(">IQ", 12 + len(fields), type_id) + fields
        body = self.w.long(type_id) + fields
        for n in range(1, 6):  # the size counts itself
            size = self.w.int(len(body) + n)
            if len(size) == n:
                return size + body
        raise ValueError("too long")

    def value(self, field, event):
        name, cls, flags = field
        if name == "stackTrace":
            return self.w.long(self.stack(event["stack"]) if "stack" in event else event.get("stackTrace", 0))
        value = event.get(name, 0)
        if name == "state":
            return self.w.long(STATES.get(value, value) if isinstance(value, str) else value)
        if "c" in flags:
            return self.w.long(value)
        return {"java.lang.String": lambda: self.w.text(value or None), "long": lambda: self.w.long(value),
                "int": lambda: self.w.int(value), "boolean": lambda: bytes([value]), "float": lambda: struct.pack(">f", value),
                "double": lambda: struct.pack(">d", value)}[cls]()

    def add(self, **event):
        name = event.get("event", "jdk.ExecutionSample")
        self.events.append(self.raw_event(self.ids[name], b"".join(self.value(f, event) for f in self.classes[name])))
        return self

    def setting(self, type_name, name, value):
        self.events.append(self.raw_event(self.ids["jdk.ActiveSetting"], self.w.long(0) + self.w.long(self.ids[type_name]) +
                                          self.w.text(name) + self.w.text(value)))

    # -- the whole --

    def metadata(self):
        w, strings = self.w, {}
        def s(text):
            return w.int(strings.setdefault(text, len(strings)))
        def element(tag, attributes, children=()):
            return s(tag) + w.int(len(attributes)) + b"".join(s(k) + s(str(v)) for k, v in attributes.items()) + \
                w.int(len(children)) + b"".join(children)
        def field(name, cls, flags):
            attributes = {"name": name, "class": self.ids[cls]}
            if "c" in flags:
                attributes["constantPool"] = "true"
            if "a" in flags:
                attributes["dimension"] = "1"
            return element("field", attributes, [element("annotation", {"class": self.ids["jdk.jfr.Label"], "value": name})])
        classes = [element("class", {"name": name, "id": self.ids[name]}) for name in PLAIN]
        above = {**dict.fromkeys(EVENTS, "jdk.jfr.Event"), "jdk.ActiveSetting": "jdk.jfr.Event",
                 "jdk.jfr.Label": "java.lang.annotation.Annotation"}
        simple = ("jdk.types.Symbol", "jdk.types.ThreadState", "jdk.types.FrameType")
        classes += [element("class", {"name": name, "id": self.ids[name],
                                      **({"superType": above[name]} if name in above else {}),
                                      **({"simpleType": "true"} if name in simple else {})}, [field(*f) for f in fields])
                    for name, fields in self.classes.items()]
        root = element("root", {}, [element("metadata", {}, classes), element("region", {"locale": "en_US"})])
        table = w.int(len(strings)) + b"".join(w.text(text) for text in strings)
        return self.raw_event(0, w.long(0) + w.long(0) + w.long(1) + table + root)

    def checkpoint(self, pools, delta=0):
        w = self.w
        body = w.long(0) + w.long(0) + w.long(delta) + b"\0" + w.int(len(pools))
        for name, items in pools.items():
            body += w.long(self.ids[name]) + w.int(len(items)) + b"".join(w.long(i) + raw for i, raw in items)
        return self.raw_event(1, body)

    def all_pools(self):
        texts = {"jdk.types.ThreadState": STATES, "jdk.types.FrameType": KINDS}
        return {**{name: list(known.values()) for name, known in self.pools.items()},
                **{name: [(i, self.w.text(text)) for text, i in known.items()] for name, known in texts.items()}}

    def bytes(self, pools=None, metadata=None, size=None, metadata_at=None, features=None, state=0):
        checkpoint = self.checkpoint(pools if pools is not None else self.all_pools())
        events = b"".join(self.events)
        metadata = self.metadata() if metadata is None else metadata
        whole = 68 + len(events) + len(metadata) + len(checkpoint)
        if features is None:
            features = int(self.w.compressed)
        header = MAGIC + struct.pack(">HHQQQQQQQBxH", *self.version, whole if size is None else size,
                                     68 + len(events) + len(metadata),
                                     68 + len(events) if metadata_at is None else metadata_at, self.start_ns,
                                     self.duration_ns, 0, self.ticks_hz, state, features)
        return header + events + metadata + checkpoint


def chunk(samples=(), **options):
    built = Chunk(**options)
    for sample in samples:
        built.add(**sample)
    return built.bytes()


# ---- labels ----

def snapshot(contexts, strings):
    """LabelsSnapshot: {context: {string id: string id}}, {id: text}."""
    def entry(key, value):
        from_value = varint(2 << 3) + varint(value) if isinstance(value, int) else b"\x12" + varint(len(value)) + value
        body = b"\x08" + varint(key) + from_value
        return body
    def message(number, body):
        return bytes([number << 3 | 2]) + varint(len(body)) + body
    out = b""
    for key, labels in contexts.items():
        out += message(1, entry(key, b"".join(message(1, entry(k, v)) for k, v in labels.items())))
    for key, text in strings.items():
        out += message(2, entry(key, text.encode()))
    return out


def varint(value):
    out = b""
    while value > 0x7f:
        out += bytes([value & 0x7f | 0x80])
        value >>= 7
    return out + bytes([value])


# ---- reading ----

class Reader:
    def __init__(self, data, at, types=None):
        self.data, self.at, self.types = data, at, types

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        value = 0
        for shift in range(0, 56, 7):
            byte = self.byte()
            value |= (byte & 0x7f) << shift
            if byte < 0x80:
                return value
        return value | self.byte() << 56

    def text(self):
        encoding = self.byte()
        if encoding in (0, 1):
            return ""
        if encoding == 2:
            return ("java.lang.String", self.number())
        n = self.number()
        if encoding == 4:
            return struct.pack(f">{n}H", *[self.number() for _ in range(n)]).decode("utf-16-be")
        self.at += n
        return self.data[self.at - n:self.at].decode("latin-1" if encoding == 5 else "utf-8")

    def value(self, cls):
        if cls["name"] in ("boolean", "byte"):
            return self.byte()
        if cls["name"] in ("float", "double"):
            self.at += 4 if cls["name"] == "float" else 8
            return None
        if cls["name"] in ("char", "short", "int", "long"):
            return self.number()
        if cls["name"] == "java.lang.String":
            return self.text()
        return {f["name"]: self.field(f) for f in cls["fields"]}

    def field(self, field):
        cls = self.types[field["class"]]
        def one():
            return (cls["name"], self.number()) if field.get("constantPool") == "true" else self.value(cls)
        return [one() for _ in range(self.number())] if field.get("dimension") else one()


class Recording:
    """All events of compressed recordings as dicts, constants by (class, id); trusts every byte."""

    def __init__(self, data):
        self.constants, self.events, self.ticks_hz = {}, [], 0
        at = 0
        while at < len(data):
            size, _, metadata, start, duration, _, self.ticks_hz = struct.unpack(">7Q", data[at + 8:at + 64])
            self.read_chunk(data[at:at + size], metadata)
            at += size

    def read_chunk(self, data, metadata):
        types = self.read_types(Reader(data, metadata))
        at, constants, events = 68, {}, []
        while at < len(data):
            reader = Reader(data, at, types)
            at += reader.number()
            type_id = reader.number()
            if type_id == 1:
                self.read_checkpoint(reader, constants)
            elif type_id != 0:
                events.append((types[type_id]["name"], reader.value(types[type_id])))
        self.events += [(name, event, constants) for name, event in events]

    def read_types(self, reader):
        for _ in range(5):
            reader.number()
        strings = [reader.text() for _ in range(reader.number())]
        types = {}
        def element(depth):
            tag = strings[reader.number()]
            attributes = {strings[reader.number()]: strings[reader.number()] for _ in range(reader.number())}
            children = [element(depth + 1) for _ in range(reader.number())]
            if tag == "class":
                attributes["fields"] = [{**a, "class": int(a["class"])} for t, a in children if t == "field"]
                types[int(attributes["id"])] = attributes
            return tag, attributes
        element(0)
        return types

    def read_checkpoint(self, reader, constants):
        for _ in range(3):
            reader.number()
        reader.byte()
        for _ in range(reader.number()):
            cls = reader.types[reader.number()]
            for _ in range(reader.number()):
                key = (cls["name"], reader.number())
                constants[key] = reader.value(cls)

    def stack(self, event, constants):
        """Names outermost first; generated classes are as they are in the file."""
        trace = constants.get(event["stackTrace"])
        names = []
        for frame in trace["frames"] if trace else []:
            method = constants[frame["method"]]
            owner = constants[constants[method["type"]]["name"]]["string"]
            name = constants[method["name"]]["string"]
            names.append(f"{owner}.{name}" if owner else name)
        return tuple(reversed(names))
