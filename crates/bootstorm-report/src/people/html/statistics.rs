//! Statistics per milestone: baseline, storm, and ratio.

use super::blocks;
use super::markup::Markup;
use super::subject::{Role, Subjects};
use crate::Report;
use crate::people::content::{comparison, statistics};
use crate::people::document::Note;

/// Writes the section.
pub(super) fn write(body: &mut Markup, report: &Report, subjects: &Subjects<'_>) {
    if subjects.main().is_none() {
        return;
    }
    let phases: Vec<_> = subjects.iter().map(|subject| (subject.label(), subject.phase)).collect();
    let compared = report.comparison.as_ref().filter(|_| subjects.role(Role::Storm).is_some());
    let ratios = compared.map_or(&[][..], |compared| &compared.milestones);
    body.open("section", &[("id", "statistics")]).leaf("h2", &[], "Statistics");
    blocks::open_table(body, &statistics::side_by_side(&phases, ratios));
    let deciding = report.plan.probes.first().copied();
    let paired = report.comparison.iter().flat_map(|compared| comparison::paired(compared, deciding));
    paired.map(Note::detail).for_each(|note| blocks::note(body, &note));
    body.close("section");
}
