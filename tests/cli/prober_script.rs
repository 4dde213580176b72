//! The prober script in every installed shell, against this machine's loopback.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::tools::skipped;
use bootstorm_model::probe::{Answer, SCRIPT, SCRIPT_NAME};

/// Longer than any machine needs; a passing test takes a second.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn it_finds_who_answers_and_ends_with_its_input() {
    let works = Command::new("ping").args(["-c", "1", "-W", "1", "127.0.0.1"]).stdout(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        return skipped("there is no ping that works on this machine");
    }
    for shell in [&["/bin/sh"][..], &["/bin/dash"], &["/bin/bash"], &["/bin/busybox", "sh"]] {
        if !Path::new(shell[0]).exists() {
            skipped(&format!("there is no {}", shell[0]));
            continue;
        }
        talk_to(shell);
    }
}

fn talk_to(shell: &[&str]) {
    // A listener that never accepts still completes handshakes: its port is open.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .args(["-c", SCRIPT, SCRIPT_NAME, "0.2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It kills its whole process group, which must not be ours.
        .process_group(0)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, answers) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = sender.send(Answer::parse(&line));
        }
    });
    let next = || answers.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{shell:?}: {error}"));
    let hello = loop {
        match next() {
            Some(Answer::Hello(hello)) => break hello,
            Some(Answer::Lacks(..)) => {}
            other => panic!("{shell:?} does not begin with a hello but {other:?}"),
        }
    };
    assert!(hello.ping[0], "{shell:?}");
    writeln!(stdin, "a 1 ping 127.0.0.1\nnonsense\ne 42").unwrap();
    if hello.tcp[0] {
        writeln!(stdin, "a 3 tcp 127.0.0.1 {port}").unwrap();
    }
    let mut wanted = vec![Answer::Reached(1), Answer::Echo(42)];
    wanted.extend(hello.tcp[0].then_some(Answer::Reached(3)));
    while !wanted.is_empty() {
        let heard = next();
        wanted.retain(|answer| Some(answer) != heard.as_ref());
    }
    writeln!(stdin, "d 3").unwrap();
    drop(stdin);
    // The stream closes only when every process started by the script is gone.
    loop {
        match answers.recv_timeout(PATIENCE) {
            Ok(_) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(error) => panic!("{shell:?} leaves something behind: {error}"),
        }
    }
    assert!(child.wait().is_ok());
}
