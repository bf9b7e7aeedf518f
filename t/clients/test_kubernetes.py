"""docker/kubernetes: what Kubernetes would take, what belongs together, and the image run as a pod would be."""

import contextlib
import http.client
import http.server
import os
import pathlib
import re
import subprocess
import threading
import time

import jsonschema
import kubernetes_validate
import pytest
import yaml

from servers import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker/kubernetes"
VERSIONS = ["1.27", kubernetes_validate.latest_version()]
DOCKERFILE = ROOT / "docker/Dockerfile"

FILES = {file.name: list(yaml.safe_load_all(file.read_text())) for file in sorted(FOLDER.glob("*.yaml"))}
KUSTOMIZATION, = FILES.pop("kustomization.yaml")
MONITOR, = FILES["servicemonitor.yaml"]
BUILT_IN = [one for documents in FILES.values() for one in documents if one is not MONITOR]


def find(kind, name="s3-resign"):
    one, = (one for one in BUILT_IN if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return one


POD = find("Deployment")["spec"]["template"]
CONTAINER, = POD["spec"]["containers"]
SECRET = find("Secret")["stringData"]
ENVIRONMENT = {one["name"]: one["value"] for one in CONTAINER["env"]}
PORTS = {one["name"]: one["containerPort"] for one in CONTAINER["ports"]}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", BUILT_IN, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_schema(one, version):
    """Fields that the schema does not know are mistakes too."""
    kubernetes_validate.validate(one, version, strict=True)


def test_schema_of_the_monitor():
    crd = yaml.safe_load(pathlib.Path(os.environ["SERVICEMONITOR"]).read_text())
    assert MONITOR["apiVersion"] == f"{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}"
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema.validate(MONITOR, strict(schema))


def strict(schema):
    """Of each object no other fields than those listed, as Kubernetes itself has it."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def test_kustomization():
    """Each file is listed, but for that which needs an operator; and the image's name is the one replaced."""
    assert sorted([*KUSTOMIZATION["resources"], "servicemonitor.yaml"]) == sorted(FILES)
    image, = KUSTOMIZATION["images"]
    assert image["name"] == CONTAINER["image"]
    assert image["newTag"] == re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def test_names():
    """Whatever names another thing names one that is there."""
    labels = POD["metadata"]["labels"]
    selectors = [find("Deployment")["spec"]["selector"]["matchLabels"]]
    selectors += [find("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    selectors += [one["labelSelector"]["matchLabels"] for one in POD["spec"]["topologySpreadConstraints"]]
    selectors += [find("Service", name)["spec"]["selector"] for name in ("s3-resign", "s3-resign-metrics")]
    assert all(selector.items() <= labels.items() for selector in selectors)

    for service in (one for one in BUILT_IN if one["kind"] == "Service"):
        assert all(port["targetPort"] in PORTS for port in service["spec"]["ports"])
    assert CONTAINER["readinessProbe"]["httpGet"]["port"] in PORTS
    assert CONTAINER["livenessProbe"]["tcpSocket"]["port"] in PORTS

    target = find("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert find(target["kind"], target["name"])["apiVersion"] == target["apiVersion"]
    assert "replicas" not in find("Deployment")["spec"], "the HorizontalPodAutoscaler's business"
    find("Secret", CONTAINER["envFrom"][0]["secretRef"]["name"])
    volumes = {one["name"]: one for one in POD["spec"]["volumes"]}
    assert [one["name"] for one in CONTAINER["volumeMounts"]] == list(volumes)
    find("ConfigMap", volumes["conf"]["configMap"]["name"])


def test_metrics_are_scraped_at_each_pod_and_not_through_the_service_for_clients():
    wanted = MONITOR["spec"]["selector"]["matchLabels"]
    services = [one for one in BUILT_IN if one["kind"] == "Service"]
    service, = (one for one in services if wanted.items() <= one["metadata"]["labels"].items())
    endpoint, = MONITOR["spec"]["endpoints"]
    port, = (one for one in service["spec"]["ports"] if one["name"] == endpoint["port"])
    assert port["targetPort"] == "metrics"
    assert [one["targetPort"] for one in find("Service")["spec"]["ports"]] == ["http"]


def test_a_pod_ends_after_its_last_download():
    command, seconds = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    drain = re.fullmatch(r"(\d+)s", ENVIRONMENT["S3_SHUTDOWN_TIMEOUT"])[1]
    assert POD["spec"]["terminationGracePeriodSeconds"] >= int(seconds) + int(drain) + 10


def test_the_pod_has_no_rights():
    container, pod = CONTAINER["securityContext"], POD["spec"]["securityContext"]
    assert pod["runAsNonRoot"] and pod["runAsUser"] and pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert POD["spec"]["enableServiceLinks"] is False


def test_the_image():
    text = DOCKERFILE.read_text()
    pod = POD["spec"]["securityContext"]
    assert re.findall(r"^USER (.+)$", text, re.M)[-1] == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert re.findall(r"^EXPOSE (.+)$", text, re.M) == [str(PORTS["http"])]


def test_variables():
    example = (ROOT / "docker/.env.example").read_text()
    known = set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.M))
    assert {*SECRET, *ENVIRONMENT} <= known
    assert ENVIRONMENT["PORT"] == str(PORTS["http"])


# ---- the image's entrypoint, with the environment that the pod has ----

class Refusing(http.server.BaseHTTPRequestHandler):
    """An origin that is up, and lets nobody list its buckets."""

    def do_GET(self):
        body = b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


def environment(tmp_path, secret, **more):
    return {
        "PATH": f"{os.environ['PATH']}:/usr/sbin", "NGINX": os.environ["TEST_NGINX_BINARY"],
        "S3_RESIGN_MODULE": os.environ["TEST_NGINX_S3_MODULE"], "S3_RESIGN_RUN": str(tmp_path / "run"),
        "S3_RESIGN_TEMPLATE": str(ROOT / "nginx/default.conf.template"),
        **secret, **ENVIRONMENT, **more,
    }


def entrypoint(environment, *arguments, **how):
    return subprocess.Popen(
        [ROOT / "target/release/s3-resign-entrypoint", *arguments], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)


FILLED_IN = {
    "CLIENT_ACCESS_KEY": "AKIDCLIENT", "CLIENT_SECRET_KEY": "secret of the client",
    "ORIGIN_ACCESS_KEY": "AKIDORIGIN", "ORIGIN_SECRET_KEY": "secret of the origin",
    "ORIGIN_DOMAIN": "127.0.0.1:9",
}


def test_the_secret_as_it_is_here_has_nothing_else_to_fill_in(tmp_path):
    check = entrypoint(environment(tmp_path, SECRET | FILLED_IN), "-t")
    said, _ = check.communicate()
    assert check.returncode == 0, said


@pytest.mark.parametrize("name", FILLED_IN)
def test_a_placeholder_is_refused(tmp_path, name):
    check = entrypoint(environment(tmp_path, SECRET | FILLED_IN | {name: SECRET[name]}), "-t")
    said, _ = check.communicate()
    assert check.returncode != 0
    assert re.search(rf"{name}\b.* placeholder", said), said


@contextlib.contextmanager
def pod(tmp_path, origin):
    """The ports of clients and metrics of a running one: as in the manifests, but for these two ports."""
    ports = {name: free_port() for name in PORTS}
    folder = tmp_path / "s3.d"
    folder.mkdir()
    for name, text in find("ConfigMap")["data"].items():
        assert f"listen {PORTS['metrics']};" in text
        (folder / name).write_text(text.replace(f"listen {PORTS['metrics']};", f"listen {ports['metrics']};"))
    mount = next(one["mountPath"] for one in CONTAINER["volumeMounts"] if one["name"] == "conf")
    template = (ROOT / "nginx/default.conf.template").read_text()
    assert f"include {mount}/*.conf;" in template
    (tmp_path / "template").write_text(template.replace(mount, str(folder)))

    secret = SECRET | FILLED_IN | {"ORIGIN_DOMAIN": "127.0.0.1:%d" % origin.server_address[1]}
    running = entrypoint(environment(
        tmp_path, secret, PORT=str(ports["http"]), ORIGIN_SCHEME="http", S3_RESIGN_TEMPLATE=str(tmp_path / "template"),
        S3_HEALTH_CHECK="interval=200ms fall=2 expect=2xx,AccessDenied"))
    try:
        yield ports
    finally:
        running.terminate()
        said, _ = running.communicate(timeout=20)
        print(said)


def ask(port, path, client="127.0.0.1"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5, source_address=(client, 0))
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def readiness(port, path):
    """As the kubelet sees it."""
    with contextlib.suppress(OSError):
        return 200 <= ask(port, path)[0] < 400
    return False


def until(wanted, port, path):
    end = time.monotonic() + 10
    while readiness(port, path) != wanted:
        assert time.monotonic() < end, f"ready is not {wanted}"
        time.sleep(0.1)


def test_probes_and_metrics(tmp_path, origin):
    """Ready while an origin is up; alive all the while; metrics on their own port, for others too."""
    ready = CONTAINER["readinessProbe"]["httpGet"]
    alive = CONTAINER["livenessProbe"]["tcpSocket"]
    endpoint, = MONITOR["spec"]["endpoints"]
    metrics = endpoint["path"] + "?" + "&".join(f"{k}={v}" for k, [v] in endpoint["params"].items())
    elsewhere = "127.0.0.2"
    with pod(tmp_path, origin) as ports:
        until(True, ports[ready["port"]], ready["path"])
        status, text = ask(ports[endpoint["port"]], metrics, elsewhere)
        assert status == 200 and text.startswith("# HELP s3_")
        assert ask(ports[endpoint["port"]], "/bucket/key", elsewhere)[0] == 404
        assert ask(ports["http"], metrics, elsewhere)[0] == 403

        origin.shutdown()
        origin.server_close()
        until(False, ports[ready["port"]], ready["path"])
        assert ask(ports[alive["port"]], "/bucket/key")[0] == 403
