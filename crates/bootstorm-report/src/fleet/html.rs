//! A fleet as one offline page: the page of the whole, with a section that sets the clusters side by side.

use super::{FleetReport, MemberBlock};
use crate::html::grid;
use crate::html::markup::Markup;
use crate::html::words;

const HEADINGS: [&str; 12] = [
    "Cluster",
    "State",
    "VMs",
    "Reached",
    "Failed",
    "Unknown",
    "p50",
    "p95",
    "Max",
    "Ratio",
    "First request, ms",
    "Verdict",
];

impl FleetReport {
    /// The report as one HTML page that needs nothing but itself; nothing while no run can be read.
    pub fn html(&self) -> String {
        let mut section = Markup::new();
        self.section(&mut section);
        self.whole.as_ref().map(|whole| whole.html_with(&section)).unwrap_or_default()
    }

    fn section(&self, body: &mut Markup) {
        body.open("section", &[("id", "clusters")]).leaf("h2", &[], "Clusters");
        if let Some(phase) = self.phase {
            for start in &self.starts {
                let text = format!("{phase} began together at {}: {}.", words::time(start.at), start.words());
                body.leaf("p", &[], &text);
            }
        }
        if let Some(worst) = &self.worst {
            body.leaf("p", &[], &format!("Worst cluster: {}, {}.", worst.member, worst.why));
        }
        grid::open(body, "Seconds from each VM’s own request to its goal", &HEADINGS, 2);
        for member in &self.members {
            line(body, member);
        }
        grid::close(body);
        for member in self.members.iter().filter(|member| member.why.is_some()) {
            let why = member.why.as_deref().unwrap_or_default();
            body.leaf("p", &[], &format!("{} ({}): {why}", member.name, member.state.word()));
        }
        body.close("section");
    }
}

fn line(body: &mut Markup, member: &MemberBlock) {
    body.open("tr", &[]).leaf("th", &[("scope", "row")], &member.name);
    body.leaf("td", &[("class", "word")], member.state.word());
    body.leaf("td", &[], &member.vms.map_or_else(String::new, |vms| vms.to_string()));
    let cells = match &member.result {
        None => vec![String::new(); HEADINGS.len() - 3],
        Some(result) => vec![
            result.counts.reached.to_string(),
            result.counts.unsuccessful().to_string(),
            result.counts.unknown.to_string(),
            words::quantile_number(result.p50),
            words::quantile_number(result.p95),
            words::number(result.max),
            result.ratio.map_or_else(String::new, |ratio| words::ratio(Some(ratio))),
            result.first_request.map_or_else(String::new, |seconds| format!("{:.1}", seconds * 1000.0)),
            result.verdict.map_or("not judged", |grade| grade.word()).to_owned(),
        ],
    };
    for cell in &cells {
        body.leaf("td", &[], cell);
    }
    body.close("tr");
}
