//! The conversation with one prober: opened, kept alive, opened again when it breaks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::Cluster;
use crate::cluster::call::wait;
use crate::cluster::exec::{LineStream, Out};
use crate::cluster::probers::PROGRAM_FOLDER;
use crate::cluster::pulse::Pulse;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::probe::{
    Answer, Ask, Family, HAND_OVER, Hello, Pace, ProbePlan, SCRIPT, SCRIPT_NAME, Tool,
};
use bootstorm_prober::Program;

/// Interval between liveness checks.
const ECHO_EVERY: Duration = Duration::from_secs(2);
/// A stream that is silent for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(15);
/// Lines on standard error that are kept.
const MOST_COMPLAINTS: usize = 10;
/// Time limit for a prober's hello, including the transfer of its program.
const HELLO_WITHIN: Duration = Duration::from_secs(30);

/// Where a prober is
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// How to make the pod again if it goes away; `None` for a pod of the user's.
    pub(crate) ours: Option<Ours>,
}

/// Specification of a prober pod
#[derive(Debug, Clone)]
pub(crate) struct Ours {
    pub(crate) prefix: String,
    pub(crate) run_id: String,
    pub(crate) number: usize,
    pub(crate) probe: ProbePlan,
}

/// Prober pods that were made again, name → UID
pub(crate) type MadeAnew = Arc<Mutex<BTreeMap<String, String>>>;

/// Event of a conversation with a prober
#[derive(Debug)]
pub(crate) enum Heard {
    /// The prober is up; all pending targets have to be sent (again).
    Opened { prober: usize, hello: Hello },
    /// It sent a line.
    Said { prober: usize, at: Instant, answer: Answer },
    /// The echo requested at that time came back.
    Echo { prober: usize, asked: Instant, at: Instant },
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
    /// A pod of the user's is probed with what it has; a file of ours has no place there.
    pub(crate) fn command(&self, pace: Pace) -> Vec<String> {
        let seconds = |millis: u64| format!("{:.3}", millis as f64 / 1000.0);
        let script = seconds(pace.script);
        let mut command: Vec<String> = ["sh", "-c"].map(str::to_owned).to_vec();
        if self.ours.is_some() {
            command.push(format!("{HAND_OVER}{SCRIPT}"));
            command.extend([SCRIPT_NAME, &script, &seconds(pace.program), PROGRAM_FOLDER].map(str::to_owned));
            command.push(bootstorm_prober::tag());
        } else {
            command.extend([SCRIPT, SCRIPT_NAME, &script].map(str::to_owned));
        }
        command
    }
}

/// Waits for a prober's first lines, and sends it the program on request.
///
/// Fails with why there are none.
pub(crate) async fn greet(stream: &mut LineStream) -> Result<Greeting, String> {
    let mut errors = Vec::new();
    let (mut lacks, mut warnings) = (Vec::new(), Vec::new());
    let greeting = async {
        loop {
            match stream.next().await {
                Out::Line(_, line) => match Answer::parse(&line) {
                    Some(Answer::Wanted(machine)) => {
                        let program = Program::of(&machine);
                        if program.is_none() {
                            warnings.push(format!("this build has no prober program for {machine}"));
                        }
                        if hand_over(stream, program).await.is_err() {
                            return None;
                        }
                    }
                    Some(Answer::Lacks(tool, family, why)) => lacks.push((tool, family, why)),
                    Some(Answer::Warning(text)) => warnings.push(text),
                    Some(Answer::Hello(hello)) => return Some(hello),
                    _ => {}
                },
                // The first ones tell what is wrong.
                Out::Error(line) if errors.len() < MOST_COMPLAINTS => errors.push(line),
                Out::Error(_) => {}
                Out::Ended => return None,
            }
        }
    };
    match tokio::time::timeout(HELLO_WITHIN, greeting).await {
        Ok(Some(hello)) => Ok(Greeting { hello, lacks, warnings }),
        Ok(None) if errors.is_empty() => Err("the probe ended before it began".to_owned()),
        Ok(None) => Err(errors.join("; ")),
        Err(_) => Err(format!("the probe did not begin within {}s", HELLO_WITHIN.as_secs())),
    }
}

/// Sends the program to a prober that requests it.
async fn hand_over(stream: &mut LineStream, program: Option<&Program>) -> std::io::Result<()> {
    let bytes = program.map(Program::bytes).unwrap_or_default();
    stream.send(&format!("{}\n", bytes.len())).await?;
    stream.send_bytes(&bytes).await
}

/// Talks to one prober until the task is aborted.
pub(crate) async fn converse(
    cluster: Cluster,
    prober: usize,
    place: Place,
    pace: Pace,
    mut inbox: mpsc::UnboundedReceiver<Ask>,
    heard: mpsc::UnboundedSender<Heard>,
    made: MadeAnew,
) {
    let command = place.command(pace);
    let mut failures = 0;
    let mut last_heard = monotonic_now();
    loop {
        let why = match cluster.exec(&place.namespace, &place.pod, &command).await {
            Err(trouble) => {
                if let Some(ours) = &place.ours {
                    let remade = cluster.remake_prober(&ours.prefix, &ours.run_id, ours.number, &ours.probe);
                    match remade.await {
                        Ok(pod) => {
                            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                            made.extend(pod.map(|pod| (pod.name, pod.uid)));
                        }
                        Err(trouble) => {
                            tracing::info!(prober, %trouble, "the prober pod cannot be made again");
                        }
                    }
                }
                trouble.to_string()
            }
            Ok(mut stream) => match greet(&mut stream).await {
                Err(why) => stream.why().await.unwrap_or(why),
                Ok(greeting) => {
                    failures = 0;
                    // What was asked meanwhile is asked again, with all that waits.
                    while inbox.try_recv().is_ok() {}
                    let _ = heard.send(Heard::Opened { prober, hello: greeting.hello });
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
                    talk.go_on(&mut stream).await;
                    stream.why().await.unwrap_or_else(|| "the stream broke".to_owned())
                }
            },
        };
        let _ = heard.send(Heard::Broken { prober, since: last_heard, why });
        failures += 1;
        tokio::time::sleep(wait(failures.min(5), None)).await;
    }
}

struct Talk<'a> {
    prober: usize,
    hello: Hello,
    inbox: &'a mut mpsc::UnboundedReceiver<Ask>,
    heard: &'a mpsc::UnboundedSender<Heard>,
    last_heard: &'a mut Instant,
    pulse: Pulse,
    /// Stalls that were heard of.
    stalls: u32,
}

impl Talk<'_> {
    /// Relays requests and answers until the stream breaks.
    async fn go_on(&mut self, stream: &mut LineStream) {
        *self.last_heard = monotonic_now();
        let mut tick = interval(ECHO_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut token, mut sent_at) = (0_u64, monotonic_now());
        let mut asks = Vec::new();
        loop {
            tokio::select! {
                biased;
                out = stream.next() => match out {
                    Out::Line(at, line) => {
                        if let Some(since) = self.pulse.stall(&mut self.stalls) {
                            // We were stopped, and this has been waiting for us.
                            let (prober, why) = (self.prober, "this program was stopped".to_owned());
                            let _ = self.heard.send(Heard::Broken { prober, since, why });
                            let _ = self.heard.send(Heard::Opened { prober, hello: self.hello });
                        }
                        *self.last_heard = at;
                        match Answer::parse(&line) {
                            Some(Answer::Echo(back)) if back == token => {
                                let (prober, asked) = (self.prober, sent_at);
                                let _ = self.heard.send(Heard::Echo { prober, asked, at });
                            }
                            Some(answer) => {
                                let _ = self.heard.send(Heard::Said { prober: self.prober, at, answer });
                            }
                            None => {}
                        }
                    }
                    Out::Error(line) => tracing::debug!(prober = self.prober, line, "a prober complains"),
                    Out::Ended => return,
                },
                count = self.inbox.recv_many(&mut asks, 1000) => {
                    let text: String = asks.drain(..).map(|ask| ask.to_string()).collect();
                    if count == 0 || stream.send(&text).await.is_err() {
                        return;
                    }
                }
                _ = tick.tick() => {
                    if elapsed_since(*self.last_heard) > DEAD_AFTER {
                        return;
                    }
                    token += 1;
                    sent_at = monotonic_now();
                    if stream.send(&Ask::Echo(token).to_string()).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}
