//! One process, one loop: lines in, attempts on time, answers out.

mod lines;
mod links;
mod sockets;

use std::cmp::Reverse;
use std::collections::hash_map::RandomState;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use lines::{Ask, Kind, Lines};
use links::Links;
use sockets::{Dialled, Exchange, Pinger, dial, is_silence, is_silence_of_the_network, outcome};

/// The program ends if no echo was requested for this long.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// Time limit of a connection attempt; the next one does not wait for it.
const ATTEMPT: Duration = Duration::from_secs(1);
/// Attempts due within this time are made together.
const TOGETHER: Duration = Duration::from_millis(2);
/// Maximum number of targets on the prober's own link tried at the same time. The kernel keeps an entry for each
/// address that it resolves, at most 1,024 for all pods of a node.
const MOST_DIRECT: usize = 256;
/// How long such a target is tried before others have their turn: the kernel gives up on a neighbour after three
/// seconds.
const TURN: Duration = Duration::from_millis(3500);
/// A kept target is quiet after this many intervals without an answer.
const QUIET_AFTER: u32 = 3;
/// Interval at which routes are reread.
const ROUTES_FOR: Duration = Duration::from_secs(10);
/// Marks standard input among the events.
const STDIN: u64 = 0;

pub(super) fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    if argument == "--check" {
        if let Some(size) = std::env::args().nth(2)
            && let Err(why) = is_whole(&size)
        {
            let _ = writeln!(io::stderr(), "{why}");
            return ExitCode::FAILURE;
        }
        let said = writeln!(io::stdout(), "bootstorm-prober {}", env!("CARGO_PKG_VERSION"));
        return if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let seconds = argument.parse().ok().filter(|seconds: &f64| (0.001..=60.0).contains(seconds));
    let Some(seconds) = seconds else {
        let _ = writeln!(io::stderr(), "usage: bootstorm-prober SECONDS");
        return ExitCode::FAILURE;
    };
    let limit = getrlimit(Resource::Nofile);
    // Without it there is room for fewer targets, and those without room report that.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    match Prober::new(Duration::from_secs_f64(seconds)).and_then(Prober::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bootstorm-prober: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether this program has its full size: a truncated one may run all the same.
fn is_whole(size: &str) -> Result<(), String> {
    let here = std::fs::metadata("/proc/self/exe").map_err(|error| error.to_string())?.len();
    if Ok(here) == size.parse() { Ok(()) } else { Err(format!("{here} of its {size} bytes arrived")) }
}

/// Clock like the model's; the program links no more than it needs.
#[allow(clippy::disallowed_methods, reason = "a program of its own, whose tests run in real time")]
fn monotonic_now() -> Instant {
    Instant::now()
}

/// Answers of a continuously probed target
#[derive(Debug, Default)]
struct Answers {
    /// Time of the last answer, and its attempt.
    last: Option<(Instant, u32)>,
    /// Whether it was reported as quiet.
    is_quiet: bool,
}

/// An answer: its attempt, and the number of answers that arrived together
#[derive(Debug, Clone, Copy)]
struct Answer {
    attempt: u32,
    count: u32,
}

/// An address probed until it answers, or continuously
#[derive(Debug)]
struct Target {
    kind: Kind,
    address: IpAddr,
    /// Distinguishes it from an earlier one with the same number.
    order: u64,
    attempts: u32,
    /// `None` if it ends with the first answer.
    kept: Option<Answers>,
    /// Whether an error was reported.
    said: bool,
    /// Time since which it is tried, if it is on the prober's own link.
    direct: Option<Instant>,
    /// Key of its socket: that of its pings, or of the exchange in progress.
    socket: Option<u64>,
}

/// A socket that the kernel reports on
#[derive(Debug)]
enum Socket {
    Ping(Pinger, u32),
    Tcp(OwnedFd, Attempt),
    Words(Exchange, Attempt),
}

/// The target of an attempt
#[derive(Debug, Clone, Copy)]
struct Attempt {
    id: u32,
    /// Order of the target.
    order: u64,
    number: u32,
}

struct Prober {
    every: Duration,
    epoll: OwnedFd,
    nonce: u64,
    targets: HashMap<u32, Target>,
    sockets: HashMap<u64, Socket>,
    due: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    /// Connection attempts, oldest first, each with its time limit.
    dialled: VecDeque<(Instant, u64)>,
    /// Targets on the prober's own link that wait for their turn.
    parked: VecDeque<(u32, u64)>,
    direct: usize,
    links: (Option<Instant>, Links),
    /// Whether neighbour resolution and taking turns were reported.
    said: (bool, bool),
    counter: u64,
    output: String,
}

impl Prober {
    fn new(every: Duration) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, io::stdin(), epoll::EventData::new_u64(STDIN), epoll::EventFlags::IN)?;
        Ok(Self {
            every,
            epoll,
            nonce: RandomState::new().hash_one(std::process::id()),
            targets: HashMap::new(),
            sockets: HashMap::new(),
            due: BinaryHeap::new(),
            dialled: VecDeque::new(),
            parked: VecDeque::new(),
            direct: 0,
            links: (None, Links::default()),
            said: (false, false),
            counter: STDIN,
            output: String::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        self.hello();
        let mut lines = Lines::default();
        let mut fed = monotonic_now();
        let mut events = Vec::with_capacity(256);
        loop {
            // The output was closed.
            if !self.output.is_empty() && io::stdout().write_all(self.output.as_bytes()).is_err() {
                return Ok(());
            }
            self.output.clear();
            let now = monotonic_now();
            let next = self.due.peek().map(|Reverse((at, ..))| *at);
            let given_up = self.dialled.front().map(|(at, _)| *at);
            let soonest = [next, given_up].into_iter().flatten().map(|at| at.max(now + TOGETHER));
            let until = soonest.fold(fed + FORGOTTEN, Instant::min);
            let wait = Timespec::try_from(until.saturating_duration_since(now)).ok();
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), wait.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let now = monotonic_now();
            for event in &events {
                match event.data.u64() {
                    STDIN => {
                        let mut bytes = [0; 16 * 1024];
                        let read = rustix::io::read(io::stdin(), &mut bytes[..])?;
                        if read == 0 {
                            return Ok(());
                        }
                        for line in lines.push(&bytes[..read]) {
                            match Ask::parse(&line) {
                                Some(Ask::Echo(token)) => {
                                    fed = now;
                                    self.say(format_args!("t {token}"));
                                }
                                Some(Ask::Add { id, kind, address, is_kept }) => {
                                    self.add(id, kind, address, now);
                                    if let Some(target) = self.targets.get_mut(&id).filter(|_| is_kept) {
                                        target.kept = Some(Answers::default());
                                    }
                                }
                                Some(Ask::Drop(id)) => {
                                    self.part(id, now);
                                    self.forget(id, now);
                                }
                                Some(Ask::Wrong(id, why)) => {
                                    self.forget(id, now);
                                    self.say(format_args!("x {id} {why}"));
                                }
                                None => {}
                            }
                        }
                    }
                    token => self.ready(token, now),
                }
            }
            if now >= fed + FORGOTTEN {
                return Ok(());
            }
            self.give_up(now);
            self.work(now);
        }
    }

    fn say(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.output, "{line}");
    }

    /// Reports what can be probed from here, by tool and family.
    fn hello(&mut self) {
        let mut words = String::new();
        for (family, v6) in [("4", false), ("6", true)] {
            let has_route = if v6 { links::has_v6() } else { links::has_v4() };
            let route = if has_route { Ok(()) } else { Err("no address of this family".to_owned()) };
            let ping = route.clone().and_then(|()| match Pinger::open(v6) {
                Ok(_) => Ok(()),
                Err(Errno::ACCESS | Errno::PERM) => {
                    Err("net.ipv4.ping_group_range does not include the group of this process".to_owned())
                }
                Err(error) => Err(io::Error::from(error).to_string()),
            });
            let tcp = route.and_then(|()| match dial(links::unspecified(v6), 9) {
                Err(error) if !is_silence(error) => Err(io::Error::from(error).to_string()),
                _ => Ok(()),
            });
            for (tool, state) in [("ping", ping), ("tcp", tcp)] {
                let word = if state.is_ok() { "yes" } else { "no" };
                words += &format!(" {tool}{family}={word}");
                if let Err(why) = state {
                    self.say(format_args!("l {tool}{family} {why}"));
                }
            }
        }
        let every = self.every.as_millis();
        self.say(format_args!("h 2 program every={every}{words}"));
    }

    fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn add(&mut self, id: u32, kind: Kind, address: IpAddr, now: Instant) {
        self.forget(id, now);
        let order = self.count();
        if self.links.0.is_none_or(|read| now > read + ROUTES_FOR) {
            self.links = (Some(now), Links::read());
        }
        let is_direct = self.links.1.direct(address);
        let (attempts, kept, said, direct, socket) = (0, None, false, None, None);
        let target = Target { kind, address, order, attempts, kept, said, direct, socket };
        self.targets.insert(id, target);
        if !is_direct {
            self.due.push(Reverse((now, order, id)));
        } else if self.direct < MOST_DIRECT {
            self.take_turn(id, now);
        } else {
            self.parked.push_back((id, order));
            if !self.said.1 {
                self.said.1 = true;
                self.say(format_args!(
                    "w more than {MOST_DIRECT} silent guests are on the prober's own link; they are tried in turns of \
                     {:.1} s, which spares the neighbor table of its node",
                    TURN.as_secs_f64()
                ));
            }
        }
    }

    /// Begins to try a target on the prober's own link.
    fn take_turn(&mut self, id: u32, now: Instant) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        target.direct = Some(now);
        self.direct += 1;
        self.due.push(Reverse((now, target.order, id)));
    }

    /// Passes the slot of a target on the prober's own link to one that waits for it.
    fn next_turn(&mut self, now: Instant) {
        self.direct -= 1;
        while let Some((id, order)) = self.parked.pop_front() {
            if self.targets.get(&id).is_some_and(|target| target.order == order) {
                return self.take_turn(id, now);
            }
        }
    }

    fn forget(&mut self, id: u32, now: Instant) {
        let Some(target) = self.targets.remove(&id) else { return };
        if let Some(token) = target.socket {
            self.sockets.remove(&token);
        }
        if target.direct.is_some() {
            self.next_turn(now);
        }
    }

    /// Handles an event on a socket.
    fn ready(&mut self, token: u64, now: Instant) {
        let (id, outcome) = match self.sockets.get(&token) {
            Some(Socket::Ping(pinger, id)) => {
                // A pending error is delivered instead of a packet.
                let answered = pinger.answered().and_then(|answered| {
                    if answered.is_none() {
                        outcome(pinger.socket())?;
                    }
                    Ok(answered)
                });
                let attempts = self.targets.get(id).map_or(0, |target| target.attempts);
                let answer = |(number, count): (u16, u32)| {
                    let ago = (attempts as u16).wrapping_sub(number);
                    Answer { attempt: attempts.saturating_sub(ago.into()), count }
                };
                (*id, answered.map(|answered| answered.map(answer)))
            }
            Some(Socket::Tcp(socket, attempt)) => {
                let (attempt, outcome) = (*attempt, outcome(socket));
                self.sockets.remove(&token);
                if self.targets.get(&attempt.id).is_none_or(|target| target.order != attempt.order) {
                    return;
                }
                (attempt.id, outcome.map(|()| Some(Answer { attempt: attempt.number, count: 1 })))
            }
            Some(Socket::Words(..)) => {
                let Some((id, outcome)) = self.talk(token) else { return };
                (id, outcome)
            }
            None => return,
        };
        match outcome {
            Ok(Some(answer)) => self.answered(id, answer, now),
            Ok(None) => {}
            Err(error) if is_silence_of_the_network(error) => {}
            Err(error) => self.complain(id, error),
        }
    }

    /// Continues an exchange; returns its result, once it has ended.
    fn talk(&mut self, token: u64) -> Option<(u32, Result<Option<Answer>, Errno>)> {
        let Some(Socket::Words(exchange, attempt)) = self.sockets.get_mut(&token) else { return None };
        let Attempt { id, order, number } = *attempt;
        let asked = exchange.has_asked();
        let outcome = exchange.go_on();
        if let Ok(None) = outcome {
            if !asked && exchange.has_asked() {
                // From now on only the answer matters.
                let data = epoll::EventData::new_u64(token);
                let _ = epoll::modify(&self.epoll, exchange.socket(), data, epoll::EventFlags::IN);
            }
            return None;
        }
        self.sockets.remove(&token);
        let target = self.targets.get_mut(&id).filter(|target| target.order == order)?;
        target.socket = None;
        let answer = Answer { attempt: number, count: 1 };
        Some((id, outcome.map(|answered| (answered == Some(true)).then_some(answer))))
    }

    /// Reports that a target answers. That ends it, or, if kept, is reported only if it did not answer before.
    fn answered(&mut self, id: u32, answer: Answer, now: Instant) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        let Some(kept) = &mut target.kept else {
            self.forget(id, now);
            return self.say(format_args!("r {id}"));
        };
        let was_quiet = std::mem::take(&mut kept.is_quiet);
        let Some((at, attempt)) = kept.last else {
            kept.last = Some((now, answer.attempt));
            // Its neighbour is resolved: others may take its slot.
            if target.direct.take().is_some() {
                self.next_turn(now);
            }
            return self.say(format_args!("r {id}"));
        };
        // Connections may be accepted in another order than requested.
        let lost = answer.attempt.saturating_sub(attempt).saturating_sub(answer.count);
        kept.last = Some((now, attempt.max(answer.attempt)));
        if lost > 0 || was_quiet {
            let gap = now.saturating_duration_since(at).as_millis();
            self.say(format_args!("b {id} {gap} {lost}"));
        }
    }

    /// Reports the time since the last answer of a target that was kept.
    fn part(&mut self, id: u32, now: Instant) {
        let kept = self.targets.get(&id).and_then(|target| target.kept.as_ref());
        if let Some((at, _)) = kept.and_then(|kept| kept.last) {
            self.say(format_args!("q {id} {}", now.saturating_duration_since(at).as_millis()));
        }
    }

    /// Reports, once, that a kept target no longer answers; a pause of our own does not count as its silence.
    fn miss(&mut self, id: u32, now: Instant) {
        let limit = self.every * QUIET_AFTER;
        let Some(target) = self.targets.get_mut(&id) else { return };
        let made = target.attempts.saturating_sub(1);
        let Some(kept) = target.kept.as_mut() else { return };
        if let Some((at, answered)) = kept.last
            && made > answered
            && now >= at + limit
            && !std::mem::replace(&mut kept.is_quiet, true)
        {
            self.part(id, now);
        }
    }

    /// Reports an error that is more specific than silence, once for each target.
    fn complain(&mut self, id: u32, error: Errno) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        if !is_silence(error) && !std::mem::replace(&mut target.said, true) {
            self.say(format_args!("x {id} {}", io::Error::from(error)));
        }
    }

    /// Ends connection attempts that have timed out.
    fn give_up(&mut self, now: Instant) {
        while self.dialled.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, token)) = self.dialled.pop_front() else { break };
            if let Some(Socket::Words(_, Attempt { id, order, .. })) = self.sockets.remove(&token)
                && let Some(target) = self.targets.get_mut(&id).filter(|target| target.order == order)
            {
                target.socket = None;
            }
        }
    }

    /// Makes the attempts that are due.
    fn work(&mut self, now: Instant) {
        while let Some(Reverse((at, order, id))) = self.due.peek().copied() {
            if at > now {
                break;
            }
            self.due.pop();
            let Some(target) = self.targets.get_mut(&id).filter(|target| target.order == order) else {
                continue;
            };
            if let Some(since) = target.direct
                && now > since + TURN
                && !self.parked.is_empty()
            {
                target.direct = None;
                if let Some(token) = target.socket.take() {
                    self.sockets.remove(&token);
                }
                self.parked.push_back((id, order));
                self.next_turn(now);
                continue;
            }
            target.attempts += 1;
            let attempt = target.attempts;
            let first = attempt == 1;
            let sought = target.attempts == 2 && target.direct.is_some() && !self.said.0;
            let address = target.address;
            if sought && links::is_sought(address) {
                self.said.0 = true;
                self.say(format_args!("o {id}"));
            }
            self.miss(id, now);
            match self.attempt(id) {
                Ok(false) => {}
                Ok(true) => {
                    self.answered(id, Answer { attempt, count: 1 }, now);
                    if !self.targets.contains_key(&id) {
                        continue;
                    }
                }
                Err(error) => self.complain(id, error),
            }
            // The first attempt is made at once. After it the phases are spread evenly, even for targets that arrived
            // together.
            let next = if first {
                let share = (order as f64 * 0.618_033_988_749_895).fract();
                now + self.every.mul_f64(share.max(0.1))
            } else {
                // A late attempt does not catch up on missed ones.
                (at + self.every).max(now)
            };
            self.due.push(Reverse((next, order, id)));
        }
    }

    /// Makes one attempt; true if it was answered at once.
    fn attempt(&mut self, id: u32) -> Result<bool, Errno> {
        let Some(target) = self.targets.get_mut(&id) else { return Ok(false) };
        let (kind, address, order, attempts) =
            (target.kind.clone(), target.address, target.order, target.attempts);
        let attempt = Attempt { id, order, number: attempts };
        match kind {
            Kind::Ping => {
                let token = match target.socket {
                    Some(token) => token,
                    None => {
                        let nonce = (u128::from(self.nonce) << 64) | u128::from(order);
                        let pinger = Pinger::new(address, nonce)?;
                        let token = self.watch(pinger.socket(), epoll::EventFlags::IN)?;
                        self.sockets.insert(token, Socket::Ping(pinger, id));
                        if let Some(target) = self.targets.get_mut(&id) {
                            target.socket = Some(token);
                        }
                        token
                    }
                };
                match self.sockets.get_mut(&token) {
                    Some(Socket::Ping(pinger, _)) => pinger.send(attempts as u16).map(|()| false),
                    _ => Ok(false),
                }
            }
            Kind::Tcp(port) => match dial(address, port)? {
                Dialled::Accepted(_) => Ok(true),
                Dialled::Waiting(socket) => {
                    let token = self.watch(&socket, epoll::EventFlags::OUT)?;
                    self.sockets.insert(token, Socket::Tcp(socket, attempt));
                    self.dialled.push_back((monotonic_now() + ATTEMPT, token));
                    Ok(false)
                }
            },
            // One at a time: servers count idle open connections.
            _ if target.socket.is_some() => {
                target.attempts -= 1;
                Ok(false)
            }
            Kind::Http(port, request) => self.begin(attempt, (address, port), Some(request)),
            Kind::Ssh(port) => self.begin(attempt, (address, port), None),
        }
    }

    /// Begins an exchange.
    fn begin(
        &mut self,
        attempt: Attempt,
        (address, port): (IpAddr, u16),
        request: Option<Rc<str>>,
    ) -> Result<bool, Errno> {
        let (Dialled::Accepted(socket) | Dialled::Waiting(socket)) = dial(address, port)?;
        let exchange = Exchange::new(socket, request);
        let token = self.watch(exchange.socket(), epoll::EventFlags::OUT)?;
        self.sockets.insert(token, Socket::Words(exchange, attempt));
        self.dialled.push_back((monotonic_now() + ATTEMPT, token));
        if let Some(target) = self.targets.get_mut(&attempt.id) {
            target.socket = Some(token);
        }
        Ok(false)
    }

    fn watch(&mut self, socket: &OwnedFd, events: epoll::EventFlags) -> Result<u64, Errno> {
        let token = self.count();
        epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), events)?;
        Ok(token)
    }
}
