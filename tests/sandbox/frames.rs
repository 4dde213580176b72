//! exec, frame by frame, in both protocol versions.

use bootstorm_sandbox::store::kind::PODS;
use bootstorm_sandbox::value::{Value, json};
use futures::{SinkExt, StreamExt};
use http::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::cluster::Cluster;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// A server on which pod `p` runs, or claims to.
async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    let pod = json!({
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "busybox"}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "c", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}},
        ]},
    });
    cluster.store.create(&PODS, pod.clone()).unwrap();
    cluster.store.modify(&PODS, "default", "p", |stored| stored["status"] = pod["status"].clone());
    cluster
}

/// Opens a stream offering these subprotocols; returns it and the chosen one.
async fn open(cluster: &Cluster, query: &str, offered: &str) -> (Socket, String) {
    let mut sender = cluster.connect().await;
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", offered),
    ];
    let path = format!("/api/v1/namespaces/default/pods/p/exec?{query}");
    let response = sender.send_request(cluster.request(Method::GET, &path, &headers, "")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let chosen = response.headers()["sec-websocket-protocol"].to_str().unwrap().to_owned();
    let upgraded = hyper::upgrade::on(response).await.unwrap();
    (WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await, chosen)
}

/// All frames up to the end of the stream; the status is parsed.
async fn frames(socket: &mut Socket) -> (Vec<(u8, String)>, Value) {
    let (mut frames, mut status) = (Vec::new(), Value::Null);
    let all = async {
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Binary(bytes) if bytes[0] == 3 => {
                    status = serde_json::from_slice(&bytes[1..]).unwrap();
                }
                Message::Binary(bytes) => {
                    frames.push((bytes[0], String::from_utf8(bytes[1..].to_vec()).unwrap()));
                }
                Message::Close(_) => return,
                other => panic!("{other:?}"),
            }
        }
        panic!("no close frame");
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), all).await.expect("no end");
    (frames, status)
}

#[tokio::test]
async fn the_newer_protocol_is_chosen_and_closes_the_input_alone() {
    let cluster = cluster().await;
    let query = "command=cat&stdin=true&stdout=true&stderr=true";
    let (mut socket, chosen) = open(&cluster, query, "v4.channel.k8s.io, v5.channel.k8s.io").await;
    assert_eq!(chosen, "v5.channel.k8s.io");
    socket.send(Message::binary(&b"\0words"[..])).await.unwrap();
    socket.send(Message::binary(&b"\x04{\"Width\":80,\"Height\":24}"[..])).await.unwrap();
    socket.send(Message::binary(&b"\xff\0"[..])).await.unwrap();
    let (frames, status) = frames(&mut socket).await;
    assert_eq!(frames, [(1, String::new()), (1, "words".to_owned())]);
    assert_eq!(status, json!({"metadata": {}, "status": "Success"}));
}

#[tokio::test]
async fn the_older_protocol_has_the_same_channels_without_the_half_close() {
    let cluster = cluster().await;
    let query = "command=sh&command=-c&command=echo+out%3B+frob%3B+exit+7&stdout=true&stderr=true";
    let (mut socket, chosen) = open(&cluster, query, "v4.channel.k8s.io").await;
    assert_eq!(chosen, "v4.channel.k8s.io");
    let (seen, status) = frames(&mut socket).await;
    let expected = [(1, ""), (1, "out\n"), (2, "sh: frob: not found\n")];
    assert_eq!(seen, expected.map(|(channel, text)| (channel, text.to_owned())));
    assert_eq!(status["reason"], "NonZeroExitCode");
    assert_eq!(status["details"]["causes"], json!([{"reason": "ExitCode", "message": "7"}]));

    let (mut socket, _) = open(&cluster, "command=cat&stdin=true&stdout=true", "v4.channel.k8s.io").await;
    socket.send(Message::binary(&b"\xff\0"[..])).await.unwrap();
    socket.send(Message::binary(&b"\0still open"[..])).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(&b"\x01"[..]));
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::binary(&b"\x01still open"[..]));
}

#[tokio::test]
async fn on_a_terminal_there_is_one_output() {
    let cluster = cluster().await;
    let (mut socket, _) =
        open(&cluster, "command=sh&command=-c&command=frob&stdout=true&tty=true", "v5.channel.k8s.io").await;
    let (seen, _) = frames(&mut socket).await;
    assert_eq!(seen[1], (1, "sh: frob: not found\n".to_owned()));
}
