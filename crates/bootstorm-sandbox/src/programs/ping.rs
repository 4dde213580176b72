//! `ping`, as in busybox and in iputils.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::container::Container;
use super::image::Flavour;
use super::io::Io;
use super::user::User;
use crate::network::{Probe, Reply};

/// Options
#[derive(Debug, Clone, PartialEq)]
struct Orders {
    address: String,
    count: Option<u32>,
    /// Time to wait for the last answer.
    patience: Duration,
    interval: Duration,
    /// Time after which it ends in any case.
    deadline: Option<Duration>,
}

/// A number of seconds that can be waited for.
pub(super) fn seconds(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && (0.0..=3.2e9).contains(seconds))
}

fn parse(arguments: &[&str]) -> Result<Orders, String> {
    let mut orders = Orders {
        address: String::new(),
        count: None,
        patience: Duration::from_secs(10),
        interval: Duration::from_secs(1),
        deadline: None,
    };
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix('-') else {
            (*word).clone_into(&mut orders.address);
            continue;
        };
        let Some(letter @ ('c' | 'W' | 'w' | 'i' | 's' | 'I' | 't')) = option.chars().next() else {
            continue;
        };
        let value = match &option[1..] {
            "" => words.next().copied().unwrap_or_default(),
            attached => attached,
        };
        let wrong = || format!("invalid number '{value}'");
        let time = || seconds(value).map(Duration::from_secs_f64).ok_or_else(wrong);
        match letter {
            'c' => orders.count = Some(value.parse().map_err(|_| wrong())?),
            'W' => orders.patience = time()?,
            'w' => orders.deadline = Some(time()?),
            'i' => orders.interval = time()?.max(Duration::from_millis(2)),
            _ => {}
        }
    }
    if orders.address.is_empty() { Err("usage: ping [OPTIONS] HOST".to_owned()) } else { Ok(orders) }
}

/// Reason why the image's ping does not work for its user.
///
/// busybox supports raw sockets only; iputils uses a datagram socket if the kernel permits it.
pub(super) fn refusal(container: &Container) -> Option<&'static str> {
    let User { raw, datagram } = container.user;
    match container.tools.ping? {
        Flavour::Busybox => (!raw).then_some("ping: permission denied (are you root?)"),
        Flavour::Iputils => (!raw && !datagram).then_some("ping: socktype: SOCK_RAW"),
    }
}

/// Sends echo requests until it has sent enough.
pub(super) async fn run(arguments: &[&str], container: &mut Container, io: &Io) -> i32 {
    let iputils = container.tools.ping == Some(Flavour::Iputils);
    let trouble = if iputils { 2 } else { 1 };
    let orders = match parse(arguments) {
        Ok(orders) => orders,
        Err(why) => {
            io.complain(&format!("ping: {why}\n")).await;
            return trouble;
        }
    };
    let address = orders.address.as_str();
    if address != "localhost" && address.parse::<std::net::IpAddr>().is_err() {
        let message = if iputils {
            format!("ping: {address}: Name or service not known\n")
        } else {
            format!("ping: bad address '{address}'\n")
        };
        io.complain(&message).await;
        return trouble;
    }
    if let Some(why) = refusal(container) {
        let header = format!("PING {address} ({address}): 56 data bytes\n");
        if !iputils {
            io.print(&header).await;
        }
        io.complain(&format!("{why}\n")).await;
        return trouble;
    }
    let size = if iputils { "56(84) bytes of data." } else { "56 data bytes" };
    let colon = if iputils { "" } else { ":" };
    io.print(&format!("PING {address} ({address}){colon} {size}\n")).await;
    let began = Instant::now();
    let mut times = Vec::new();
    let sent = match orders.deadline {
        Some(deadline) => {
            let mut sent = 0;
            let all = send(&orders, container, io, &mut times, &mut sent);
            let _ = tokio::time::timeout(deadline, all).await;
            sent
        }
        None => {
            let mut sent = 0;
            send(&orders, container, io, &mut times, &mut sent).await;
            sent
        }
    };
    io.print(&summary(address, iputils, sent, &times, began.elapsed())).await;
    i32::from(times.is_empty())
}

async fn send(orders: &Orders, container: &mut Container, io: &Io, times: &mut Vec<f64>, sent: &mut u32) {
    let iputils = container.tools.ping == Some(Flavour::Iputils);
    let address = &orders.address;
    loop {
        let began = Instant::now();
        *sent += 1;
        let last = orders.count.is_some_and(|count| *sent >= count);
        let answered = container.network.answers(address, Probe::Ping) == Reply::Answered;
        if answered {
            let travel = container.round_trip();
            sleep(travel).await;
            let millis = travel.as_secs_f64() * 1000.0;
            times.push(millis);
            let (name, number) = if iputils { ("icmp_seq", *sent) } else { ("seq", *sent - 1) };
            io.print(&format!("64 bytes from {address}: {name}={number} ttl=63 time={millis:.3} ms\n")).await;
        }
        if last {
            if !answered {
                sleep_until(began + orders.patience).await;
            }
            return;
        }
        sleep_until(began + orders.interval).await;
    }
}

fn summary(address: &str, iputils: bool, sent: u32, times: &[f64], took: Duration) -> String {
    let received = times.len();
    let lost = 100 - received as u32 * 100 / sent.max(1);
    let mut text = format!("\n--- {address} ping statistics ---\n");
    text += &if iputils {
        format!(
            "{sent} packets transmitted, {received} received, {lost}% packet loss, time {}ms\n",
            took.as_millis()
        )
    } else {
        format!("{sent} packets transmitted, {received} packets received, {lost}% packet loss\n")
    };
    if received == 0 {
        return text;
    }
    let least = times.iter().copied().fold(f64::INFINITY, f64::min);
    let most = times.iter().copied().fold(0.0, f64::max);
    let mean = times.iter().sum::<f64>() / received as f64;
    text += &if iputils {
        let spread = (times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / received as f64).sqrt();
        format!("rtt min/avg/max/mdev = {least:.3}/{mean:.3}/{most:.3}/{spread:.3} ms\n")
    } else {
        format!("round-trip min/avg/max = {least:.3}/{mean:.3}/{most:.3} ms\n")
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stick_to_their_values() {
        let orders = parse(&["-c1", "-W", "2", "-n", "-i0.2", "10.0.0.1"]).unwrap();
        assert_eq!((orders.address.as_str(), orders.count), ("10.0.0.1", Some(1)));
        assert_eq!((orders.patience, orders.interval), (Duration::from_secs(2), Duration::from_millis(200)));
        assert!(parse(&["-c", "x", "10.0.0.1"]).is_err() && parse(&["-c", "1"]).is_err());
    }

    #[test]
    fn the_last_lines_are_those_of_the_tool() {
        let took = Duration::from_millis(3);
        assert!(
            summary("10.0.0.1", false, 1, &[0.5], took)
                .ends_with("1 packets transmitted, 1 packets received, 0% packet loss\nround-trip min/avg/max = 0.500/0.500/0.500 ms\n")
        );
        assert!(
            summary("10.0.0.1", true, 2, &[], took)
                .ends_with("2 packets transmitted, 0 received, 100% packet loss, time 3ms\n")
        );
    }
}
