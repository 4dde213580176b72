//! Progress of a phase: a few live lines on a terminal, a line per tenth of the VMs elsewhere.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Console;
use super::journal::{self, Counts};
use super::member::Member;
use bootstorm_engine::phases::{Event, VmEvent};
use bootstorm_model::component::Component;
use bootstorm_model::observation::{Stream, StreamKind};
use bootstorm_model::observe::clock::monotonic_now;
use bootstorm_model::observe::{Milestone, Outcome};
use bootstorm_model::plan::Target;
use bootstorm_model::stats::reason;
use bootstorm_model::text::line as printable;

/// Number of failed VMs named individually before the rest is only counted.
const NAMED_FAILURES: u32 = 10;
/// Number of seconds of arrivals in the live view.
const SECONDS: usize = 40;
/// Number of seconds from which the pace is computed.
const PACE: usize = 10;
/// Minimum interval between redraws for steps of VMs.
const REDRAWN: Duration = Duration::from_millis(100);
/// Without a terminal, minimum interval between two lines of a phase.
const OFTEN: Duration = Duration::from_secs(1);
/// Without a terminal, time since the last line after which the most common wait is reported.
const SILENCE: Duration = Duration::from_secs(10);

/// A consumer of events that draws
pub struct Progress {
    console: Console,
    /// Receives permanent lines.
    print: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
}

/// Most common wait of the VMs at the time of the check
struct Waiting {
    /// Number of VMs that were waiting then.
    of: usize,
    text: String,
}

/// State of the current phase, from its events
struct State {
    bar: Option<ProgressBar>,
    /// Place of the phase in a sequence, for example `phase 2 of 3`.
    place: Option<String>,
    /// The member of a fleet whose live line is used instead.
    member: Option<&'static Member>,
    title: String,
    noun: String,
    goal: Option<Milestone>,
    total: usize,
    /// VMs that had ended before this process took over.
    done: usize,
    sent: usize,
    running: usize,
    reached: usize,
    failed: u32,
    /// VMs with an unknown outcome.
    unknown: u32,
    tenth: usize,
    /// Most common wait.
    waiting: Option<Waiting>,
    /// Streams that do not deliver, and since when.
    blind: Vec<(Stream, Instant)>,
    /// Last failed VM, and the reason.
    last_failure: String,
    /// VMs that ended in each of the last seconds, the current one last.
    arrivals: VecDeque<u32>,
    /// The current second since the beginning.
    second: u64,
    /// Time of the last report, without a terminal.
    said: Instant,
    /// Time of the last redraw of the live view.
    drawn: Option<Instant>,
    began: Instant,
}

impl Progress {
    /// A consumer that draws on this console.
    pub fn new(console: Console) -> Self {
        let state = State {
            bar: None,
            place: None,
            member: None,
            title: String::new(),
            noun: String::new(),
            goal: None,
            total: 0,
            done: 0,
            sent: 0,
            running: 0,
            reached: 0,
            failed: 0,
            unknown: 0,
            tenth: 0,
            waiting: None,
            blind: Vec::new(),
            last_failure: String::new(),
            arrivals: VecDeque::new(),
            second: 0,
            said: monotonic_now(),
            drawn: None,
            began: monotonic_now(),
        };
        let print = Box::new(move |text: &str| console.progress(text));
        Self { console, print, state: Mutex::new(state) }
    }

    /// The next phase has this place in a sequence.
    pub fn at(&self, place: Option<&str>) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.place = place.map(str::to_owned);
    }

    /// Handles one event.
    pub fn hear(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::SetupBegan { namespaces, made, batch_size } => {
                state.begin(self.console, "setup", "namespaces", *namespaces, 0);
                let s = if *namespaces == 1 { "" } else { "s" };
                let text = match namespaces - made {
                    0 => format!("setup: checking {namespaces} namespace{s} created before"),
                    new if *made > 0 => {
                        format!(
                            "setup: creating {new} more namespaces of {namespaces}, {batch_size} at a time"
                        )
                    }
                    _ => format!("setup: creating {namespaces} namespace{s}, {batch_size} at a time"),
                };
                self.plain(&state, &text);
            }
            Event::ProbersBegan { probers } => {
                state.begin(self.console, "setup", "probers", *probers, 0);
                let pods = if *probers == 1 { "pod" } else { "pods" };
                self.plain(&state, &format!("setup: creating and testing {probers} prober {pods}"));
            }
            Event::ProbersCan(what) => self.line(&state, &format!("setup: {what}")),
            Event::PhaseBegan { phase, targets, done, goal } => {
                let goal_word = goal.state();
                let place = state.place.as_ref().map_or_else(String::new, |place| format!(" · {place}"));
                state.begin(self.console, &format!("{phase}{place}"), goal_word, *targets, *done);
                // Later lines name the phase without its place.
                state.title = phase.to_string();
                state.goal = Some(*goal);
                let resumed = if *done > 0 { format!(", {done} had finished before") } else { String::new() };
                let s = if *targets == 1 { "" } else { "s" };
                self.plain(&state, &format!("{phase}{place}: {targets} VM{s} to be {goal_word}{resumed}"));
            }
            Event::Deleting { what, count } => {
                state.begin(self.console, "cleanup", what, *count, 0);
                let what = if *count == 1 { what.trim_end_matches('s') } else { what };
                self.plain(&state, &format!("cleanup: deleting {count} {what}"));
            }
            Event::Restoring { count } => {
                state.begin(self.console, "cleanup", "VMs restored", *count, 0);
                self.plain(
                    &state,
                    &format!("cleanup: restoring {count} adopted VM{}", if *count == 1 { "" } else { "s" }),
                );
            }
            // Objects deleted beside the last kind have no bar of their own.
            Event::Gone(what) if state.noun != *what => {}
            Event::StillThere { .. } => self.still_there(&state, event),
            Event::NamespaceMade | Event::Gone(_) | Event::ProberWorks | Event::Restored => {
                state.reached += 1;
            }
            Event::Vm { target, what, .. } => self.vm(&mut state, target, what),
            Event::LeftOut { target, reason } => {
                self.line(&state, &format!("{target} is left out: {reason}"));
            }
            Event::Waiting { vms, of, waits_for, cause } => {
                let text = waiting(*vms, *of, *waits_for, cause.as_deref());
                state.waiting = Some(Waiting { of: *of, text });
                self.stuck(&mut state);
            }
            Event::Blind { .. } | Event::Seeing { .. } => self.sight(&mut state, event),
            Event::Warning(text) => self.line(&state, text),
            Event::Interrupted => {
                self.line(
                    &state,
                    "interrupted: finishing requests in flight; press Ctrl-C again to quit now",
                );
            }
            // Nothing new to show, but perhaps something that was skipped.
            Event::Requests { .. } => state.drawn = None,
            Event::PhaseEnded(_) => state.end(),
        }
        let State { reached, failed, unknown, total, .. } = *state;
        journal::note(event, Counts { reached, failed, unknown, total });
        if state.goal.is_some() {
            state.advance();
        }
        // Everything but the steps of VMs is shown at once.
        let is_step = matches!(event, Event::Vm { .. }) && state.through() < state.total;
        if state.is_live() && !(is_step && state.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAWN)) {
            state.drawn = Some(monotonic_now());
            state.draw();
        }
        self.tenths(&mut state);
    }

    /// A stream stopped delivering, or delivers again.
    ///
    /// Streams with the same name mostly fail together: one line is for all of them.
    fn sight(&self, state: &mut State, event: &Event) {
        let is_first = |state: &State, stream: Stream| {
            state.blind.iter().all(|(known, _)| named(*known) != named(stream))
        };
        match event {
            Event::Blind { at, stream, since, why } => {
                let blind_for = Duration::from_secs_f64(at.since(*since).seconds().max(0.0));
                let began = monotonic_now().checked_sub(blind_for).unwrap_or_else(monotonic_now);
                state.blind.retain(|(known, _)| known != stream);
                if is_first(state, *stream) {
                    let why = why.as_ref().map_or_else(String::new, |why| format!(": {}", printable(why)));
                    let blind = blind_for.as_secs_f64();
                    self.line(
                        state,
                        &format!("{} has been interrupted for {blind:.1}s{why}", named(*stream)),
                    );
                }
                state.blind.push((*stream, began));
            }
            Event::Seeing { stream, gap, .. } => {
                state.blind.retain(|(known, _)| known != stream);
                if is_first(state, *stream) {
                    let stream = named(*stream);
                    self.line(
                        state,
                        &format!("{stream} was interrupted for {gap}; missed changes are marked"),
                    );
                }
            }
            _ => {}
        }
    }

    /// What cleanup waits for, and how to inspect it.
    fn still_there(&self, state: &State, event: &Event) {
        let Event::StillThere { what, count, since, first, why, look } = event else { return };
        let who = match (count, first) {
            (1, Some(first)) => first.clone(),
            (_, Some(first)) => format!("{count} {what}, among them {first},"),
            (_, None) => format!("{count} {what}"),
        };
        let why = why.as_ref().map_or_else(String::new, |why| format!(": {}", printable(why)));
        let look = look.as_ref().map_or_else(String::new, |look| format!("; inspect it: {look}"));
        self.line(state, &format!("cleanup: waiting {}s for {who} to go{why}{look}", since.as_secs()));
    }

    fn vm(&self, state: &mut State, target: &Target, what: &VmEvent) {
        match what {
            VmEvent::Sent => state.count_sent(),
            VmEvent::Passed(Milestone::Running) => state.running += 1,
            VmEvent::Accepted | VmEvent::Passed(_) | VmEvent::Quiet { .. } | VmEvent::Back(_) => {}
            VmEvent::Ended { outcome: Outcome::Reached, .. } => {
                state.reached += 1;
                state.arrived();
            }
            VmEvent::Reopened(Outcome::Reached) => state.reached = state.reached.saturating_sub(1),
            VmEvent::Reopened(Outcome::Unknown) => state.unknown = state.unknown.saturating_sub(1),
            VmEvent::Reopened(_) => state.failed = state.failed.saturating_sub(1),
            VmEvent::Ended { outcome, reason } => {
                match outcome {
                    Outcome::Unknown => state.unknown += 1,
                    _ => state.failed += 1,
                }
                state.arrived();
                let told = reason::shown(reason.as_deref().unwrap_or("no reason known"));
                state.last_failure = format!("{target}: {}", printable(&told));
                if state.failed + state.unknown <= NAMED_FAILURES {
                    self.line(state, &format!("{target}: {told}"));
                }
            }
        }
    }

    /// Ends all drawing.
    pub fn finish(&self) {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).end();
    }

    /// A permanent line, above the live one.
    fn line(&self, state: &State, text: &str) {
        match &state.bar {
            Some(bar) => bar.suspend(|| (self.print)(text)),
            None => (self.print)(text),
        }
    }

    /// A line only if there is no live one.
    fn plain(&self, state: &State, text: &str) {
        if !state.is_live() {
            (self.print)(text);
        }
    }

    /// Without a terminal: a line for every further tenth of the VMs.
    fn tenths(&self, state: &mut State) {
        if state.is_live() || state.total == 0 {
            return;
        }
        let tenth = state.through() * 10 / state.total;
        // The last line is always due; others at most once per second.
        let is_due = state.through() >= state.total || state.said.elapsed() >= OFTEN;
        if tenth > state.tenth && is_due {
            state.tenth = tenth;
            self.standing(state);
        }
    }

    /// Without a terminal: the most common wait, if nothing was printed for a while.
    fn stuck(&self, state: &mut State) {
        if !state.is_live() && state.total > 0 && state.said.elapsed() > SILENCE {
            self.standing(state);
        }
    }

    /// State of the phase, in one line.
    fn standing(&self, state: &mut State) {
        state.said = monotonic_now();
        let mut others = String::new();
        for (count, word) in [(state.failed, "failed"), (state.unknown, "unknown")] {
            if count > 0 {
                others.push_str(&format!(", {count} {word}"));
            }
        }
        let seconds = state.began.elapsed().as_secs_f64();
        let waiting = state.wait().map_or_else(String::new, |text| format!("; {text}"));
        (self.print)(&format!(
            "{}: {}/{} {}{others}, {seconds:.1}s{waiting}",
            state.title, state.reached, state.total, state.noun
        ));
    }
}

/// The bar of a phase, with room for the lines below it.
fn bar(title: &str, total: usize, target: ProgressDrawTarget) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    let template = "{prefix:.bold} {wide_bar:.cyan/dim} {pos}/{len} {elapsed:.dim}\n{msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar.set_prefix(title.to_owned());
    bar
}

/// Counts as blocks of eight heights, the highest count the full one.
fn sparkline(counts: &VecDeque<u32>) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let block = |count: u32| match count {
        0 => ' ',
        count => BLOCKS[((count * 8).div_ceil(most) as usize - 1).min(7)],
    };
    counts.iter().map(|count| block(*count)).collect()
}

/// A line cut to the width of the terminal.
fn fitted(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns - 1).chain(['…']).collect()
}

/// `the watch on instances`, `the stream of prober 2`
fn named(stream: Stream) -> String {
    match stream.kind {
        StreamKind::Prober => format!("the stream of prober {}", stream.number + 1),
        kind => kind.words().to_owned(),
    }
}

/// `37 wait for a node: Insufficient memory`
fn waiting(vms: usize, of: usize, waits_for: Component, cause: Option<&str>) -> String {
    let who = if vms == of { vms.to_string() } else { format!("{vms} of {of}") };
    let wait = if vms == 1 { "waits" } else { "wait" };
    // A scheduling failure is implied by waiting for a node.
    let cause = cause.map(|cause| cause.trim_start_matches("FailedScheduling: "));
    let cause = cause.map_or_else(String::new, |cause| format!(": {}", printable(&reason::shown(cause))));
    format!("{who} {wait} for {}{cause}", waits_for.awaited())
}

impl State {
    fn begin(&mut self, console: Console, title: &str, noun: &str, total: usize, done: usize) {
        self.end();
        title.clone_into(&mut self.title);
        noun.clone_into(&mut self.noun);
        (self.total, self.done, self.reached) = (total, done, done);
        (self.sent, self.running) = (0, 0);
        (self.failed, self.unknown, self.tenth) = (0, 0, 0);
        self.waiting = None;
        self.blind.clear();
        self.last_failure.clear();
        self.arrivals.clear();
        self.second = 0;
        self.said = monotonic_now();
        self.drawn = None;
        self.goal = None;
        self.began = monotonic_now();
        self.member = console.member().filter(|_| console.is_interactive());
        if console.is_interactive() && self.member.is_none() {
            let bar = bar(title, total, ProgressDrawTarget::stderr_with_hz(10));
            bar.enable_steady_tick(Duration::from_millis(200));
            self.bar = Some(bar);
        }
    }

    /// Counts a request. The first one of a phase begins its time, as in the report: a fleet waits for its common start.
    fn count_sent(&mut self) {
        if self.sent == 0 && self.through() == self.done {
            self.began = monotonic_now();
            self.second = 0;
            self.arrivals.clear();
            if let Some(bar) = &self.bar {
                bar.reset_elapsed();
            }
        }
        self.sent += 1;
    }

    fn draw(&self) {
        self.draw_in(terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)));
    }

    /// Draws the live view for this many columns.
    fn draw_in(&self, columns: usize) {
        if let Some(member) = self.member {
            let counts = self.counts().join(" · ");
            member.show(
                self.through(),
                self.total,
                &format!("{} {}/{} {counts}", self.title, self.through(), self.total),
            );
        }
        let Some(bar) = &self.bar else { return };
        bar.set_position(self.through() as u64);
        bar.set_message(self.lines(columns).join("\n"));
    }

    /// Whether there is a live line, so that no others are needed.
    fn is_live(&self) -> bool {
        self.bar.is_some() || self.member.is_some()
    }

    /// Counts and pace.
    fn counts(&self) -> Vec<String> {
        let mut counts = vec![format!("{} {}", self.reached, self.noun)];
        if let Some(goal) = self.goal {
            if goal == Milestone::Reachable {
                counts.push(format!("{} running", self.running));
            }
            counts.push(format!("{} failed", self.failed));
            if self.unknown > 0 {
                counts.push(format!("{} unknown", self.unknown));
            }
            // Once all requests are sent, their number is no longer shown.
            if self.sent < self.total.saturating_sub(self.done) {
                counts.push(format!("{} sent", self.sent));
            }
        }
        counts.extend(self.pace());
        counts
    }

    /// Lines below the bar: counts and pace, arrivals, most common wait, last failure.
    fn lines(&self, columns: usize) -> Vec<String> {
        let mut lines = vec![self.counts().join(" · ")];
        if self.arrivals.iter().any(|count| *count > 0) {
            lines.push(format!("per second {}", sparkline(&self.arrivals)));
        }
        lines.extend(self.wait());
        if !self.last_failure.is_empty() {
            lines.push(format!("last failure: {}", self.last_failure));
        }
        let room = columns.saturating_sub(3).max(20);
        lines.iter().map(|line| format!("  {}", fitted(line, room))).collect()
    }

    /// Recent VMs per second, and the remaining time at that pace; `None` if not meaningful.
    fn pace(&self) -> Option<String> {
        let whole = self.arrivals.len().checked_sub(1).filter(|seconds| *seconds >= 3)?;
        let recent: Vec<u32> = self.arrivals.iter().copied().take(whole).rev().take(PACE).collect();
        let through: u32 = recent.iter().sum();
        let left = self.total.saturating_sub(self.through());
        if through < 5 || left == 0 {
            return None;
        }
        let rate = f64::from(through) / recent.len() as f64;
        Some(format!("{rate:.1}/s · about {:.0} s left", (left as f64 / rate).ceil()))
    }

    /// Most common wait, unless so many VMs have arrived since that it is outdated; while a stream does not deliver,
    /// how old that is.
    fn wait(&self) -> Option<String> {
        let left = self.total.saturating_sub(self.through());
        let waiting = self.waiting.as_ref().filter(|waiting| waiting.of <= left);
        let waiting = waiting.map(|waiting| waiting.text.as_str());
        let Some((stream, since)) = self.blind.iter().min_by_key(|(_, since)| *since) else {
            return waiting.map(str::to_owned);
        };
        let seconds = since.elapsed().as_secs();
        let interrupted = format!("{} is interrupted", named(*stream));
        Some(match waiting {
            Some(waiting) => format!("as of {seconds}s ago ({interrupted}): {waiting}"),
            None => format!("{interrupted}: nothing is known of the last {seconds}s"),
        })
    }

    /// Counts one more ended VM in this second.
    fn arrived(&mut self) {
        self.advance();
        if let Some(now) = self.arrivals.back_mut() {
            *now += 1;
        }
    }

    /// Advances to the current second.
    fn advance(&mut self) {
        let second = self.began.elapsed().as_secs();
        let new = if self.arrivals.is_empty() { second + 1 } else { second - self.second };
        for _ in 0..new.min(SECONDS as u64) {
            self.arrivals.push_back(0);
        }
        self.second = second;
        let old = self.arrivals.len().saturating_sub(SECONDS);
        self.arrivals.drain(..old);
    }

    /// VMs whose part has ended.
    fn through(&self) -> usize {
        self.reached + self.failed as usize + self.unknown as usize
    }

    fn end(&mut self) {
        if self.total > 0
            && let Some(member) = self.member.take()
        {
            let all = format!("{} {}/{} {}", self.title, self.through(), self.total, self.noun);
            member.show(self.through(), self.total, &all);
        }
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bootstorm_model::observe::Offset;
    use bootstorm_model::record::{PhaseKind, PhaseName};
    use indicatif::TermLike;

    use super::*;

    fn state(total: usize) -> State {
        let progress = Progress::new(Console::new(super::super::ColorChoice::Never, true));
        let mut state = progress.state.into_inner().unwrap();
        (state.total, state.goal, state.noun) = (total, Some(Milestone::Reachable), "reachable".into());
        state
    }

    #[test]
    fn the_live_view_has_six_lines_at_most_and_fits() {
        let mut state = state(200);
        (state.reached, state.running, state.failed, state.unknown, state.sent) = (150, 170, 2, 1, 199);
        state.arrivals = [0, 10, 40, 60, 35, 8].into();
        state.waiting =
            Some(Waiting { of: 47, text: waiting(47, 47, Component::Domain, Some(&"x".repeat(300))) });
        state.last_failure = format!("ns/vm: {}", "y".repeat(300));
        for columns in [40, 80, 140] {
            let lines = state.lines(columns);
            assert!(lines.len() <= 5, "with the bar: {lines:?}");
            assert!(lines.iter().all(|line| line.chars().count() < columns), "{lines:?}");
        }
        let lines = state.lines(100);
        assert!(
            lines[0].contains("150 reachable · 170 running · 2 failed · 1 unknown · 199 sent"),
            "{lines:?}"
        );
        assert!(lines[0].contains("29.0/s · about 2 s left"), "{lines:?}");
        assert_eq!(lines[1], "  per second  ▂▆█▅▂");
    }

    /// A terminal that keeps what is drawn on it
    #[derive(Debug, Clone)]
    struct Screen {
        columns: u16,
        rows: u16,
        text: Arc<Mutex<String>>,
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.columns
        }
        fn height(&self) -> u16 {
            self.rows
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.text.lock().unwrap().push_str(text);
            Ok(())
        }
        // Every redraw begins with the previous lines.
        fn clear_line(&self) -> std::io::Result<()> {
            self.text.lock().unwrap().clear();
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Content of a terminal of this size for a phase, without colours, and with its right margin.
    fn shown(mut state: State, title: &str, (columns, rows): (u16, u16)) -> String {
        let screen = Screen { columns, rows, text: Arc::default() };
        let bar = bar(title, state.total, ProgressDrawTarget::term_like(Box::new(screen.clone())));
        let bar = bar.with_elapsed(Duration::from_secs(42));
        state.bar = Some(bar);
        state.draw_in(columns.into());
        state.bar.as_ref().unwrap().tick();
        let text = anstream::adapter::strip_str(&screen.text.lock().unwrap()).to_string();
        // Lines are filled with blanks instead of being terminated.
        let cells: Vec<char> = text.chars().filter(|cell| *cell != '\n').collect();
        let lines = cells.chunks(columns.into()).map(|line| line.iter().collect::<String>());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        assert!(lines.len() <= 6, "{text}");
        let widest = lines.iter().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.into(), "{widest} columns: {text}");
        std::mem::forget(state.bar.take());
        format!("{columns} x {rows}\n{}", lines.join("\n"))
    }

    #[test]
    fn the_live_view_at_three_sizes() {
        let storm = || {
            let mut state = state(200);
            (state.reached, state.running, state.failed, state.unknown, state.sent) = (120, 170, 2, 1, 200);
            state.arrivals = [0, 0, 3, 10, 25, 40, 28, 9, 5, 3].into();
            let text = waiting(60, 77, Component::Network, Some("the guest does not answer on 10.244.3.17"));
            state.waiting = Some(Waiting { of: 77, text });
            state.last_failure = "boot-storm-test-57/boot-storm-vm: not running after 600s: FailedMount: \
                                  MountVolume.SetUp failed for volume \"disk-1\": rpc error: timed out"
                .into();
            state
        };
        let stop = || {
            let mut state = state(20);
            (state.goal, state.noun) = (Some(Milestone::Gone), "gone".into());
            (state.reached, state.sent) = (3, 11);
            state
        };
        let sizes = [(80, 24), (100, 30), (140, 40)];
        let all = sizes.map(|size| shown(storm(), "storm-1 · phase 3 of 3", size));
        insta::assert_snapshot!("live_storm", all.join("\n\n"));
        let all = sizes.map(|size| shown(stop(), "stop-2 · storm 2 of 5", size));
        insta::assert_snapshot!("live_stop", all.join("\n\n"));
    }

    #[test]
    fn a_pipe_gets_a_line_per_tenth() {
        let printed: Arc<Mutex<Vec<String>>> = Arc::default();
        let keep = Arc::clone(&printed);
        let mut progress = Progress::new(Console::new(super::super::ColorChoice::Never, true));
        progress.print = Box::new(move |text| keep.lock().unwrap().push(text.to_owned()));
        progress.at(Some("phase 3 of 3"));
        let phase = PhaseName { kind: PhaseKind::Storm, number: 1 };
        progress.hear(&Event::PhaseBegan { phase, targets: 40, done: 0, goal: Milestone::Reachable });
        for vm in 1..=40 {
            // Two VMs arrive in each second.
            progress.state.lock().unwrap().said -= Duration::from_millis(500);
            let target = Target { namespace: format!("boot-storm-test-{vm}"), name: "boot-storm-vm".into() };
            let (outcome, reason) = if vm % 15 == 0 {
                (Outcome::TimedOut, Some("not running after 60s: Insufficient memory".into()))
            } else {
                (Outcome::Reached, None)
            };
            if vm == 10 {
                let cause = Some("Insufficient memory".into());
                progress.hear(&Event::Waiting { vms: 20, of: 25, waits_for: Component::Scheduling, cause });
            }
            let what = VmEvent::Ended { outcome, reason };
            progress.hear(&Event::Vm { at: Offset::ZERO, target, what });
        }
        let text = printed.lock().unwrap().join("\n");
        insta::with_settings!({filters => vec![(r"\d+\.\ds", "[time]")]}, {
            insta::assert_snapshot!("piped", text);
        });
    }

    #[test]
    fn what_is_waited_for_never_contradicts_the_counts() {
        let mut state = state(5);
        state.waiting = Some(Waiting { of: 4, text: "4 of 4 wait".into() });
        (state.reached, state.failed) = (1, 0);
        assert_eq!(state.wait().as_deref(), Some("4 of 4 wait"));
        state.reached = 2;
        assert_eq!(state.wait(), None, "two have arrived, and four cannot wait");
    }

    #[test]
    fn what_was_seen_before_an_interruption_says_how_old_it_is() {
        let progress = Progress::new(Console::new(super::super::ColorChoice::Never, true));
        let wait = || progress.state.lock().unwrap().wait();
        let second = Offset::from_seconds;
        let stream = Stream { kind: StreamKind::Instances, number: 0 };
        progress.state.lock().unwrap().total = 5;
        progress.hear(&Event::Blind { at: second(40.0), stream, since: second(10.0), why: None });
        let unknown = "the watch on instances is interrupted: nothing is known of the last 30s";
        assert_eq!(wait().as_deref(), Some(unknown));
        progress.hear(&Event::Waiting { vms: 4, of: 4, waits_for: Component::Scheduling, cause: None });
        let old = "as of 30s ago (the watch on instances is interrupted): 4 wait for a node";
        assert_eq!(wait().as_deref(), Some(old));
        progress.hear(&Event::Seeing { at: second(41.0), stream, gap: second(31.0) });
        assert_eq!(wait().as_deref(), Some("4 wait for a node"));
    }

    #[test]
    fn who_waits_for_what_is_one_harmless_line() {
        let node = waiting(37, 37, Component::Scheduling, Some("FailedScheduling: Insufficient memory"));
        assert_eq!(node, "37 wait for a node: Insufficient memory");
        assert_eq!(waiting(1, 1, Component::Domain, None), "1 waits for the guest to be started");
        let image = waiting(3, 9, Component::Images, Some("ImagePullBackOff: a:<n>\u{1b}[2J\nb"));
        assert_eq!(image, "3 of 9 wait for an image: ImagePullBackOff: a:…\\u{1b}[2J\\nb");
    }
}
