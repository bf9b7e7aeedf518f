"""`make demo`: two S3 servers, nginx with the module in front, and what clients see. Ends 0 only if all of it happened."""

import contextlib
import io
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

import boto3
import botocore.exceptions
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "t/origins"))

from servers import Credentials, Nginx, S3sFs  # noqa: E402

PORT = int(os.environ.get("PORT") or 8080)
KEEP = os.environ.get("KEEP", "") not in ("", "0")
PROXY = f"http://127.0.0.1:{PORT}"
BIN = pathlib.Path(sys.executable).parent

CLIENT = Credentials("AKIDDEMO", "demoClientSecret", "us-east-1")
A = Credentials("ORIGINAKEY", "originASecret", "us-east-1")
B = Credentials("ORIGINBKEY", "originBSecret", "us-west-2")

BUCKET = "demo"
REQUESTS = 200
KILL_AT = 70


class Failed(Exception):
    """Something that the tour promises did not happen."""


def expect(what, happened):
    if not happened:
        raise Failed(what)


def say(text=""):
    print(text, flush=True)


def heading(text):
    say()
    say(f"== {text}")


def run(*command, shown=None):
    """Runs it as a user would and prints both sides; returns its output."""
    say(f"   $ {shown or shlex.join(map(str, command))}")
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": CLIENT.access_key, "AWS_SECRET_ACCESS_KEY": CLIENT.secret_key,
        "AWS_DEFAULT_REGION": CLIENT.region, "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        [str(word) for word in command], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60)
    lines = (done.stdout + done.stderr).splitlines()
    for line in lines[-12:] if done.returncode else lines[:12]:  # why it failed stands at the end
        say(f"     {line if len(line) <= 150 else line[:150] + '...'}")
    expect(f"`{command[0]}` ended with {done.returncode}", done.returncode == 0)
    return done.stdout


def client(url, known):
    return boto3.client(
        "s3", endpoint_url=url, region_name=known.region,
        aws_access_key_id=known.access_key, aws_secret_access_key=known.secret_key,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1},
                      connect_timeout=5, read_timeout=30),
    )


def http_block(a, b):
    return f"""\
    upstream s3_origins {{
        zone s3_origins 256k;
        server {b.address};
        server {a.address} backup;
        keepalive 64;

        {b.s3_origin()}
        {a.s3_origin()}
    }}

    server {{
        listen 127.0.0.1:{PORT};
        client_max_body_size 0;
        s3_client {CLIENT.access_key} secret_key={CLIENT.secret_key};

        location / {{
            s3_resign on;
            proxy_pass http://s3_origins;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            add_header X-Served-By $upstream_addr always;
        }}
        location = /s3_status {{ s3_status; allow 127.0.0.1; deny all; }}
    }}"""


def presigned_get(b):
    heading("1. A presigned URL: anyone who has it can fetch that object, with no credentials")
    client(b.url, B).put_object(Bucket=BUCKET, Key="films/a film.mp4", Body=b"the bytes of the film\n")
    sign = ["target/release/sign_s3", "-v", "4", "--region", CLIENT.region, PROXY, CLIENT.access_key, CLIENT.secret_key,
            BUCKET, "films/a film.mp4"]
    url = run(ROOT / sign[0], *sign[1:], shown=shlex.join(sign)).strip()
    got = run("curl", "-sS", "--max-time", "10", "-w", "HTTP %{http_code}\\n", url, shown="curl '<that URL>'")
    expect("curl gets the object", got == "the bytes of the film\nHTTP 200\n")


def aws_cli(folder, b):
    heading("2. The AWS CLI writes, reads and lists, and knows nothing of the origins")
    source, target = folder / "hello.txt", folder / "hello-again.txt"
    source.write_text("hello from the AWS CLI\n")
    endpoint = ["aws", "--endpoint-url", PROXY, "s3"]
    run(*endpoint, "cp", "--no-progress", source, f"s3://{BUCKET}/dir/hello & more.txt")
    run(*endpoint, "cp", "--no-progress", f"s3://{BUCKET}/dir/hello & more.txt", target)
    expect("what was read is what was written", target.read_bytes() == source.read_bytes())
    listed = run(*endpoint, "ls", "--recursive", f"s3://{BUCKET}/")
    expect("the listing names the film", "films/a film.mp4" in listed)
    stored = client(b.url, B).get_object(Bucket=BUCKET, Key="dir/hello & more.txt")["Body"].read()
    expect("the object is on origin B", stored == source.read_bytes())
    say("   -> and asked directly, origin B has the object")


def library():
    heading("3. boto3: an upload in parts, a range of it, metadata")
    s3 = client(PROXY, CLIENT)
    body = os.urandom(12 << 20)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "backup/12 MiB.bin", ExtraArgs={"Metadata": {"made-by": "demo"}},
                      Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
    say('   s3.upload_fileobj(12 MiB, "demo", "backup/12 MiB.bin")        in 3 parts')
    answer = s3.get_object(Bucket=BUCKET, Key="backup/12 MiB.bin")
    expect("the object comes back whole", answer["Body"].read() == body)
    say(f'   s3.get_object("demo", "backup/12 MiB.bin")                   {len(body)} bytes, the same, {answer["Metadata"]}')
    part = s3.get_object(Bucket=BUCKET, Key="backup/12 MiB.bin", Range="bytes=5242875-5242884")["Body"].read()
    expect("a range across two parts", part == body[5242875:5242885])
    say('   s3.get_object(..., Range="bytes=5242875-5242884")            those 10 bytes')
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET, Prefix="backup/")["Contents"]]
    expect("it is listed", keys == ["backup/12 MiB.bin"])
    say(f'   s3.list_objects_v2("demo", Prefix="backup/")                 {keys}')


def refused():
    heading("4. What is not signed by a client that nginx knows gets nowhere")
    url = client(PROXY, CLIENT).generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "films/a film.mp4"})
    for what, request, code in (
        ("a presigned URL with another key in it", url.replace("a%20film", "another"), "SignatureDoesNotMatch"),
        ("no signature at all", f"{PROXY}/{BUCKET}/films/a%20film.mp4", "AccessDenied"),
        ("an origin's own credentials", client(PROXY, A).generate_presigned_url(
            "get_object", Params={"Bucket": BUCKET, "Key": "films/a film.mp4"}), "InvalidAccessKeyId"),
    ):
        say(f"   {what}:")
        got = run("curl", "-sS", "--max-time", "10", "-w", "\\nHTTP %{http_code}\\n", request, shown="curl '<URL>'")
        expect(f"{what} is refused with {code}", f"<Code>{code}</Code>" in got and got.endswith("HTTP 403\n"))


def failover(a, b):
    heading(f"5. Origin B is killed during {REQUESTS} requests")
    say("   Copying objects between origins is the storage's job, so this one is put on both first.")
    for origin, known in ((a, A), (b, B)):
        client(origin.url, known).put_object(Bucket=BUCKET, Key="on both", Body=b"the same on both")
    s3 = client(PROXY, CLIENT)
    served, failures = {a.address: 0, b.address: 0}, []
    passed_on = 0
    for number in range(REQUESTS):
        if number == KILL_AT:
            b.kill()
            say(f"   after {number} requests: kill -9 {b.process.pid} (origin B)")
        try:
            answer = s3.get_object(Bucket=BUCKET, Key="on both")
            expect("the object is right", answer["Body"].read() == b"the same on both")
            tried = answer["ResponseMetadata"]["HTTPHeaders"]["x-served-by"].split(", ")
            served[tried[-1]] += 1
            passed_on += len(tried) > 1
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            failures.append(error)
    say(f"   {REQUESTS} requests, {len(failures)} failed: {served[b.address]} answered by B, {served[a.address]} by A, "
        f"{passed_on} of these after B was tried")
    expect("no request fails", not failures)
    expect("B answered until it was killed", served[b.address] == KILL_AT)
    expect("A answered from then on", served[a.address] == REQUESTS - KILL_AT)
    expect("a request that B was to answer went on to A", passed_on > 0)


def back(b):
    """Waits until nginx picks B again."""
    s3 = client(PROXY, CLIENT)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = s3.head_object(Bucket=BUCKET, Key="on both")
        if answer["ResponseMetadata"]["HTTPHeaders"]["x-served-by"] == b.address:
            return "yes"
        time.sleep(0.5)
    raise Failed("origin B is used again")


def status(b):
    heading("6. nginx has counted all that")
    url = f"{PROXY}/s3_status?format=json"
    seen = json.loads(run("curl", "-sS", "--max-time", "10", url, shown=f"curl '{url}'"))
    requests = seen["requests"]
    failed = {origin["server"]: origin["answers"]["none"] for origin in seen["origins"]}
    say(f"   {requests['let_in']} requests let in, {requests['refused']} refused, {requests['retries']} tried again; "
        f"tries without an answer by origin: {failed}")
    expect("each refusal is counted", requests["refused"] == 3)
    expect("each request is counted", requests["let_in"] > REQUESTS)
    expect("B's failures are counted", failed[b.address] > 0)


def by_hand(nginx):
    environment = f"AWS_ACCESS_KEY_ID={CLIENT.access_key} AWS_SECRET_ACCESS_KEY={CLIENT.secret_key} AWS_DEFAULT_REGION={CLIENT.region}"
    heading("Try it by hand" if KEEP else "Try it by hand, while `make demo KEEP=1` runs")
    say(textwrap.indent(textwrap.dedent(f"""\
        export PATH="{BIN}:$PATH" {environment}
        aws --endpoint-url {PROXY} s3 ls --recursive s3://{BUCKET}/
        aws --endpoint-url {PROXY} s3 cp README.md s3://{BUCKET}/
        curl -i "$(target/release/sign_s3 -v 4 --region '' {PROXY} {CLIENT.access_key} {CLIENT.secret_key} {BUCKET} 'films/a film.mp4')"
        curl -i {PROXY}/{BUCKET}/README.md"""), "   "))
    say(f"   and in a browser: {PROXY}/s3_status")
    if KEEP:
        say(f"   configuration {nginx.folder}/nginx.conf")
        say(f"   logs          {nginx.folder}/access.log {nginx.error_log}")


def port_is_free():
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True


def tour(folder):
    expect(f"port {PORT} is free (another one: make demo PORT=...)", port_is_free())
    with contextlib.ExitStack() as stack:
        a = stack.enter_context(S3sFs(folder / "a", A))
        b = stack.enter_context(S3sFs(folder / "b", B))
        heading("Two S3 servers, each with an access key and a region of its own")
        for name, origin in (("A", a), ("B", b)):
            known = origin.credentials
            client(origin.url, known).create_bucket(Bucket=BUCKET)
            say(f"   origin {name}   {origin.url}   {known.access_key}   {known.region}")
        block = http_block(a, b)
        nginx = stack.enter_context(Nginx(folder / "nginx", block, PORT))
        heading(f"nginx with the module on {PROXY}; its clients sign with {CLIENT.access_key}")
        say(block)
        presigned_get(b)
        aws_cli(folder, b)
        library()
        refused()
        failover(a, b)
        status(b)
        heading("All of it happened.")
        if KEEP:
            b = stack.enter_context(S3sFs(folder / "b again", B, port=b.port, data=b.data))
            say(f"   Origin B is started again; nginx, which had set it aside for 10 s, uses it again: {back(b)}")
        by_hand(nginx)
        if KEEP:
            say("\nCtrl-C ends it.")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    time.sleep(3600)


def show_logs(folder):
    """Prints the last lines of the programs that took part."""
    say()
    for name, log in (("nginx", "nginx/error.log"), ("origin A", "a/log"), ("origin B", "b/log")):
        if (folder / log).exists():
            lines = (folder / log).read_text(errors="replace").splitlines()
            for line in [line for line in lines if "[notice]" not in line][-5:]:
                say(f"   {name}: {line}")


def stop(*_):
    raise SystemExit("stopped")


def main():
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="demo-", dir=ROOT / "target"))
    try:
        tour(folder)
    except KeyboardInterrupt:
        sys.exit("\ndemo: stopped")
    except Exception as failed:
        show_logs(folder)
        if isinstance(failed, Failed):
            sys.exit(f"\ndemo: this did not happen: {failed}")
        raise  # a client, a server or this program: the traceback tells
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
