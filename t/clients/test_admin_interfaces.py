"""Origins answer administrators on the port and by the signature that S3 has: clients never reach that.

nginx has the key that each server is usually set up with, which may do anything, and the client a key for S3.
nginx/README.md tells how to make a key that may do less: that is tried as well.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import subprocess

import pytest
from conftest import CLIENT
from handmade import ask, fetch
from servers import Credentials, Minio, Nginx, Origin, Versitygw, free_port
from tap import Tap

READER = Credentials("AKIDREADER", "readerSecret", CLIENT.region)
ROOT = Credentials("AKIDROOT", "rootSecret123", "us-east-1")
CONFINED = Credentials("AKIDPROXY", "proxySecret123", "us-east-1")
README = pathlib.Path(__file__).resolve().parents[2] / "nginx" / "README.md"

NO_METHOD = (405, "MethodNotAllowed")
RESERVED = (403, "AccessDenied")

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"}]}).encode()
ACCOUNT = b"<Account><Access>AKIDEVIL</Access><Secret>evilSecret</Secret><Role>admin</Role></Account>"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@dataclasses.dataclass(frozen=True)
class Call:
    """What an administrator may ask of an origin, and what shows that it was done."""

    origin: str
    method: str
    target: str
    shows: bytes = b""
    status: int = 200
    body: bytes = b""
    headers: tuple = ()
    service: str = "s3"  # that the origin wants to see in the signature
    refusal: tuple = RESERVED

    def __str__(self):
        return f"{self.origin}: {self.method} {self.target}"


CALLS = [
    Call("minio", "GET", "/minio/admin/v3/export-iam", b"iam-assets/policies.json"),
    Call("minio", "GET", "/minio/admin/v3/info", b'"deploymentID"'),
    Call("minio", "GET", "/minio/admin/v3/list-users"),
    Call("minio", "GET", "/minio/admin/v3/list-canned-policies", b'"consoleAdmin"'),
    Call("minio", "PUT", "/minio/admin/v3/add-canned-policy?name=evil", body=POLICY),
    Call("minio", "GET", "/minio/health/live"),
    Call("minio", "GET", "/minio/v2/metrics/cluster", b"minio_"),
    Call("minio", "GET", "/minio/metrics/v3/system/process", b"minio_"),
    Call("minio", "POST", "/", b"<SecretAccessKey>", body=b"Action=AssumeRole&Version=2011-06-15", headers=tuple(FORM.items()),
         service="sts", refusal=NO_METHOD),

    Call("ceph", "GET", "/admin/user?uid=root", ROOT.secret_key.encode()),
    Call("ceph", "GET", "/admin/metadata/user?key=root", ROOT.secret_key.encode()),
    Call("ceph", "GET", "/admin/bucket", b"["),
    Call("ceph", "GET", "/admin/config?type=zone", b'"system_key"'),
    Call("ceph", "PUT", "/admin/user?key&uid=root", b'"secret_key"'),
    Call("ceph", "GET", "/%61dmin/user?uid=root", ROOT.secret_key.encode()),
    Call("ceph", "GET", "/admin%2Fuser?uid=root", ROOT.secret_key.encode()),
    Call("ceph", "POST", "/?Action=ListRoles&Version=2010-05-08", b"<ListRolesResponse", refusal=NO_METHOD),
    Call("ceph", "POST", "/", b"<ListRolesResponse", body=b"Action=ListRoles&Version=2010-05-08", headers=tuple(FORM.items()),
         refusal=NO_METHOD),

    Call("versitygw", "PATCH", "/create-user", status=201, body=ACCOUNT, refusal=NO_METHOD),
    Call("versitygw", "PATCH", "/update-user?access=AKIDEVIL", body=b"<MutableProps><Secret>another</Secret></MutableProps>",
         refusal=NO_METHOD),
    Call("versitygw", "PATCH", "/list-users", b"<Secret>another</Secret>", refusal=NO_METHOD),
    Call("versitygw", "PATCH", "/new-bucket/create", status=201, headers=(("x-vgw-owner", "AKIDEVIL"),), refusal=NO_METHOD),
    Call("versitygw", "PATCH", "/change-bucket-owner?bucket=new-bucket&owner=AKIDROOT", refusal=NO_METHOD),
    Call("versitygw", "PATCH", "/list-buckets", b"<Name>new-bucket</Name>", refusal=NO_METHOD),
    Call("versitygw", "PATCH", "/delete-user?access=AKIDEVIL", refusal=NO_METHOD),
]

NAMES = {"minio": "minio", "ceph": "admin", "versitygw": "admin"}


def spellings(name):
    """Whether an origin takes these for the name or not, none is a bucket's."""
    first, rest = f"%{ord(name[0]):02X}", name[1:]
    last = f"{name[:-1]}%{ord(name[-1]):02x}"
    return [
        name, f"{name}/", f"{name}?location", f"{first}{rest}/x", f"{last}/x", f"{name}%2Fx", f"%2F{name}/x", f"/{name}/x",
        f"//{name}/x", f"./{name}/x", f"%2E/{name}/x", f"x/../{name}/x", f"x/%2e%2E/{name}/x", f"x%2F..%2F{name}/x",
        f"{name}/../{name}/x", f"{name}/./x", f"../{name}/x",
    ]


@dataclasses.dataclass
class Site:
    """An origin with a tap in front of it, and the addresses of nginx by what is switched on there."""

    origin: Origin
    tap: Tap
    urls: dict[str, str] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def silence(self):
        """The origin hears nothing meanwhile."""
        self.tap.heard.clear()
        yield
        assert self.tap.heard == []


VARIANTS = {"": "", "anonymous": "s3_anonymous on;", "open": "s3_reserved off;", "confined": "s3_reserved off;"}


def server(site, variant, port):
    known = CONFINED if variant == "confined" else ROOT
    return f"""
    server {{
        listen 127.0.0.1:{port};
        s3_resign on;
        s3_origin access_key={known.access_key} secret_key={known.secret_key} region={site.origin.credentials.region};
        {VARIANTS[variant]}
        location / {{ proxy_pass http://{site.tap.address}; }}
        location /s3/ {{ rewrite ^/s3/(.*)$ /$1 break; proxy_pass http://{site.tap.address}; }}
    }}
    """


def started(stack, folder, kind, region):
    return stack.enter_context(kind(folder / f"admin-{kind.__name__}", dataclasses.replace(ROOT, region=region)))


@pytest.fixture(scope="module")
def sites(folder, origins):
    """Of the servers that are there; Ceph's user with its capabilities is one of its own."""
    with contextlib.ExitStack() as stack:
        ceph = origins["ceph"]
        ceph.admin("user", "create", "--uid=root", "--display-name=root", f"--access-key={ROOT.access_key}",
                   f"--secret-key={ROOT.secret_key}", "--caps=users=*;buckets=*;metadata=*;zone=*;roles=*")
        for role in ("admin", "guest"):
            ceph.admin("role", "create", f"--role-name={role}", f"--assume-role-policy-doc={POLICY.decode()}")
        found = {"ceph": ceph}
        for kind in (Minio, Versitygw):
            if kind.binary():
                found[kind.__name__.lower()] = started(stack, folder, kind, "eu-central-1")
        sites, servers = {}, ""
        for name, origin in found.items():
            sites[name] = site = Site(origin, stack.enter_context(Tap(("127.0.0.1", origin.port))))
            for variant in VARIANTS:
                port = free_port()
                site.urls[variant] = f"http://127.0.0.1:{port}"
                servers += server(site, variant, port)
        clients = (f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};\n"
                   f"s3_client {READER.access_key} secret_key={READER.secret_key} allow=read;\n")
        stack.enter_context(Nginx(folder / "nginx-admin", clients + servers, port, workers=1))
        yield sites


@pytest.fixture
def site(request, sites):
    name = request.param
    if name not in sites:
        pytest.skip(f"there is no {name} here: Go is missing, or too old to build it")
    return sites[name]


each_call = pytest.mark.parametrize("site, call", [(call.origin, call) for call in CALLS], indirect=["site"], ids=str)
each_site = pytest.mark.parametrize("site", NAMES, indirect=True)


def answered(url, credentials, call, service="s3"):
    return fetch(url, credentials, call.method, call.target, call.headers, call.body, service)


@each_call
def test_the_origin_does_it(site, call):
    """In their order, since some need what others have done."""
    known = dataclasses.replace(ROOT, region=site.origin.credentials.region)
    answer = answered(site.origin.url, known, call, call.service)
    assert answer.status == call.status and call.shows in answer.body, answer.body


@each_call
def test_a_client_does_not_reach_it(site, call):
    with site.silence():
        answer = answered(site.urls[""], CLIENT, call)
        assert (answer.status, answer.code) == call.refusal, answer.body
        answer = answered(site.urls[""], READER, call)
        assert answer.status in (403, 405), answer.body
        if call.target.startswith("/minio") or call.target.startswith("/admin"):
            answer = fetch(site.urls[""], CLIENT, call.method, f"/s3{call.target}", call.headers, call.body)
            assert (answer.status, answer.code) == call.refusal, answer.body


@each_call
def test_nobody_reaches_it(site, call):
    head = f"{call.method} {call.target} HTTP/1.1\r\nHost: s3\r\nContent-Length: {len(call.body)}\r\n\r\n"
    with site.silence():
        assert ask(site.urls["anonymous"], head.encode() + call.body).status in (403, 405)


@each_site
def test_however_it_is_spelled(site, request):
    name = NAMES[request.node.callspec.params["site"]]
    with site.silence():
        for spelling in spellings(name):
            for prefix, refusals in [("/", (400, 403)), ("/s3/", (400, 403, 500))]:  # odd paths cannot be rewritten
                for method in ("GET", "PUT", "DELETE"):
                    answer = fetch(site.urls[""], CLIENT, method, prefix + spelling)
                    assert answer.status in refusals, (method, prefix + spelling, answer.body)
                    assert answer.code != "SignatureDoesNotMatch", (method, prefix + spelling)


@each_site
def test_other_names_pass(site, request):
    """Such as begin or end alike; and in another case the name means nothing to the origin."""
    name = NAMES[request.node.callspec.params["site"]]
    for target, status in [("/", 200), (f"/{name}s", 404), (f"/the-{name}", 404), (f"/bucket/{name}/admin", 404)]:
        site.tap.heard.clear()
        assert fetch(site.urls[""], CLIENT, "GET", target).status == status
        assert len(site.tap.heard) == 1
    assert fetch(site.urls[""], CLIENT, "GET", f"/{name.upper()}/admin/v3/info").status >= 400


@pytest.mark.parametrize("site, call", [(call.origin, call) for call in CALLS if call.refusal == RESERVED], indirect=["site"], ids=str)
def test_it_can_be_opened(site, call):
    answer = answered(site.urls["open"], CLIENT, call)
    assert answer.status == call.status and call.shows in answer.body, answer.body


@pytest.mark.parametrize("site, call", [(call.origin, call) for call in CALLS if call.refusal == NO_METHOD], indirect=["site"], ids=str)
def test_what_s3_does_not_have_stays_closed(site, call):
    with site.silence():
        answer = answered(site.urls["open"], CLIENT, call)
        assert (answer.status, answer.code) == NO_METHOD


# ---- a key that may do less

def section():
    """nginx/README.md's, as (language, text) of each block."""
    text = README.read_text().partition("## The origin's key\n")[2].partition("\n#")[0]
    return re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)


COMMANDS = {"minio": "mc", "ceph": "radosgw-admin", "versitygw": "versitygw"}


def make_key(site, name, folder):
    """Runs the section's commands for that server, and so makes `CONFINED`."""
    lines = [line for language, text in section() if language == "console" for line in text.splitlines()]
    script = "\n".join(line for line in lines if line.split()[0] == COMMANDS[name])
    assert CONFINED.access_key in script
    [policy] = [text for language, text in section() if language == "json"]
    (folder / "buckets.json").write_text(policy)
    paths = [str(pathlib.Path(os.environ[name]).parent) for name in ("MINIO", "MC", "VERSITYGW") if os.environ.get(name)]
    environment = {
        "PATH": os.pathsep.join([*paths, os.environ["PATH"]]), "HOME": str(folder), "SECRET": CONFINED.secret_key,
        "MC_HOST_minio": f"http://{ROOT.access_key}:{ROOT.secret_key}@{site.origin.address}",
        "CEPH_CONF": str(site.origin.folder / "ceph" / "ceph.conf"),
        "ADMIN_ENDPOINT_URL": site.origin.url, "ADMIN_REGION": site.origin.credentials.region,
        "ADMIN_ACCESS_KEY": ROOT.access_key, "ADMIN_SECRET_KEY": ROOT.secret_key,
    }
    done = subprocess.run(["sh", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout


@each_site
def test_a_confined_key(site, request, tmp_path):
    """It serves the clients as well, and gets nothing of what is an administrator's, or in other buckets."""
    name = request.node.callspec.params["site"]
    if name == "minio" and not os.environ.get("MC"):
        pytest.skip("there is no mc here: Go is missing, or too old to build it")
    root, confined = (dataclasses.replace(known, region=site.origin.credentials.region) for known in (ROOT, CONFINED))

    def answers(url, credentials, *asked):
        return [fetch(url, credentials, *request).status for request in asked]

    put = ("PUT", "/elsewhere/object", (), b"not yours")
    owned = [] if name == "ceph" else [("PUT", "/media")]  # there, whoever makes a bucket owns it
    assert set(answers(site.origin.url, root, ("PUT", "/elsewhere"), put, *owned)) == {200}
    make_key(site, name, tmp_path)
    url = site.urls["confined"]
    if name == "ceph":
        assert fetch(url, CLIENT, "PUT", "/media").status == 200
    asked = [("PUT", "/media/object", (), b"data"), ("GET", "/media/object"), ("HEAD", "/media"), ("GET", "/media?list-type=2"),
             ("GET", "/media?uploads"), ("POST", "/media/large?uploads")]
    assert set(answers(url, CLIENT, *asked)) == {200}
    assert answers(url, CLIENT, ("DELETE", "/media/object")) == [204]
    assert set(answers(url, CLIENT, put, ("GET", "/elsewhere/object"), ("GET", "/elsewhere?list-type=2"))) == {403}
    for call in CALLS:
        if call.origin == name and "/health/" not in call.target and "metrics" not in call.target:  # those need no key
            answer = answered(site.origin.url, confined, call, call.service)
            assert answer.status == 403 or call.service == "sts", (str(call), answer.body)
