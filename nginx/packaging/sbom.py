"""Prints what the module and its programs are made of, as CycloneDX 1.6: `cargo metadata` on stdin, the lock file as argument.

The time is SOURCE_DATE_EPOCH's, so that the same source has the same list. Crates that are only used while building, which
those of procedural macros are, have the scope "excluded".
"""

import datetime
import json
import os
import sys
import tomllib
import uuid

ROOTS = ["ngx_http_s3_resign_module", "sign_s3", "entrypoint"]


def reach(graph, begin, follow):
    """All that can be reached from there."""
    found, rest = set(), list(begin)
    while rest:
        one = rest.pop()
        if one not in found:
            found.add(one)
            rest += [to for to, kinds in graph[one] if follow(to, kinds)]
    return found


def reference(package):
    """A package URL is only for what crates.io has: packages here have the names of others there."""
    begin = "pkg:cargo/" if package["source"] else ""
    return f"{begin}{package['name']}@{package['version'].replace('+', '%2B')}"


def component(package, checksums, is_used):
    made = {
        "type": "library", "bom-ref": reference(package), "name": package["name"], "version": package["version"],
        "scope": "required" if is_used else "excluded",
    }
    if package["source"]:
        made["purl"] = reference(package)
    if package["license"]:
        made["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if checksum := checksums.get((package["name"], package["version"])):
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def bill(metadata, lock, seconds):
    packages = {package["id"]: package for package in metadata["packages"]}
    checksums = {(one["name"], one["version"]): one["checksum"] for one in lock["package"] if "checksum" in one}
    is_macro = {key for key, one in packages.items() if any("proc-macro" in target["kind"] for target in one["targets"])}
    graph = {
        node["id"]: [(to["pkg"], {kind["kind"] for kind in to["dep_kinds"]}) for to in node["deps"]]
        for node in metadata["resolve"]["nodes"]
    }
    members = {packages[key]["name"]: key for key in metadata["workspace_members"]}
    roots = [members[name] for name in ROOTS]
    used = reach(graph, roots, lambda to, kinds: None in kinds and to not in is_macro)
    listed = reach(graph, roots, lambda _, kinds: kinds != {"dev"})

    main = packages[roots[0]]
    shown = sorted(listed - {roots[0]}, key=lambda key: (packages[key]["name"], packages[key]["version"]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{reference(main)}?{seconds}").urn, "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": component(main, checksums, True),
        },
        "components": [component(packages[key], checksums, key in used) for key in shown],
        "dependencies": [
            {"ref": reference(packages[key]), "dependsOn": sorted(
                {reference(packages[to]) for to, kinds in graph[key] if to in listed and kinds != {"dev"}})}
            for key in [roots[0], *shown]
        ],
    }


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as lock_file:
        json.dump(
            bill(json.load(sys.stdin), tomllib.load(lock_file), int(os.environ["SOURCE_DATE_EPOCH"])), sys.stdout, indent=1)
    print()
