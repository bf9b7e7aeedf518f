"""Holds the crates that this project depends on to .deny.toml, as cargo-deny does, but without the network.

Licenses, versions and bans are those of the packages that cargo resolves for this machine, from `cargo metadata` on
stdin. Sources are those of all lock files. `t/dependencies.py --self-test` shows that each rule can fail.
"""

import json
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOCK_FILES = ["Cargo.lock", "src/sigv4/fuzz/Cargo.lock", "t/clients/rust/Cargo.lock"]


def is_allowed(expression, allowed):
    """Whether an SPDX expression is satisfied by the allowed licenses. A "/" is an old way to write OR."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def alternatives():
        found = conjunction()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            found = conjunction() or found
        return found

    def conjunction():
        found = term()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            found = term() and found
        return found

    def term():
        token = tokens.pop(0) if tokens else ""
        if token == "(":
            found = alternatives()
            return bool(tokens) and tokens.pop(0) == ")" and found
        if tokens and tokens[0] == "WITH":
            token = f"{token} {tokens.pop(0)} {tokens.pop(0) if tokens else ''}"
        return token in allowed

    return alternatives() and not tokens


def licenses(rules, packages):
    allowed = set(rules["licenses"]["allow"])
    for package in packages:
        if package["source"] and not is_allowed(package["license"] or "", allowed):
            yield f"{package['name']} {package['version']}: license {package['license']} is not allowed"
    expressions = " ".join(package["license"] or "" for package in packages)
    for name in sorted(allowed - set(re.findall(r"[^\s()/]+", expressions))):
        yield f".deny.toml: nothing has the license {name}: remove it"


def bans(rules, packages):
    banned = {ban["crate"]: ban["reason"] for ban in rules["bans"]["deny"]}
    skipped = {skip["crate"] for skip in rules["bans"]["skip"]}
    versions = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])
        if package["name"] in banned:
            yield f"{package['name']} is banned: {banned[package['name']]}"
        for dependency in package["dependencies"] if not package["source"] else []:
            if dependency["req"] == "*" and not dependency.get("path"):
                yield f"{package['name']} takes any version of {dependency['name']}"
    there = {f"{name}@{version}" for name in versions for version in versions[name]}
    for name, several in sorted(versions.items()):
        kept = [version for version in several if f"{name}@{version}" not in skipped]
        if len(kept) > 1:
            yield f"{name} is there in versions {' and '.join(kept)}: update, or skip one in .deny.toml with a reason"
    for crate in sorted(skipped - there):
        yield f".deny.toml: {crate} is skipped and not there: remove it"


def sources(rules, locked):
    registries = {f"registry+{url}" for url in rules["sources"]["allow-registry"]}
    repositories = tuple(f"git+{url}" for url in rules["sources"]["allow-git"])
    for file, packages in locked.items():
        for package in packages:
            source = package.get("source")
            what = f"{file}: {package['name']} {package['version']}"
            if source in registries:
                if "checksum" not in package:
                    yield f"{what} has no checksum"
            elif source and not (repositories and source.startswith(repositories)):
                yield f"{what} is from {source}"


def faults(rules, packages, locked):
    return [*licenses(rules, packages), *bans(rules, packages), *sources(rules, locked)]


def self_test():
    """Breaks one rule each, and expects the one line that says so."""
    crates_io = "https://github.com/rust-lang/crates.io-index"
    rules = {
        "licenses": {"allow": ["MIT"]},
        "bans": {"deny": [{"crate": "bad", "reason": "why"}], "skip": [{"crate": "old@1.0.0", "reason": "why"}]},
        "sources": {"allow-registry": [crates_io], "allow-git": []},
    }

    def package(name="good", version="1.0.0", license="MIT", source="there", dependencies=()):
        return {"name": name, "version": version, "license": license, "source": source, "dependencies": dependencies}

    def any_version(**more):
        return package("ours", source=None, dependencies=[{"name": "x", "req": "*", **more}])

    def lock(**more):
        return {"lock": [{"name": "good", "version": "1.0.0", "source": f"registry+{crates_io}", "checksum": "0", **more}]}

    old = package("old")
    good = [old, package(), package("old", "2.0.0"), any_version(path="/here"), package("c", license="GPL-3.0 OR (MIT)")]
    assert faults(rules, good, lock()) == [], faults(rules, good, lock())
    for expected, packages, locked in [
        ("license GPL-3.0", [old, package(license="GPL-3.0")], {}),
        ("license None", [old, package(license=None)], {}),
        ("license MIT AND", [old, package(license="MIT AND GPL-3.0")], {}),
        ("license (MIT", [old, package(license="(MIT")], {}),
        ("license MIT WITH", [old, package(license="MIT WITH x")], {}),
        ("nothing has the license MIT", [package("old", source=None, license="")], {}),
        ("bad is banned: why", [old, package("bad")], {}),
        ("good is there in versions 1.0.0 and 2.0.0", [old, package(), package(version="2.0.0")], {}),
        ("old@1.0.0 is skipped and not there", [package()], {}),
        ("takes any version of x", [old, any_version()], {}),
        ("is from git+https://x", [old], lock(source="git+https://x")),
        ("is from registry+https://x", [old], lock(source="registry+https://x")),
        ("has no checksum", [old], {"lock": [{k: v for k, v in lock()["lock"][0].items() if k != "checksum"}]}),
    ]:
        found = faults(rules, packages, locked)
        assert [expected in line for line in found if "nothing has" not in line or "nothing has" in expected] == [True], (expected, found)


def main():
    rules = tomllib.loads((ROOT / ".deny.toml").read_text())
    locked = {file: tomllib.loads((ROOT / file).read_text())["package"] for file in LOCK_FILES}
    found = faults(rules, json.load(sys.stdin)["packages"], locked)
    for line in found:
        print(f"dependencies: {line}", file=sys.stderr)
    sys.exit(1 if found else 0)


self_test() if sys.argv[1:] == ["--self-test"] else main()
