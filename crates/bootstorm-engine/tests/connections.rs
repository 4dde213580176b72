//! How many connections the requests of a burst take, with and without HTTP/2.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bootstorm_engine::cluster::Connection;
use bootstorm_sandbox::api::{Running, Server, ServerOptions};
use bootstorm_sandbox::faults::Faults;
use bootstorm_sandbox::seed::seed;
use bootstorm_sandbox::store::Store;
use http::Request;
use tokio::net::{TcpListener, TcpStream};

/// A port that forwards to the server, and the number of connections that were opened to it.
async fn counted(server: &Running) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let there = server.url.trim_start_matches("https://").to_owned();
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let there = there.clone();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(there).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (format!("https://{here}"), opened)
}

/// Connections opened for a burst, and whether more were opened for the requests themselves.
async fn burst(http2: bool, requests: usize) -> (usize, usize) {
    let store = Store::new();
    seed(&store, 1, 16, 64, 250).unwrap();
    let options = ServerOptions { http2, ..ServerOptions::default() };
    let server = Server::start(store, Faults::none(), options).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let kubeconfig = home.path().join("kubeconfig");
    server.write_kubeconfig(&kubeconfig).unwrap();
    let (url, opened) = counted(&server).await;
    let connection = Connection { kubeconfig: Some(kubeconfig), server: Some(url), ..Connection::default() };
    let cluster = connection.open().await.unwrap();
    cluster.warm(requests).await;
    // On one thread, a few turns bring every connection back to its pool.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    let warmed = opened.load(Ordering::Relaxed);
    let requests = (0..requests).map(|_| {
        let request = Request::get("/api/v1/namespaces/default").body(Vec::new()).unwrap();
        cluster.call("read a namespace", request)
    });
    for answer in futures::future::join_all(requests).await {
        assert!(answer.unwrap().code.is_success());
    }
    let all = opened.load(Ordering::Relaxed);
    server.stop().await;
    (warmed, all)
}

#[tokio::test]
async fn requests_share_connections_of_http_2() {
    let (warmed, all) = burst(true, 250).await;
    assert_eq!(warmed, 3, "one for each hundred requests in flight");
    assert_eq!(all, warmed, "no request waited for a connection");
}

#[tokio::test]
async fn each_request_in_flight_has_a_connection_of_http_1() {
    let (warmed, all) = burst(false, 60).await;
    assert!((60..=61).contains(&warmed), "{warmed}: one each, and that of the first answer");
    assert_eq!(all, warmed, "no request waited for a connection");
}
