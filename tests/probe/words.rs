//! Probes that check a guest's response: an HTTP status, an SSH server's banner.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use bootstorm_model::probe::Probe;

use super::namespace::{Network, guest};
use super::prober::Prober;
use super::starved::within;
use super::{alone, everywhere, program};

/// A guest's server: HTTP on the first port, with 503 and later 200; SSH on the second, which accepts and stays silent,
/// and later sends its banner after another line. A file switches between the two.
const SERVER: &str = r"
import os, socket, sys, threading
ready = lambda: os.path.exists(sys.argv[1])
def http(client):
    words = b''
    while b'\r\n\r\n' not in words:
        piece = client.recv(1000)
        if not piece: return
        words += piece
    line, rest = words.split(b'\r\n', 1)
    good = ready() and line == b'GET /ready?full=1 HTTP/1.1' and b'\r\nHost: ' in b'\r\n' + rest
    client.sendall(b'HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n' % (b'200 OK' if good else b'503 Busy'))
def ssh(client):
    if ready(): client.sendall(b'welcome\r\nSSH-2.0-test\r\n')
    client.recv(1000)
    client.settimeout(5)
    try: client.recv(1000)
    except OSError: pass
def serve(port, talk):
    server = socket.create_server(('::', port), family=socket.AF_INET6, dualstack_ipv6=True)
    def one(client):
        try: talk(client)
        except OSError: pass
        finally: client.close()
    while True:
        threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()
threading.Thread(target=serve, args=(8080, http), daemon=True).start()
serve(2222, ssh)
";

/// A wrong response is no answer and a right one is, over either family.
fn words_count(network: &mut Network, prober: &mut Prober, interval: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let flag = folder.path().join("ready");
    network.listen(&["python3", "-c", SERVER, &flag.to_string_lossy()]);
    let six: IpAddr = "fd77::7".parse().unwrap();
    network.boot(&[guest(1), six]);
    let http: Probe = "http:8080/ready?full=1".parse().unwrap();
    let wrong: Probe = "http:8080/other".parse().unwrap();
    for (id, probe, address) in [
        (1, http, guest(1)),
        (2, http, six),
        (3, Probe::Ssh(2222), guest(1)),
        (4, Probe::Ssh(2222), six),
        (5, wrong, guest(1)),
        // HTTP sent to SSH, and SSH to HTTP.
        (6, "http:2222".parse().unwrap(), guest(1)),
        (7, Probe::Ssh(8080), guest(1)),
    ] {
        prober.add(id, probe, address);
    }
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(prober.sync(1), [], "503 and silence are no answers");
    let begin = bootstorm_model::observe::clock::monotonic_now();
    std::fs::write(&flag, "").unwrap();
    let reached = prober.reached(4);
    for id in 1..=4 {
        // A silent connection is given up after a second.
        let limit = interval + Duration::from_millis(if id > 2 { 1300 } else { 300 });
        within(&format!("words of target {id}"), begin, reached[&id], limit);
    }
    thread::sleep(Duration::from_millis(300));
    assert_eq!(prober.sync(2), [], "another path and another protocol are no answers");
}

#[test]
fn the_program_takes_words_for_answers() {
    let _alone = alone();
    let Some(mut network) = Network::new() else { return };
    let Some(pod) = super::pod::Pod::with_shell(&network, "dash") else { return };
    let mut prober = program::start_in(&network, &pod);
    words_count(&mut network, &mut prober, Duration::from_millis(50));
}

#[test]
fn the_script_takes_words_for_answers() {
    everywhere(|network, image| {
        let mut prober = Prober::new(network, &image);
        prober.hello();
        words_count(network, &mut prober, Duration::from_millis(400));
        prober.close();
        prober.ends();
    });
}
