"""kr8s."""

import kr8s
from kr8s.objects import Namespace, Pod, new_class

api = kr8s.api(kubeconfig="kubeconfig")
Namespace({"metadata": {"name": "kr"}}, api=api).create()
Machine = new_class("VirtualMachine", version="kubevirt.io/v1", namespaced=True, plural="virtualmachines")
guest = {
    "domain": {"memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
    "networks": [{"name": "default", "pod": {}}],
}
vm = Machine(
    {"metadata": {"name": "a", "namespace": "kr"}, "spec": {"runStrategy": "Always", "template": {"spec": guest}}}, api=api
)
vm.create()
vm.wait("condition=Ready", timeout=60)
vm.patch({"metadata": {"labels": {"x": "y"}}})
vm.refresh()
assert vm.labels["x"] == "y"
for kind, pod in api.watch("pods", namespace="kr"):
    assert (kind, pod.status.phase) == ("ADDED", "Running"), (kind, pod.status)
    break
container = {"name": "c", "image": "docker.io/library/alpine:3.22", "command": ["sleep", "9999"]}
pod = Pod({"metadata": {"name": "sh", "namespace": "kr"}, "spec": {"containers": [container]}}, api=api)
pod.create()
pod.wait("condition=Ready", timeout=60)
ran = pod.exec(["echo", "hi"], capture_output=True)
assert (ran.stdout, ran.returncode) == (b"hi\n", 0), ran
pod.delete()
vm.delete()
assert "node-1" in [node.name for node in kr8s.get("nodes", api=api)]
print("list, watch, create, patch, delete, exec")
