//! The sandbox through the library that the tool itself uses.

use bootstorm_sandbox::value::json;
use futures::{StreamExt, TryStreamExt};
use http::Request;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
    PostParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::cluster::{Cluster, machine};

#[tokio::test]
async fn the_library_is_content() {
    let cluster = Cluster::start().await;
    let kubeconfig = Kubeconfig::from_yaml(&cluster.server.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachine"));
    let machines: Api<DynamicObject> = Api::namespaced_with(client.clone(), "default", &kind);

    let vm = serde_json::from_value(machine("a", "Halted").into()).unwrap();
    machines.create(&PostParams::default(), &vm).await.unwrap();
    let list = machines.list(&ListParams::default()).await.unwrap();
    let version = list.metadata.resource_version.unwrap();
    let params = WatchParams::default();
    let mut events = machines.watch(&params, &version).await.unwrap().boxed();

    let patch = Patch::Merge(json!({"spec": {"runStrategy": "Always"}}));
    machines.patch("a", &PatchParams::apply("tool"), &patch).await.unwrap();
    let WatchEvent::Modified(seen) = events.try_next().await.unwrap().unwrap() else { panic!("no change") };
    assert_eq!(seen.data["spec"]["runStrategy"], "Always");

    let path = "/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/a/stop";
    let stop = Request::put(path).body(Vec::new()).unwrap();
    assert_eq!(client.request_text(stop).await.unwrap(), "");
    let refused = Request::put(path).body(Vec::new()).unwrap();
    let kube::Error::Api(status) = client.request_text(refused).await.unwrap_err() else {
        panic!("no status")
    };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));

    let server_side = PatchParams::apply("third").force();
    let intent = Patch::Apply(machine("a", "Halted"));
    machines.patch("a", &server_side, &intent).await.unwrap();
    assert!(machines.delete("a", &DeleteParams::default()).await.unwrap().is_right());
    let missing = machines.get_opt("a").await.unwrap();
    assert!(missing.is_none());
}
