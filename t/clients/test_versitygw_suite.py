"""versitygw's own suite through the proxy: who it makes a user has an account of its own here, so that each request gets
to the gateway with the keys of the user who has made it. The verdicts are those that it gives about the gateway itself,
but for the texts of errors. Where the gateway is as strict as S3, nginx is told to be.

The suite makes its users while it runs, by a program `./versitygw`: here that is one which also writes their lines into
nginx's configuration. Requests of PATCH, which administer the gateway, go to it past the module. With WHOLE_SUITE in the
environment all of its full flow is run, and else what is about several users, and some of what the module itself decides.
"""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import urllib.request

import pytest
from servers import Credentials, Nginx, Versitygw, free_port

pytestmark = pytest.mark.skipif(not Versitygw.binary(), reason="versitygw is not built")

ROOT = Credentials("ROOTKEY", "rootSecret1234", "us-east-1")
WHOLE = "WHOLE_SUITE" in os.environ
OF_USERS = (r"AccessControl_|IAM_(?!CreateBucket)|PutBucket(?:Acl|Policy)_|GetBucketAcl_|ListBuckets_as_|CreateBucket_as_user"
            r"|GetBucketLocation_no_access|CopyObject_not_owned_source_bucket")
# What would differ if faults were told in another order than S3's.
OF_FAULTS = (r"Authentication_invalid_auth_header|PresignedAuth_(?:security_token|unsigned_required)|PublicBucket_(?:incorrect|signed)"
             r"|PostObject_signature_mismatch|Server_large_http_header")

# What the module decides in the gateway's place, whose tests are run in any case.
DECIDED = {
    "PutObject_false_negative_object_names", "PutObject_invalid_object_names", "PostObject_invalid_object_names",
    "PostObject_expired_due_to_date", "SignedStreamingPayload_invalid_chunk_size", "UnsignedStreamingPayloadTrailer_invalid_chunk_size",
}
# The gateway lists uploads by the times of their files, which several share: two of three times it fails directly, too.
UNSTABLE = {"ListMultipartUploads_keyMarker_not_from_list"}
VERDICT = re.compile(r"^(?:\x1b\[\d+m)?(PASS|FAIL) (?:\x1b\[0m)?(\w+)(.*)", re.MULTILINE)

PROGRAM = """#!{python}
import os, subprocess, sys, time, urllib.request
words = [{direct!r} if word == {proxied!r} else word for word in sys.argv[1:]]
code = subprocess.call([{binary!r}, *words])
if "create-user" in words and code == 0:
    user = words[words.index("create-user"):]
    key, secret = (user[user.index(name) + 1] for name in ("-a", "-s"))
    with open("clients.inc", "a") as lines:
        lines.write(f"s3_client {{key}} secret_key={{secret}} account={{key}};\\n")
    with open("origins.inc", "a") as lines:
        lines.write(f"s3_origin default account={{key}} access_key={{key}} secret_key={{secret}};\\n")
    number = str(len(open("clients.inc").readlines()))
    open("number.inc", "w").write(f"return 200 {{number}};")
    os.kill(int(open("nginx/nginx.pid").read()), 1)
    def workers():
        master = open("nginx/nginx.pid").read().strip()
        return open(f"/proc/{{master}}/task/{{master}}/children").read().split()
    for _ in range(400):
        # First the new worker is there, then the old one is gone, which knows nobody new.
        if urllib.request.urlopen({number!r}).read().decode() == number and len(workers()) == 1:
            break
        time.sleep(0.05)
    else:
        sys.exit("nginx was not reloaded")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory, folder):
    """Runs tests of the suite, through the proxy or not: (verdicts by name, what it said)."""
    place = folder / "suite"
    place.mkdir()
    port, number = free_port(), free_port()
    with contextlib.ExitStack() as stack:
        gateways = {way: stack.enter_context(Versitygw(place / way, ROOT)) for way in ("direct", "proxied")}
        behind = gateways["proxied"]
        for name, text in (("clients", ""), ("origins", ""), ("number", "return 200 0;")):
            (place / f"{name}.inc").write_text(text)
        (place / "direct.bin").mkdir()
        (place / "direct.bin" / "versitygw").symlink_to(behind.binary())
        program = place / "versitygw"
        program.write_text(PROGRAM.format(python=sys.executable, direct=behind.url, proxied=f"http://127.0.0.1:{port}",
                                          binary=behind.binary(), number=f"http://127.0.0.1:{number}/"))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        http = f"""
            ignore_invalid_headers off; keepalive_timeout 0; client_max_body_size 0;
            upstream gateway {{
                server {behind.address}; {behind.s3_origin()} include {place}/origins.inc;
            }}
            server {{ listen 127.0.0.1:{number}; location / {{ include {place}/number.inc; }} }}
            server {{
                listen 127.0.0.1:{port};
                s3_client {ROOT.access_key} secret_key={ROOT.secret_key};
                include {place}/clients.inc;
                s3_region {ROOT.region}; s3_reserved off; s3_debug_errors on;
                s3_max_age 1h; s3_small_chunks off;
                proxy_buffer_size 16k; proxy_buffers 8 16k;
                error_page 418 = @administration; error_page 419 = @maybe_unsigned;
                location / {{
                    if ($request_method = PATCH) {{ return 418; }}
                    if ($http_authorization = "") {{ return 419; }}
                    s3_resign on;
                    proxy_pass http://gateway;
                }}
                location @maybe_unsigned {{ s3_resign on; s3_anonymous on; proxy_pass http://gateway; }}
                location @administration {{ s3_resign off; proxy_set_header Host $http_host; proxy_pass {behind.url}; }}
            }}"""
        stack.enter_context(Nginx(place / "nginx", http, port, workers=1))

        def run(way, *names):
            url, where = (gateways["direct"].url, place / "direct.bin") if way == "direct" else (f"http://127.0.0.1:{port}", place)
            environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
            said = ""
            for name in names:
                # A test that fails leaves its bucket, and the next one wants one of that name.
                for bucket in (gateways[way].folder / "data").iterdir():
                    shutil.rmtree(bucket)
                said += subprocess.run(
                    [behind.binary(), "test", "-a", ROOT.access_key, "-s", ROOT.secret_key, "-e", url, name],
                    cwd=where, env=environment, capture_output=True, text=True, timeout=1500).stdout
            return {name: verdict + why for verdict, name, why in VERDICT.findall(said)}

        yield run


def test_verdicts(suite):
    listed = subprocess.run([Versitygw.binary(), "test", "--help"], capture_output=True, text=True, check=True).stdout
    known = sorted(set(re.findall(r"^   (\w+) +Runs \w+ integration test$", listed, re.MULTILINE)))
    assert DECIDED < set(known)
    if WHOLE:
        direct, proxied = suite("direct", "full-flow"), suite("proxied", "full-flow")
        assert len(direct) > 680
    else:
        names = [name for name in known if name in DECIDED or re.match(f"{OF_USERS}|{OF_FAULTS}", name)]
        direct, proxied = suite("direct", *names), suite("proxied", *names)
        assert len(direct) > 95
    assert set(direct) == set(proxied) > DECIDED
    # The full flow runs tests side by side, so that some see what others have left, or make users at once; and some of
    # the suite's own depend on the time.
    failed = [name for name, verdict in proxied.items() if verdict.startswith("FAIL") and name in known]
    proxied |= suite("proxied", *failed)
    # What the texts of errors say is not compared.
    is_text = re.compile(r"FAIL: (?:test \d+ failed: )?expected error (?!code )\w+ to be ")
    said = {name: "PASS" if is_text.match(verdict) else verdict for name, verdict in proxied.items()}
    passed = {name for name, verdict in direct.items() if verdict.startswith("PASS")}
    differ = {name: said[name] for name in passed - UNSTABLE if said[name].startswith("FAIL")}
    assert not differ, "\n".join(f"{name}: {differ[name]}" for name in sorted(differ))
    assert len(passed) > len(direct) - 5
