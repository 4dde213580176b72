//! The command line as the caller of use cases.

use super::listen_args::ListenArgs;
use super::preflight;
use crate::console::Console;
use crate::console::progress::Progress;
use bootstorm_engine::phases::Event;
use bootstorm_engine::phases::preflight::Findings;
use bootstorm_engine::runs::Caller;

/// Shows on the console what use cases report
pub(super) struct Front<'a> {
    console: Console,
    progress: Progress,
    /// Live metrics of phases.
    listen: Option<&'a ListenArgs>,
}

impl<'a> Front<'a> {
    /// Shows on this console.
    pub(super) fn new(console: Console) -> Self {
        Self { console, progress: Progress::new(console), listen: None }
    }

    /// Shows phases, also as live metrics.
    pub(super) fn of_phases(console: Console, listen: Option<&'a ListenArgs>) -> Self {
        Self { listen, ..Self::new(console) }
    }
}

impl Caller for Front<'_> {
    fn say(&self, text: &str) {
        self.console.say(text);
    }

    fn warn(&self, text: &str) {
        self.console.warn(text);
    }

    fn show(&self, findings: &Findings, skips: bool) {
        preflight::show(self.console, findings, skips);
    }

    fn begin(&self, place: Option<&str>) {
        self.progress.at(place);
    }

    fn hear(&self, event: &Event) {
        if let Some(listen) = self.listen {
            listen.hear(event);
        }
        self.progress.hear(event);
    }

    fn finish(&self) {
        self.progress.finish();
    }
}
