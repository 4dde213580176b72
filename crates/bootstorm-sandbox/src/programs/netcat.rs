//! `nc`: one connection, as in busybox.

use std::time::Duration;

use tokio::time::sleep;

use super::container::Container;
use super::io::Io;
use super::ping::seconds;
use crate::network::{Probe, Reply};

/// Default connect timeout of the kernel in seconds.
const PATIENCE: f64 = 127.0;

/// Connects, and reports the result.
pub(super) async fn run(arguments: &[&str], container: &mut Container, io: &mut Io) -> i32 {
    let (mut scan, mut loud, mut patience) = (false, false, PATIENCE);
    let mut places = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            None => places.push(*word),
            Some(letters) => {
                scan |= letters.contains('z');
                loud |= letters.contains('v');
                if let Some((_, value)) = letters.split_once('w') {
                    let value =
                        if value.is_empty() { words.next().copied().unwrap_or_default() } else { value };
                    patience = seconds(value).unwrap_or(patience);
                }
            }
        }
    }
    let [address, port] = places.as_slice() else {
        io.complain("usage: nc [-z] [-w SEC] HOST PORT\n").await;
        return 1;
    };
    let Ok(number) = port.parse::<u16>() else {
        io.complain(&format!("nc: bad port '{port}'\n")).await;
        return 1;
    };
    let place = format!("{address} ({address}:{port})");
    match container.network.answers(address, Probe::Tcp(number)) {
        Reply::Answered => {
            sleep(container.round_trip()).await;
            if loud {
                io.complain(&format!("{place} open\n")).await;
            }
            // Unless only tested, a connection stays open until the input ends.
            while !scan && io.stdin.recv().await.is_some() {}
            0
        }
        Reply::Refused => {
            sleep(container.round_trip()).await;
            io.complain(&format!("nc: {place}: Connection refused\n")).await;
            1
        }
        Reply::Silent => {
            sleep(Duration::from_secs_f64(patience)).await;
            io.complain("nc: timed out\n").await;
            1
        }
    }
}
