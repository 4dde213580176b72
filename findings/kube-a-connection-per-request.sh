#!/usr/bin/env bash
# Package: kube 5.0.0 (crates.io), beside the HTTP client of Go's standard library, which client-go uses.
#
# Behaviour: kube's client never offers HTTP/2 in the TLS handshake. Requests that are in flight at the same time have a
# connection each, to a server that would have served all of them on one, as kube-apiserver does.
#
# Seen, 50 requests at once to the same server: kube 50 connections of HTTP/1.1, Go 1 of HTTP/2.0.
#
# Guess that misses: a client of the Kubernetes API multiplexes, so a burst of requests costs one handshake. With kube it
# costs as many as there are requests, and the memory of as many connections.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p server client/src
cat > server/main.go <<'GO'
// Serves HTTPS and counts connections by protocol; with an address as argument, sends 50 requests at once to it.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"
)

func send(url string) {
	config := &tls.Config{InsecureSkipVerify: true}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	var all sync.WaitGroup
	for i := 0; i < 50; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			answer, err := client.Get(url + "/version")
			if err != nil {
				panic(err)
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}()
	}
	all.Wait()
}

func main() {
	if len(os.Args) > 1 {
		send(os.Args[1])
		return
	}
	type key struct{}
	var lock sync.Mutex
	seen := map[string]map[net.Conn]bool{}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/seen" {
			lock.Lock()
			for protocol, connections := range seen {
				fmt.Fprintf(w, "%d connections of %s\n", len(connections), protocol)
			}
			seen = map[string]map[net.Conn]bool{}
			lock.Unlock()
			return
		}
		lock.Lock()
		if seen[r.Proto] == nil {
			seen[r.Proto] = map[net.Conn]bool{}
		}
		seen[r.Proto][r.Context().Value(key{}).(net.Conn)] = true
		lock.Unlock()
		time.Sleep(500 * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.0","gitCommit":"","gitTreeState":"","buildDate":"","goVersion":"","compiler":"","platform":""}`)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(handler))
	server.EnableHTTP2 = true
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, key{}, c)
	}
	server.StartTLS()
	fmt.Println(server.URL)
	select {}
}
GO
(cd server && go mod init server >/dev/null 2>&1 && go build -o ../serve .)
cat > client/Cargo.toml <<'TOML'
[package]
name = "burst"
version = "0.0.0"
edition = "2024"

[dependencies]
futures = "=0.3.34"
k8s-openapi = { version = "=0.29.0", features = ["earliest"] }
kube = { version = "=5.0.0", default-features = false, features = ["client", "rustls-tls", "ring"] }
tokio = { version = "1", features = ["macros", "rt-multi-thread"] }
TOML
cat > client/src/main.rs <<'RUST'
#[tokio::main]
async fn main() {
    let mut config = kube::Config::new(std::env::args().nth(1).unwrap().parse().unwrap());
    config.accept_invalid_certs = true;
    let client = kube::Client::try_from(config).unwrap();
    for answer in futures::future::join_all((0..50).map(|_| client.apiserver_version())).await {
        answer.unwrap();
    }
}
RUST
(cd client && cargo build --quiet)
./serve > url &
server=$!
until [ -s url ]; do sleep 0.1; done
url=$(cat url)
client/target/debug/burst "$url"
kube=$(curl --silent --insecure "$url/seen")
./serve "$url"
go=$(curl --silent --insecure "$url/seen")
echo "kube 5.0.0: $kube"
echo "Go: $go"
[ "$kube" = "50 connections of HTTP/1.1" ] && [ "$go" = "1 connections of HTTP/2.0" ]
