//! A fleet as Markdown: the members in a table, then the whole as a report of one run.

use std::fmt::Write as _;

use super::{FleetReport, StartBlock};
use crate::markdown::text::{code, plain, quantile, seconds};

impl FleetReport {
    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        // Writing to a string cannot fail, here and below.
        let mut page = format!("## Boot storm of fleet {}\n\n", code(&self.fleet.name));
        if let Some(phase) = self.phase {
            for start in &self.starts {
                let _ = writeln!(
                    page,
                    "{phase} began together at {:.3}: {}\n",
                    start.at,
                    StartBlock::words(start)
                );
            }
        }
        page.push_str(
            "| cluster | VMs | reached | failed | unknown | p50 | p95 | max | ratio | times | verdict |\n",
        );
        page.push_str("|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|\n");
        for member in &self.members {
            let name = code(&member.name);
            let vms = member.vms.map_or_else(|| "–".to_owned(), |vms| vms.to_string());
            let Some(result) = &member.result else {
                let _ = writeln!(page, "| {name} | {vms} | | | | | | | | | **{}** |", member.state.word());
                continue;
            };
            let counts = &result.counts;
            let times = [quantile(result.p50), quantile(result.p95), seconds(result.max)].join(" | ");
            let ratio = result.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}x"));
            let _ = writeln!(
                page,
                "| {name} | {vms} | {} | {} | {} | {times} | {ratio} | {} | {} |",
                counts.reached,
                counts.unsuccessful(),
                counts.unknown,
                result.validity.map_or("–", |grade| grade.word()),
                result.verdict.map_or("not judged", |grade| grade.word()),
            );
        }
        page.push('\n');
        for member in self.members.iter().filter(|member| member.why.is_some()) {
            let why = plain(member.why.as_deref().unwrap_or_default());
            let _ = writeln!(page, "- {} ({}): {why}", code(&member.name), member.state.word());
        }
        if let Some(worst) = &self.worst {
            let _ = writeln!(page, "- Worst cluster: {}, {}", code(&worst.member), plain(&worst.why));
        }
        page.push('\n');
        match &self.whole {
            Some(whole) => whole.markdown_with(&page),
            None => page.trim_end().to_owned() + "\n",
        }
    }
}
