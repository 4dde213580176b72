//! Progress of an observation: VMs that are down, on a terminal, and a line per change.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::console::Console;
use bootstorm_engine::phases::observing::Seen;
use bootstorm_model::outage::{Cause, Rest};
use bootstorm_model::plan::Target;
use bootstorm_model::text::line as printable;

/// Changes within this time are reported in one line.
const TOGETHER: Duration = Duration::from_secs(1);
/// Number of VMs named in one line.
const NAMED: usize = 3;

#[derive(Default)]
struct State {
    /// VMs that went down since the last line, each with the cause and its node.
    down: Vec<(Target, Cause, Option<String>)>,
    /// VMs that came back since then, each with the time it took.
    back: Vec<(Target, Option<f64>)>,
    /// VMs that are down on purpose since then, each with the reason.
    rest: Vec<(Target, Rest)>,
    /// VMs that are down now.
    count: usize,
    watched: usize,
    /// Ended outages.
    over: usize,
}

/// A consumer of observed changes
pub(super) struct Telling {
    console: Console,
    state: Arc<Mutex<State>>,
    bar: Option<ProgressBar>,
    task: tokio::task::JoinHandle<()>,
}

impl Telling {
    /// Begins to report changes, once per second.
    pub(super) fn begin(console: Console) -> Self {
        let bar = console.is_interactive().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let state = Arc::<Mutex<State>>::default();
        let (shared, drawn) = (Arc::clone(&state), bar.clone());
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TOGETHER).await;
                flush(console, &shared, drawn.as_ref());
            }
        });
        Self { console, state, bar, task }
    }

    /// Handles one event.
    pub(super) fn hear(&self, seen: &Seen) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Seen::Began { vms, up, unwatched } => {
                state.watched = *vms;
                let gap = unwatched.map_or_else(String::new, |gap| {
                    format!("; nothing was watched for the last {:.0}s", gap.as_secs_f64())
                });
                drop(state);
                self.say(&format!("{up} of {vms} VMs are up{gap}"));
            }
            Seen::Down { target, cause, node, down, .. } => {
                state.count = *down;
                state.down.push((target.clone(), *cause, node.clone()));
            }
            Seen::Back { target, took, down } => {
                state.count = *down;
                state.over += 1;
                state.back.push((target.clone(), *took));
            }
            Seen::Rests { target, why, down } => {
                state.count = *down;
                state.rest.push((target.clone(), *why));
            }
            Seen::Blind { stream, begins } => {
                drop(state);
                let what = if *begins {
                    "is interrupted: changes are not seen until it recovers"
                } else {
                    "has recovered"
                };
                self.say(&format!("{} {what}", stream.words()));
            }
            Seen::Warning(text) => {
                drop(state);
                self.with_bar(|| self.console.warn(&printable(text)));
            }
        }
    }

    fn say(&self, text: &str) {
        self.with_bar(|| self.console.progress(text));
    }

    fn with_bar(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// Reports the rest, and stops drawing.
    pub(super) fn finish(self) {
        self.task.abort();
        flush(self.console, &self.state, self.bar.as_ref());
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Reports the changes since the last line.
fn flush(console: Console, state: &Mutex<State>, bar: Option<&ProgressBar>) {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (down, back) = (std::mem::take(&mut state.down), std::mem::take(&mut state.back));
    let rest = std::mem::take(&mut state.rest);
    let (count, watched, over) = (state.count, state.watched, state.over);
    drop(state);
    if let Some(bar) = bar {
        let s = if over == 1 { "" } else { "s" };
        bar.set_message(format!("{count} of {watched} VMs are down now, {over} outage{s} over"));
    }
    let mut lines = Vec::new();
    if let Some((_, cause, node)) = down.first() {
        let alike = down.iter().all(|(_, other, there)| other == cause && there == node);
        let why = if alike {
            let node = node.as_ref().map_or_else(String::new, |node| format!(", {node}"));
            format!(" ({}{node})", cause.words())
        } else {
            String::new()
        };
        let names = names(down.iter().map(|(target, ..)| target));
        lines.push(format!("down: {names}{why}; down now: {count}"));
    }
    if !back.is_empty() {
        let slowest = back
            .iter()
            .filter_map(|(_, took)| *took)
            .fold(None, |a: Option<f64>, b| Some(a.map_or(b, |a| a.max(b))));
        let took = match slowest {
            Some(took) if back.len() == 1 => format!(" after {took:.1}s"),
            Some(took) => format!(" after up to {took:.1}s"),
            None => " after an unknown time".to_owned(),
        };
        lines
            .push(format!("back: {}{took}; down now: {count}", names(back.iter().map(|(target, _)| target))));
    }
    for why in [Rest::Stopped, Rest::Deleted, Rest::Left] {
        let alike: Vec<&Target> =
            rest.iter().filter(|(_, other)| *other == why).map(|(target, _)| target).collect();
        if !alike.is_empty() {
            let names = names(alike.into_iter());
            lines.push(format!("{}, not waited for: {names}; down now: {count}", why.words()));
        }
    }
    for line in lines {
        match bar {
            Some(bar) => bar.suspend(|| console.progress(&printable(&line))),
            None => console.progress(&printable(&line)),
        }
    }
}

fn names<'a>(targets: impl ExactSizeIterator<Item = &'a Target>) -> String {
    let count = targets.len();
    let named: Vec<String> = targets.take(NAMED).map(ToString::to_string).collect();
    let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
    named.join(", ") + &more
}
