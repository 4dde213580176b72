//! The prober as it behaves, program and script: targets on standard input, answers on standard output.
//!
//! Nothing is executed here. A program that is sent is accepted, and its output is simulated.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::container::Container;
use super::io::Io;
use super::lines::Lines;
use super::ping::{self, seconds};
use crate::model::lock;
use crate::network::{Probe, Reply};

/// Arguments
#[derive(Debug, Clone, PartialEq)]
struct Arguments {
    /// Time between two attempts of the script on the same target.
    script: Duration,
    /// Time between two attempts of the program on the same target.
    program: Duration,
    /// Folder for the program, and its tag; `None` without a program.
    place: Option<(String, String)>,
}

impl Arguments {
    fn parse(words: &[&str]) -> Self {
        let word = |n: usize| words.get(n).copied().unwrap_or_default();
        let time = |n| {
            let seconds = seconds(word(n)).filter(|seconds| *seconds > 0.0).unwrap_or(0.2);
            Duration::from_secs_f64(seconds.max(0.001))
        };
        let place = (!word(2).is_empty()).then(|| (word(2).to_owned(), word(3).to_owned()));
        Self { script: time(0), program: time(1), place }
    }
}

/// An address probed until it answers
#[derive(Debug)]
struct Target {
    address: String,
    probe: Probe,
    /// Distinguishes an order from an earlier one with the same name.
    order: u64,
    attempts: u64,
    /// State of continuous probing, if kept.
    kept: Option<Kept>,
}

/// Results of a continuously probed target
#[derive(Debug, Default)]
struct Kept {
    /// Last answer, and its attempt.
    last: Option<(Instant, u64)>,
    is_quiet: bool,
}

/// Next events, earliest first: an attempt, or the arrival of its answer
type Due = Reverse<(Instant, u64, Option<u64>, String)>;

#[derive(Debug)]
struct Prober {
    container: Container,
    /// Time between two attempts on the same target.
    every: Duration,
    /// Whether it is the program, which counts losses; the script reports each answer.
    is_program: bool,
    /// Reasons why it cannot ping, per family, and why it cannot connect.
    ping: [Option<String>; 2],
    tcp: [Option<String>; 2],
    targets: HashMap<String, Target>,
    due: BinaryHeap<Due>,
    orders: u64,
}

/// Probes until the input ends.
pub(super) async fn run(mut io: Io, container: Container, words: &[&str]) -> i32 {
    let arguments = Arguments::parse(words);
    let mut lines = Lines::default();
    let Some(is_program) = take_program(&arguments, &container, &mut lines, &mut io).await else { return 1 };
    let mut prober = Prober::new(container, &arguments, is_program);
    io.print(&prober.hello(is_program)).await;
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

/// Requests the program, unless the pod has it; returns whether it is there afterwards, `None` if the input ended.
async fn take_program(
    arguments: &Arguments,
    container: &Container,
    lines: &mut Lines,
    io: &mut Io,
) -> Option<bool> {
    let Some((folder, tag)) = &arguments.place else { return Some(false) };
    if !container.folders.contains(folder) {
        return Some(false);
    }
    let (pod, programs) = &container.programs;
    let name = (pod.clone(), tag.clone());
    if lock(programs).contains(&name) {
        return Some(true);
    }
    io.print(&format!("n {}\n", container.machine)).await;
    let size = lines.next(&mut io.stdin).await?.trim().parse().unwrap_or(0);
    if size == 0 {
        return Some(false);
    }
    let program = lines.take(size, &mut io.stdin).await?;
    if !runs_on(&program, container.machine) {
        io.print("w the prober program is not used: it does not run here: Exec format error\n").await;
        return Some(false);
    }
    lock(programs).insert(name);
    Some(true)
}

/// Whether an executable is for the machine, by the number in its header.
fn runs_on(program: &[u8], machine: &str) -> bool {
    let number = match machine {
        "x86_64" => 62,
        "aarch64" => 183,
        "s390x" => 22,
        _ => return false,
    };
    // The byte order of the number is that of the machine.
    let number: [u8; 2] =
        if machine == "s390x" { u16::to_be_bytes(number) } else { u16::to_le_bytes(number) };
    program.starts_with(b"\x7fELF") && program.get(18..20) == Some(&number)
}

impl Prober {
    fn new(container: Container, arguments: &Arguments, is_program: bool) -> Self {
        let (tools, user) = (container.tools, container.user);
        let (ping, tcp) = if is_program {
            let closed = "net.ipv4.ping_group_range does not include the group of this process";
            ((!user.datagram).then_some(closed), None)
        } else {
            let ping =
                if tools.ping.is_none() { Some("no ping in the image") } else { ping::refusal(&container) };
            (ping, (!tools.nc).then_some("no nc in the image"))
        };
        let both = |why: Option<&str>| {
            let other = (!container.dual_stack).then_some("no address of this family");
            [why, other.or(why)].map(|why| why.map(str::to_owned))
        };
        let (ping, tcp) = (both(ping), both(tcp));
        let every = if is_program { arguments.program } else { arguments.script };
        let (targets, due) = (HashMap::new(), BinaryHeap::new());
        Self { container, every, is_program, ping, tcp, targets, due, orders: 0 }
    }

    /// Its hello.
    fn hello(&self, is_program: bool) -> String {
        let (mut lacks, mut words) = (String::new(), String::new());
        for (tool, states) in [("ping", &self.ping), ("tcp", &self.tcp)] {
            for (family, state) in [4, 6].into_iter().zip(states) {
                let word = if state.is_none() { "yes" } else { "no" };
                words += &format!(" {tool}{family}={word}");
                if let Some(why) = state {
                    lacks += &format!("l {tool}{family} {why}\n");
                }
            }
        }
        let kind = if is_program { "program" } else { "script" };
        format!("{lacks}h 2 {kind}{words}\n")
    }

    /// Handles one line; returns the output.
    fn obey(&mut self, line: &str) -> Result<String, String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            [] => Ok(String::new()),
            ["e", ..] => Ok(format!("t {}\n", line.get(2..).unwrap_or_default())),
            ["d", id] => {
                let last = self.targets.remove(*id).and_then(|target| target.kept?.last);
                let last = last.filter(|_| self.is_program);
                Ok(last.map_or_else(String::new, |(at, _)| format!("q {id} {}\n", at.elapsed().as_millis())))
            }
            [verb @ ("a" | "k"), id, "ping", address] => Ok(self.add(id, address, Probe::Ping, *verb == "k")),
            [verb @ ("a" | "k"), id, kind @ ("tcp" | "http" | "ssh"), address, port, ..] => {
                let is_kept = *verb == "k";
                match (port.parse(), *kind) {
                    (Ok(port), "tcp") => Ok(self.add(id, address, Probe::Tcp(port), is_kept)),
                    (Ok(port), "http") => Ok(self.add(id, address, Probe::Http(port), is_kept)),
                    (Ok(port), _) => Ok(self.add(id, address, Probe::Ssh(port), is_kept)),
                    (Err(_), _) => Ok(format!("x {id} bad port {port}\n")),
                }
            }
            _ => Err(format!("bootstorm-prober: what is \"{line}\"?\n")),
        }
    }

    fn add(&mut self, id: &str, address: &str, probe: Probe, is_kept: bool) -> String {
        let Ok(ip) = address.parse::<std::net::IpAddr>() else {
            self.targets.remove(id);
            return format!("x {id} not an address\n");
        };
        let states = if probe == Probe::Ping { &self.ping } else { &self.tcp };
        if let Some(why) = &states[usize::from(ip.is_ipv6())] {
            self.targets.remove(id);
            return format!("x {id} {why}\n");
        }
        self.orders += 1;
        let (order, kept) = (self.orders, is_kept.then(Kept::default));
        let target = Target { address: address.to_owned(), probe, order, attempts: 0, kept };
        self.targets.insert(id.to_owned(), target);
        self.due.push(Reverse((Instant::now(), order, None, id.to_owned())));
        String::new()
    }

    /// Does what is due; returns the output.
    fn work(&mut self) -> String {
        let (now, mut said) = (Instant::now(), String::new());
        while let Some(Reverse((at, ..))) = self.due.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((_, order, answers, id))) = self.due.pop() else { break };
            let between = self.every;
            // A target forgotten or replaced meanwhile is ignored.
            let Some(target) = self.targets.get_mut(&id).filter(|target| target.order == order) else {
                continue;
            };
            if let Some(attempt) = answers {
                match &mut target.kept {
                    Some(kept) => said += &kept.answered(&id, now, attempt, self.is_program),
                    None => {
                        self.targets.remove(&id);
                        said += &format!("r {id}\n");
                    }
                }
                continue;
            }
            target.attempts += 1;
            if let Some(kept) = target.kept.as_mut().filter(|_| self.is_program) {
                said += &kept.missed(&id, now, between);
            }
            if self.container.network.answers(&target.address, target.probe) == Reply::Answered {
                let arrives = now + self.container.round_trip();
                self.due.push(Reverse((arrives, order, Some(target.attempts), id.clone())));
                if target.kept.is_none() {
                    continue;
                }
            }
            // The first attempt is made at once; the phase of the others is spread, so that they are not synchronous.
            let first = target.attempts == 1;
            let wait = if first { between.mul_f64(self.container.roll.unit()) } else { between };
            self.due.push(Reverse((now + wait, order, None, id)));
        }
        said
    }
}

impl Kept {
    /// Handles an answer to an attempt; returns the output.
    fn answered(&mut self, id: &str, now: Instant, attempt: u64, is_program: bool) -> String {
        let was_quiet = std::mem::take(&mut self.is_quiet);
        let Some((at, before)) = self.last.replace((now, attempt)).filter(|_| is_program) else {
            return format!("r {id}\n");
        };
        let lost = attempt.saturating_sub(before + 1);
        if lost == 0 && !was_quiet {
            return String::new();
        }
        format!("b {id} {} {lost}\n", (now - at).as_millis())
    }

    /// Handles another attempt; returns the output if none was answered for long.
    fn missed(&mut self, id: &str, now: Instant, between: Duration) -> String {
        match self.last {
            Some((at, _)) if now >= at + between * 3 && !std::mem::replace(&mut self.is_quiet, true) => {
                format!("q {id} {}\n", (now - at).as_millis())
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bytes::Bytes;
    use tokio::sync::mpsc;

    use super::super::{Channel, Image, Programs, User};
    use super::*;
    use crate::model::Dice;
    use crate::network::Network;

    /// Addresses that answer from some instant on; records when each was probed.
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
        fn of(image: &str, network: Arc<dyn Network>) -> Self {
            Self::with(image, network, User { raw: true, datagram: false }, Programs::default(), &["0.2"])
        }

        fn with(
            image: &str,
            network: Arc<dyn Network>,
            user: User,
            programs: Programs,
            words: &'static [&str],
        ) -> Self {
            let (stdin, input) = mpsc::channel(16);
            let (output, written) = mpsc::channel(16);
            let tools = Image::of(image).tools(Duration::from_secs(60));
            let container = Container {
                tools,
                user,
                dual_stack: false,
                machine: "x86_64",
                folders: vec!["/bootstorm".into()],
                programs: ("pod".into(), programs),
                network,
                roll: Dice::new(1).roll("prober", 0, "exec"),
            };
            let io = Io { stdin: input, output };
            let ended = tokio::spawn(run(io, container, words));
            Self { stdin: Some(stdin), output: written, ended }
        }

        async fn say(&self, text: &str) {
            self.stdin.as_ref().unwrap().send(Bytes::copy_from_slice(text.as_bytes())).await.unwrap();
        }

        async fn greeting(&mut self) -> String {
            self.hear().await.lines().last().unwrap_or_default().to_owned()
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
        let mut run = Run::of("busybox", network.clone());
        assert_eq!(run.greeting().await, "h 2 script ping4=yes ping6=no tcp4=yes tcp6=no");
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
        let mut run = Run::of("busybox", network.clone());
        run.hear().await;
        run.say("a one ping 10.0.0.1\na two ping 10.0.0.1\n").await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        run.say("d two\na one ping 10.0.0.2\n").await;
        assert_eq!(run.hear().await, "r one\n");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(run.output.try_recv().is_err());
    }

    /// Answers, except for two seconds after the third.
    #[derive(Debug)]
    struct Away(Instant);

    impl Network for Away {
        fn answers(&self, _: &str, _: Probe) -> Reply {
            let away = Duration::from_secs(3)..Duration::from_secs(5);
            if away.contains(&self.0.elapsed()) { Reply::Silent } else { Reply::Answered }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_is_kept_tells_when_it_was_away() {
        let words: &[&str] = &["0.2", "0.2", "/bootstorm", "tag"];
        let away = || Arc::new(Away(Instant::now()));
        let user = || User { raw: true, datagram: true };
        let mut program = Run::with("debian", away(), user(), Programs::default(), words);
        assert_eq!(program.hear().await, "n x86_64\n");
        program.say("20\n\x7fELF..............\x3e\0k 1 ping 10.0.0.1\n").await;
        program.greeting().await;
        assert_eq!(program.hear().await, "r 1\n");
        let quiet = program.hear().await;
        let silent: u64 = quiet.trim().strip_prefix("q 1 ").unwrap().parse().unwrap();
        assert!((590..=800).contains(&silent), "{quiet}");
        let back = program.hear().await;
        let [gap, lost]: [u64; 2] = back
            .trim()
            .strip_prefix("b 1 ")
            .unwrap()
            .split(' ')
            .map(|n| n.parse().unwrap())
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        assert!((2000..=2400).contains(&gap) && (9..=10).contains(&lost), "{back}");
        tokio::time::sleep(Duration::from_millis(2)).await;
        program.say("d 1\n").await;
        let parted = program.hear().await;
        assert!(parted.starts_with("q 1 "), "{parted}");

        let mut script = Run::with("debian", away(), user(), Programs::default(), &["0.2"]);
        script.greeting().await;
        script.say("k 1 tcp 10.0.0.1 22\n").await;
        let began = Instant::now();
        let mut answers = 0;
        while began.elapsed() < Duration::from_secs(6) {
            assert_eq!(script.hear().await, "r 1\n");
            answers += 1;
        }
        assert!((19..=22).contains(&answers), "{answers} answers in 6 s, of which 2 s are silent");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_asked_is_refused() {
        let mut run = Run::of("x/no-ping", later(&[]));
        let said = run.hear().await;
        assert!(said.contains("l ping4 no ping in the image\n"), "{said}");
        run.say("a one ping 10.0.0.1\na two tcp nowhere 22\nwhat\n").await;
        assert_eq!(run.hear().await, "x one no ping in the image\n");
        assert_eq!(run.hear().await, "x two not an address\n");
        assert_eq!(run.hear().await, "bootstorm-prober: what is \"what\"?\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_is_taken_once_for_each_pod_and_needs_no_tool() {
        let nobody = User { raw: false, datagram: true };
        let programs = Programs::default();
        let words: &[&str] = &["0.2", "0.05", "/bootstorm", "tag"];
        let open = || Run::with("x/no-ping", later(&[("10.0.0.1", 0.0)]), nobody, programs.clone(), words);
        let mut run = open();
        assert_eq!(run.hear().await, "n x86_64\n");
        run.say("21\n\x7fELF..............").await;
        run.say("\x3e\0\na 1 ping 10.0.0.1\n").await;
        assert_eq!(run.greeting().await, "h 2 program ping4=yes ping6=no tcp4=yes tcp6=no");
        assert_eq!(run.hear().await, "r 1\n");
        assert_eq!(open().greeting().await, "h 2 program ping4=yes ping6=no tcp4=yes tcp6=no");
        // A program for another machine is accepted, but not used for probing.
        let mut other = Run::with("debian", later(&[]), nobody, Programs::default(), words);
        assert_eq!(other.hear().await, "n x86_64\n");
        other.say("20\n\x7fELF..............\x16\0").await;
        assert_eq!(
            other.hear().await,
            "w the prober program is not used: it does not run here: Exec format error\n"
        );
        assert_eq!(other.greeting().await, "h 2 script ping4=yes ping6=no tcp4=yes tcp6=no");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_program_the_tools_decide() {
        let nobody = User { raw: false, datagram: true };
        for (image, can) in [("busybox", "no"), ("debian", "yes")] {
            let words: &[&str] = &["0.2", "0.05", "/bootstorm", "tag"];
            let mut run = Run::with(image, later(&[]), nobody, Programs::default(), words);
            assert_eq!(run.hear().await, "n x86_64\n");
            run.say("0\n").await;
            let said = run.hear().await;
            assert!(said.ends_with(&format!("h 2 script ping4={can} ping6=no tcp4=yes tcp6=no\n")), "{said}");
            let refused = said.contains("l ping4 ping: permission denied (are you root?)");
            assert_eq!(refused, can == "no", "{said}");
        }
        let closed = User { raw: false, datagram: false };
        let mut run = Run::with("debian", later(&[]), closed, Programs::default(), &["0.2"]);
        assert!(run.hear().await.contains("ping4=no"));
    }
}
