//! Prometheus programs unpacked by `.ci/run`, as servers that end with a test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::tools::skipped;

/// A program from a Debian package, unpacked but not installed.
pub(crate) fn unpacked(package: &str, program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools"));
    let path = path.join(package).join("usr/bin").join(program);
    if !path.is_file() {
        skipped(&format!("{program} is not in target/tools; .ci/run puts it there"));
        return None;
    }
    Some(path)
}

/// A server that prints its listening address on stderr; killed on drop
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(program: PathBuf, args: &[&str]) -> Self {
        let child = Command::new(program)
            .args(args)
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
            if let (true, Some((_, address))) = (line.contains("Listening on"), line.rsplit_once("address="))
            {
                break address.trim().to_owned();
            }
        };
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        Self { child, address }
    }

    /// Sends a request; returns status and body.
    pub(crate) fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        send(&self.address, method, path, body)
    }
}

/// Sends a request to an address; returns status and body.
pub(crate) fn send(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n");
    // A server that rejects a request may close before it has read everything.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
