"""STS: SDKs get keys for a token of an identity provider, and narrower keys for a key, and are told what is wrong."""

import base64
import contextlib
import dataclasses
import json
import signal
import time
import urllib.error
import urllib.request

import boto3
import minio
import minio.credentials
import pytest
from adapters import AwsCli, Boto3, S3Error
from botocore.config import Config
from botocore.exceptions import ClientError
from identities import AUDIENCE, IdentityProvider, SigningKey
from programs import Conversation, Go, Java, Js, parameter
from servers import Credentials, Nginx, S3sFs, certify, free_port

ORIGIN = Credentials("AKIDORIGIN", "originSecret", "us-west-2")
SECRET = "k3GmQ0Zr1vYt7sXw2LpNfHc9BdJu5TaE"
OTHER = "another/secret/of/another/issuer/12345"
REGION = "eu-sts-1"
CLIENT = Credentials("AKIDWIDE", "clientSecret/With+Signs=", REGION)
BUCKET = "media"
ISSUER = "https://issuer.example/prod"
ARN = "arn:aws:iam::123456789012:role/"


class Site:
    """nginx with STS at a server of its own, below a path, and where S3 is; and the identity provider."""

    def __init__(self, folder, origin, provider):
        self.folder, self.provider = folder, provider
        self.ports = {name: free_port() for name in ("s3", "sts", "other", "revoked")}
        of_tokens = f"issuer={ISSUER} audience=else.example,{AUDIENCE} condition=sub:system:serviceaccount:prod:*"
        known = f"s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key} allow=read,write buckets={BUCKET}; s3_issuer ci"
        s3 = "location / { s3_resign on; proxy_pass http://origin; }"
        self.http = "\n".join([
            "client_max_body_size 0;",
            f"access_log {folder}/sts.log;",
            f"upstream origin {{ server {origin.address}; keepalive 8; {origin.s3_origin()} }}",
            f"s3_role deploy {of_tokens} jwks={provider.url('http')} allow=read,write buckets={BUCKET} lifetime=2h;",
            f"s3_role tls {of_tokens} jwks={provider.url('https')} jwks_ca={folder}/ca.crt allow=read;",
            f"s3_role strict {of_tokens} condition=/kubernetes.io/pod:a* jwks={provider.url('http')};",
            f"s3_role narrow allow=read buckets={BUCKET}/2026*,other;",
            f"server {{ listen 127.0.0.1:{self.ports['sts']}; {known} secret={SECRET}; location / {{ s3_sts; }} }}",
            f"server {{ listen 127.0.0.1:{self.ports['s3']}; {known} secret={SECRET}; location /sts {{ s3_sts; }} {s3}",
            "    if ($content_type ~* ^application/x-www-form-urlencoded) { rewrite ^/$ /.sts last; }",
            "    if ($arg_Action) { rewrite ^/$ /.sts last; }",
            "    location = /.sts { internal; s3_sts; } }",
            f"server {{ listen 127.0.0.1:{self.ports['other']}; {known} secret={OTHER}; location /sts {{ s3_sts; }} {s3} }}",
        ])

    def url(self, name="s3", path=""):
        return f"http://127.0.0.1:{self.ports[name]}{path}"

    def sts(self, credentials=None, url=None, **config):
        keys = {} if credentials is None else {
            "aws_access_key_id": credentials.access_key, "aws_secret_access_key": credentials.secret_key,
            "aws_session_token": credentials.session_token,
        }
        config.setdefault("retries", {"total_max_attempts": 1})
        return boto3.client("sts", endpoint_url=url or self.url("sts"), region_name=REGION, config=Config(**config), **keys)

    def for_token(self, token, role="deploy", url=None, **arguments):
        arguments.setdefault("RoleSessionName", "pod-1")
        said = self.sts(url=url).assume_role_with_web_identity(RoleArn=ARN + role, WebIdentityToken=token, **arguments)
        return said, key_of(said)

    def s3(self, credentials, name="s3"):
        return Boto3(self.url(name), credentials, None)


def key_of(said):
    key = said["Credentials"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"], REGION, key["SessionToken"])


def told(call, *arguments, **named):
    """The code and the status that an SDK tells."""
    with pytest.raises((ClientError, S3Error)) as caught:
        call(*arguments, **named)
    error = caught.value
    if isinstance(error, S3Error):
        return error.code, error.status
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def site(folder):
    folder = folder / "sts"
    folder.mkdir()
    certify(folder, "DNS:localhost", "IP:127.0.0.1")
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(IdentityProvider(ISSUER, folder))
        origin = stack.enter_context(S3sFs(folder / "s3s", ORIGIN))
        direct = Boto3(origin.url, ORIGIN, None)
        for bucket in (BUCKET, "other"):
            direct.create_bucket(bucket)
            for key in ("2026/there", "2025/there"):
                direct.put(bucket, key, b"there")
        site = Site(folder, origin, provider)
        nginx = site.nginx = stack.enter_context(Nginx(folder / "nginx", site.http, site.ports["s3"]))
        await_keys(site)
        yield site
        log = nginx.error_log.read_text(errors="replace")
    assert not [line for line in log.splitlines() if "[alert]" in line or "exited on signal" in line]
    for secret in (SECRET, OTHER, CLIENT.secret_key):
        assert secret not in log
    # A token that a client has put into its query is in the log as any query is.
    assert not [line for line in log.splitlines() if "eyJ" in line and "WebIdentityToken=" not in line]


def await_keys(site):
    """Waits until the keys of the provider are there for each role."""
    end = time.monotonic() + 60
    for role in ("deploy", "tls"):
        while True:
            try:
                site.for_token(site.provider.token(), role)
                break
            except ClientError as error:
                assert error.response["Error"]["Code"] == "IDPCommunicationError"
                assert time.monotonic() < end
                time.sleep(0.2)


@dataclasses.dataclass
class Pod:
    """What Kubernetes gives a pod, in the place of keys."""

    environment: dict

    @classmethod
    def of(cls, site, folder, token, role="deploy"):
        path = folder / "token"
        path.write_text(token)
        return cls({
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": ARN + role, "AWS_ROLE_SESSION_NAME": "pod-1",
            "AWS_ENDPOINT_URL_STS": site.url("s3"), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION,
            "AWS_STS_REGIONAL_ENDPOINTS": "regional", "AWS_EC2_METADATA_DISABLED": "true",
        })


class OfPod:
    """Makes a client of adapters.py one without keys."""

    def __init__(self, url, pod, folder):
        self.pod = pod
        super().__init__(url, Credentials("", "", REGION), folder)

    def configure(self):
        for name in [name for name in self.environment if name.startswith("AWS_") and "KEY" in name or name == "AWS_SESSION_TOKEN"]:
            del self.environment[name]
        self.environment |= self.pod.environment
        super().configure()


class AwsCliOfPod(OfPod, AwsCli):
    pass


class JsOfPod(OfPod, Js):
    pass


class GoOfPod(OfPod, Go):
    pass


class JavaOfPod(OfPod, Java):
    pass


class Boto3OfPod(Boto3):
    def __init__(self, url, pod, folder):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in pod.environment.items():
                patch.setenv(name, value)
            session = boto3.Session()
            self.s3 = session.client("s3", endpoint_url=url, config=Config(s3={"addressing_style": "path"}))
            session.get_credentials().get_frozen_credentials()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("client", [parameter(client) for client in (Boto3OfPod, AwsCliOfPod, JsOfPod, GoOfPod, JavaOfPod)])
def test_a_pod_needs_no_key(site, client, algorithm, tmp_path):
    pod = Pod.of(site, tmp_path, site.provider.token(algorithm))
    (tmp_path / "client").mkdir()
    s3 = client(site.url(), pod, tmp_path / "client")
    put(s3, BUCKET, f"2026/{client.__name__}", tmp_path)
    assert site.s3(CLIENT).get(BUCKET, f"2026/{client.__name__}") == b"by a pod"
    with pytest.raises(S3Error, match="AccessDenied|Access Denied|Forbidden"):
        put(s3, "other", "2026/there", tmp_path)


def put(client, bucket, key, folder):
    if not isinstance(client, Conversation):
        return client.put(bucket, key, b"by a pod")
    (folder / "body").write_bytes(b"by a pod")
    return client.ask("put", bucket, key, str(folder / "body"))


def test_the_answer_to_a_token(site):
    said, key = site.for_token(site.provider.token())
    assert said["SubjectFromWebIdentityToken"] == "system:serviceaccount:prod:web"
    assert (said["Audience"], said["Provider"]) == (AUDIENCE, ISSUER)
    user = said["AssumedRoleUser"]
    assert user["Arn"] == "arn:aws:sts::000000000000:assumed-role/deploy/pod-1"
    assert 3_500 < said["Credentials"]["Expiration"].timestamp() - time.time() <= 3_600
    identity = site.sts(key).get_caller_identity()
    assert (identity["Arn"], identity["UserId"], identity["Account"]) == (user["Arn"], user["AssumedRoleId"], "000000000000")
    assert said["ResponseMetadata"]["RequestId"]
    for url in (site.url("s3", "/sts"), site.url("s3", "/sts/")):
        assert site.for_token(site.provider.token(), url=url)[0]["Audience"] == AUDIENCE
    assert site.s3(site.for_token(site.provider.token(), "tls")[1]).get(BUCKET, "2026/there") == b"there"


TOKENS = {
    "expired": (lambda p: p.token(exp=int(time.time()) - 1), "ExpiredTokenException"),
    "no end": (lambda p: p.token(exp=None), "InvalidIdentityToken"),
    "not yet valid": (lambda p: p.token(nbf=int(time.time()) + 600), "InvalidIdentityToken"),
    "other audience": (lambda p: p.token(aud="sts.amazonaws.com"), "InvalidIdentityToken"),
    "other issuer": (lambda p: p.token(iss="https://issuer.example/"), "InvalidIdentityToken"),
    "other subject": (lambda p: p.token(sub="system:serviceaccount:test:web"), "AccessDenied"),
    "no algorithm": (lambda p: p.token(head={"alg": "none"}), "InvalidIdentityToken"),
    "other algorithm": (lambda p: p.token(head={"alg": "RS256"}), "InvalidIdentityToken"),
    "secret of the public key": (lambda p: p.token(head={"alg": "HS256"}), "InvalidIdentityToken"),
    "critical extension": (lambda p: p.token(head={"crit": ["b64"], "b64": True}), "InvalidIdentityToken"),
    "other key": (lambda p: SigningKey("es256", "ES256").token(p.claims()), "InvalidIdentityToken"),
    "tampered": (lambda p: tampered(p.token()), "InvalidIdentityToken"),
    "no token": (lambda p: "a.b.c", "InvalidIdentityToken"),
}


def tampered(token):
    head, claims, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed["sub"] += "-admin"
    claims = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    return f"{head}.{claims}.{signature}"


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_that_have_no_role(site, name):
    make, code = TOKENS[name]
    status = 403 if code == "AccessDenied" else 400
    assert told(site.for_token, make(site.provider)) == (code, status)


def test_the_command_line_is_told_so(site, tmp_path):
    pod = Pod.of(site, tmp_path, site.provider.token(exp=int(time.time()) - 1))
    (tmp_path / "client").mkdir()
    client = AwsCliOfPod(site.url(), pod, tmp_path / "client")
    with pytest.raises(S3Error, match="ExpiredToken"):
        client.get(BUCKET, "2026/there")


def test_calls_that_are_wrong(site):
    token = site.provider.token()
    assert told(site.for_token, token, "nobody") == ("AccessDenied", 403)
    assert told(site.for_token, token, "narrow") == ("AccessDenied", 403)
    assert told(site.for_token, token, "strict") == ("AccessDenied", 403)
    assert site.for_token(site.provider.token(**{"kubernetes.io": {"pod": "abc"}}), "strict")
    assert told(site.for_token, token, RoleSessionName="a b") == ("ValidationError", 400)
    assert told(site.for_token, token, DurationSeconds=7_201) == ("ValidationError", 400)
    assert told(site.for_token, token, Policy='{"Version": "2012-10-17"}') == ("MalformedPolicyDocument", 400)
    said, _ = site.for_token(token, DurationSeconds=900)
    assert 800 < said["Credentials"]["Expiration"].timestamp() - time.time() <= 900
    assert told(site.sts(CLIENT).get_session_token) == ("InvalidAction", 400)


def test_a_key_for_a_key(site, tmp_path):
    said = site.sts(CLIENT).assume_role(RoleArn=ARN + "narrow", RoleSessionName="job-1")
    assert said["AssumedRoleUser"]["Arn"] == "arn:aws:sts::000000000000:assumed-role/narrow/job-1"
    s3 = site.s3(key_of(said))
    assert s3.get(BUCKET, "2026/there") == b"there"
    # Within both grants: the role's, and the client's.
    for bucket, key in ((BUCKET, "2025/there"), ("other", "2026/there")):
        assert told(s3.get, bucket, key)[1] == 403
    assert told(s3.put, BUCKET, "2026/new", b"x") == ("AccessDenied", 403)
    # A key of a key, of what it may do itself.
    again = key_of(site.sts(key_of(said)).assume_role(RoleArn=ARN + "narrow", RoleSessionName="job-2"))
    assert site.s3(again).get(BUCKET, "2026/there") == b"there"
    assert told(site.s3(again).put, BUCKET, "2026/new", b"x") == ("AccessDenied", 403)
    assert told(site.sts(CLIENT).assume_role, RoleArn=ARN + "deploy", RoleSessionName="it") == ("AccessDenied", 403)


def test_the_command_line_assumes_a_role(site, tmp_path):
    (tmp_path / "client").mkdir()
    client = AwsCli(site.url(), CLIENT, tmp_path / "client")
    (tmp_path / "client/config").write_text(
        f"[profile wide]\n[default]\nrole_arn = {ARN}narrow\nsource_profile = wide\nregion = {REGION}\ns3 =\n  addressing_style = path\n")
    (tmp_path / "client/credentials").write_text(
        f"[wide]\naws_access_key_id = {CLIENT.access_key}\naws_secret_access_key = {CLIENT.secret_key}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del client.environment[name]
    client.environment |= {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "client/credentials"), "AWS_ENDPOINT_URL_STS": site.url("sts"),
        "AWS_PROFILE": "default",
    }
    assert client.get(BUCKET, "2026/there") == b"there"
    with pytest.raises(S3Error, match="AccessDenied|Forbidden"):
        client.put(BUCKET, "2026/new", b"x")
    identity = json.loads(client.run("aws", "--output", "json", "sts", "get-caller-identity"))
    assert identity["Arn"].startswith("arn:aws:sts::000000000000:assumed-role/narrow/")


def test_who_am_i(site):
    identity = site.sts(CLIENT).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::000000000000:user/{CLIENT.access_key}"
    for changed, code in [
        ({"access_key": "AKIDNOBODY"}, ("InvalidClientTokenId", 403)),
        ({"secret_key": "wrong"}, ("SignatureDoesNotMatch", 403)),
    ]:
        assert told(site.sts(dataclasses.replace(CLIENT, **changed)).get_caller_identity) == code
    _, key = site.for_token(site.provider.token())
    for changed in ({"session_token": "A" * len(key.session_token)}, {"session_token": None}):
        assert told(site.sts(dataclasses.replace(key, **changed)).get_caller_identity) == ("InvalidClientTokenId", 403)


def test_a_presigned_call(site):
    """As EKS has one for a token of its own, and Vault one for a login."""
    sts = site.sts(CLIENT, site.url("s3"))

    def add(params, context, **_):
        context["cluster"] = params.pop("ClusterName", None)

    def head(request, **_):
        if request.context.get("cluster"):
            request.headers["x-k8s-aws-id"] = request.context["cluster"]

    sts.meta.events.register("provide-client-params.sts.GetCallerIdentity", add)
    sts.meta.events.register("before-sign.sts.GetCallerIdentity", head)
    url = sts.generate_presigned_url("get_caller_identity", Params={"ClusterName": "a"}, ExpiresIn=60, HttpMethod="GET")
    asked = urllib.request.Request(url, headers={"x-k8s-aws-id": "a"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert f"user/{CLIENT.access_key}" in answer.read().decode()
    for other in (urllib.request.Request(url, headers={"x-k8s-aws-id": "b"}), url, url.replace("GetCaller", "GetXaller")):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(other, timeout=10)
        assert caught.value.code in (400, 403)


def test_a_key_is_of_its_issuer(site):
    _, key = site.for_token(site.provider.token())
    assert site.s3(key).get(BUCKET, "2026/there") == b"there"
    # Another secret under the same name.
    assert told(site.s3(key, "other").get, BUCKET, "2026/there") == ("InvalidToken", 400)
    assert told(site.sts(key, site.url("other", "/sts")).get_caller_identity) == ("InvalidClientTokenId", 403)


def test_minio_without_a_role(site):
    """MinIO's SDKs name no role for what a client may do itself, and have tokens in the query."""
    def at(provider):
        return minio.Minio(endpoint=site.url().partition("://")[2], credentials=provider, secure=False, region=REGION)

    own = at(minio.credentials.AssumeRoleProvider(
        sts_endpoint=site.url("sts"), access_key=CLIENT.access_key, secret_key=CLIENT.secret_key))
    assert own.get_object(bucket_name=BUCKET, object_name="2025/there").read() == b"there"
    with pytest.raises(minio.error.S3Error, match="AccessDenied"):
        own.get_object(bucket_name="other", object_name="2026/there")
    pod = at(minio.credentials.WebIdentityProvider(
        sts_endpoint=site.url("sts"), role_arn=ARN + "deploy",
        jwt_provider_func=lambda: {"access_token": site.provider.token(), "expires_in": "600"}))
    assert pod.get_object(bucket_name=BUCKET, object_name="2025/there").read() == b"there"


def test_what_was_made_with_a_revoked_key_is_revoked(site):
    (_, key), (_, other) = (site.for_token(site.provider.token()) for _ in range(2))

    def narrower(credentials):
        return key_of(site.sts(credentials).assume_role(RoleArn=ARN + "narrow", RoleSessionName="it"))

    child, others = narrower(key), narrower(other)
    keys = [child, narrower(child), key]
    assert all(site.s3(good).get(BUCKET, "2026/there") == b"there" for good in (*keys, others))
    path = site.nginx.folder / "nginx.conf"
    before = path.read_text()
    try:
        for text, is_revoked in ((before.replace(f"s3_issuer ci secret={SECRET};", f"s3_issuer ci secret={SECRET}; s3_revoke ci "
                                                 f"{key.access_key};"), True), (before, False)):
            path.write_text(text)
            site.nginx.process.send_signal(signal.SIGHUP)
            for revoked in keys:
                await_outcome(site, revoked, is_revoked)
            if is_revoked:
                assert told(site.sts(child).get_caller_identity) == ("AccessDenied", 403)
                assert told(site.sts(child).assume_role, RoleArn=ARN + "narrow", RoleSessionName="it") == ("AccessDenied", 403)
            assert site.s3(others).get(BUCKET, "2026/there") == b"there"
    finally:
        path.write_text(before)
        site.nginx.process.send_signal(signal.SIGHUP)


def await_outcome(site, key, is_revoked):
    """Waits until the workers that have the configuration answer so; those of the one before end their connections."""
    end = time.monotonic() + 60
    while True:
        try:
            site.s3(key).get(BUCKET, "2026/there")
            outcome = False
        except S3Error as error:
            assert error.code == "AccessDenied"
            outcome = True
        if outcome == is_revoked:
            return
        assert time.monotonic() < end
        time.sleep(0.2)


def test_keys_that_change(site):
    """SDKs try again by themselves until the new key is there."""
    old = site.provider.keys["EdDSA"]
    site.provider.keys["EdDSA"] = SigningKey("new", "EdDSA")
    try:
        end = time.monotonic() + 60
        while True:
            try:
                site.for_token(site.provider.token("EdDSA"))
                break
            except ClientError as error:
                assert error.response["Error"]["Code"] in ("IDPCommunicationError", "InvalidIdentityToken")
                assert time.monotonic() < end
                time.sleep(0.5)
        token = old.token(site.provider.claims())
        assert told(site.for_token, token) in (("InvalidIdentityToken", 400), ("IDPCommunicationError", 400))
    finally:
        site.provider.keys["EdDSA"] = old
