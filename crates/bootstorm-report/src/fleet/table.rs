//! A fleet for a terminal: the members in a table, then the whole as a report of one run.

use super::{FleetReport, MemberBlock};
use crate::Layout;
use crate::paint::Tone;
use crate::table::{Column, Grid, Page, words};
use bootstorm_model::stats::{Grade, Validity};

impl FleetReport {
    /// The fleet on a screen, with the summary of the whole; `next` are commands that lead on.
    pub fn summary(&self, layout: &Layout, next: &[String]) -> String {
        self.with_whole(layout, |whole| whole.summary(layout, next))
    }

    /// The fleet with all blocks of the whole; a wide one also says how each cluster differs from the first.
    pub fn table(&self, layout: &Layout) -> String {
        let mut text = self.with_whole(layout, |whole| whole.table(layout));
        if let Some(differences) = self.differences.as_ref().filter(|_| layout.wide) {
            text.push('\n');
            text.push_str(&differences.table(layout));
        }
        text
    }

    fn with_whole(&self, layout: &Layout, whole: impl Fn(&crate::Report) -> String) -> String {
        let mut page = Page::new(*layout);
        if layout.title {
            self.head(&mut page);
        }
        self.members(&mut page);
        if let Some(worst) = &self.worst {
            page.sentence(None, 0, &format!("Worst cluster: {}, {}", worst.member, worst.why));
        }
        let text = page.finish();
        match &self.whole {
            Some(report) => format!("{text}\n{}", whole(report)),
            None => text,
        }
    }

    fn head(&self, page: &mut Page) {
        let clusters = words::count(self.members.len() as u64, "cluster");
        let vms: usize = self.members.iter().filter_map(|member| member.vms).sum();
        page.sentence(
            Some(Tone::Heading),
            0,
            &format!("Fleet {}: {clusters}, {}", self.fleet.name, words::vms(vms)),
        );
        if let Some(phase) = self.phase {
            for start in &self.starts {
                let text = format!("{phase} began together at {:.3}: {}", start.at, start.words());
                page.sentence(None, 0, &text);
            }
            if self.starts.len() > 1 {
                let text = "Not all clusters began at the same instant: the fleet was interrupted in between, and each \
                            one counts from its own start.";
                page.sentence(Some(Tone::Fair), 0, text);
            }
        }
        page.blank();
    }

    fn members(&self, page: &mut Page) {
        let layout = page.layout();
        let mut columns = vec![Column::words("CLUSTER"), Column::numbers("VMS")];
        columns.extend(["REACHED", "FAILED", "UNKNOWN", "P50", "P95", "MAX"].map(Column::numbers));
        if layout.wide {
            columns.extend(["100 %", "FIRST REQUEST", "RATIO"].map(Column::numbers));
        }
        columns.extend([Column::words("TIMES"), Column::words("VERDICT")]);
        let mut grid = Grid::new(columns);
        for member in &self.members {
            grid.push(tone(member), cells(member, layout.wide));
        }
        if layout.cut {
            grid.fit(page.width());
        }
        let (header, lines) = grid.lines(layout.headers, layout.paint);
        if let Some(header) = header {
            page.toned(Tone::Heading, &header);
        }
        for line in lines {
            page.line(&line);
        }
        for member in &self.members {
            if let Some(why) = &member.why {
                page.sentence(
                    Some(Tone::Bad),
                    0,
                    &format!("{} ({}): {why}", member.name, member.state.word()),
                );
            }
        }
    }
}

fn tone(member: &MemberBlock) -> Option<Tone> {
    let Some(result) = &member.result else { return Some(Tone::Bad) };
    if result.counts.unsuccessful() > 0 || result.validity == Some(Validity::Invalid) {
        return Some(Tone::Bad);
    }
    let doubtful = result.counts.unknown > 0 || result.validity.is_some_and(|grade| grade != Validity::Valid);
    doubtful.then_some(Tone::Fair)
}

fn cells(member: &MemberBlock, wide: bool) -> Vec<String> {
    let none = || "-".to_owned();
    let vms = member.vms.map_or_else(none, |vms| vms.to_string());
    let mut cells = vec![member.name.clone(), vms];
    let Some(result) = &member.result else {
        cells.extend(std::iter::repeat_n(none(), if wide { 10 } else { 7 }));
        cells.push(member.state.word().to_owned());
        return cells;
    };
    let counts = &result.counts;
    cells.push(format!("{}/{}", counts.reached, counts.participants));
    cells.extend([counts.unsuccessful().to_string(), counts.unknown.to_string()]);
    cells.extend([
        words::quantile(result.p50),
        words::quantile(result.p95),
        words::maybe_seconds(result.max),
    ]);
    if wide {
        cells.push(words::quantile(result.t100));
        cells.push(result.first_request.map_or_else(none, |seconds| format!("{:.1} ms", seconds * 1000.0)));
        cells.push(result.ratio.map_or_else(none, |ratio| format!("{ratio:.2}x")));
    }
    cells.push(result.validity.map_or_else(none, |grade| grade.word().to_owned()));
    let verdict = result.verdict.map(Grade::word);
    let state =
        (!matches!(result.state, bootstorm_model::record::PhaseState::Done)).then(|| result.state.word());
    cells.push(state.or(verdict).unwrap_or("not judged").to_owned());
    cells
}
