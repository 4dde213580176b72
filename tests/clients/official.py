"""The official Python client."""

import time

from kubernetes import client, config, watch
from kubernetes.stream import stream

config.load_kube_config("kubeconfig")
core, objects = client.CoreV1Api(), client.CustomObjectsApi()
vms = ("kubevirt.io", "v1", "py", "virtualmachines")
guest = {
    "domain": {"memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
    "networks": [{"name": "default", "pod": {}}],
}
core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="py")))
vm = {
    "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a", "namespace": "py"},
    "spec": {"runStrategy": "Always", "template": {"spec": guest}},
}
objects.create_namespaced_custom_object(*vms, vm)
seen = watch.Watch()
instances = ("kubevirt.io", "v1", "py", "virtualmachineinstances")
for event in seen.stream(objects.list_namespaced_custom_object, *instances, timeout_seconds=60):
    if event["object"].get("status", {}).get("phase") == "Running":
        seen.stop()
patched = objects.patch_namespaced_custom_object(*vms, "a", {"metadata": {"labels": {"x": "y"}}})
assert patched["metadata"]["labels"] == {"x": "y"}, patched
container = {"name": "c", "image": "docker.io/library/alpine:3.22", "command": ["sleep", "9999"]}
core.create_namespaced_pod("py", {"metadata": {"name": "sh"}, "spec": {"containers": [container]}})
while core.read_namespaced_pod("sh", "py").status.phase != "Running":
    time.sleep(0.1)
launchers = [pod for pod in core.list_namespaced_pod("py").items if pod.metadata.name.startswith("virt-launcher-a-")]
assert launchers[0].spec.containers[0].name == "compute"
ways = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
run = core.connect_get_namespaced_pod_exec
assert stream(run, "sh", "py", command=["echo", "hi"], **ways) == "hi\n"
failing = stream(run, "sh", "py", command=["false"], _preload_content=False, **ways)
failing.run_forever(10)
assert failing.returncode == 1
core.delete_namespaced_pod("sh", "py")
objects.delete_namespaced_custom_object(*vms, "a")
while objects.list_namespaced_custom_object(*vms)["items"]:
    time.sleep(0.1)
assert client.AuthorizationV1Api().create_self_subject_access_review(
    {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
).status.allowed
print("list, watch, create, patch, delete, exec")
