"""nginx/packaging: a list of what the module is made of that other tools can read, and that is true; and the spec."""

import importlib.resources
import json
import os
import re
import subprocess
import sys
import tomllib

import jsonschema
import pytest
import referencing

from manifests import ROOT, VERSION

PLATFORMS = ["--filter-platform", "x86_64-unknown-linux-gnu"]


def made(seconds=1_700_000_000):
    metadata = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", *PLATFORMS], cwd=ROOT, check=True,
        stdout=subprocess.PIPE).stdout
    return subprocess.run(
        [sys.executable, ROOT / "nginx/packaging/sbom.py", ROOT / "Cargo.lock"], input=metadata, check=True,
        stdout=subprocess.PIPE, env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds)}).stdout


@pytest.fixture(scope="module")
def bill():
    return json.loads(made())


def test_schema(bill):
    """That of CycloneDX, which has those of SPDX's licenses and of signatures beside it."""
    folder = importlib.resources.files("cyclonedx.schema._res")
    schemas = {name: json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()) for name in ("bom-1.6", "spdx", "jsf-0.82")}
    registry = referencing.Registry().with_resources(
        (one["$id"], referencing.Resource.from_contents(one)) for one in schemas.values())
    validator = jsonschema.Draft7Validator(schemas["bom-1.6"], registry=registry)
    validator.validate(bill)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(bill | {"components": [bill["components"][0] | {"scope": "perhaps"}]})


def test_what_it_lists(bill):
    """What the programs need, by its checksum; what tests need is not there."""
    locked = {(one["name"], one["version"]): one.get("checksum") for one in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    main, parts = bill["metadata"]["component"], bill["components"]
    assert (main["name"], main["version"]) == ("ngx_http_s3_resign_module", VERSION)
    for one in parts:
        assert [one["content"] for one in one.get("hashes", [])] == [sum for sum in [locked[one["name"], one["version"]]] if sum]
        assert ("purl" in one) == ("hashes" in one)
        assert one["licenses"]
    scopes = {one["name"]: one["scope"] for one in parts}
    assert {name: scopes.get(name) for name in ("sigv4", "ring", "ngx", "bindgen", "askama_macros", "proptest", "aws-sigv4")} == {
        "sigv4": "required", "ring": "required", "ngx": "required", "bindgen": "excluded", "askama_macros": "excluded",
        "proptest": None, "aws-sigv4": None,
    }
    edges = {one["ref"]: one["dependsOn"] for one in bill["dependencies"]}
    assert {*edges} == {one["bom-ref"] for one in [main, *parts]}
    assert all({*to} <= {*edges} for to in edges.values())
    assert f"sigv4@{VERSION}" in edges[main["bom-ref"]]


def test_the_same_source_has_the_same_list():
    assert made() == made()
    assert made() != made(1_700_000_001)


def test_the_spec_has_the_version():
    spec = (ROOT / "nginx/packaging/nginx-mod-http-s3-resign.spec").read_text()
    assert re.search(r"^Version: +(.+)$", spec, re.M)[1] == VERSION
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    assert re.findall(r"^BuildRequires: +(?:cargo|rust) >= (.+)$", spec, re.M) == [rust, rust]
