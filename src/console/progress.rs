//! Shows how a phase goes: one live line on a terminal, a line per tenth of the VMs elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Console;
use super::journal::{self, Counts};
use bootstorm_engine::phases::{Event, VmEvent};
use bootstorm_model::observation::{Stream, StreamKind};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::plan::Target;
use bootstorm_model::stats::Awaited;
use bootstorm_model::text::line as printable;

/// Failed VMs named one by one before the rest is only counted.
const NAMED_FAILURES: u32 = 10;
/// Off the terminal, this long at least between two lines of a phase.
const OFTEN: Duration = Duration::from_secs(1);
/// Off the terminal, this long after the last line it is said what VMs wait for.
const SILENCE: Duration = Duration::from_secs(10);

/// A consumer of events that draws
pub struct Progress {
    console: Console,
    state: Mutex<State>,
}

/// What has been heard about the phase at hand
struct State {
    bar: Option<ProgressBar>,
    title: String,
    noun: String,
    goal: Option<Milestone>,
    total: usize,
    sent: usize,
    accepted: usize,
    instances: usize,
    running: usize,
    reached: usize,
    failed: u32,
    /// VMs with an unknown outcome.
    unknown: u32,
    tenth: usize,
    /// What most VMs wait for.
    waiting: String,
    /// When that was said last, off the terminal.
    said: Instant,
    began: Instant,
}

impl Progress {
    /// A consumer that draws on this console.
    pub fn new(console: Console) -> Self {
        let state = State {
            bar: None,
            title: String::new(),
            noun: String::new(),
            goal: None,
            total: 0,
            sent: 0,
            accepted: 0,
            instances: 0,
            running: 0,
            reached: 0,
            failed: 0,
            unknown: 0,
            tenth: 0,
            waiting: String::new(),
            said: monotonic_now(),
            began: monotonic_now(),
        };
        Self { console, state: Mutex::new(state) }
    }

    /// Takes one event into account.
    pub fn hear(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::SetupBegan { namespaces, batch_size } => {
                state.begin(self.console, "setup", "namespaces", *namespaces, 0);
                let s = if *namespaces == 1 { "" } else { "s" };
                self.plain(
                    &state,
                    &format!("setup: making {namespaces} namespace{s}, {batch_size} at a time"),
                );
            }
            Event::ProbersBegan { probers } => {
                state.begin(self.console, "setup", "probers", *probers, 0);
                let pods = if *probers == 1 { "pod" } else { "pods" };
                self.plain(&state, &format!("setup: making and trying {probers} prober {pods}"));
            }
            Event::ProbersCan(what) => self.line(&state, &format!("setup: {what}")),
            Event::PhaseBegan { phase, targets, done, goal } => {
                let goal_word = if *goal == Milestone::Volume { "provisioned" } else { goal.word() };
                state.begin(self.console, &phase.to_string(), goal_word, *targets, *done);
                state.goal = Some(*goal);
                let resumed = if *done > 0 { format!(", {done} were decided before") } else { String::new() };
                let s = if *targets == 1 { "" } else { "s" };
                self.plain(&state, &format!("{phase}: {targets} VM{s} to be {goal_word}{resumed}"));
            }
            Event::Deleting { what, count } => {
                state.begin(self.console, "cleanup", what, *count, 0);
                let what = if *count == 1 { what.trim_end_matches('s') } else { what };
                self.plain(&state, &format!("cleanup: deleting {count} {what}"));
            }
            Event::Restoring { count } => {
                state.begin(self.console, "cleanup", "VMs as before", *count, 0);
                self.plain(&state, &format!("cleanup: giving {count} adopted VMs back as they were"));
            }
            // What is deleted beside the last kind has no bar of its own.
            Event::Gone(what) if state.noun != *what => {}
            Event::StillThere { what, count, since, first, look } => {
                let who = match (count, first) {
                    (1, Some(first)) => first.clone(),
                    (_, Some(first)) => format!("{count} {what}, among them {first},"),
                    (_, None) => format!("{count} {what}"),
                };
                let look = look.as_ref().map_or_else(String::new, |look| format!("; look at it: {look}"));
                self.line(&state, &format!("cleanup: waiting {}s for {who} to go{look}", since.as_secs()));
            }
            Event::NamespaceMade | Event::Gone(_) | Event::ProberWorks | Event::Restored => {
                state.reached += 1;
            }
            Event::Vm { target, what, .. } => self.vm(&mut state, target, what),
            Event::LeftOut { target, reason } => {
                self.line(&state, &format!("{target} is left out: {reason}"));
            }
            Event::Waiting { vms, of, waits_for, cause } => {
                state.waiting = waiting(*vms, *of, *waits_for, cause.as_deref());
                self.stuck(&mut state);
            }
            Event::Blind { stream, since, why, .. } => {
                let why = why.as_ref().map_or_else(String::new, |why| format!(": {}", printable(why)));
                self.line(&state, &format!("{} delivers nothing since {since}{why}", named(*stream)));
            }
            Event::Seeing { stream, gap, .. } => {
                let stream = named(*stream);
                self.line(&state, &format!("{stream} was interrupted for {gap}; what it missed is marked"));
            }
            Event::Warning(text) => self.line(&state, text),
            Event::Interrupted => {
                self.line(&state, "interrupted: waiting for answers on the way, again to leave at once");
            }
            Event::PhaseEnded(_) => state.end(),
        }
        let State { reached, failed, unknown, total, .. } = *state;
        journal::note(event, Counts { reached, failed, unknown, total });
        state.draw();
        self.tenths(&mut state);
    }

    fn vm(&self, state: &mut State, target: &Target, what: &VmEvent) {
        match what {
            VmEvent::Sent => state.sent += 1,
            VmEvent::Accepted => state.accepted += 1,
            VmEvent::Passed(Milestone::Instance) => state.instances += 1,
            VmEvent::Passed(Milestone::Running) => state.running += 1,
            VmEvent::Passed(_) => {}
            VmEvent::Ended { outcome: Outcome::Reached, .. } => state.reached += 1,
            VmEvent::Reopened(Outcome::Reached) => state.reached = state.reached.saturating_sub(1),
            VmEvent::Reopened(Outcome::Unknown) => state.unknown = state.unknown.saturating_sub(1),
            VmEvent::Reopened(_) => state.failed = state.failed.saturating_sub(1),
            VmEvent::Ended { outcome, reason } => {
                match outcome {
                    Outcome::Unknown => state.unknown += 1,
                    _ => state.failed += 1,
                }
                // Who waits is told anew in a moment.
                state.waiting.clear();
                if state.failed + state.unknown <= NAMED_FAILURES {
                    let reason = reason.as_deref().unwrap_or("no reason known");
                    self.line(state, &format!("{target}: {reason}"));
                }
            }
        }
    }

    /// Ends whatever is being drawn.
    pub fn finish(&self) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).end();
    }

    /// A line that stays, above the live one.
    fn line(&self, state: &State, text: &str) {
        match &state.bar {
            Some(bar) => bar.suspend(|| self.console.progress(text)),
            None => self.console.progress(text),
        }
    }

    /// A line only where nothing is live.
    fn plain(&self, state: &State, text: &str) {
        if state.bar.is_none() {
            self.console.progress(text);
        }
    }

    /// Off the terminal: a line whenever another tenth is through.
    fn tenths(&self, state: &mut State) {
        if state.bar.is_some() || state.total == 0 {
            return;
        }
        let tenth = state.through() * 10 / state.total;
        // The last line is always due; others not more often than once a second.
        let is_due = state.through() >= state.total || state.said.elapsed() >= OFTEN;
        if tenth > state.tenth && is_due {
            state.tenth = tenth;
            self.standing(state);
        }
    }

    /// Off the terminal: what VMs wait for, when nothing else was said for a while.
    fn stuck(&self, state: &mut State) {
        if state.bar.is_none() && state.total > 0 && state.said.elapsed() > SILENCE {
            self.standing(state);
        }
    }

    /// Where the phase stands, in a line.
    fn standing(&self, state: &mut State) {
        state.said = monotonic_now();
        let mut others = String::new();
        for (count, word) in [(state.failed, "failed"), (state.unknown, "unknown")] {
            if count > 0 {
                others.push_str(&format!(", {count} {word}"));
            }
        }
        let seconds = state.began.elapsed().as_secs_f64();
        let is_through = state.through() >= state.total;
        let waiting = if state.waiting.is_empty() || is_through {
            String::new()
        } else {
            format!("; {}", state.waiting)
        };
        self.console.progress(&format!(
            "{}: {}/{} {}{others}, {seconds:.1}s{waiting}",
            state.title, state.reached, state.total, state.noun
        ));
    }
}

/// `the watch on instances`, `the stream of prober 2`
fn named(stream: Stream) -> String {
    match stream.kind {
        StreamKind::Prober => format!("the stream of prober {}", stream.number + 1),
        kind => kind.words().to_owned(),
    }
}

/// `37 wait for a node: Insufficient memory`
fn waiting(vms: usize, of: usize, waits_for: Awaited, cause: Option<&str>) -> String {
    let who = if vms == of { vms.to_string() } else { format!("{vms} of {of}") };
    let wait = if vms == 1 && of == 1 { "waits" } else { "wait" };
    // That a scheduler failed is what waiting for a node means.
    let cause = cause.map(|cause| cause.trim_start_matches("FailedScheduling: "));
    let cause = cause.map_or_else(String::new, |cause| format!(": {}", printable(cause)));
    format!("{who} {wait} for {}{cause}", waits_for.words())
}

impl State {
    fn begin(&mut self, console: Console, title: &str, noun: &str, total: usize, done: usize) {
        self.end();
        title.clone_into(&mut self.title);
        noun.clone_into(&mut self.noun);
        (self.total, self.reached) = (total, done);
        (self.sent, self.accepted, self.instances, self.running) = (0, 0, 0, 0);
        (self.failed, self.unknown, self.tenth) = (0, 0, 0);
        self.waiting.clear();
        self.said = monotonic_now();
        self.goal = None;
        self.began = monotonic_now();
        if console.is_interactive() {
            let bar =
                ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr_with_hz(10));
            let template = "{prefix:.bold} {bar:10.cyan/dim} {elapsed:.dim} {wide_msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            self.bar = Some(bar);
        }
    }

    fn draw(&self) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(self.through() as u64);
        let mut message = format!("{}/{} {}", self.reached, self.total, self.noun);
        if let Some(goal) = self.goal {
            // What matters most comes first: a narrow terminal cuts the end off.
            if self.failed > 0 || self.waiting.is_empty() {
                message.push_str(&format!(" · failed {}", self.failed));
            }
            if self.unknown > 0 {
                message.push_str(&format!(" · unknown {}", self.unknown));
            }
            if !self.waiting.is_empty() {
                message.push_str(&format!(" · {}", self.waiting));
            }
            if goal == Milestone::Reachable {
                message.push_str(&format!(" · running {}", self.running));
            }
            if goal != Milestone::Gone {
                message.push_str(&format!(" · VMIs {}", self.instances));
            }
            message.push_str(&format!(" · sent {}", self.sent));
        }
        bar.set_message(message);
    }

    /// VMs whose part is over.
    fn through(&self) -> usize {
        self.reached + self.failed as usize + self.unknown as usize
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_what_is_one_harmless_line() {
        let node = waiting(37, 37, Awaited::Node, Some("FailedScheduling: Insufficient memory"));
        assert_eq!(node, "37 wait for a node: Insufficient memory");
        assert_eq!(waiting(1, 1, Awaited::Guest, None), "1 waits for the guest to be started");
        let image = waiting(3, 9, Awaited::Image, Some("ImagePullBackOff: a\u{1b}[2J\nb"));
        assert_eq!(image, "3 of 9 wait for an image: ImagePullBackOff: a\\u{1b}[2J\\nb");
    }
}
