"""What a client does through nginx comes out as it does at the origin itself."""

import os

import pytest
from adapters import COMMAND_LINE, IN_PROCESS, PART, AwsCli, Boto3, Minio, Rclone, S3cmd, S3cmdV2, S3Error, attempt
from conftest import CLIENT
from keys import LONG, PLAIN, SEGMENTS
from servers import Ceph, Credentials, S3sFs

BIG = os.urandom(1 << 20) * 11  # three parts, the last one smaller
PREFIXES = ["", "a", "folder/", "folder/sub folder/", "%", "&?#=;:@$,", "grüße/", "none such "]
BUCKET = "odd-keys"


def each(client):
    return client.__name__


every_client = pytest.mark.parametrize("client", [*IN_PROCESS, *COMMAND_LINE], ids=each)


def both_ways(site, client, folder, scenario, variant="default"):
    """The scenario's transcripts, directly at the origin and through nginx: lists of (step, key, outcome)."""
    transcripts = []
    for name, endpoint in (("direct", site.direct), ("proxy", site.proxied[variant])):
        try:
            transcripts.append(scenario(client(endpoint.url, endpoint.credentials, folder / name)))
        finally:
            site.origin.remove_bucket(BUCKET)  # what the scenario, or a client that failed, left there
    return transcripts


def body_of(key):
    return f"the body of {key}".encode()


def delimiters(site, client):
    """minio-py always sends one, and s3s-fs loses its connection over an empty one."""
    return ("/",) if client is Minio and isinstance(site.origin, S3sFs) else ("", "/")


def outcome(transcript, step, key):
    return next(what for this, name, what in transcript if (this, name) == (step, key))


@pytest.mark.parametrize("client", IN_PROCESS, ids=each)
def test_every_operation_on_odd_keys(site, client, tmp_path):
    keys = [*PLAIN, LONG]
    if not isinstance(site.origin, S3sFs):
        keys += [key for key in SEGMENTS if client is not Minio or "." not in key]  # which it refuses to send

    def scenario(s3):
        done = [("create bucket", "", attempt(s3.create_bucket, BUCKET))]
        for key in keys:
            copy = key + " copy"
            done += [
                ("put", key, attempt(s3.put, BUCKET, key, body_of(key))),
                ("get", key, attempt(s3.get, BUCKET, key)),
                ("range", key, attempt(s3.get_range, BUCKET, key, 3, 9)),
                ("head", key, attempt(s3.head, BUCKET, key)),
                ("copy", key, attempt(s3.copy, BUCKET, key, copy)),
                ("get", copy, attempt(s3.get, BUCKET, copy)),
                ("delete", copy, attempt(s3.delete, BUCKET, copy)),
                ("get deleted", copy, attempt(s3.get, BUCKET, copy)),
            ]
        done += [("list", (prefix, delimiter), attempt(s3.list, BUCKET, prefix, delimiter))
                 for prefix in PREFIXES for delimiter in delimiters(site, client)]
        done += [("delete", key, attempt(s3.delete, BUCKET, key)) for key in keys]
        done.append(("list", "empty", attempt(s3.list, BUCKET, "", "/")))
        done.append(("delete bucket", "", attempt(s3.delete_bucket, BUCKET)))
        return done

    direct, proxied = both_ways(site, client, tmp_path, scenario)
    assert proxied == direct
    for key in keys:
        if key == LONG and isinstance(site.origin, S3sFs):  # keeps metadata in a file named after the whole key
            assert outcome(direct, "put", key) == "refused: InternalError 500"
            continue
        assert outcome(proxied, "get", key) == body_of(key)
        assert outcome(proxied, "range", key) == body_of(key)[3:10]
        assert outcome(proxied, "get", key + " copy") == body_of(key)
        assert outcome(proxied, "get deleted", key + " copy") == "refused: NoSuchKey 404"
    assert outcome(proxied, "list", "empty") == ([], [])


def test_keys_no_file_system_holds_reach_it_well_signed(sites, tmp_path):
    def scenario(s3):
        done = [("create bucket", "", attempt(s3.create_bucket, BUCKET))]
        for key in SEGMENTS:
            done += [(call.__name__, key, attempt(call, BUCKET, key)) for call in (s3.get, s3.head)]
        return done

    direct, proxied = both_ways(sites["s3s"], Boto3, tmp_path, scenario)
    assert proxied == direct
    assert not any("SignatureDoesNotMatch" in str(what) or "403" in str(what) for *_, what in proxied)


@pytest.mark.parametrize("site", ["s3s", "swift"], indirect=True)  # each process takes a second
@pytest.mark.parametrize("client, variant", [*((client, "default") for client in COMMAND_LINE), (S3cmdV2, "v2")])
def test_command_line(site, client, variant, tmp_path):
    tree = tmp_path / "tree"
    keys, odd = PLAIN, "one folder/a+b %41 ü.txt"
    if isinstance(site.origin, S3sFs):  # which says of its listings that keys are URL-encoded, and they are not
        keys, odd = [key for key in PLAIN if not set(key) & set("%+")], "one folder/a  b & ü.txt"
    for key in keys:
        path = tree / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body_of(key))

    def scenario(s3):
        s3.create_bucket(BUCKET, site.origin.credentials.region)
        fetched = s3.folder / "fetched"
        done = [("upload", "", attempt(s3.upload_tree, tree, BUCKET)),
                ("download", "", attempt(s3.download_tree, BUCKET, fetched))]
        done += [("file", str(path.relative_to(fetched)), path.read_bytes())
                for path in sorted(fetched.rglob("*")) if path.is_file()]
        done += [("list", (prefix, delimiter), attempt(s3.list, BUCKET, prefix, delimiter))
                 for prefix in ("", "folder/", "grüße/") for delimiter in ("", "/")]
        done += [
            ("put", odd, attempt(s3.put, BUCKET, odd, body_of(odd))),
            ("get", odd, attempt(s3.get, BUCKET, odd)),
            ("range", odd, attempt(s3.get_range, BUCKET, odd, 3, 9)),
            ("head", odd, attempt(s3.head, BUCKET, odd)),
            ("copy", odd, attempt(s3.copy, BUCKET, odd, odd + " copy")),
            ("get", odd + " copy", attempt(s3.get, BUCKET, odd + " copy")),
            ("delete", odd, attempt(s3.delete, BUCKET, odd)),
            ("get deleted", odd, attempt(s3.get, BUCKET, odd)),
            ("multipart", "big", attempt(s3.multipart, BUCKET, "big", BIG)),
            ("get", "big", attempt(s3.get, BUCKET, "big")),
        ]
        done += [
            ("delete all", "", attempt(s3.delete_all, BUCKET)),
            ("list", "empty", attempt(s3.list, BUCKET)),
            ("delete bucket", "", attempt(s3.delete_bucket, BUCKET)),
        ]
        return done

    direct, proxied = both_ways(site, client, tmp_path, scenario, variant)
    assert proxied == direct
    assert outcome(proxied, "get", odd) == body_of(odd)
    assert outcome(proxied, "range", odd) == body_of(odd)[3:10]
    assert outcome(proxied, "get", odd + " copy") == body_of(odd)
    assert outcome(proxied, "get", "big") == BIG
    deleted = outcome(proxied, "get deleted", odd)
    assert deleted == b"" if client is Rclone else deleted.startswith("refused")  # it takes the key for an empty folder
    if issubclass(client, S3cmd) and isinstance(site.origin, S3sFs):  # lists without ETag, which s3cmd cannot do without
        assert str(outcome(direct, "download", "")).startswith("refused")
    else:
        assert {(name, what) for step, name, what in proxied if step == "file"} == {(key, body_of(key)) for key in keys}


@pytest.mark.parametrize("key", ["a//b", "/lead", "a/../b", "a/b/../../up"])
def test_empty_and_dot_segments_from_the_aws_cli(sites, key, tmp_path):
    def scenario(s3):
        s3.create_bucket(BUCKET, sites["swift"].origin.credentials.region)
        return [("put", key, attempt(s3.put, BUCKET, key, body_of(key))), ("get", key, attempt(s3.get, BUCKET, key))]

    direct, proxied = both_ways(sites["swift"], AwsCli, tmp_path, scenario)
    assert proxied == direct
    assert outcome(proxied, "get", key) == body_of(key)


@pytest.mark.parametrize("variant", ["default", "unbuffered", "closing", "closing, unbuffered"])
@pytest.mark.parametrize("client", IN_PROCESS, ids=each)
def test_multipart(site, client, variant, tmp_path):
    key = "big/ä +%25.bin"

    def scenario(s3):
        s3.create_bucket(BUCKET)
        done = [
            ("multipart", key, attempt(s3.multipart, BUCKET, key, BIG)),
            ("get", key, attempt(s3.get, BUCKET, key)),
            ("range", key, attempt(s3.get_range, BUCKET, key, PART - 5, PART + 5)),
            ("list", "", attempt(s3.list, BUCKET, "", "/")),
        ]
        return done

    direct, proxied = both_ways(site, client, tmp_path, scenario, variant)
    assert proxied == direct
    assert outcome(proxied, "get", key) == BIG
    assert outcome(proxied, "range", key) == BIG[PART - 5:PART + 6]


@pytest.mark.parametrize("variant", ["default", "unbuffered", "closing", "closing, unbuffered"])
def test_bodies_of_every_size(site, variant, tmp_path):
    """Around what nginx keeps in memory (16 KiB) and what it writes to a file."""
    sizes = [0, 1, 1023, 16383, 16384, 16385, 65537, 1 << 20]

    def scenario(s3):
        s3.create_bucket(BUCKET)
        done = []
        for size in sizes:
            done += [("put", size, attempt(s3.put, BUCKET, "object", BIG[:size])),
                     ("get", size, attempt(s3.get, BUCKET, "object"))]
        return done

    direct, proxied = both_ways(site, Boto3, tmp_path, scenario, variant)
    assert proxied == direct
    assert all(outcome(proxied, "get", size) == BIG[:size] for size in sizes)


def test_metadata_and_conditions(site, tmp_path):
    key = "described"

    def scenario(s3):
        s3.create_bucket(BUCKET)
        tag = s3.put(BUCKET, key, b"0123456789", ContentType="text/x-odd; charset=utf-8",
                     Metadata={"plain": "yes", "with_underscore": "a  b", "sign": "+%&= ,;"})

        def get(**more):
            return attempt(lambda: s3.get(BUCKET, key, **more))

        done = [
            ("head", key, s3.head(BUCKET, key)),
            ("get", "same tag", get(IfNoneMatch=f'"{tag}"')),
            ("get", "other tag", get(IfMatch='"0123456789abcdef0123456789abcdef"')),
            ("get", "no such range", get(Range="bytes=100-200")),
            ("get", "last three", get(Range="bytes=-3")),
            ("get", "no such key", attempt(s3.get, BUCKET, "none such")),
            ("get", "no such bucket", attempt(s3.get, "none-such", key)),
            ("head", "no such key", attempt(s3.head, BUCKET, "none such")),
            ("create bucket", "twice", attempt(s3.create_bucket, BUCKET)),
            ("delete bucket", "full", attempt(s3.delete_bucket, BUCKET)),
        ]
        return done

    direct, proxied = both_ways(site, Boto3, tmp_path, scenario)
    assert proxied == direct
    assert outcome(proxied, "get", "last three") == b"789"
    is_one = isinstance(site.origin, Ceph) and site.origin.version < 18  # to it both are
    underscore = "with-underscore" if is_one else "with_underscore"
    assert outcome(proxied, "head", key)[3] == {"plain": "yes", underscore: "a  b", "sign": "+%&= ,;"}
    assert outcome(proxied, "get", "no such key") == "refused: NoSuchKey 404"


@every_client
@pytest.mark.parametrize("wrong, code", [
    (Credentials(CLIENT.access_key, CLIENT.secret_key + "x", CLIENT.region), "SignatureDoesNotMatch"),
    (Credentials("AKIDNOBODY", CLIENT.secret_key, CLIENT.region), "InvalidAccessKeyId"),
], ids=["wrong secret", "unknown key"])
def test_wrong_credentials(sites, client, wrong, code, tmp_path):
    s3 = client(sites["s3s"].proxy.url, wrong, tmp_path / "client")
    with pytest.raises(S3Error) as refused:
        s3.list("no-matter")
    assert refused.value.code == code
    with pytest.raises(S3Error):
        s3.put("no-matter", "key", b"body")


@pytest.mark.parametrize("origin", ["s3s", "spare", "swift"])
def test_the_origins_own_credentials_open_nothing_here(sites, origin, tmp_path):
    s3 = Boto3(sites[origin].proxy.url, sites[origin].origin.credentials, tmp_path)
    with pytest.raises(S3Error, match="InvalidAccessKeyId") as refused:
        s3.list("no-matter")
    assert refused.value.status == 403
