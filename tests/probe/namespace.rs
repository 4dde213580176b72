//! Two network namespaces with a cable between them: one for a prober, one for guests.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bootstorm_model::observe::clock;

use super::shell::{find, skipped};

static MADE: AtomicU32 = AtomicU32::new(0);

/// An isolated network of guests, removed on drop
pub(super) struct Network {
    prober: String,
    guests: String,
    listeners: Vec<Child>,
}

impl Network {
    /// `None`, after a notice, if namespaces cannot be created.
    pub(super) fn new() -> Option<Self> {
        let name = format!("storm-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let network =
            Self { prober: format!("{name}-p"), guests: format!("{name}-g"), listeners: Vec::new() };
        let (prober, guests) = (&network.prober, &network.guests);
        let steps = [
            format!("netns add {prober}"),
            format!("netns add {guests}"),
            format!("-n {prober} link add probe type veth peer name guest netns {guests}"),
            format!("-n {prober} link set lo up"),
            format!("-n {prober} link set probe up"),
            format!("-n {guests} link set lo up"),
            format!("-n {guests} link set guest up"),
            format!("-n {prober} addr add 10.78.0.1/30 dev probe"),
            format!("-n {guests} addr add 10.78.0.2/30 dev guest"),
            format!("-n {prober} addr add fd78::1/64 dev probe nodad"),
            format!("-n {guests} addr add fd78::2/64 dev guest nodad"),
            // Through a gateway, so that no neighbor has to be resolved before the first answer.
            format!("-n {prober} route add 10.77.0.0/16 via 10.78.0.2"),
            format!("-n {prober} route add fd77::/64 via fd78::2"),
            // No one reports that a guest is not there yet.
            format!("-n {guests} route add blackhole 10.77.0.0/16"),
        ];
        for step in steps {
            match Command::new("ip").args(step.split(' ')).output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => {
                    skipped(&format!("`ip {step}`: {}", String::from_utf8_lossy(&output.stderr).trim()));
                    return None;
                }
                Err(error) => {
                    skipped(&format!("`ip {step}`: {error}"));
                    return None;
                }
            }
        }
        Some(network)
    }

    /// A command in the prober's namespace; `ip` execs it, so it keeps the process ID.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find("ip").unwrap());
        command.args(["netns", "exec", &self.prober, program]);
        command
    }

    /// Guests on the prober's own link: they need neighbor resolution.
    pub(super) fn flat(&self) {
        ip(&["-n", &self.prober, "addr", "add", "10.79.0.1/16", "dev", "probe"]);
        ip(&["-n", &self.prober, "addr", "add", "fd79::1/64", "dev", "probe", "nodad"]);
    }

    /// Removes the addresses and routes of one family (`-4`, `-6`) from the prober's namespace.
    pub(super) fn without(&self, family: &str) {
        ip(&["-n", &self.prober, family, "addr", "flush", "dev", "probe", "scope", "global"]);
    }

    /// A command in the guests' namespace.
    pub(super) fn among_guests(&self, program: &str) -> Command {
        let mut command = Command::new(find("ip").unwrap());
        command.args(["netns", "exec", &self.guests, program]);
        command
    }

    /// The guests' namespace.
    pub(super) fn guests(&self) -> &str {
        &self.guests
    }

    /// Adds a guest on the prober's own link.
    pub(super) fn boot_flat(&self, guest: IpAddr) -> Instant {
        let before = clock::monotonic_now();
        ip(&["-n", &self.guests, "addr", "add", &format!("{guest}/16"), "dev", "guest"]);
        before
    }

    /// Routes more addresses from the prober.
    pub(super) fn route(&self, range: &str) -> Instant {
        let before = clock::monotonic_now();
        ip(&["-n", &self.prober, "route", "add", range, "via", "10.78.0.2"]);
        before
    }

    /// Makes guests answer; returns the earliest time at which the first could.
    pub(super) fn boot(&self, guests: &[IpAddr]) -> Instant {
        let lines: String =
            guests.iter().map(|guest| format!("addr add {guest} dev lo{}\n", nodad(*guest))).collect();
        let before = clock::monotonic_now();
        let mut batch = Command::new("ip")
            .args(["-n", &self.guests, "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        batch.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(batch.wait().unwrap().success(), "{lines}");
        before
    }

    /// Makes a guest stop answering.
    pub(super) fn silence(&self, guest: IpAddr) -> Instant {
        ip(&["-n", &self.guests, "addr", "del", &format!("{guest}/32"), "dev", "lo"]);
        clock::monotonic_now()
    }

    /// A listener on a port of every guest.
    pub(super) fn listen(&mut self, listener: &[&str]) -> Instant {
        let before = clock::monotonic_now();
        let child = Command::new("ip")
            .args(["netns", "exec", &self.guests])
            .args(listener)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.listeners.push(child);
        before
    }
}

impl Network {
    /// A listener on a port of every guest, for both families.
    pub(super) fn listen_all(&mut self, port: u16) {
        let script = "import socket,sys,time\ns=socket.create_server(('::',int(sys.argv[1])),family=socket.AF_INET6,dualstack_ipv6=True)\nprint('up',flush=True)\ntime.sleep(60)";
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.guests, "python3", "-c", script, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut up).unwrap();
        self.listeners.push(child);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for listener in &mut self.listeners {
            let _ = listener.kill();
            let _ = listener.wait();
        }
        for namespace in [&self.prober, &self.guests] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).stderr(Stdio::null()).status();
        }
    }
}

/// The `number`-th guest.
pub(super) fn guest(number: u32) -> IpAddr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 77, 1, 0)) + number).into()
}

/// An IPv6 address is usable at once only without duplicate address detection.
fn nodad(address: IpAddr) -> &'static str {
    if address.is_ipv6() { " nodad" } else { "" }
}

pub(super) fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().unwrap().success(), "ip {args:?}");
}
