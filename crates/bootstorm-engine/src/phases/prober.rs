//! The session with one prober: opened, kept alive, reopened when it breaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::call::wait;
use crate::cluster::exec::{LineStream, Out};
use crate::cluster::probers::PROGRAM_FOLDER;
use crate::cluster::stall::Pulse;
use crate::cluster::{Cluster, ClusterError};
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::probe::{
    Answer, Ask, By, Family, HAND_OVER, Hello, Pace, ProbePlan, SCRIPT, SCRIPT_NAME, Tool, plain,
};
use bootstorm_prober::Program;

/// Interval between liveness checks.
const ECHO_EVERY: Duration = Duration::from_secs(2);
/// A stream that is silent for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(15);
/// Maximum number of lines on standard error kept.
const MOST_COMPLAINTS: usize = 10;
/// Time limit for a prober's hello, or for its request for the program.
const HELLO_WITHIN: Duration = Duration::from_secs(30);
/// Time limit for the hello after that request: half a megabyte over a slow connection, and the program's start.
const HANDED_OVER_WITHIN: Duration = Duration::from_secs(120);
/// Number of lines between two liveness checks that no prober exceeds: it sends a few for each of its targets.
const MOST_LINES: usize = 100_000;
/// Number of lines before the hello that no prober exceeds.
const MOST_BEFORE_HELLO: usize = 1000;

/// Location of a prober
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// Container; `None` for the default one of the user's pod.
    pub(crate) container: Option<&'static str>,
    /// Set if it is a child process of this program instead of a pod: the folder for the prober program, empty if there
    /// is none.
    pub(crate) here: Option<String>,
    /// How to recreate the pod if it goes away; `None` for the user's pod.
    pub(crate) ours: Option<Ours>,
}

impl Place {
    /// Fails if it is the user's own pod, and does not exist.
    pub(crate) async fn check(&self, cluster: &Cluster) -> Result<(), ClusterError> {
        let is_theirs = self.ours.is_none() && self.here.is_none();
        if is_theirs { cluster.check_prober(&self.namespace, &self.pod).await } else { Ok(()) }
    }
}

/// Specification of a prober pod
#[derive(Debug, Clone)]
pub(crate) struct Ours {
    pub(crate) prefix: String,
    pub(crate) run_id: String,
    pub(crate) number: usize,
    pub(crate) probe: ProbePlan,
}

/// Recreated prober pods, name → UID
pub(crate) type MadeAnew = Arc<Mutex<BTreeMap<String, String>>>;

/// Event of a session with a prober
#[derive(Debug)]
pub(crate) enum ProberEvent {
    /// The prober is up; all pending targets have to be sent (again).
    Opened { prober: usize, hello: Hello },
    /// It sent a line.
    Said { prober: usize, at: Instant, answer: Answer },
    /// The echo requested at that time came back.
    Echo { prober: usize, by: By, asked: Instant, at: Instant },
    /// The stream broke; its last message was at that time.
    Broken { prober: usize, since: Instant, why: String },
}

/// First lines of a prober
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Its kind and abilities.
    pub(crate) hello: Hello,
    /// What it cannot do, with the reason.
    pub(crate) lacks: Vec<(Tool, Family, String)>,
    /// Warnings.
    pub(crate) warnings: Vec<String>,
}

impl Place {
    /// The command that runs the prober here.
    ///
    /// The user's pod is probed with its own tools; it gets no file from us.
    pub(crate) fn command(&self, pace: Pace) -> Vec<String> {
        let seconds = |millis: u64| format!("{:.3}", millis as f64 / 1000.0);
        let script = seconds(pace.script);
        let mut command: Vec<String> = ["sh", "-c"].map(str::to_owned).to_vec();
        if self.ours.is_some() || self.here.is_some() {
            let folder = self.here.clone().unwrap_or_else(|| PROGRAM_FOLDER.to_owned());
            command.push(format!("{HAND_OVER}{SCRIPT}"));
            command.extend([SCRIPT_NAME, &script, &seconds(pace.program)].map(str::to_owned));
            command.push(folder);
            command.push(bootstorm_prober::tag());
        } else {
            command.extend([SCRIPT, SCRIPT_NAME, &script].map(str::to_owned));
        }
        command
    }
}

/// Waits for a prober's first lines, and sends it the program on request.
///
/// Fails with the reason if there are none.
pub(crate) async fn greet(stream: &mut LineStream) -> Result<Greeting, String> {
    let (mut errors, mut lacks, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let (mut limit, mut is_asked) = (Box::pin(tokio::time::sleep(HELLO_WITHIN)), false);
    let mut lines = 0;
    let ended = |errors: &[String]| {
        if errors.is_empty() { "the probe ended before it started".to_owned() } else { errors.join("; ") }
    };
    loop {
        let out = tokio::select! {
            biased;
            out = stream.next() => out,
            () = &mut limit => {
                let limit = if is_asked { HANDED_OVER_WITHIN } else { HELLO_WITHIN };
                return Err(format!("the probe did not start within {}s", limit.as_secs()));
            }
        };
        lines += 1;
        if lines > MOST_BEFORE_HELLO {
            return Err("the pod writes output, but not that of a prober".to_owned());
        }
        let answer = match out {
            Out::Line(_, line) => Answer::parse(&line),
            // The first ones show the cause.
            Out::Error(line) => {
                if errors.len() < MOST_COMPLAINTS {
                    errors.push(plain(&line));
                }
                None
            }
            Out::Ended => return Err(ended(&errors)),
        };
        match answer {
            Some(Answer::Wanted(_)) if is_asked => {
                return Err("the pod requests the prober program repeatedly".to_owned());
            }
            Some(Answer::Wanted(machine)) => {
                is_asked = true;
                let program = Program::of(&machine);
                if program.is_none() {
                    warnings.push(format!("this build has no prober program for {machine}"));
                }
                if hand_over(stream, program).await.is_err() {
                    return Err(ended(&errors));
                }
                limit = Box::pin(tokio::time::sleep(HANDED_OVER_WITHIN));
            }
            Some(Answer::Lacks(tool, family, why)) => {
                lacks.retain(|(known, over, _)| (*known, *over) != (tool, family));
                lacks.push((tool, family, why));
            }
            Some(Answer::Warning(text)) if warnings.len() < MOST_COMPLAINTS => warnings.push(text),
            Some(Answer::Hello(hello)) => return Ok(Greeting { hello, lacks, warnings }),
            _ => {}
        }
    }
}

/// Sends the program to a prober that requests it.
async fn hand_over(stream: &mut LineStream, program: Option<&Program>) -> std::io::Result<()> {
    let bytes = program.map(Program::bytes).unwrap_or_default();
    stream.send(&format!("{}\n", bytes.len())).await?;
    stream.send_bytes(&bytes).await
}

/// Runs the session with one prober until the task is aborted.
pub(crate) async fn converse(
    cluster: Cluster,
    prober: usize,
    place: Place,
    pace: Pace,
    mut inbox: mpsc::UnboundedReceiver<Ask>,
    heard: mpsc::UnboundedSender<ProberEvent>,
    made: MadeAnew,
) {
    let command = place.command(pace);
    let mut failures = 0;
    let mut last_heard = monotonic_now();
    loop {
        let opened = if place.here.is_some() {
            LineStream::child("run a prober", &command)
        } else {
            cluster.exec(&place.namespace, &place.pod, place.container, &command).await
        };
        let why = match opened {
            Err(error) => {
                if let Some(ours) = &place.ours {
                    let remade = cluster.remake_prober(&ours.prefix, &ours.run_id, ours.number, &ours.probe);
                    match remade.await {
                        Ok(pod) => {
                            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                            made.extend(pod.map(|pod| (pod.name, pod.uid)));
                        }
                        Err(error) => {
                            tracing::info!(prober, %error, "the prober pod cannot be recreated");
                        }
                    }
                }
                error.to_string()
            }
            Ok(mut stream) => match greet(&mut stream).await {
                Err(why) => stream.why().await.unwrap_or(why),
                Ok(greeting) => {
                    failures = 0;
                    // Requests made meanwhile are repeated with all pending ones.
                    while inbox.try_recv().is_ok() {}
                    let _ = heard.send(ProberEvent::Opened { prober, hello: greeting.hello });
                    let pulse = cluster.pulse();
                    let mut talk = Talk {
                        prober,
                        hello: greeting.hello,
                        inbox: &mut inbox,
                        heard: &heard,
                        last_heard: &mut last_heard,
                        stalls: pulse.stalls(),
                        pulse,
                    };
                    match talk.go_on(&mut stream).await {
                        Some(why) => why.to_owned(),
                        None => stream.why().await.unwrap_or_else(|| "the stream broke".to_owned()),
                    }
                }
            },
        };
        let _ = heard.send(ProberEvent::Broken { prober, since: last_heard, why });
        failures += 1;
        tokio::time::sleep(wait(failures.min(5), None)).await;
    }
}

struct Talk<'a> {
    prober: usize,
    hello: Hello,
    inbox: &'a mut mpsc::UnboundedReceiver<Ask>,
    heard: &'a mpsc::UnboundedSender<ProberEvent>,
    last_heard: &'a mut Instant,
    pulse: Pulse,
    /// Stalls already seen.
    stalls: u32,
}

impl Talk<'_> {
    /// Relays requests and answers until the stream breaks; returns the reason if the prober is at fault.
    async fn go_on(&mut self, stream: &mut LineStream) -> Option<&'static str> {
        *self.last_heard = monotonic_now();
        let mut tick = interval(ECHO_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut token, mut sent_at) = (0_u64, monotonic_now());
        let mut asks = Vec::new();
        let mut lines = 0;
        loop {
            // While lines keep coming, nothing else gets its turn.
            if lines > MOST_LINES {
                return Some("the pod writes more than a prober ever does");
            }
            tokio::select! {
                biased;
                out = stream.next() => match out {
                    Out::Line(at, line) => {
                        lines += 1;
                        if let Some(since) = self.pulse.stall(&mut self.stalls) {
                            // We were stopped, and this has been waiting.
                            let (prober, why) = (self.prober, "this program was stopped".to_owned());
                            let _ = self.heard.send(ProberEvent::Broken { prober, since, why });
                            let _ = self.heard.send(ProberEvent::Opened { prober, hello: self.hello });
                        }
                        *self.last_heard = at;
                        match Answer::parse(&line) {
                            Some(Answer::Echo(back)) if back == token => {
                                let (prober, asked) = (self.prober, sent_at);
                                let _ = self.heard.send(ProberEvent::Echo { prober, by: self.hello.by, asked, at });
                            }
                            Some(answer) => {
                                let _ = self.heard.send(ProberEvent::Said { prober: self.prober, at, answer });
                            }
                            None => {}
                        }
                    }
                    Out::Error(line) => {
                        lines += 1;
                        tracing::debug!(prober = self.prober, line = plain(&line), "prober warning");
                    }
                    Out::Ended => return None,
                },
                count = self.inbox.recv_many(&mut asks, 1000) => {
                    let text: String = asks.drain(..).map(|ask| ask.to_string()).collect();
                    if count == 0 || stream.send(&text).await.is_err() {
                        return None;
                    }
                }
                _ = tick.tick() => {
                    lines = 0;
                    if elapsed_since(*self.last_heard) > DEAD_AFTER {
                        return None;
                    }
                    token += 1;
                    sent_at = monotonic_now();
                    if stream.send(&Ask::Echo(token).to_string()).await.is_err() {
                        return None;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const HELLO: &[u8] = b"h 2 script ping4=yes\n";

    /// A stream, and its other end: input, output, errors.
    fn stream() -> (LineStream, DuplexStream, DuplexStream, DuplexStream) {
        let [(stdin, input), (stdout, output), (stderr, errors)] = [0; 3].map(|_| duplex(4 << 20));
        (LineStream::of(stdin, [stdout, stderr]), input, output, errors)
    }

    /// Result for a pod with this output, which ends a second later if requested.
    async fn greeted(output: Vec<u8>, complaints: &[u8], ends: bool) -> Result<Greeting, String> {
        let (mut stream, _input, mut out, mut errors) = stream();
        errors.write_all(complaints).await.unwrap();
        tokio::spawn(async move {
            let _errors = errors;
            let _ = out.write_all(&output).await;
            tokio::time::sleep(if ends { Duration::from_secs(1) } else { Duration::MAX }).await;
        });
        greet(&mut stream).await
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_a_pod_says_first_the_hello_is_found_or_its_lack_is_told() {
        let long = [vec![b'x'; 1 << 20], b"\n".to_vec()].concat();
        let noise = [b"motd\n\xff\xfe\x00\n".to_vec(), long.clone(), HELLO.to_vec()].concat();
        assert_eq!(greeted(noise, b"", false).await.unwrap().hello.by, By::Script);

        let lacks = [b"l ping6 one\n".repeat(500), b"w odd\n".repeat(400), HELLO.to_vec()].concat();
        let greeting = greeted(lacks, b"", false).await.unwrap();
        assert_eq!((greeting.lacks.len(), greeting.warnings.len()), (1, MOST_COMPLAINTS));

        let flood = greeted(b"y\n".repeat(1_000_000), b"", false).await.unwrap_err();
        assert!(flood.contains("but not that of a prober"), "{flood}");
        let silent = greeted(Vec::new(), b"", false).await.unwrap_err();
        assert!(silent.contains("within 30s"), "{silent}");
        let ended = greeted(b"n".to_vec(), b"sh: \x1b[31mno\xff\n", true).await.unwrap_err();
        assert_eq!(ended, "sh: [31mno\u{fffd}", "without what a terminal would obey");
        assert!(greeted(Vec::new(), b"", true).await.unwrap_err().contains("ended before it started"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_is_sent_once_and_its_slow_start_is_waited_for() {
        let (mut stream, mut input, mut out, _errors) = stream();
        let pod = async {
            out.write_all(b"n x86_64\n").await.unwrap();
            let mut first = [0; 4];
            input.read_exact(&mut first).await.unwrap();
            tokio::time::sleep(HELLO_WITHIN * 2).await;
            out.write_all(HELLO).await.unwrap();
        };
        let (greeting, ()) = tokio::join!(greet(&mut stream), pod);
        assert!(greeting.is_ok(), "{greeting:?}");
        let again = greeted(b"n x86_64\nn x86_64\n".to_vec(), b"", false).await.unwrap_err();
        assert!(again.contains("repeatedly"), "{again}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_prober_that_floods_its_stream_is_left() {
        for flood in [&b"t 99\n"[..], b"r 1\n", b"chatter\n"] {
            let (mut stream, _input, mut out, _errors) = stream();
            let flooding =
                tokio::spawn(async move { while out.write_all(&flood.repeat(1000)).await.is_ok() {} });
            let (_asks, mut inbox) = mpsc::unbounded_channel();
            let (heard, mut said) = mpsc::unbounded_channel();
            let pulse = Pulse::start();
            let mut talk = Talk {
                prober: 0,
                hello: Hello { by: By::Script, ping: [true; 2], tcp: [true; 2] },
                inbox: &mut inbox,
                heard: &heard,
                last_heard: &mut monotonic_now(),
                stalls: pulse.stalls(),
                pulse,
            };
            let why = talk.go_on(&mut stream).await;
            assert!(why.is_some_and(|why| why.contains("more than a prober ever does")), "{why:?}");
            let mut count = 0;
            while said.try_recv().is_ok() {
                count += 1;
            }
            assert!(count <= MOST_LINES + 1, "{count}");
            flooding.abort();
        }
    }
}
