"""Tells which files of a package import each other in a circle; there is to be none.

What counts as an import of a file: a path that begins with `crate::` or `super::` in its code, up to the module that is
furthest in. That a module declares those inside it, hands on their names (`pub use self::`), or that these use what it
has is no circle: they are one subject. Tests do not count. `t/circles.py --self-test` shows that circles are found.
"""

import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOT_OURS = {"tests", "fuzz", "benches", "examples", "target"}


def code(text):
    """The text without comments, strings and tests."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text, flags=re.S)
    return re.sub(r"#\[cfg\(test\)\][^{;]*(?:;|\{.*?\n\})", "", text, flags=re.S)


def paths(text):
    """The paths in a text, each with its first word; braces are written out."""
    def spread(prefix, rest):
        rest = rest.lstrip()
        if not rest.startswith("{"):
            name = re.match(r"\w+|\*", rest)
            tail = rest[name.end():].lstrip() if name else ""
            path = prefix + [name.group()] if name else prefix
            return spread(path, tail[2:]) if tail.startswith("::") else [path]
        depth, parts, start = 0, [], 1
        for at, char in enumerate(rest):
            depth += {"{": 1, "}": -1}.get(char, 0)
            if depth == 1 and char == "," or depth == 0:
                parts.append(rest[start:at])
                start = at + 1
            if depth == 0:
                break
        return [path for part in parts if part.strip() for path in spread(prefix, part)]

    for found in re.finditer(r"\b(crate|super)::", text):
        yield from spread([found.group(1)], text[found.end():])


def modules(folder):
    """The files of a package, by the path of the module that each is."""
    found = {}
    for file in sorted(folder.rglob("*.rs")):
        inside = file.relative_to(folder)
        is_other = any(other != folder and other in file.parents for other in PACKAGES)
        if NOT_OURS & set(inside.parts) or inside.stem == "tests" or is_other:
            continue
        found[() if inside.name == "lib.rs" else inside.with_suffix("").parts] = file
    return found


PACKAGES = [file.parent for file in ROOT.glob("src/*/Cargo.toml")]


def circles(folder):
    files = modules(folder)
    imports = {module: set() for module in files}
    for module, file in files.items():
        for first, *rest in paths(code(file.read_text())):
            at = () if first == "crate" else module[:-1]
            while first == "super" and rest and rest[0] == "super":
                at, rest = at[:-1], rest[1:]
            target = (*at, *rest)
            while target and target not in files:
                target = target[:-1]
            # One subject: a module and what is inside it, and the crate's root, which hands names on.
            if target and target[:len(module)] != module and module[:len(target)] != target:
                imports[module].add(target)
    return [sorted(circle) for circle in strongly_connected(imports) if len(circle) > 1]


def strongly_connected(graph):
    def reach(start):
        seen, todo = set(), [start]
        while todo:
            for next_one in graph[todo.pop()] - seen:
                seen.add(next_one)
                todo.append(next_one)
        return seen

    reached = {node: reach(node) for node in graph}
    return {frozenset({node, *(other for other in reached[node] if node in reached[other])}) for node in graph}


def self_test():
    def check(files, expected):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for name, text in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(text)
            assert circles(folder) == expected, (files, circles(folder))

    check({"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B;", "b.rs": "use std::io;"}, [])
    both = [[("a",), ("b",)]]
    check({"a.rs": "use crate::b::B;", "b.rs": "fn f(a: crate::a::A) {}"}, both)
    check({"a.rs": "use crate::{\n    c::{d::D, E},\n    b,\n};", "b.rs": "use super::a;", "c.rs": "", "c/d.rs": ""}, both)
    check({"a.rs": "use crate::b::B;", "b.rs": "// crate::a\nconst A: &str = \"crate::a\";\n#[cfg(test)]\nmod t {\n  use crate::a;\n}\n"}, [])
    check({"a.rs": "pub use self::b::B;", "a/b.rs": "use super::A;"}, [])
    check({"a/b.rs": "use super::c;", "a/c.rs": "use crate::a::b::B;"}, [[("a", "b"), ("a", "c")]])
    check({"a.rs": "use crate::b;", "b.rs": "use crate::c;", "c.rs": "use crate::a;"}, [[("a",), ("b",), ("c",)]])


if sys.argv[1:] == ["--self-test"]:
    self_test()
    sys.exit()
found = [(folder, circle) for folder in [ROOT / "src", *PACKAGES] for circle in circles(folder)]
for folder, circle in found:
    files = ", ".join("/".join(module) + ".rs" for module in circle)
    print(f"{folder.relative_to(ROOT)}: files that import each other in a circle: {files}")
sys.exit(bool(found))
