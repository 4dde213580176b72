//! Lists over HTTP: pages, versions, selectors, discovery.

use bootstorm_sandbox::value::{Value, json};
use http::Method;

use super::cluster::{Cluster, MACHINES, machine};

async fn filled() -> Cluster {
    let cluster = Cluster::start().await;
    for number in 0..8 {
        let mut vm = machine(&format!("vm{number}"), "Halted");
        vm["metadata"]["labels"] = json!({"odd": (number % 2).to_string()});
        assert_eq!(cluster.post(MACHINES, &vm).await.code, 201);
    }
    cluster
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_come_in_pages() {
    let cluster = filled().await;
    let first = cluster.get(&format!("{MACHINES}?limit=3")).await.json();
    assert_eq!((names(&first).len(), &first["metadata"]["remainingItemCount"]), (3, &json!(5)));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let rest = cluster.get(&format!("{MACHINES}?limit=10&continue={token}")).await.json();
    assert_eq!(names(&rest), ["vm3", "vm4", "vm5", "vm6", "vm7"]);
    assert_eq!(rest["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let cached = cluster.get(&format!("{MACHINES}?limit=3&resourceVersion=0")).await.json();
    assert_eq!((names(&cached).len(), cached["metadata"].get("continue")), (8, None));
    assert_eq!(cluster.get(&format!("{MACHINES}?continue=nonsense")).await.code, 400);
}

#[tokio::test]
async fn versions_too_old_or_too_new_are_refused() {
    let cluster = filled().await;
    let old = cluster.get(&format!("{MACHINES}?resourceVersion=1&resourceVersionMatch=Exact")).await;
    assert_eq!((old.code.as_u16(), &old.json()["reason"]), (410, &json!("Expired")));
    let new = cluster.get(&format!("{MACHINES}?resourceVersion=999999")).await;
    assert_eq!((new.code.as_u16(), &new.json()["reason"]), (504, &json!("Timeout")));
    assert!(new.message().starts_with("Too large resource version: 999999, current: "));
    assert_eq!(new.headers.get("retry-after").unwrap(), "1");
}

#[tokio::test]
async fn selectors_narrow_a_list() {
    let cluster = filled().await;
    let odd = cluster.get(&format!("{MACHINES}?labelSelector=odd%3D1")).await.json();
    assert_eq!(names(&odd), ["vm1", "vm3", "vm5", "vm7"]);
    let one = cluster.get(&format!("{MACHINES}?fieldSelector=metadata.name%3Dvm2")).await.json();
    assert_eq!(names(&one), ["vm2"]);
    let refused = cluster.get(&format!("{MACHINES}?fieldSelector=status.printableStatus%3DRunning")).await;
    assert_eq!(refused.code, 400);
    assert!(refused.message().ends_with("field label not supported: status.printableStatus"));
}

#[tokio::test]
async fn metadata_and_tables_can_be_had_alone() {
    let cluster = filled().await;
    let accept = |form: &'static str| [("accept", form)];
    let form = accept("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json");
    let list = cluster.send(Method::GET, MACHINES, &form, "").await.unwrap().json();
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (&json!("PartialObjectMetadataList"), &json!("PartialObjectMetadata"))
    );
    assert_eq!(list["items"][0].get("spec"), None);
    let form = accept("application/json;as=Table;v=v1;g=meta.k8s.io,application/json");
    let table = cluster.send(Method::GET, MACHINES, &form, "").await.unwrap().json();
    assert_eq!((&table["kind"], table["rows"].as_array().unwrap().len()), (&json!("Table"), 8));
}

#[tokio::test]
async fn discovery_comes_in_both_forms() {
    let cluster = Cluster::start().await;
    let form =
        [("accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")];
    let whole = cluster.send(Method::GET, "/apis", &form, "").await.unwrap();
    assert_eq!(
        whole.headers["content-type"],
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    );
    let groups = whole.json();
    let group = groups["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["metadata"]["name"] == "kubevirt.io")
        .unwrap();
    let resources = group["versions"][0]["resources"].as_array().unwrap();
    let vm = resources.iter().find(|resource| resource["resource"] == "virtualmachines").unwrap();
    assert_eq!(vm["subresources"][0]["subresource"], "status");
    let old = cluster.get("/apis/subresources.kubevirt.io/v1").await.json();
    assert!(
        old["resources"]
            .as_array()
            .unwrap()
            .iter()
            .any(|resource| resource["name"] == "virtualmachines/start")
    );
    assert_eq!(cluster.get("/api").await.json()["kind"], "APIVersions");
}
