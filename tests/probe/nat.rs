//! A launcher pod that answers until it forwards, with the kernel's own NAT and connection tracking.
//!
//! Until virt-handler has set up forwarding, the pod itself answers pings to the guest's address. If connections were
//! already tracked by then, the pod keeps answering an earlier stream of pings, whether the guest is up or not. So
//! guests are pinged once they are Running, and only until their first answer.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use bootstorm_model::probe::{Answer, Probe};

use super::beside_others;
use super::namespace::{Network, guest, ip};
use super::pod::Pod;
use super::prober::{PATIENCE, until};
use super::program;
use super::shell::{find, skipped};

/// Tracks connections before any translation, like a network policy or a proxy in the pod.
const TRACKING: &str = "add table ip guard
add chain ip guard input { type filter hook input priority 0; }
add rule ip guard input ct state established,related counter accept
";
/// virt-handler's rules for an interface with masquerade binding.
const FORWARDING: &str = "add table ip nat
add chain ip nat prerouting { type nat hook prerouting priority -100; }
add chain ip nat postrouting { type nat hook postrouting priority 100; }
add rule ip nat prerouting iifname guest ip daddr 10.77.1.1 dnat to 10.0.2.2
add rule ip nat postrouting ip saddr 10.0.2.2 masquerade
";

/// A launcher pod with a guest behind it; removed on drop
struct Launcher<'a> {
    network: &'a Network,
    vm: String,
}

impl<'a> Launcher<'a> {
    /// A pod that has its address, and a guest that is not started. `None`, after a notice, if `nft` is missing.
    fn new(network: &'a Network) -> Option<Self> {
        if find("nft").is_none() {
            skipped("there is no nft");
            return None;
        }
        let pod = network.guests();
        let vm = format!("{pod}-vm");
        ip(&["netns", "add", &vm]);
        let launcher = Self { network, vm };
        let vm = &launcher.vm;
        ip(&["-n", pod, "link", "add", "tap", "type", "veth", "peer", "name", "eth0", "netns", vm]);
        ip(&["-n", pod, "addr", "add", "10.0.2.1/24", "dev", "tap"]);
        ip(&["-n", pod, "link", "set", "tap", "up"]);
        ip(&["-n", vm, "link", "set", "eth0", "up"]);
        launcher.write("/proc/sys/net/ipv4/ip_forward");
        network.boot(&[guest(1)]);
        launcher.nft(TRACKING);
        Some(launcher)
    }

    fn write(&self, file: &str) {
        let set = format!("echo 1 >{file}");
        assert!(self.network.among_guests("sh").args(["-c", &set]).status().unwrap().success(), "{set}");
    }

    fn nft(&self, rules: &str) {
        let mut nft =
            self.network.among_guests("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }

    /// The domain is defined and runs: the pod now forwards. Its guest has not booted.
    fn run(&self) {
        self.nft(FORWARDING);
    }

    /// The guest has an address and answers.
    fn boot(&self) {
        ip(&["-n", &self.vm, "addr", "add", "10.0.2.2/24", "dev", "eth0"]);
        ip(&["-n", &self.vm, "route", "add", "default", "via", "10.0.2.1"]);
    }

    /// The number of pings that the guest's kernel received.
    fn received(&self) -> u64 {
        let output = Command::new(find("ip").unwrap())
            .args(["netns", "exec", &self.vm, "cat", "/proc/net/snmp"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let place = names.split(' ').position(|name| name == "InEchos").unwrap();
        values.split(' ').nth(place).unwrap().parse().unwrap()
    }
}

impl Drop for Launcher<'_> {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.vm]).stderr(Stdio::null()).status();
    }
}

/// Answers to one stream of pings, which ends on drop
struct Pings {
    child: std::process::Child,
    answers: Receiver<()>,
}

impl Pings {
    fn begin(network: &Network) -> Self {
        let mut ping = network.command("ping");
        let mut child =
            ping.args(["-n", "-i", "0.05", &guest(1).to_string()]).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if line.contains("bytes from") && sender.send(()).is_err() {
                    break;
                }
            }
        });
        Self { child, answers }
    }

    /// Waits for this many further answers.
    #[track_caller]
    fn expect(&self, number: usize) {
        while self.answers.try_recv().is_ok() {}
        (0..number).for_each(|_| self.answers.recv_timeout(PATIENCE).unwrap());
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_stream_that_the_pod_answered_never_reaches_the_guest_and_one_that_begins_when_it_runs_does() {
    let _beside = beside_others();
    let Some(network) = Network::new() else { return };
    let Some(pod) = Pod::with_shell(&network, "dash") else { return };
    let Some(launcher) = Launcher::new(&network) else { return };
    // Too early: the pod answers, and a prober would report a guest that was never started.
    let early = Pings::begin(&network);
    early.expect(3);
    let mut prober = program::start_in(&network, &pod);
    prober.add(1, Probe::Ping, guest(1));
    assert_eq!(prober.next().1, Answer::Reached(1));

    launcher.run();
    early.expect(10);
    assert_eq!(launcher.received(), 0, "connection tracking keeps the stream with the pod");
    // Not before Running: from now on, silence is the guest's.
    prober.add(2, Probe::Ping, guest(1));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(prober.sync(1), []);

    launcher.boot();
    prober.reached(1);
    until("the guest has received a ping", || launcher.received() > 0);
    // It ends with the first answer; a stream that began too early continues without the guest.
    let received = launcher.received();
    early.expect(10);
    assert_eq!(launcher.received(), received);
    assert_eq!(prober.sync(2), []);
}
