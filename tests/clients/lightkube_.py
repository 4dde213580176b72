"""lightkube."""

from lightkube import Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Namespace, Node, Pod
from lightkube.types import PatchType

client = Client(KubeConfig.from_file("kubeconfig"), namespace="lk")
client.create(Namespace(metadata=ObjectMeta(name="lk")))
kubevirt = ("kubevirt.io", "v1")
Machine = create_namespaced_resource(*kubevirt, "VirtualMachine", "virtualmachines")
Instance = create_namespaced_resource(*kubevirt, "VirtualMachineInstance", "virtualmachineinstances")
guest = {
    "domain": {"memory": {"guest": "256Mi"}, "devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
    "networks": [{"name": "default", "pod": {}}],
}
client.create(Machine(metadata={"name": "a"}, spec={"runStrategy": "Always", "template": {"spec": guest}}))
for _, instance in client.watch(Instance, namespace="lk"):
    if (instance.status or {}).get("phase") == "Running":
        break
patched = client.patch(Machine, "a", {"metadata": {"labels": {"x": "y"}}}, patch_type=PatchType.MERGE)
assert patched.metadata.labels == {"x": "y"}
assert [pod.status.phase for pod in client.list(Pod, namespace="lk")] == ["Running"]
assert "node-1" in [node.metadata.name for node in client.list(Node)]
wanted = Machine(
    apiVersion="kubevirt.io/v1", kind="VirtualMachine", metadata={"name": "a", "namespace": "lk"},
    spec={"runStrategy": "Halted"},
)
assert client.apply(wanted, field_manager="lk", force=True).spec["runStrategy"] == "Halted"
client.delete(Machine, "a")
client.delete(Namespace, "lk")
print("list, watch, create, patch, apply, delete")
