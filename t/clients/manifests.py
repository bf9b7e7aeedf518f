"""Manifests of Kubernetes: whether it would take them, whether they belong together, and the image run as their pod would be."""

import os
import pathlib
import re
import subprocess

import jsonschema
import kubernetes_validate
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker/kubernetes"
VERSIONS = ["1.27", kubernetes_validate.latest_version()]
TEMPLATE = ROOT / "nginx/default.conf.template"


class Manifests:
    """What is applied together."""

    def __init__(self, documents):
        self.documents = [one for one in documents if one]
        self.deployment, = self.of("Deployment")
        self.pod = self.deployment["spec"]["template"]
        self.container, = self.pod["spec"]["containers"]
        self.environment = {one["name"]: one["value"] for one in self.container["env"]}
        self.ports = {one["name"]: one["containerPort"] for one in self.container["ports"]}

    def of(self, kind):
        return [one for one in self.documents if one["kind"] == kind]

    def find(self, kind, name):
        one, = (one for one in self.of(kind) if one["metadata"]["name"] == name)
        return one

    @property
    def secret(self):
        """What its own Secret has; another one's may be meant."""
        return {name: value for one in self.of("Secret") for name, value in one["stringData"].items()}

    @property
    def conf(self):
        """The files in /etc/nginx/s3.d."""
        volume, = (one["configMap"] for one in self.pod["spec"]["volumes"] if one["name"] == "conf")
        return self.find("ConfigMap", volume["name"])["data"]

    def check_schemas(self, version):
        """Fields that the schema does not know are mistakes too."""
        for one in self.documents:
            if one["kind"] == "ServiceMonitor":
                check_monitor(one)
            else:
                kubernetes_validate.validate(one, version, strict=True)

    def check_names(self):
        """Whatever names another thing names one that is there."""
        names = [(one["kind"], one["metadata"]["name"]) for one in self.documents]
        assert len(set(names)) == len(names)
        labels = self.pod["metadata"]["labels"]
        services = self.of("Service")
        selectors = [one["spec"]["selector"]["matchLabels"] for one in [self.deployment, *self.of("PodDisruptionBudget")]]
        selectors += [one["labelSelector"]["matchLabels"] for one in self.pod["spec"]["topologySpreadConstraints"]]
        selectors += [one["spec"]["selector"] for one in services]
        assert all(selector and selector.items() <= labels.items() for selector in selectors)

        for service in services:
            assert all(port["targetPort"] in self.ports for port in service["spec"]["ports"])
        assert self.container["readinessProbe"]["httpGet"]["port"] in self.ports
        assert self.container["livenessProbe"]["tcpSocket"]["port"] in self.ports
        for monitor in self.of("ServiceMonitor"):
            wanted = monitor["spec"]["selector"]["matchLabels"]
            service, = (one for one in services if wanted.items() <= one["metadata"]["labels"].items())
            endpoint, = monitor["spec"]["endpoints"]
            port, = (one for one in service["spec"]["ports"] if one["name"] == endpoint["port"])
            assert port["targetPort"] == "metrics"
        for ingress in self.of("Ingress"):
            for rule in ingress["spec"]["rules"]:
                backend, = (one["backend"]["service"] for one in rule["http"]["paths"])
                ports = self.find("Service", backend["name"])["spec"]["ports"]
                assert [(one["name"], one["targetPort"]) for one in ports] == [(backend["port"]["name"], "http")]

        for scaler in self.of("HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            assert self.find(target["kind"], target["name"])["apiVersion"] == target["apiVersion"]
            assert "replicas" not in self.deployment["spec"], "the HorizontalPodAutoscaler's business"
        for secret in self.of("Secret"):
            assert self.container["envFrom"] == [{"secretRef": {"name": secret["metadata"]["name"]}}]
        volumes = [one["name"] for one in self.pod["spec"]["volumes"]]
        assert [one["name"] for one in self.container["volumeMounts"]] == volumes
        assert self.conf

    def check_end(self):
        """A pod ends after its last download."""
        command, seconds = self.container["lifecycle"]["preStop"]["exec"]["command"]
        assert command == "sleep"
        drain = re.fullmatch(r"(\d+)s", self.environment["S3_SHUTDOWN_TIMEOUT"])[1]
        assert self.pod["spec"]["terminationGracePeriodSeconds"] >= int(seconds) + int(drain) + 10

    def check_rights(self):
        """The pod has none."""
        container, pod = self.container["securityContext"], self.pod["spec"]["securityContext"]
        assert pod["runAsNonRoot"] and pod["runAsUser"] and pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }
        assert self.pod["spec"]["automountServiceAccountToken"] is False
        assert self.pod["spec"]["enableServiceLinks"] is False

    def template(self, folder, changed=lambda text: text):
        """The template of the image, with /etc/nginx/s3.d in a folder."""
        conf = folder / "s3.d"
        conf.mkdir()
        for name, text in self.conf.items():
            (conf / name).write_text(changed(text))
        mount = next(one["mountPath"] for one in self.container["volumeMounts"] if one["name"] == "conf")
        text = TEMPLATE.read_text()
        assert f"include {mount}/*.conf;" in text
        (folder / "template").write_text(text.replace(mount, str(conf)))
        return folder / "template"

    def entrypoint(self, folder, *arguments, **more):
        """The image's entrypoint, with the environment that the pod has."""
        environment = {
            "PATH": f"{os.environ['PATH']}:/usr/sbin", "NGINX": os.environ["TEST_NGINX_BINARY"],
            "S3_RESIGN_MODULE": os.environ["TEST_NGINX_S3_MODULE"], "S3_RESIGN_RUN": str(folder / "run"),
            "S3_RESIGN_TEMPLATE": str(TEMPLATE), **self.secret, **self.environment, **more,
        }
        return subprocess.Popen(
            [ROOT / "target/release/s3-resign-entrypoint", *arguments], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def check_monitor(one):
    crd = yaml.safe_load(pathlib.Path(os.environ["SERVICEMONITOR"]).read_text())
    assert one["apiVersion"] == f"{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}"
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    jsonschema.validate(one, strict(schema))


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


def documents(text):
    return list(yaml.safe_load_all(text))


FILES = {file.name: documents(file.read_text()) for file in sorted(FOLDER.glob("*.yaml"))}
KUSTOMIZATION, = FILES.pop("kustomization.yaml")
PLAIN = Manifests(one for file in FILES.values() for one in file)
VERSION = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
VARIABLES = re.findall(r"^#?([A-Z0-9_]+)=", (ROOT / "docker/.env.example").read_text(), re.M)

# What a user puts in the place of the placeholders.
FILLED_IN = {
    "CLIENT_ACCESS_KEY": "AKIDCLIENT", "CLIENT_SECRET_KEY": "secret of the client",
    "ORIGIN_ACCESS_KEY": "AKIDORIGIN", "ORIGIN_SECRET_KEY": "secret of the origin",
    "ORIGIN_DOMAIN": "127.0.0.1:9",
}
