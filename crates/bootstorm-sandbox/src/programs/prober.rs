//! The prober's script as it behaves: targets come in on standard input, answers go out on standard output.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::lines::Lines;
use super::ping::seconds;
use super::{Container, Io};
use crate::network::{Probe, Reply};

/// How often it asks
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// The time between two attempts at the same target.
    every: Duration,
    /// The most attempts within that time; with more targets, each waits longer.
    most: usize,
}

impl Pace {
    /// Reads the script's arguments.
    pub(super) fn parse(every: &str, most: &str) -> Self {
        let every = seconds(every).filter(|seconds| *seconds > 0.0).unwrap_or(0.2);
        let most = most.parse().ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        Self { every: Duration::from_secs_f64(every.max(0.001)), most }
    }

    /// The time between two attempts when there are this many targets.
    fn between(&self, targets: usize) -> Duration {
        if targets <= self.most { self.every } else { self.every.mul_f64(targets as f64 / self.most as f64) }
    }
}

/// One address that is asked until it answers
#[derive(Debug)]
struct Target {
    address: String,
    probe: Probe,
    /// Tells an order from an earlier one for the same name.
    order: u64,
    attempts: u64,
}

/// What happens next, earliest first: an attempt, or the arrival of its answer
type Due = Reverse<(Instant, u64, bool, String)>;

#[derive(Debug)]
struct Prober {
    container: Container,
    pace: Pace,
    targets: HashMap<String, Target>,
    due: BinaryHeap<Due>,
    orders: u64,
}

/// Asks until the input ends.
pub(super) async fn run(mut io: Io, container: Container, pace: Pace) -> i32 {
    let word = |has: bool| if has { "yes" } else { "no" };
    let tools = container.tools;
    io.print(&format!("h 1 ping={} nc={}\n", word(tools.ping.is_some()), word(tools.nc))).await;
    let mut prober = Prober { container, pace, targets: HashMap::new(), due: BinaryHeap::new(), orders: 0 };
    let mut lines = Lines::default();
    loop {
        let next = prober.due.peek().map(|Reverse((at, ..))| *at);
        let wait = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let said = tokio::select! {
            line = lines.next(&mut io.stdin) => match line {
                Some(line) => prober.obey(&line),
                None => return 0,
            },
            () = wait => Ok(prober.work()),
        };
        match said {
            Ok(text) if text.is_empty() => {}
            Ok(text) => io.print(&text).await,
            Err(text) => io.complain(&text).await,
        }
    }
}

impl Prober {
    /// Takes one line; returns what to say.
    fn obey(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => Ok(String::new()),
            ["e", ..] => Ok(format!("t {}\n", line.get(2..).unwrap_or_default())),
            ["d", id] => {
                self.targets.remove(*id);
                Ok(String::new())
            }
            ["a", id, "ping", address] => Ok(self.add(id, address, Probe::Ping)),
            ["a", id, "tcp", address, port] => match port.parse() {
                Ok(port) => Ok(self.add(id, address, Probe::Tcp(port))),
                Err(_) => Ok(format!("x {id} bad port {port}\n")),
            },
            _ => Err(format!("bootstorm-prober: what is \"{line}\"?\n")),
        }
    }

    fn add(&mut self, id: &str, address: &str, probe: Probe) -> String {
        let tools = self.container.tools;
        let missing = match probe {
            Probe::Ping if tools.ping.is_none() => Some("no ping in the image"),
            Probe::Tcp(_) if !tools.nc => Some("no nc in the image"),
            _ if address.parse::<std::net::IpAddr>().is_err() => Some("bad address"),
            _ => None,
        };
        if let Some(why) = missing {
            self.targets.remove(id);
            return format!("x {id} {why}\n");
        }
        self.orders += 1;
        let target = Target { address: address.to_owned(), probe, order: self.orders, attempts: 0 };
        self.targets.insert(id.to_owned(), target);
        self.due.push(Reverse((Instant::now(), self.orders, false, id.to_owned())));
        String::new()
    }

    /// Does what is due by now; returns what to say.
    fn work(&mut self) -> String {
        let (now, mut said) = (Instant::now(), String::new());
        while let Some(Reverse((at, ..))) = self.due.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((_, order, arrived, id))) = self.due.pop() else { break };
            let between = self.pace.between(self.targets.len());
            // What was forgotten or ordered anew in the meantime is nobody's business any more.
            let Some(target) = self.targets.get_mut(&id).filter(|target| target.order == order) else {
                continue;
            };
            if arrived {
                self.targets.remove(&id);
                said += &format!("r {id}\n");
                continue;
            }
            target.attempts += 1;
            if self.container.network.answers(&target.address, target.probe) == Reply::Answered {
                let arrives = now + self.container.round_trip();
                self.due.push(Reverse((arrives, order, true, id)));
                continue;
            }
            // The first attempt is made at once; the phase of the others is spread, so that they do not march in step.
            let first = target.attempts == 1;
            let wait = if first { between.mul_f64(self.container.roll.unit()) } else { between };
            self.due.push(Reverse((now + wait, order, false, id)));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use tokio::sync::mpsc;

    use super::super::{Channel, Image};
    use super::*;
    use crate::model::{Dice, lock};
    use crate::network::Network;

    /// Addresses that answer from some instant on; notes when it was asked.
    #[derive(Debug)]
    struct Later {
        from: HashMap<&'static str, Instant>,
        asked: Mutex<Vec<(Instant, String)>>,
    }

    impl Network for Later {
        fn answers(&self, address: &str, _: Probe) -> Reply {
            lock(&self.asked).push((Instant::now(), address.to_owned()));
            let answers = self.from.get(address).is_some_and(|from| *from <= Instant::now());
            if answers { Reply::Answered } else { Reply::Silent }
        }
    }

    struct Run {
        stdin: Option<mpsc::Sender<Bytes>>,
        output: mpsc::Receiver<(Channel, Bytes)>,
        ended: tokio::task::JoinHandle<i32>,
    }

    impl Run {
        fn of(image: &str, network: Arc<Later>, most: &str) -> Self {
            let (stdin, input) = mpsc::channel(16);
            let (output, written) = mpsc::channel(16);
            let tools = Image::of(image).tools(Duration::from_secs(60));
            let container = Container { tools, network, roll: Dice::new(1).roll("prober", 0, "exec") };
            let io = Io { stdin: input, output };
            let ended = tokio::spawn(run(io, container, Pace::parse("0.2", most)));
            Self { stdin: Some(stdin), output: written, ended }
        }

        async fn say(&self, text: &str) {
            self.stdin.as_ref().unwrap().send(Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
        }

        async fn hear(&mut self) -> String {
            String::from_utf8(self.output.recv().await.unwrap().1.to_vec()).unwrap()
        }
    }

    fn later(from: &[(&'static str, f64)]) -> Arc<Later> {
        let at = |seconds: &f64| Instant::now() + Duration::from_secs_f64(*seconds);
        let from = from.iter().map(|(address, seconds)| (*address, at(seconds))).collect();
        Arc::new(Later { from, asked: Mutex::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_is_reported_within_an_interval_of_its_first_answer() {
        let began = Instant::now();
        let network = later(&[("10.0.0.1", 3.0), ("10.0.0.2", 0.0)]);
        let mut run = Run::of("busybox", network.clone(), "100");
        assert_eq!(run.hear().await, "h 1 ping=yes nc=yes\n");
        run.say("a one ping 10.0.0.1\na two tcp 10.0.0.2 22\ne hello there\n").await;
        assert_eq!(run.hear().await, "t hello there\n");
        assert_eq!(run.hear().await, "r two\n");
        assert!(began.elapsed() < Duration::from_millis(5));
        assert_eq!(run.hear().await, "r one\n");
        let seen = began.elapsed().as_secs_f64();
        assert!((3.0..3.21).contains(&seen), "{seen}");
        let asked = lock(&network.asked).iter().filter(|(_, address)| address == "10.0.0.1").count();
        assert!((15..=17).contains(&asked), "{asked} attempts in 3 s");
        drop(run.stdin.take());
        assert_eq!(run.ended.await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_or_moved_is_not_asked_for() {
        let network = later(&[("10.0.0.1", 1.0), ("10.0.0.2", 2.0)]);
        let mut run = Run::of("busybox", network.clone(), "100");
        run.hear().await;
        run.say("a one ping 10.0.0.1\na two ping 10.0.0.1\n").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        run.say("d two\na one ping 10.0.0.2\n").await;
        assert_eq!(run.hear().await, "r one\n");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(run.output.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_asked_is_refused() {
        let mut run = Run::of("x/no-ping", later(&[]), "100");
        assert_eq!(run.hear().await, "h 1 ping=no nc=yes\n");
        run.say("a one ping 10.0.0.1\na two tcp nowhere 22\nwhat\n").await;
        assert_eq!(run.hear().await, "x one no ping in the image\n");
        assert_eq!(run.hear().await, "x two bad address\n");
        assert_eq!(run.hear().await, "bootstorm-prober: what is \"what\"?\n");
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_within_an_interval_are_limited() {
        let network = later(&[]);
        let mut run = Run::of("busybox", network.clone(), "50");
        run.hear().await;
        for number in 0..100 {
            run.say(&format!("a {number} ping 10.0.0.{number}\n")).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        lock(&network.asked).clear();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let asked = lock(&network.asked).len();
        assert!((450..=550).contains(&asked), "{asked} attempts in ten intervals of 50");
    }
}
