//! A fleet: the members in a table, then the whole as a report of one run.

use super::{Layout, Page};
use crate::Report;
use crate::color::Tone;
use crate::fleet::FleetReport;
use crate::people::content::fleet;
use crate::people::document::Note;
use crate::people::words;

impl FleetReport {
    /// The fleet on one screen, with the summary of the whole; `next` are suggested commands.
    pub fn summary(&self, layout: &Layout, next: &[String]) -> String {
        self.with_whole(Page::compact(*layout), |whole| whole.summary(layout, next))
    }

    /// The fleet with all blocks of the whole; a wide one also shows how each cluster differs from the first.
    pub fn table(&self, layout: &Layout) -> String {
        let mut text = self.with_whole(Page::new(*layout), |whole| whole.table(layout));
        if let Some(differences) = self.differences.as_ref().filter(|_| layout.wide) {
            text.push('\n');
            text.push_str(&differences.table(layout));
        }
        text
    }

    fn with_whole(&self, mut page: Page, whole: impl Fn(&Report) -> String) -> String {
        if page.layout().title {
            let clusters = words::count(self.members.len(), "cluster");
            let vms: usize = self.members.iter().filter_map(|member| member.vms).sum();
            let title = format!("{clusters}, {}", words::vms(vms));
            page.note(&Note::toned(Tone::Heading, title).about(format!("Fleet {}", self.fleet.name)));
        }
        page.blocks(&fleet::blocks(self));
        let text = page.finish();
        match &self.whole {
            Some(report) => format!("{text}\n{}", whole(report)),
            None => text,
        }
    }
}
